//! Tests of the promises of every store, without a provider and with a clock that the tests set.
//! They run once on a file, and once on a database.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use reconcile_core::answer::{AnswerKind, NewAnswer, StoredCall};
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;
use reconcile_core::status::Status;
use reconcile_core::traffic::Traffic;
use tempfile::TempDir;

#[path = "open_discrepancy_tests.rs"]
mod open_discrepancy_tests;
#[allow(clippy::duplicate_mod, reason = "one suite for both implementations")]
#[path = "receipt_tests.rs"]
mod receipt_tests;
#[allow(clippy::duplicate_mod, reason = "one suite for both implementations")]
#[path = "second_look_tests.rs"]
mod second_look_tests;

use super::IS_DATABASE;
use crate::clock::{Clock, Moment};
use crate::exit::Exit;
use crate::store::test_database::Database;
use crate::store::*;

/// A clock that moves only by `pass` and `step_wall`.
struct SetClock {
    wall_us: AtomicI64,
    boot_us: AtomicI64,
    boot_id: String,
}

impl SetClock {
    fn new(boot_id: &str, boot_us: i64) -> Arc<Self> {
        let wall_us = AtomicI64::new(1_795_000_000_000_000);
        Arc::new(Self { wall_us, boot_us: AtomicI64::new(boot_us), boot_id: boot_id.into() })
    }

    fn pass(&self, seconds: i64) {
        self.wall_us.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        self.boot_us.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    fn step_wall(&self, seconds: i64) {
        self.wall_us.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Moment {
        let wall = DateTime::from_timestamp_micros(self.wall_us.load(Ordering::Relaxed)).unwrap();
        Moment { wall, boot_us: self.boot_us.load(Ordering::Relaxed) }
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn boot_us_is_uptime(&self) -> bool {
        true
    }
}

/// The place of a store, and the clock of its machine.
struct Machine {
    place: Place,
    clock: Arc<SetClock>,
}

enum Place {
    Folder(TempDir),
    Database(Database),
}

const TIMEOUT: Duration = Duration::from_secs(10);

impl Machine {
    /// A machine without a store; `None` if there is no PostgreSQL for it.
    fn new() -> Option<Self> {
        let place = if IS_DATABASE {
            Place::Database(Database::create()?)
        } else {
            Place::Folder(TempDir::new().unwrap())
        };
        Some(Self { place, clock: SetClock::new("boot-1", 1_000_000_000) })
    }

    fn location(&self) -> StoreLocation {
        match &self.place {
            Place::Folder(folder) => folder.path().join("reconcile.db").into(),
            Place::Database(database) => StoreLocation::parse(database.url().as_ref()),
        }
    }

    fn open(&self) -> Arc<dyn Store> {
        open(&self.location(), Origin::Provider, self.clock.clone()).unwrap()
    }
}

fn rate() -> Rate {
    "100/min".parse().unwrap()
}

fn identity(sha: &str) -> RunIdentity {
    RunIdentity { input_sha256: sha.into(), refresh: false }
}

/// Begins a session over the ledger `a`.
fn begin(store: &Arc<dyn Store>) -> Scope {
    store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap()
}

fn key(n: u32) -> CallKey {
    CallKey {
        call_id: format!("{n}^{n}"),
        prod_id: ProductId(11_000_000_300_006),
        day: NaiveDate::from_ymd_opt(2026, 11, 16).unwrap(),
    }
}

fn request(n: u32, purpose: Purpose) -> NewRequest {
    NewRequest { key: key(n), asked_date: key(n).day, purpose, recheck: false }
}

/// An answered request that ends now.
fn end(store: &Arc<dyn Store>, code: &str) -> RequestEnd {
    RequestEnd {
        at: store.moment(),
        provider_at: None,
        http_status: Some(200),
        code: code.into(),
        request_id: None,
        throttled: false,
        decision: Decision::Answered,
        pause: None,
    }
}

fn answer(kind: AnswerKind, data: Option<&str>) -> NewAnswer {
    NewAnswer {
        kind,
        found_date: key(0).day,
        next_date: None,
        request_id: Some("R".into()),
        code: "OK".into(),
        message: "OK".into(),
        data: data.map(str::to_owned),
    }
}

/// Asks for a call: one request with this answer.
async fn ask(store: &Arc<dyn Store>, scope: &Scope, n: u32, kind: AnswerKind, data: Option<&str>) {
    let begun = store.begin_request(scope, request(n, Purpose::First)).await.unwrap();
    store.end_request(scope, begun, end(store, "OK"), Some(answer(kind, data))).await.unwrap();
}

fn stored(store: &Arc<dyn Store>, n: u32) -> Option<StoredCall> {
    store.reader().unwrap().lookup(&key(n)).unwrap()
}

#[tokio::test]
async fn an_answer_outlives_the_process_byte_for_byte() {
    let Some(machine) = Machine::new() else { return };
    let data = "{\"state\":\"200000\",  \"stateDesc\":\"用户接听\"}";
    {
        let store = machine.open();
        let scope = begin(&store);
        ask(&store, &scope, 1, AnswerKind::Final, Some(data)).await;
    }
    let call = stored(&machine.open(), 1).unwrap();
    assert_eq!(call.attempts, 1);
    let kept = call.answer.unwrap();
    assert_eq!((kept.answer.kind, kept.answer.data.as_deref()), (AnswerKind::Final, Some(data)));
    assert_eq!(kept.answer.request_id.as_deref(), Some("R"));
}

#[tokio::test]
async fn simultaneous_requests_get_distinct_numbers() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    let all = (0..200).map(|n| store.begin_request(&scope, request(n % 50, Purpose::First)));
    let mut numbers: Vec<i64> =
        futures::future::join_all(all).await.into_iter().map(|no| no.unwrap().request_no).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 200);
    assert_eq!(stored(&store, 7).unwrap().attempts, 4);
    assert_eq!(store.traffic(&scope).unwrap().requests, 200);
}

#[tokio::test]
async fn requests_after_releasing_the_writer_are_stored() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    for n in 1..=2 {
        ask(&store, &scope, n, AnswerKind::NoRecord, None).await;
        store.release_writer();
        assert!(stored(&store, n).unwrap().answer.is_some());
    }
}

