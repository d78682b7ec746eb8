//! Limits of single called numbers over virtual time: they hold back their own call alone.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use reconcile::provider::wire::Reply;
use reconcile::provider::{Provider, Question};
use tokio::time::{Instant, sleep};

use super::outages_simulated::record;
use super::processes_simulated::{Account, Ran, SharedStore};
use crate::support::id;
use reconcile::fetch::outage::OutagePolicy;

/// The provider's own words for the limit of one called number.
const OF_THE_CALLEE: &str = "该被叫号触发被叫流控,partnerId=,prodId=";
/// Words that do not say whose limit it is.
const UNCLEAR: &str = "触发小时级流控Permits:5";
const OF_THE_ACCOUNT: &str = "该账号触发流控";

/// A provider that refuses some calls because of a limit, each so many times.
struct Limited {
    left: Mutex<HashMap<String, usize>>,
    text: &'static str,
}

impl Limited {
    fn new(calls: impl IntoIterator<Item = usize>, times: usize, text: &'static str) -> Self {
        let left = calls.into_iter().map(|n| (id(n), times)).collect();
        Self { left: Mutex::new(left), text }
    }

    fn refuses(&self, call_id: &str) -> bool {
        let mut left = self.left.lock().unwrap();
        let Some(times) = left.get_mut(call_id).filter(|times| **times > 0) else { return false };
        *times -= 1;
        true
    }
}

impl Provider for Limited {
    async fn ask(&self, question: &Question) -> Reply {
        sleep(Duration::from_millis(100)).await;
        if !self.refuses(&question.call_id) {
            return record(question);
        }
        let said = serde_json::json!({"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": self.text});
        Reply::received(200, said.to_string().into_bytes())
    }
}

/// Runs it and returns how long it took, too.
async fn run(limited: Limited, calls: usize, rate: &str) -> (Ran, Duration) {
    let (store, began) = (SharedStore::new(Account::new(0, 0)).with_rate(rate), Instant::now());
    let ran = store.process_with(limited, calls, OutagePolicy::default()).await;
    assert!(ran.stopped.is_none() && ran.notes.is_empty(), "{:?} {:?}", ran.stopped, ran.notes);
    (ran, began.elapsed())
}

/// Asserts that limited calls cost the others no time. `calls` leave room for the repeated
/// requests in the last window of the cap.
async fn assert_no_time_is_lost(calls: usize, limited: &[usize], rate: &str, due: Duration) {
    for text in [OF_THE_CALLEE, UNCLEAR] {
        for times in [1, 2] {
            let (ran, took) = run(Limited::new(limited.to_vec(), times, text), calls, rate).await;
            assert_eq!(ran.ended["final"], calls);
            assert_eq!(ran.traffic.requests as usize, calls + times * limited.len());
            assert_eq!((ran.slowdown.halvings, ran.traffic.throttled), (0, 0));
            assert!(took <= due.mul_f64(1.05), "{text} {times}: {took:?} for {due:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_limited_call_in_300_costs_no_time() {
    let due = Duration::from_secs(120);
    assert_no_time_is_lost(297, &[0], "100/min", due).await;
    assert_no_time_is_lost(297, &[150], "100/min", due).await;
    // Exactly three windows without it: its first repetition needs a place of the fourth.
    let (ran, took) = run(Limited::new([150], 1, OF_THE_CALLEE), 300, "100/min").await;
    assert_eq!((ran.ended["final"], ran.slowdown.halvings), (300, 0));
    assert!(took <= Duration::from_secs(183), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn five_limited_calls_in_1_000_cost_no_time() {
    let due = Duration::from_secs(54);
    assert_no_time_is_lost(990, &[1, 200, 401, 602, 793], "100/6s", due).await;
    // Neighbours in the ledger, as the rows of one callee often are.
    assert_no_time_is_lost(990, &[500, 501, 502, 503, 504], "100/6s", due).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_night_with_a_limited_call_in_300_is_as_long() {
    let due = Duration::from_secs(60 * 29);
    let limited: Vec<usize> = (0..9).map(|n| n * 300 + 7).collect();
    let (ran, took) = run(Limited::new(limited, usize::MAX, OF_THE_CALLEE), 2_945, "100/min").await;
    // Their next run asks again.
    assert_eq!((ran.ended["final"], ran.ended["exhausted"]), (2_936, 9));
    assert!(took <= due.mul_f64(1.05), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_do_not_stop_the_others() {
    // More than there are slots, one after the other, at the beginning.
    let (ran, took) = run(Limited::new(0..200, 4, OF_THE_CALLEE), 2_000, "100/s").await;
    assert_eq!((ran.ended["final"], ran.slowdown.halvings), (2_000, 0));
    assert!(took <= Duration::from_secs(45), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_limited_to_the_end_does_not_wait_for_hours() {
    let (ran, took) = run(Limited::new([99], usize::MAX, OF_THE_CALLEE), 100, "200/min").await;
    assert_eq!((ran.ended["final"], ran.ended["exhausted"]), (99, 1));
    assert!(took <= Duration::from_secs(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_account_slows_the_run() {
    for text in [OF_THE_ACCOUNT, UNCLEAR] {
        let (ran, _) = run(Limited::new(0..200, 1, text), 400, "100/min").await;
        assert_eq!(ran.ended["final"], 400);
        assert!(ran.slowdown.halvings > 0 && ran.traffic.throttled > 0, "{text}: {:?}", ran.slowdown);
    }
}
