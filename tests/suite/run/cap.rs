//! The cap over HTTP in real time, asserted at the receiver.

use std::time::Duration;

use crate::support::provider::Reply;
use crate::support::{Bench, column, id, ledger, wait_until};

const WINDOW: Duration = Duration::from_secs(2);

#[test]
fn no_window_has_more_requests_than_the_cap() {
    let bench = Bench::new(&ledger(12));
    bench.run(&["--rate", "5/2s"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 12]);
    assert_eq!(bench.provider.seen(), 12);
    bench.provider.assert_cap(5, WINDOW);
    let summary = bench.summary();
    assert_eq!(summary.0["cap"]["requests"], 5);
    assert_eq!(summary.0["cap"]["window_s"].as_f64(), Some(2.0));
    summary.assert_totals();
}

#[test]
fn a_retry_counts_against_the_cap() {
    let bench = Bench::new(&ledger(5));
    for i in 0..5 {
        bench.provider.script(&id(i), [Reply::empty(500)]);
    }
    bench.run(&["--rate", "5/2s"]).exits(0);
    assert_eq!(bench.provider.seen(), 10);
    bench.provider.assert_cap(5, WINDOW);
    assert_eq!(bench.summary().number("requests"), 10);
}

#[test]
fn the_cap_holds_across_a_kill() {
    let bench = Bench::new(&ledger(12));
    for _ in 0..2 {
        let seen = bench.provider.seen();
        let run = bench.start(&["--rate", "5/2s"]);
        bench.provider.wait_for(seen + 5);
        wait_until("every reply is stored", || bench.requests_in_flight() == 0);
        run.kill();
    }
    bench.run(&["--rate", "5/2s"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 12]);
    bench.provider.assert_cap(5, WINDOW);
}

#[test]
fn the_cap_holds_from_one_run_to_the_next() {
    let bench = Bench::new(&ledger(5));
    bench.run(&["--rate", "5/2s"]).exits(0);
    bench.write("calls.csv", &ledger(10));
    bench.run(&["--rate", "5/2s"]).exits(0);
    assert_eq!(bench.provider.seen(), 10);
    bench.provider.assert_cap(5, WINDOW);
}

#[test]
fn a_slow_request_keeps_its_place() {
    let bench = Bench::new(&ledger(12));
    // The receiver counts this request 1.5 s after the others of the first window.
    bench.provider.script(&id(0), [Reply::record().arriving_after(Duration::from_millis(1500))]);
    bench.run(&["--rate", "5/2s"]).exits(0);
    assert_eq!(bench.provider.seen(), 12);
    bench.provider.assert_cap(5, WINDOW);
}

#[test]
fn a_burst_of_one_spaces_requests_evenly() {
    let bench = Bench::new(&ledger(4));
    bench.run(&["--rate", "10/2s", "--burst", "1", "--concurrency", "4"]).exits(0);
    let requests = bench.provider.requests();
    // The sender spaces them by 200 ms; the delays to the receiver differ a little.
    assert!(requests[3].arrived - requests[0].arrived >= Duration::from_millis(400));
}

/// Scripts a distant provider with occasional faults.
fn far_away(bench: &Bench, calls: usize) {
    let mut random = fastrand::Rng::with_seed(3);
    for i in 0..calls {
        let mut reply = match random.u8(0..40) {
            0 => Reply::empty(503),
            1 => Reply::dropped(),
            _ => Reply::record(),
        };
        let mut one_way = || Duration::from_millis(random.u64(20..=400));
        reply = reply.arriving_after(one_way()).after(one_way());
        bench.provider.script(&id(i), [reply]);
    }
}

#[test]
fn the_cap_holds_with_delays_faults_and_two_kills() {
    let bench = Bench::new(&ledger(450));
    far_away(&bench, 450);
    let options = ["--rate", "100/4s", "--concurrency", "100", "--timeout", "3s"];
    for more in [130, 90] {
        let seen = bench.provider.seen();
        let run = bench.start(&options);
        bench.provider.wait_for(seen + more);
        run.kill();
    }
    bench.run(&options).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 450]);
    bench.provider.assert_cap(100, Duration::from_secs(4));
    bench.summary().assert_totals();
}

/// CPU ticks that a process has used, and how often its threads slept and woke.
#[cfg(target_os = "linux")]
fn effort(pid: u32) -> (u64, u64) {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let stat = read(format!("/proc/{pid}/stat").into());
    let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let woken = threads.map(|thread| {
        let status = read(thread.unwrap().path().join("status"));
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    });
    (ticks.map(|n| n.parse::<u64>().unwrap()).sum(), woken.sum())
}

#[cfg(target_os = "linux")]
#[test]
fn waiting_for_a_place_uses_no_cpu() {
    let bench = Bench::new(&ledger(20));
    let run = bench.start(&["--rate", "1/h"]);
    bench.provider.wait_for(1);
    wait_until("the reply is stored", || bench.requests_in_flight() == 0);
    wait_until("all tasks wait", || {
        let before = effort(run.pid());
        std::thread::sleep(Duration::from_millis(100));
        effort(run.pid()) == before
    });
    let before = effort(run.pid());
    std::thread::sleep(Duration::from_secs(2));
    let after = effort(run.pid());
    run.kill();
    assert!(after.0 - before.0 <= 1, "CPU: {before:?} to {after:?}");
    assert!(after.1 - before.1 <= 8, "woken up: {before:?} to {after:?}");
}