#[tokio::test]
async fn a_call_is_found_in_every_order_of_lookups() {
    const CALLS: u32 = 5_000;
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    for hundred in 0..CALLS / 100 {
        let all = (0..100).map(|n| {
            let n = hundred * 100 + n;
            let (store, scope) = (&store, &scope);
            async move { ask(store, scope, n, AnswerKind::Final, Some(&n.to_string())).await }
        });
        futures::future::join_all(all).await;
    }
    let in_order: Vec<u32> = (0..CALLS).collect();
    let reversed_in_chunks_of =
        |calls: usize| in_order.chunks(calls).flat_map(|chunk| chunk.iter().rev().copied()).collect();
    let (few_in_flight, many_in_flight) = (reversed_in_chunks_of(16), reversed_in_chunks_of(1_000));
    let sparse = in_order.iter().copied().filter(|n| n % 90 == 0).collect();
    let with_gaps = in_order.iter().copied().filter(|n| n % 40 == 0 || n % 100 > 60).collect();
    let shuffled = (0..CALLS).map(|n| n * 7_919 % CALLS).collect();
    let with_unknown = in_order.iter().flat_map(|n| [*n, CALLS + n]).collect();
    let backwards = in_order.iter().rev().copied().collect();
    let near = [few_in_flight, many_in_flight, with_gaps, sparse];
    for order in near.into_iter().chain([in_order, shuffled, with_unknown, backwards]) {
        let reader = store.reader().unwrap();
        for n in order {
            let data = reader.lookup(&key(n)).unwrap().and_then(|call| call.answer?.answer.data);
            assert_eq!(data, (n < CALLS).then(|| n.to_string()), "{n}");
        }
    }
}

#[tokio::test]
async fn an_answer_replaces_another_by_one_rule() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    let pairs = AnswerKind::ALL.into_iter().flat_map(|first| AnswerKind::ALL.map(|then| (first, then)));
    for (n, (first, then)) in (1..).zip(pairs) {
        ask(&store, &scope, n, first, Some("{}1")).await;
        ask(&store, &scope, n, then, Some("{}2")).await;
        let call = stored(&store, n).unwrap();
        let kept = call.answer.unwrap().answer;
        let wanted = if then.replaces(first) { (then, "{}2") } else { (first, "{}1") };
        assert_eq!((kept.kind, kept.data.as_deref()), (wanted.0, Some(wanted.1)), "{first:?}, {then:?}");
        assert_eq!(call.attempts, 2);
    }
    let wins = |then: AnswerKind| AnswerKind::ALL.map(|first| then.replaces(first));
    assert_eq!(wins(AnswerKind::Final), [true; 6]);
    assert_eq!(wins(AnswerKind::Rejected), [false, true, true, true, true, true]);
    assert_eq!(wins(AnswerKind::Exhausted), [false, false, true, true, true, true]);
}

