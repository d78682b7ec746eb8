//! Outages and stalled gateways over virtual time, with the real fetch stage and store.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reconcile::fetch::Concurrency;
use reconcile::fetch::outage::OutagePolicy;
use reconcile::provider::wire::Reply;
use reconcile::provider::{LostReason, LostRequest, Provider, Question};
use reconcile::stop::Reason;
use tokio::time::{Instant, sleep};

use super::processes_simulated::{Account, Ran, SharedStore, TIMEOUT};
use crate::support::id;
use crate::support::provider::detail;

const MINUTE: Duration = Duration::from_secs(60);

fn lost(reason: LostReason, message: &str) -> Reply {
    Reply::Lost(LostRequest { reason, message: message.to_owned() })
}

fn refused() -> Reply {
    lost(LostReason::Connect, "connection refused")
}

fn unavailable() -> Reply {
    Reply::received(503, "<html>")
}

pub(super) fn record(question: &Question) -> Reply {
    let data = detail(&question.call_id).to_string();
    let said = serde_json::json!({"Code": "OK", "Message": "OK", "RequestId": "R", "Data": data});
    Reply::received(200, said.to_string().into_bytes())
}

/// A provider that is down between two times from the start.
struct Down<F> {
    began: Instant,
    from: Duration,
    until: Duration,
    /// The reply while it is down.
    reply: F,
    /// Requests while it was down.
    failed: Arc<AtomicUsize>,
}

impl<F: Fn() -> Reply + Send + Sync> Down<F> {
    fn new(from: Duration, until: Duration, reply: F) -> Self {
        Self { began: Instant::now(), from, until, reply, failed: Arc::default() }
    }
}

impl<F: Fn() -> Reply + Send + Sync> Provider for Down<F> {
    async fn ask(&self, question: &Question) -> Reply {
        sleep(Duration::from_millis(100)).await;
        if (self.from..self.until).contains(&self.began.elapsed()) {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return (self.reply)();
        }
        record(question)
    }
}

async fn run<P: Provider>(provider: P, calls: usize) -> Ran {
    SharedStore::new(Account::new(0, 0)).process_with(provider, calls, OutagePolicy::default()).await
}

#[tokio::test(start_paused = true)]
async fn with_one_or_two_slots_an_outage_costs_no_call() {
    for slots in [1, 2] {
        for reply in [refused, unavailable, || lost(LostReason::Timeout, "operation timed out")] {
            let down = Down::new(MINUTE * 3, MINUTE * 13, reply);
            let failed = down.failed.clone();
            let slots = Concurrency::Fixed(NonZeroUsize::new(slots).unwrap());
            let store = SharedStore::new(Account::new(0, 0)).with_concurrency(slots);
            let ran = store.process_with(down, 500, OutagePolicy::default()).await;
            assert_eq!(ran.ended.into_iter().collect::<Vec<_>>(), [("final".to_owned(), 500)]);
            assert!(failed.load(Ordering::Relaxed) <= 20, "{failed:?} requests in the outage");
        }
    }
}

