//! A stalled gateway: requests wait in its sockets, and it reads all of them at once.
//!
//! A request without a reply counts as arriving until one timeout after its failure. Later arrivals
//! cannot be noticed by the sender; `verify-cap` then does not say that the cap held.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Bench, Running, ledger, wait_until};

const CAP: usize = 6;
const WINDOW: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(1);
const OPTIONS: [&str; 6] = ["--rate", "6/1s", "--timeout", "1s", "--concurrency", "6"];

/// A run whose first window is answered. Then the gateway stalls, with as many requests in its
/// sockets as the cap allows.
fn stalled() -> (Bench, Running) {
    let bench = Bench::new(&ledger(4 * CAP));
    let run = bench.start(&OPTIONS);
    bench.provider.wait_for(CAP);
    bench.provider.stall();
    wait_until_sent(&bench, 2 * CAP);
    (bench, run)
}

fn wait_until_sent(bench: &Bench, requests: usize) {
    wait_until("the requests are sent", || {
        bench.path("reconcile.db").exists() && requests_on_record(bench) >= requests as i64
    });
}

/// Zero while the store has no tables.
fn requests_on_record(bench: &Bench) -> i64 {
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(bench.path("reconcile.db"), read_only).unwrap();
    store.query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap_or(0)
}

/// The most arrivals in any window.
fn most_in_any_window(bench: &Bench) -> usize {
    let mut arrivals: Vec<_> = bench.provider.requests().iter().map(|request| request.arrived).collect();
    arrivals.sort_unstable();
    let within =
        |from: usize| arrivals[from..].iter().take_while(|at| **at - arrivals[from] < WINDOW).count();
    (0..arrivals.len()).map(within).max().unwrap()
}

/// Repeats a night until more requests arrived than the cap allows, and asserts that `verify-cap`
/// does not deny it. On a busy machine a night may keep the cap by chance.
#[track_caller]
fn assert_not_held(night: impl Fn() -> Bench) {
    let mut nights = (0..5).map(|_| night()).filter(|bench| most_in_any_window(bench) > CAP);
    let bench = nights.next().expect("no night broke the cap, so the test shows nothing");
    let run = bench.run_exactly(&["verify-cap", "--json"], &[]);
    assert_eq!(run.code, Some(1), "verify-cap says:\n{}", run.stdout);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&answer["held"], &answer["verdict"]), (&false.into(), &"cannot be proven".into()));
}

#[test]
fn a_stall_of_less_than_two_timeouts_keeps_the_cap() {
    let (bench, run) = stalled();
    std::thread::sleep(TIMEOUT + TIMEOUT / 2);
    bench.provider.resume();
    run.wait().exits(0);
    bench.provider.assert_cap(CAP, WINDOW);
}

#[test]
fn arrivals_after_a_longer_stall_are_not_called_held() {
    assert_not_held(|| {
        let (bench, run) = stalled();
        // The next request leaves when the places of the first ones are free again.
        wait_until_sent(&bench, 2 * CAP + 1);
        bench.provider.resume();
        run.wait().exits(0);
        bench
    });
}

#[test]
fn arrivals_after_a_stall_and_a_kill_are_not_called_held() {
    assert_not_held(|| {
        let (bench, run) = stalled();
        run.kill();
        let run = bench.start(&OPTIONS);
        wait_until_sent(&bench, 2 * CAP + 1);
        bench.provider.resume();
        run.wait().exits(0);
        bench
    });
}