#[tokio::test]
async fn a_killed_run_is_resumed_and_an_ended_one_is_not() {
    let Some(machine) = Machine::new() else { return };
    let first = begin(&machine.open());
    assert!(!first.resumed);
    let store = machine.open();
    let second = begin(&store);
    assert_eq!((second.run_id.as_str(), second.run_from), (first.run_id.as_str(), first.session_no));
    assert!(second.resumed && second.session_no > first.session_no);
    store.end_session(&second, Some(RunEnd::without_outputs(true))).unwrap();
    let third = begin(&store);
    assert!(!third.resumed && third.run_id != first.run_id);
    assert_eq!((third.run_from, third.chain_from), (third.session_no, third.session_no));
}

#[tokio::test]
async fn the_run_after_an_incomplete_one_is_in_its_chain() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let first = begin(&store);
    store.end_session(&first, Some(RunEnd::without_outputs(false))).unwrap();
    let second = begin(&store);
    assert_ne!(second.run_id, first.run_id);
    assert_eq!((second.run_from, second.chain_from), (second.session_no, first.session_no));
    // Another ledger begins its own chain.
    store.end_session(&second, Some(RunEnd::without_outputs(false))).unwrap();
    let other = store.begin_session(&identity("b"), rate(), TIMEOUT).unwrap();
    assert_eq!(other.chain_from, other.session_no);
}

#[tokio::test]
async fn steps_of_the_wall_clock_free_no_place() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    let begun = store.begin_request(&scope, request(1, Purpose::First)).await.unwrap();
    machine.clock.pass(3);
    store.end_request(&scope, begun, end(&store, "OK"), None).await.unwrap();
    machine.clock.pass(20);
    for step in [0, 86_400 * 400, -86_400 * 800] {
        machine.clock.step_wall(step);
        assert_eq!(
            store.places_taken(&scope, rate()).unwrap(),
            [rate().cooldown() - Duration::from_secs(20)],
            "after a step of {step} s"
        );
    }
    machine.clock.pass(40);
    // The window is over, the guard is not.
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [rate().cooldown() - rate().window]);
    machine.clock.pass(1);
    assert!(store.places_taken(&scope, rate()).unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_reply_counts_from_the_latest_possible_moment() {
    let Some(machine) = Machine::new() else { return };
    {
        let store = machine.open();
        let scope = begin(&store);
        store.begin_request(&scope, request(1, Purpose::First)).await.unwrap();
    }
    machine.clock.pass(5);
    let store = machine.open();
    let scope = begin(&store);
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [rate().cooldown() + TIMEOUT]);
}

/// Begins a request and ends it without a reply, `seconds` later.
async fn fail(machine: &Machine, store: &Arc<dyn Store>, scope: &Scope, n: u32, seconds: i64, code: &str) {
    let begun = store.begin_request(scope, request(n, Purpose::First)).await.unwrap();
    machine.clock.pass(seconds);
    let end = RequestEnd { http_status: None, decision: Decision::Again, ..end(store, code) };
    store.end_request(scope, begun, end, None).await.unwrap();
}

#[tokio::test]
async fn a_request_without_a_recorded_end_counts_after_any_end() {
    for how_it_ended in ["kill", "failed write", "next session"] {
        let Some(machine) = Machine::new() else { return };
        let store = machine.open();
        let scope = begin(&store);
        store.begin_request(&scope, request(1, Purpose::First)).await.unwrap();
        machine.clock.pass(5);
        match how_it_ended {
            "kill" => {}
            "failed write" => store.end_session(&scope, None).unwrap(),
            _ => drop(begin(&store)),
        }
        drop(store);
        let store = machine.open();
        let scope = begin(&store);
        let all = [rate().cooldown() + TIMEOUT];
        assert_eq!(store.places_taken(&scope, rate()).unwrap(), all, "{how_it_ended}");
    }
}