/// A run of 1,000 calls, ten minutes long, with an outage of ten minutes in the middle.
async fn down_for_ten_minutes(reply: fn() -> Reply, cause: &str) {
    let down = Down::new(MINUTE * 3, MINUTE * 13, reply);
    let (began, failed) = (Instant::now(), down.failed.clone());
    let Ran { ended, stopped, notes, traffic, .. } = run(down, 1_000).await;
    assert_eq!(ended.into_iter().collect::<Vec<_>>(), [("final".to_owned(), 1_000)]);
    assert!(stopped.is_none(), "{stopped:?}");
    // Those in flight when it began, and single probes with pauses up to a minute.
    let failed = failed.load(Ordering::Relaxed);
    assert!(failed <= 3 + 16 + 16, "{failed} requests in the outage");
    assert_eq!(traffic.requests as usize, 1_000 + failed);
    assert!(notes.len() == 1 && notes[0].contains(cause), "{notes:?}");
    assert!(began.elapsed() <= MINUTE * 22, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_provider_refusing_for_ten_minutes_costs_no_call() {
    down_for_ten_minutes(refused, "connection refused").await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_down_for_ten_minutes_costs_no_call() {
    down_for_ten_minutes(unavailable, "HTTP 503").await;
}

#[tokio::test(start_paused = true)]
async fn timeouts_for_ten_minutes_cost_no_call() {
    down_for_ten_minutes(|| lost(LostReason::Timeout, "operation timed out"), "timed out").await;
}

#[tokio::test(start_paused = true)]
async fn refused_connections_take_no_places() {
    // 90 of the 100 places of the window, then refused connections, then the other ten at once.
    let down = Down::new(Duration::from_secs(1), Duration::from_secs(4), refused);
    let began = Instant::now();
    let Ran { ended, .. } = run(down, 100).await;
    assert_eq!(ended["final"], 100);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn several_accounts_ask_nobody_as_rarely_as_one() {
    for accounts in [2, 3, 4, 5, 6, 10] {
        let down = Down::new(Duration::ZERO, MINUTE * 600, refused);
        let (began, failed) = (Instant::now(), down.failed.clone());
        let policy = OutagePolicy::default().for_each_of(accounts);
        let Ran { stopped, .. } = SharedStore::new(Account::new(0, 0)).process_with(down, 200, policy).await;
        assert!(matches!(stopped, Some(Reason::Unreachable(_))), "{accounts}: {stopped:?}");
        let (took, failed) = (began.elapsed(), failed.load(Ordering::Relaxed));
        assert!((44..=46).contains(&took.as_secs()), "{accounts}: {took:?}");
        assert!(failed > 1 && failed * accounts <= 20, "{accounts}: {failed} requests each");
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_connection_the_run_ends_after_45_seconds() {
    let down = Down::new(Duration::ZERO, MINUTE * 600, refused);
    let (began, failed) = (Instant::now(), down.failed.clone());
    let Ran { ended, stopped, .. } = run(down, 200).await;
    assert_eq!(ended["deferred"], 200);
    let Some(Reason::Unreachable(what)) = stopped else { panic!("{stopped:?}") };
    assert_eq!(what.to_string(), "the provider cannot be reached: connection refused");
    assert!(failed.load(Ordering::Relaxed) <= 20, "{failed:?}");
    let took = began.elapsed();
    assert!((Duration::from_secs(45)..Duration::from_secs(60)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_for_half_a_minute_goes_on() {
    let Ran { ended, stopped, .. } =
        run(Down::new(Duration::ZERO, Duration::from_secs(30), refused), 200).await;
    assert_eq!((ended["final"], stopped.is_none()), (200, true));
}

#[tokio::test(start_paused = true)]
async fn after_half_an_hour_of_silence_the_run_is_incomplete() {
    let began = Instant::now();
    let Ran { ended, stopped, .. } = run(Down::new(MINUTE, MINUTE * 600, refused), 300).await;
    let Some(Reason::Silent(what)) = stopped else { panic!("{stopped:?}") };
    let what = what.to_string();
    assert!(what.contains("connection refused") && what.contains("30m"), "{what}");
    assert_eq!((ended["final"] + ended["deferred"], ended.contains_key("exhausted")), (300, false));
    let took = began.elapsed();
    assert!((MINUTE * 31..MINUTE * 33).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn with_a_deadline_the_run_waits_for_hours() {
    let down = Down::new(MINUTE, MINUTE * 300, refused);
    let policy = OutagePolicy { gives_up_after: None, ..OutagePolicy::default() };
    let Ran { ended, .. } = SharedStore::new(Account::new(0, 0)).process_with(down, 300, policy).await;
    assert_eq!(ended["final"], 300);
}

/// A provider whose gateway fails for some calls, whoever asks.
struct BadCalls(Vec<String>);

impl Provider for BadCalls {
    async fn ask(&self, question: &Question) -> Reply {
        sleep(Duration::from_millis(100)).await;
        if self.0.contains(&question.call_id) { unavailable() } else { record(question) }
    }
}

#[tokio::test(start_paused = true)]
async fn three_bad_calls_are_no_outage_for_the_others() {
    // The first three, then the last three: only those remain, and still they end.
    for bad in [[0, 1, 2], [297, 298, 299]] {
        let began = Instant::now();
        let Ran { ended, stopped, .. } = run(BadCalls(bad.map(id).to_vec()), 300).await;
        assert_eq!((ended["final"], ended["exhausted"]), (297, 3), "{bad:?}");
        assert!(stopped.is_none() && began.elapsed() < MINUTE * 20, "{:?}", began.elapsed());
    }
}

/// A gateway that stalls: requests wait in it after their timeout and arrive together.
struct StalledGateway {
    account: Arc<Account>,
    random: std::sync::Mutex<fastrand::Rng>,
}

impl Provider for StalledGateway {
    async fn ask(&self, question: &Question) -> Reply {
        let stalls = self.random.lock().unwrap().u8(0..10) == 0;
        // In the end of a whole timeout after its failure.
        let arrives_after = if stalls { TIMEOUT * 2 } else { Duration::from_millis(50) };
        let account = self.account.clone();
        let arrival = tokio::spawn(async move {
            sleep(arrives_after).await;
            account.ours.lock().unwrap().push((Instant::now(), false));
        });
        if stalls {
            sleep(TIMEOUT).await;
            return lost(LostReason::Timeout, "operation timed out");
        }
        arrival.await.unwrap();
        record(question)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_gateway_does_not_break_the_cap() {
    for seed in 0..5 {
        let account = Account::new(0, 0);
        let random = fastrand::Rng::with_seed(seed).into();
        let gateway = StalledGateway { account: account.clone(), random };
        let Ran { ended, .. } =
            SharedStore::new(account.clone()).process_with(gateway, 500, OutagePolicy::default()).await;
        sleep(TIMEOUT).await;
        assert_eq!(ended["final"], 500);
        assert!(account.most_in_any_window() <= 100, "{}", account.most_in_any_window());
    }
}
