//! The store's promises, by itself: no network, and a clock that the tests set.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::NaiveDate;
use tempfile::TempDir;

use super::*;
use crate::exit::Exit;
use crate::store::{Decision, Purpose};
use reconcile_core::answer::{AnswerKind, StoredCall};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

/// Moves only when told to; the two clocks and the boot are set one by one.
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

struct Place {
    dir: TempDir,
    clock: Arc<SetClock>,
}

const TIMEOUT: Duration = Duration::from_secs(10);

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), clock: SetClock::new("boot-1", 1_000_000_000) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("reconcile.db")
    }

    fn open(&self) -> Store {
        Store::open(&self.path(), Origin::Provider, self.clock.clone()).unwrap()
    }
}

fn rate() -> Rate {
    "100/min".parse().unwrap()
}

fn identity(sha: &str) -> RunIdentity {
    RunIdentity { input_sha256: sha.into(), refresh: false }
}

fn key(n: u32) -> CallKey {
    CallKey {
        call_id: format!("{n}^{n}"),
        prod_id: ProductId(11_000_000_300_006),
        day: NaiveDate::from_ymd_opt(2026, 11, 16).unwrap(),
    }
}

fn request(n: u32, purpose: Purpose) -> NewRequest {
    NewRequest { key: key(n), asked_date: key(n).day, purpose }
}