#[tokio::test]
async fn a_request_without_a_reply_takes_its_place_longer() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    fail(&machine, &store, &scope, 1, 10, "timeout").await;
    machine.clock.pass(3);
    let left = rate().cooldown() + TIMEOUT - Duration::from_secs(3);
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [left]);
    let reader = store.reader().unwrap();
    assert_eq!(
        reader.places_taken(machine.clock.as_ref(), &AccountCap { account: None, rate: rate() }).unwrap(),
        [left]
    );
}

#[tokio::test]
async fn a_request_that_was_never_sent_takes_no_place() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    for code in NOT_SENT {
        fail(&machine, &store, &scope, 1, 0, code).await;
    }
    assert!(store.places_taken(&scope, rate()).unwrap().is_empty());
    let traffic = store.traffic(&scope).unwrap();
    // A withdrawn request is counted nowhere.
    assert_eq!((traffic.requests, traffic.evidence.requests), (3, 0));
}

#[tokio::test]
async fn a_withdrawn_request_is_no_request_and_no_attempt() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    ask(&store, &begin(&store), 7, AnswerKind::Final, Some("{}")).await;
    let scope = begin(&store);
    for n in [1, 2] {
        let begun = store.begin_request(&scope, request(n, Purpose::First)).await.unwrap();
        let end = RequestEnd::withdrawn(store.moment());
        store.end_request(&scope, begun, end, None).await.unwrap();
    }
    ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
    let traffic = store.traffic(&scope).unwrap();
    assert_eq!((traffic.requests, traffic.first_tries, traffic.retries), (1, 1, 0));
    assert_eq!((traffic.evidence.requests, traffic.evidence.missing), (1, 0));
    assert_eq!(traffic.evidence.most_in_any_window, 2, "one of them was of the session before");
    assert_eq!(stored(&store, 1).unwrap().attempts, 1);
    assert_eq!(stored(&store, 2).map(|call| call.attempts), Some(0));
    let sending = store.sending(&scope).unwrap();
    assert_eq!(sending.points.iter().map(|point| point.requests).sum::<u64>(), 1);
    assert!(sending.tried_again.is_empty());
}

#[tokio::test]
async fn requests_never_sent_hide_no_earlier_ones_of_another_boot() {
    let Some(mut machine) = Machine::new() else { return };
    {
        let store = machine.open();
        let scope = begin(&store);
        ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
        for n in 0..rate().requests.get() {
            fail(&machine, &store, &scope, 100 + n, 0, WITHDRAWN).await;
        }
    }
    machine.clock = SetClock::new("boot-2", 5_000_000);
    let store = machine.open();
    let scope = begin(&store);
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [rate().cooldown()]);
}

#[tokio::test]
async fn a_huge_stored_time_limit_stops_no_later_session() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = store.begin_session(&identity("a"), rate(), Duration::MAX).unwrap();
    store.begin_request(&scope, request(1, Purpose::First)).await.unwrap();
    drop(store);
    let store = machine.open();
    let scope = begin(&store);
    let longest = reconcile_core::arrival::LONGEST_TIMEOUT;
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [rate().cooldown() + longest]);
}

#[tokio::test]
async fn purge_keeps_what_the_cap_counts_under_any_wall_clock() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    for n in 0..300 {
        ask(&store, &scope, n, AnswerKind::Final, Some("{}")).await;
    }
    machine.clock.step_wall(3 * 86_400);
    let erased = store.purge(NaiveDate::from_ymd_opt(2026, 12, 31).unwrap()).unwrap();
    assert_eq!((erased.calls, erased.requests), (300, 0));
    machine.clock.step_wall(-3 * 86_400);
    assert_eq!(store.places_taken(&scope, rate()).unwrap().len(), 300);
    // Sessions that are old enough go as a whole.
    machine.clock.pass(5 * 86_400);
    let second = begin(&store);
    for n in 1_000..1_200 {
        ask(&store, &second, n, AnswerKind::Final, Some("{}")).await;
    }
    let erased = store.purge(NaiveDate::from_ymd_opt(2026, 12, 31).unwrap()).unwrap();
    assert_eq!((erased.calls, erased.requests), (200, 300));
    let sessions = store.reader().unwrap().cap_record().unwrap().sessions;
    assert_eq!((sessions.len(), sessions[0].evidence.missing), (1, 0));
}

