//! The bounds around the slots over virtual time, with the real fetch stage and store behind a slow
//! disk. The simulated provider sees how many requests are in flight, and which rows are on disk.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use reconcile::clock::Moment;
use reconcile::error::Result;
use reconcile::fetch::Concurrency;
use reconcile::fetch::outage::OutagePolicy;
use reconcile::provider::wire::Reply;
use reconcile::provider::{Provider, Question};
use reconcile::store::{BegunRequest, NewRequest, Origin, RequestEnd, RequestLog, Store};
use reconcile_core::answer::NewAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::rate::Rate;
use tokio::time::{Instant, sleep, timeout};

use super::outages_simulated::record;
use super::processes_simulated::{Account, BusyLog, Ran, SharedStore};
use crate::support::id;

const NO_CAP: &str = "1000000/s";
const SLOTS: usize = 4;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn slots(number: usize) -> Concurrency {
    Concurrency::Fixed(NonZeroUsize::new(number).unwrap())
}

/// What was seen at the disk and at the provider.
#[derive(Default)]
struct Seen {
    /// CallIds of requests whose row is on disk.
    on_disk: HashSet<String>,
    /// Rows begun and not sent; requests at the provider; answers that are not on disk.
    waiting: usize,
    in_flight: usize,
    storing: usize,
    most_waiting: usize,
    most_in_flight: usize,
    most_storing: usize,
    most_sent: usize,
    /// Requests of each call.
    asked: BTreeMap<String, usize>,
    arrivals: Vec<Instant>,
}

impl Seen {
    fn note(&mut self) {
        self.most_waiting = self.most_waiting.max(self.waiting);
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        self.most_storing = self.most_storing.max(self.storing);
        self.most_sent = self.most_sent.max(self.in_flight + self.storing);
    }

    /// Requests beyond the first of each call.
    fn repeats(&self) -> usize {
        self.asked.values().map(|requests| requests - 1).sum()
    }

    fn most_in_any(&self, window: Duration) -> usize {
        let in_window =
            |i: usize| self.arrivals[i..].iter().take_while(|at| **at - self.arrivals[i] < window).count();
        (0..self.arrivals.len()).map(in_window).max().unwrap_or(0)
    }
}

type Shared = Arc<Mutex<Seen>>;

/// A disk that takes its time for each row.
struct SlowDisk {
    store: BusyLog,
    begin: Duration,
    end: Duration,
    seen: Shared,
}

impl RequestLog for SlowDisk {
    fn moment(&self) -> Moment {
        self.store.moment()
    }

    fn admit(&self, answer: Origin) -> Result<()> {
        self.store.admit(answer)
    }

    fn may_send(&self) -> bool {
        self.store.may_send()
    }

    fn until_may_send(&self) -> BoxFuture<'_, ()> {
        self.store.until_may_send()
    }

    fn begin_request<'a>(
        &'a self,
        scope: &'a Scope,
        request: NewRequest,
    ) -> BoxFuture<'a, Result<BegunRequest>> {
        let call_id = request.key.call_id.clone();
        let commit = self.store.begin_request(scope, request);
        self.seen.lock().unwrap().waiting += 1;
        async move {
            sleep(self.begin).await;
            let begun = commit.await;
            let mut seen = self.seen.lock().unwrap();
            seen.on_disk.insert(call_id);
            seen.note();
            begun
        }
        .boxed()
    }

    fn end_request<'a>(
        &'a self,
        scope: &'a Scope,
        begun: BegunRequest,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> BoxFuture<'a, Result<()>> {
        let was_sent = end.code != "withdrawn";
        let commit = self.store.end_request(scope, begun, end, answer);
        async move {
            sleep(self.end).await;
            let ended = commit.await;
            let mut seen = self.seen.lock().unwrap();
            if was_sent {
                seen.storing -= 1;
            } else {
                seen.waiting -= 1;
            }
            ended
        }
        .boxed()
    }
}

/// A provider that answers after a round trip.
struct Watching<F> {
    round_trip: Duration,
    seen: Shared,
    /// The reply to the request with this number, counted from 0.
    reply: F,
}

impl<F: Fn(usize, &Question) -> Reply + Send + Sync> Provider for Watching<F> {
    async fn ask(&self, question: &Question) -> Reply {
        let no = {
            let mut seen = self.seen.lock().unwrap();
            assert!(seen.on_disk.remove(&question.call_id), "sent before its row was on disk");
            seen.waiting -= 1;
            seen.in_flight += 1;
            *seen.asked.entry(question.call_id.clone()).or_default() += 1;
            seen.arrivals.push(Instant::now());
            seen.note();
            seen.arrivals.len() - 1
        };
        sleep(self.round_trip).await;
        let mut seen = self.seen.lock().unwrap();
        seen.in_flight -= 1;
        seen.storing += 1;
        seen.note();
        (self.reply)(no, question)
    }
}

/// A run with a disk of this speed. It takes SLOTS slots and no cap, unless they are changed.
struct World {
    rate: &'static str,
    concurrency: Concurrency,
    round_trip: Duration,
    begin: Duration,
    end: Duration,
    seen: Shared,
}