/// The request ends now.
fn end(store: &Store, code: &str) -> RequestEnd {
    RequestEnd {
        at: store.moment(),
        http_status: Some(200),
        code: code.into(),
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

async fn ask(store: &Store, scope: &Scope, n: u32, kind: AnswerKind, data: Option<&str>) {
    let no = store.begin_request(scope, request(n, Purpose::First)).await.unwrap();
    store.end_request(scope, no, end(store, "OK"), Some(answer(kind, data))).await.unwrap();
}

fn stored(store: &Store, n: u32) -> Option<StoredCall> {
    store.reader().unwrap().lookup(&key(n)).unwrap()
}

#[tokio::test]
async fn an_answer_is_kept_byte_for_byte_and_outlives_the_process() {
    let place = Place::new();
    let data = "{\"state\":\"200000\",  \"stateDesc\":\"用户接听\"}";
    {
        let store = place.open();
        let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
        ask(&store, &scope, 1, AnswerKind::Final, Some(data)).await;
    }
    let call = stored(&place.open(), 1).unwrap();
    assert_eq!(call.attempts, 1);
    let kept = call.answer.unwrap();
    assert_eq!((kept.answer.kind, kept.answer.data.as_deref()), (AnswerKind::Final, Some(data)));
    assert_eq!(kept.answer.request_id.as_deref(), Some("R"));
}

#[tokio::test]
async fn many_at_once_all_get_their_own_number() {
    let place = Place::new();
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
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
async fn what_is_asked_after_the_requests_have_ended_is_kept_as_well() {
    let place = Place::new();
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    for n in 1..=2 {
        ask(&store, &scope, n, AnswerKind::NoRecord, None).await;
        store.end_requests();
        assert!(stored(&store, n).unwrap().answer.is_some());
    }
}

#[tokio::test]
async fn a_call_is_found_in_whatever_order_the_ledger_names_it() {
    const CALLS: u32 = 5_000;
    let place = Place::new();
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    for some in 0..CALLS / 100 {
        let all = (0..100).map(|n| {
            let n = some * 100 + n;
            let (store, scope) = (&store, &scope);
            async move { ask(store, scope, n, AnswerKind::Final, Some(&n.to_string())).await }
        });
        futures::future::join_all(all).await;
    }
    let in_order: Vec<u32> = (0..CALLS).collect();
    let backwards_in =
        |some: usize| in_order.chunks(some).flat_map(|some| some.iter().rev().copied()).collect();
    let (few_in_flight, many_in_flight) = (backwards_in(16), backwards_in(1_000));
    let sparse = in_order.iter().copied().filter(|n| n % 90 == 0).collect();
    let with_gaps = in_order.iter().copied().filter(|n| n % 40 == 0 || n % 100 > 60).collect();
    let none_of_it = (0..CALLS).map(|n| n * 7_919 % CALLS).collect();
    let with_unknown = in_order.iter().flat_map(|n| [*n, CALLS + n]).collect();
    let backwards = in_order.iter().rev().copied().collect();
    let near = [few_in_flight, many_in_flight, with_gaps, sparse];
    for order in near.into_iter().chain([in_order, none_of_it, with_unknown, backwards]) {
        let reader = store.reader().unwrap();
        for n in order {
            let data = reader.lookup(&key(n)).unwrap().and_then(|call| call.answer?.answer.data);
            assert_eq!(data, (n < CALLS).then(|| n.to_string()), "{n}");
        }
    }
}

#[tokio::test]
async fn a_record_is_only_ever_replaced_by_a_record() {
    let place = Place::new();
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    ask(&store, &scope, 1, AnswerKind::Interim, Some("{}1")).await;
    for kind in [AnswerKind::NoRecord, AnswerKind::Exhausted, AnswerKind::Malformed, AnswerKind::Rejected] {
        ask(&store, &scope, 1, kind, None).await;
        assert_eq!(stored(&store, 1).unwrap().answer.unwrap().answer.kind, AnswerKind::Interim, "{kind:?}");
    }
    ask(&store, &scope, 1, AnswerKind::Final, Some("{}2")).await;
    let call = stored(&store, 1).unwrap();
    assert_eq!(call.answer.unwrap().answer.data.as_deref(), Some("{}2"));
    assert_eq!(call.attempts, 6);
}

#[tokio::test]
async fn a_killed_run_is_gone_on_with_and_an_ended_one_is_not() {
    let place = Place::new();
    let first = place.open().begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    assert!(!first.resumed);
    let store = place.open();
    let second = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    assert_eq!((second.run_id.as_str(), second.run_from), (first.run_id.as_str(), first.session_no));
    assert!(second.resumed && second.session_no > first.session_no);
    store.end_session(&second, Some(true)).unwrap();
    let third = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    assert!(!third.resumed && third.run_id != first.run_id);
    assert_eq!((third.run_from, third.chain_from), (third.session_no, third.session_no));
}

#[tokio::test]
async fn an_incomplete_run_is_followed_by_a_new_one_of_the_same_chain() {
    let place = Place::new();
    let store = place.open();
    let first = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    store.end_session(&first, Some(false)).unwrap();
    let second = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    assert_ne!(second.run_id, first.run_id);
    assert_eq!((second.run_from, second.chain_from), (second.session_no, first.session_no));
    // Another ledger begins a chain of its own.
    store.end_session(&second, Some(false)).unwrap();
    let other = store.begin_session(&identity("b"), rate(), TIMEOUT).unwrap();
    assert_eq!(other.chain_from, other.session_no);
}

#[tokio::test]
async fn places_are_taken_until_one_window_after_the_reply_whatever_the_wall_clock_does() {
    let place = Place::new();
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    let no = store.begin_request(&scope, request(1, Purpose::First)).await.unwrap();
    place.clock.pass(3);
    store.end_request(&scope, no, end(&store, "OK"), None).await.unwrap();
    place.clock.pass(20);
    for step in [0, 86_400 * 400, -86_400 * 800] {
        place.clock.step_wall(step);
        assert_eq!(
            store.places_taken(&scope, rate()).unwrap(),
            [Duration::from_secs(40)],
            "after a step of {step} s"
        );
    }
    place.clock.pass(40);
    assert!(store.places_taken(&scope, rate()).unwrap().is_empty());
}

#[tokio::test]
async fn a_request_whose_reply_was_never_recorded_counts_as_answered_at_the_latest_moment() {
    let place = Place::new();
    {
        let store = place.open();
        let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
        store.begin_request(&scope, request(1, Purpose::First)).await.unwrap();
    }
    place.clock.pass(5);
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [Duration::from_secs(70)]);
}

#[tokio::test]
async fn after_a_restart_of_the_machine_recent_requests_take_a_whole_window() {
    let mut place = Place::new();
    {
        let store = place.open();
        let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
        ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
        store.end_session(&scope, Some(true)).unwrap();
    }
    place.clock = SetClock::new("boot-2", 5_000_000);
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    assert_eq!(store.places_taken(&scope, rate()).unwrap(), [Duration::from_secs(60)]);
    place.clock.pass(3 * 86_400);
    assert!(store.places_taken(&scope, rate()).unwrap().is_empty());
}

#[tokio::test]
async fn what_was_sent_is_counted_by_purpose_and_by_window() {
    let place = Place::new();
    let store = place.open();
    let scope = store.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    for (n, purpose) in
        [(1, Purpose::First), (1, Purpose::Retry), (2, Purpose::First), (2, Purpose::OtherDay)]
    {
        let no = store.begin_request(&scope, request(n, purpose)).await.unwrap();
        let throttled = purpose == Purpose::First && n == 1;
        store.end_request(&scope, no, RequestEnd { throttled, ..end(&store, "c") }, None).await.unwrap();
        place.clock.pass(25);
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
fn a_second_process_is_told_who_holds_the_store() {
    let place = Place::new();
    let _first = place.open();
    let second = Store::open(&place.path(), Origin::Provider, Arc::clone(&place.clock) as _).err().unwrap();
    assert_eq!(second.exit, Exit::Busy);
    assert!(second.what.contains(&std::process::id().to_string()), "{second}");
}

#[test]
fn make_believe_never_mixes_with_the_real() {
    let place = Place::new();
    drop(place.open());
    let refused = Store::open(&place.path(), Origin::Sandbox, place.clock.clone()).err().unwrap();
    assert_eq!(refused.exit, Exit::Usage);
    // It was not marked anew by the attempt.
    drop(place.open());
}

#[test]
fn what_is_no_store_or_a_newer_one_is_refused_and_left_alone() {
    let place = Place::new();
    let open = || Store::open(&place.path(), Origin::Provider, place.clock.clone()).err().unwrap();

    std::fs::write(place.path(), "not a database at all, but long enough to have a header of its own")
        .unwrap();
    assert_eq!(open().exit, Exit::Output);

    std::fs::remove_file(place.path()).unwrap();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let foreign = open();
    assert_eq!(foreign.exit, Exit::Usage);
    assert!(foreign.what.contains("is not a store"), "{foreign}");

    std::fs::remove_file(place.path()).unwrap();
    drop(place.open());
    let newer = format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1);
    Connection::open(place.path()).unwrap().execute_batch(&newer).unwrap();
    let refused = open();
    assert_eq!(refused.exit, Exit::Usage);
    assert!(refused.what.contains("newer"), "{refused}");
}

#[test]
fn a_commit_is_on_disk_when_it_returns() {
    let place = Place::new();
    let store = place.open();
    let connection = lock(&store.writer.connection);
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |r| r.get(0)).unwrap();
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |r| r.get(0)).unwrap();
    assert_eq!((mode.as_str(), synchronous), ("wal", 2));
}