#[tokio::test]
async fn a_resumed_run_keeps_its_start() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let began = machine.clock.now().wall;
    assert_eq!(begin(&store).run_started_at, began);
    drop(store);
    machine.clock.pass(19 * 3_600);
    let store = machine.open();
    let preview = store.reader().unwrap().preview_session(&identity("a"), machine.clock.as_ref());
    assert_eq!(preview.unwrap().run_started_at, began);
    let resumed = begin(&store);
    assert_eq!((resumed.run_started_at, resumed.resumed), (began, true));
    store.end_session(&resumed, Some(RunEnd::without_outputs(false))).unwrap();
    // The run after an incomplete one is a run of its own.
    assert_eq!(begin(&store).run_started_at, machine.clock.now().wall);
}

/// Asks for a call without an answer; the response has this `RequestId`.
async fn ask_with_id(store: &Arc<dyn Store>, scope: &Scope, n: u32, request_id: &str) {
    let begun = store.begin_request(scope, request(n, Purpose::First)).await.unwrap();
    let end = RequestEnd {
        request_id: Some(request_id.into()),
        throttled: true,
        decision: Decision::Again,
        ..end(store, "Throttling.User")
    };
    store.end_request(scope, begun, end, None).await.unwrap();
}

fn attempts(store: &Arc<dyn Store>, n: u32) -> Vec<Attempt> {
    let mut known = store.reader().unwrap().calls_named(&key(n).call_id).unwrap();
    known.pop().map(|known| known.attempts).unwrap_or_default()
}

#[tokio::test]
async fn attempts_have_their_request_id_and_endpoint() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let destination = Destination { endpoint: Some("https://a.example:8443".into()), timeout: TIMEOUT };
    let caps = [AccountCap { account: None, rate: rate() }];
    let scope = store.begin_sessions(&identity("a"), &destination, &caps).unwrap().remove(0);
    let odd = "R\u{0}1\u{10FFFF}号";
    ask_with_id(&store, &scope, 1, odd).await;
    ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    let second = begin(&store);
    ask_with_id(&store, &second, 1, "R3").await;
    let found = attempts(&store, 1);
    let of = |attempt: &Attempt| (attempt.request_id.clone(), attempt.endpoint.clone());
    let endpoint = || destination.endpoint.clone();
    assert_eq!(
        found.iter().map(of).collect::<Vec<_>>(),
        [(Some(odd.into()), endpoint()), (None, endpoint()), (Some("R3".into()), None)]
    );
}

#[tokio::test]
async fn forget_deletes_request_ids_with_the_number() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    for (n, id) in [(1, "R-138 1234 5678"), (1, "R-2"), (2, "x8613812345678"), (3, "R-99138123456789")] {
        ask_with_id(&store, &scope, n, id).await;
    }
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    store.forget("13812345678").unwrap();
    let ids = |n| attempts(&store, n).into_iter().map(|attempt| attempt.request_id).collect::<Vec<_>>();
    assert_eq!(ids(1), [None, Some("R-2".into())]);
    assert_eq!((ids(2), ids(3)), (vec![None], vec![Some("R-99138123456789".into())]));
}

#[tokio::test]
async fn other_boots_count_until_this_one_has_sent_for_a_while() {
    let Some(mut machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
    drop(store);
    machine.clock = SetClock::new("boot-2", 5_000_000);
    let store = machine.open();
    let scope = begin(&store);
    machine.clock.pass(300);
    assert_eq!(store.places_taken(&scope, rate()).unwrap().len(), 1);
    ask(&store, &scope, 2, AnswerKind::Final, Some("{}")).await;
    machine.clock.pass(120);
    assert!(store.places_taken(&begin(&store), rate()).unwrap().is_empty());
}

#[tokio::test]
async fn after_a_reboot_recent_requests_take_a_whole_cooldown() {
    let Some(mut machine) = Machine::new() else { return };
    {
        let store = machine.open();
        let scope = begin(&store);
        ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
        store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    }
    machine.clock = SetClock::new("boot-2", 5_000_000);
    let store = machine.open();
    let scope = begin(&store);
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [rate().cooldown()]);
    machine.clock.pass(3 * 86_400);
    assert!(store.places_taken(&scope, rate()).unwrap().is_empty());
}