impl World {
    fn new(round_trip: Duration, (begin, end): (Duration, Duration)) -> Self {
        let (seen, concurrency) = (Shared::default(), slots(SLOTS));
        Self { rate: NO_CAP, concurrency, round_trip, begin, end, seen }
    }

    fn store(&self) -> SharedStore {
        SharedStore::new(Account::new(0, 0)).with_rate(self.rate).with_concurrency(self.concurrency)
    }

    /// Runs one process on a store. `reply` is the provider's reply to each request.
    async fn process(
        &self,
        store: &SharedStore,
        calls: usize,
        reply: impl Fn(usize, &Question) -> Reply + Send + Sync,
    ) -> Ran {
        let provider = Watching { round_trip: self.round_trip, seen: self.seen.clone(), reply };
        let (begin, end, seen) = (self.begin, self.end, self.seen.clone());
        let log = move |store: Arc<dyn Store>| -> Arc<dyn RequestLog> {
            Arc::new(SlowDisk { store: BusyLog(store), begin, end, seen })
        };
        store.process_through(provider, calls, OutagePolicy::default(), log).await
    }

    /// Runs one process on a new store. Returns how long it took.
    async fn run(&self, calls: usize) -> Duration {
        let began = Instant::now();
        let ran = self.process(&self.store(), calls, |_, question| record(question)).await;
        assert_eq!(ran.ended["final"], calls);
        let (cap, evidence) = (self.rate.parse::<Rate>().unwrap(), ran.traffic.evidence);
        assert!(evidence.most_in_any_window <= u64::from(cap.requests.get()), "{evidence:?}");
        began.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_leaves_the_slots_to_other_requests() {
    // With the slot held over both commits: 400 ÷ 4 × 0.3 s are 30 s.
    let world = World::new(ms(100), (ms(100), ms(100)));
    let took = world.run(400).await;
    assert!(took <= Duration::from_secs(11), "{took:?}");
    assert_eq!(world.seen.lock().unwrap().most_in_flight, SLOTS);
}

#[tokio::test(start_paused = true)]
async fn every_stage_keeps_its_bound_at_any_speed_of_the_disk() {
    for (begin, end) in [(0, 0), (0, 1_000), (1_000, 0), (1_000, 1_000), (3, 700), (700, 3)] {
        let world = World::new(ms(50), (ms(begin), ms(end)));
        world.run(120).await;
        let seen = world.seen.lock().unwrap();
        assert!(seen.most_waiting <= SLOTS, "{begin} {end}: {} wait", seen.most_waiting);
        assert!(seen.most_in_flight <= SLOTS, "{begin} {end}: {} in flight", seen.most_in_flight);
        assert!(seen.most_sent <= 2 * SLOTS, "{begin} {end}: {} without an answer", seen.most_sent);
        assert_eq!((seen.waiting, seen.in_flight, seen.storing), (0, 0, 0));
        assert_eq!(seen.repeats(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_commit_stops_the_sending_at_its_bound() {
    let world = World::new(ms(10), (Duration::ZERO, Duration::from_secs(1_000_000)));
    let ran = timeout(Duration::from_secs(100), world.run(120)).await;
    let seen = world.seen.lock().unwrap();
    // The first three requests wait for a usable response, which they all get.
    assert_eq!((ran.is_err(), seen.arrivals.len(), seen.storing), (true, 2 * SLOTS, 2 * SLOTS));
}

#[tokio::test(start_paused = true)]
async fn kills_on_a_slow_disk_repeat_at_most_what_was_in_flight() {
    let mut random = fastrand::Rng::with_seed(9);
    for (begin, end) in [(20, 20), (0, 150), (150, 0)] {
        let mut world = World::new(ms(100), (ms(begin), ms(end)));
        world.rate = "30/s";
        let store = world.store();
        let kills = 12;
        for _ in 0..kills {
            let process = world.process(&store, 600, |_, question| record(question));
            let _ = timeout(ms(random.u64(100..4_000)), process).await;
            // The arrivals go on; what the killed process had on its way does not.
            let mut seen = world.seen.lock().unwrap();
            (seen.waiting, seen.in_flight, seen.storing) = (0, 0, 0);
            seen.on_disk.clear();
        }
        let ran = world.process(&store, 600, |_, question| record(question)).await;
        assert!(ran.ended.keys().all(|how| how == "final"), "{:?}", ran.ended);
        assert!(ran.traffic.evidence.most_in_any_window <= 30, "{:?}", ran.traffic);
        let seen = world.seen.lock().unwrap();
        assert!((1..=kills * 2 * SLOTS).contains(&seen.repeats()), "{} repeats", seen.repeats());
        assert!(seen.most_in_any(Duration::from_secs(1)) <= 30);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_withdraws_the_requests_that_wait_for_a_slot() {
    let world = World::new(ms(400), (ms(5), ms(5)));
    let store = world.store();
    let refused = r#"{"Code":"InvalidAccessKeyId.NotFound","Message":"Specified access key is not found."}"#;
    let reply = |no: usize, question: &Question| match no {
        21 => Reply::received(404, refused),
        _ => record(question),
    };
    let ran = world.process(&store, 300, reply).await;
    assert!(ran.stopped.is_some());
    let sent = world.seen.lock().unwrap().arrivals.len();
    // Those in flight with the one that was refused, and none of those that waited.
    assert!((22..=22 + 2 * SLOTS).contains(&sent), "{sent} were sent");
    assert_eq!(ran.traffic.requests as usize, sent, "a withdrawn request is not counted");
    assert_eq!(ran.traffic.evidence.requests as usize, sent);
    assert_eq!(ran.traffic.first_tries as usize, sent);
    // The next process asks for them as if nothing had happened.
    let ran = world.process(&store, 300, |_, question| record(question)).await;
    assert!(ran.ended.keys().all(|how| how == "final"), "{:?}", ran.ended);
    let seen = world.seen.lock().unwrap();
    assert_eq!((seen.asked.len(), seen.repeats()), (300, 1));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_answer_holds_the_requests_that_wait_for_a_slot() {
    let world = World { rate: "1000/s", ..World::new(ms(400), (ms(5), ms(5))) };
    let throttled = r#"{"Code":"Throttling.User","Message":"flow control"}"#;
    let reply = |no: usize, question: &Question| match no {
        20 => Reply::received(400, throttled),
        _ => record(question),
    };
    let ran = world.process(&world.store(), 100, reply).await;
    assert_eq!((ran.ended["final"], ran.traffic.throttled), (100, 1));
    let seen = world.seen.lock().unwrap();
    let throttled_at = seen.arrivals[20] + ms(400);
    let held = throttled_at..throttled_at + Duration::from_secs(1);
    let sent = seen.arrivals.iter().filter(|at| held.contains(at) && **at > throttled_at).count();
    assert_eq!(sent, 0, "requests were sent during the hold");
    assert_eq!(ran.traffic.requests, 101);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_costs_no_place_under_the_cap() {
    // Slots for 8 in flight, and a cap that needs 10 of them: the slots decide.
    let (round_trip, calls) = (ms(1_000), 400);
    let mut world = World::new(round_trip, (ms(2), ms(2)));
    (world.rate, world.concurrency) = ("20/s", slots(8));
    let took = world.run(calls).await;
    let shortest = round_trip * u32::try_from(calls).unwrap() / 8;
    assert!(took <= shortest.mul_f64(1.01) + round_trip, "{took:?} instead of {shortest:?}");
    // The cap decides, although the slots are nearly all taken.
    (world.rate, world.concurrency) = ("20/s", slots(11));
    let took = world.run(calls).await;
    let shortest = ms(2_003) * u32::try_from(calls).unwrap() / 20;
    assert!(took <= shortest.mul_f64(1.01) + round_trip, "{took:?} instead of {shortest:?}");
}

#[tokio::test(start_paused = true)]
async fn auto_uses_the_whole_cap_at_a_round_trip_of_250_ms() {
    let mut world = World::new(ms(250), (ms(2), ms(2)));
    (world.rate, world.concurrency) = ("100/s", Concurrency::Auto);
    let took = world.run(4_000).await.as_secs_f64();
    assert!(4_000.0 / took >= 78.0, "{} calls a second", 4_000.0 / took);
    let seen = world.seen.lock().unwrap();
    assert!((20..=60).contains(&seen.most_in_flight), "{} in flight", seen.most_in_flight);
    assert!(seen.most_in_any(Duration::from_secs(1)) <= 100);
}

#[tokio::test(start_paused = true)]
async fn at_100_a_minute_auto_changes_nothing() {
    for round_trip in [50, 250, 1_000, 3_000] {
        let mut world = World::new(ms(round_trip), (ms(2), ms(2)));
        (world.rate, world.concurrency) = ("100/min", slots(16));
        let fixed = world.run(1_000).await;
        world.concurrency = Concurrency::Auto;
        let auto = world.run(1_000).await;
        assert!(auto <= fixed.mul_f64(1.001), "{round_trip} ms: {auto:?} instead of {fixed:?}");
        assert_eq!(world.seen.lock().unwrap().most_in_flight, 16);
    }
}

#[tokio::test(start_paused = true)]
async fn auto_never_has_more_than_256_requests_in_flight() {
    let mut world = World::new(Duration::from_secs(5), (ms(2), ms(2)));
    world.concurrency = Concurrency::Auto;
    world.run(3_000).await;
    let seen = world.seen.lock().unwrap();
    assert_eq!((seen.most_in_flight, seen.most_waiting), (256, 256));
}

#[tokio::test(start_paused = true)]
async fn every_call_of_a_slow_run_is_asked_for_once() {
    for concurrency in [slots(1), slots(2), Concurrency::Auto] {
        let world = World { concurrency, ..World::new(ms(30), (ms(7), ms(11))) };
        world.run(90).await;
        let seen = world.seen.lock().unwrap();
        let expected: BTreeMap<String, usize> = (0..90).map(|n| (id(n), 1)).collect();
        assert_eq!(seen.asked, expected);
    }
}