#[tokio::test]
async fn requests_are_counted_by_purpose_and_by_window() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    for (n, purpose) in
        [(1, Purpose::First), (1, Purpose::Retry), (2, Purpose::First), (2, Purpose::OtherDay)]
    {
        let begun = store.begin_request(&scope, request(n, purpose)).await.unwrap();
        let throttled = purpose == Purpose::First && n == 1;
        let end = RequestEnd { throttled, ..end(&store, "c") };
        store.end_request(&scope, begun, end, None).await.unwrap();
        machine.clock.pass(25);
    }
    let traffic = store.traffic(&scope).unwrap();
    let wanted = Traffic {
        requests: 4,
        first_tries: 2,
        retries: 1,
        other_day_tries: 1,
        throttled: 1,
        evidence: traffic.evidence,
        ..Traffic::default()
    };
    assert_eq!(traffic, wanted);
    assert_eq!(traffic.evidence.most_in_any_window, 3);
}

#[test]
fn a_store_of_the_other_origin_is_refused() {
    let Some(machine) = Machine::new() else { return };
    drop(machine.open());
    let refusal = open(&machine.location(), Origin::Sandbox, machine.clock.clone()).err().unwrap();
    assert_eq!(refusal.exit, Exit::Usage);
    // The attempt did not mark it as simulated.
    drop(machine.open());
}

#[test]
fn the_first_answer_marks_a_new_store() {
    let Some(machine) = Machine::new() else { return };
    let store = open(&machine.location(), ExpectedOrigin::Either, machine.clock).unwrap();
    assert_eq!(store.origin(), Origin::Provider);
    store.admit(Origin::Sandbox).unwrap();
    store.admit(Origin::Sandbox).unwrap();
    assert_eq!(store.origin(), Origin::Sandbox);
    let refusal = store.admit(Origin::Provider).unwrap_err();
    assert_eq!(refusal.exit, Exit::Usage);
    // Requests were sent by then, so the error must not deny it.
    assert!(refusal.hint.unwrap().contains("the answer was not stored"));
}

/// The calls whose answers this session brought, as an export reads them.
fn answered_in(reader: &dyn Reader, group: &AnswerGroup) -> Vec<String> {
    let is_wanted = |session_no, day| (session_no, day) == (group.session_no, group.day);
    let mut calls = Vec::new();
    let mut each = |call: AnsweredCall| {
        assert_eq!((call.session_no, call.attempts, call.answer.is_some()), (group.session_no, 1, true));
        calls.push(call.key.call_id);
        Ok(())
    };
    reader.answered_calls(group.first_no..=group.last_no, &is_wanted, &mut each).unwrap();
    calls
}

#[tokio::test]
async fn the_answers_of_each_session_are_read_together() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let reader = store.reader().unwrap();
    assert_eq!((reader.sessions().unwrap(), reader.answer_groups().unwrap()), (Sessions::default(), vec![]));
    let first = begin(&store);
    for n in [1, 2, 3] {
        ask(&store, &first, n, AnswerKind::Final, Some("{}")).await;
    }
    let sessions = reader.sessions().unwrap();
    assert_eq!((sessions.ended.len(), sessions.open), (0, vec![1]), "it may bring more answers");
    store.end_session(&first, Some(RunEnd::without_outputs(true))).unwrap();
    assert_eq!(reader.sessions().unwrap().open, Vec::<i64>::new());
    // A killed session has recorded no end; it has ended when the next one begins.
    let second = begin(&store);
    ask(&store, &second, 4, AnswerKind::NoRecord, None).await;
    let third = begin(&store);
    store.begin_request(&third, request(5, Purpose::First)).await.unwrap();
    let sessions = reader.sessions().unwrap();
    let ended: Vec<_> = sessions.ended.iter().map(|s| (s.session_no, s.run_id == second.run_id)).collect();
    assert_eq!((ended, sessions.open), (vec![(1, false), (2, true)], vec![3]));
    let groups = reader.answer_groups().unwrap();
    let calls: Vec<_> =
        groups.iter().map(|group| (group.calls, answered_in(reader.as_ref(), group))).collect();
    let ids = |numbers: &[u32]| numbers.iter().map(|n| key(*n).call_id).collect::<Vec<_>>();
    assert_eq!(calls, [(3, ids(&[1, 2, 3])), (1, ids(&[4]))]);
    let refused =
        reader.answered_calls(1..=9, &|_, _| true, &mut |_| Err(crate::error::Error::usage("enough")));
    assert_eq!(refused.unwrap_err().what, "enough");
}

/// A run over this ledger that began now, notes these figures and ends after a second.
fn noted_run(machine: &Machine, store: &Arc<dyn Store>, ledger: &str, series: &str, figures: &str) -> Scope {
    let scope = store.begin_session(&identity(ledger), rate(), TIMEOUT).unwrap();
    let noted = RunFigures { series: series.into(), figures: figures.into() };
    store.note_figures(&scope, &noted).unwrap();
    machine.clock.pass(1);
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    scope
}

#[test]
fn the_figures_of_a_run_count_once_it_has_ended() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let began = store.moment().wall;
    let first = noted_run(&machine, &store, "a", "s", "{\"calls\":1,\"呼\":\"\u{0}\"}");
    noted_run(&machine, &store, "b", "other", "{}");
    machine.clock.pass(86_400);
    let second = begin(&store);
    let figures = |n: u32| RunFigures { series: "s".into(), figures: format!("{{\"calls\":{n}}}") };
    // A killed process had noted figures already.
    store.note_figures(&second, &figures(2)).unwrap();
    store.note_figures(&second, &figures(3)).unwrap();
    let history = store.run_history(&second, "s").unwrap();
    assert_eq!((history.ledger_since, history.started_at), (began, store.moment().wall));
    let [run] = history.others.as_slice() else { panic!("{history:?}") };
    assert_eq!((&run.run_id, run.complete), (&first.run_id, Some(true)));
    assert_eq!(run.figures.as_deref(), Some("{\"calls\":1,\"呼\":\"\u{0}\"}"));
    store.end_session(&second, Some(RunEnd::without_outputs(false))).unwrap();

    let third = store.begin_session(&identity("c"), rate(), TIMEOUT).unwrap();
    let others = store.run_history(&third, "s").unwrap().others;
    let seen = others.iter().map(|run| (run.run_id.as_str(), run.complete, run.figures.as_deref().unwrap()));
    assert_eq!(seen.collect::<Vec<_>>()[0], (second.run_id.as_str(), Some(false), "{\"calls\":3}"));
    assert_eq!(others.len(), 2);
    // The figures of 400 days ago go, the runs stay.
    machine.clock.step_wall(400 * 86_400);
    store.note_figures(&third, &figures(4)).unwrap();
    let history = store.run_history(&third, "s").unwrap();
    assert_eq!(history.others.len(), 1, "{history:?}");
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_id() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let first = noted_run(&machine, &store, "a", "s", "{}");
    let open = store.begin_session(&identity("b"), rate(), TIMEOUT).unwrap();
    let reader = store.reader().unwrap();
    let named = |start: &str| reader.runs_named(start, 3).unwrap();
    let found = named(&first.run_id[..8]);
    assert_eq!((found.len(), found[0].complete, found[0].figures.as_deref()), (1, Some(true), Some("{}")));
    let found = named(&open.run_id);
    assert_eq!(
        (found[0].run_id.as_str(), found[0].complete, &found[0].figures),
        (&*open.run_id, None, &None)
    );
    assert_eq!((named("").len(), named("%").len(), named(&format!("{}0", open.run_id)).len()), (2, 0, 0));
}

#[test]
fn the_secret_of_a_store_never_changes() {
    let Some(machine) = Machine::new() else { return };
    let secret = machine.open().secret().unwrap();
    assert_eq!(secret.len(), 64);
    assert_eq!(machine.open().secret().unwrap(), secret);
}

#[test]
fn open_items_keep_the_day_on_which_they_were_first_seen() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let item = |n, status| OpenItem { key: key(n), status, seconds: 60 + u64::from(n), account: None };
    let first = begin(&store);
    store.note_open(&first, &[item(1, Status::NotFound), item(2, Status::Pending)]).unwrap();
    store.end_session(&first, Some(RunEnd::without_outputs(true))).unwrap();
    machine.clock.pass(2 * 86_400);
    let second = begin(&store);
    store.note_open(&second, &[item(1, Status::NotFound)]).unwrap();
    let open_items = store.open_items(&second).unwrap();
    let [OpenAge { nights: 2, status, calls: 1, seconds: 61, .. }] = open_items.by_age.as_slice() else {
        panic!("{open_items:?}")
    };
    assert_eq!(*status, StoredWord::Known(Status::NotFound));
    assert_eq!((open_items.cleared, open_items.elsewhere), (0, 1));
}
