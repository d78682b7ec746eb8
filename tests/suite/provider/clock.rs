//! The machine's clock differs from the provider's.
//!
//! The provider's `Date` corrects the clock once for all requests, and the difference is reported.
//! Where that does not help, the run ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use reconcile::sandbox::{Options, Sandbox};

use crate::support::provider::{Reply, Request};
use crate::support::{Bench, column, ledger};

const OFF: &str = "InvalidTimeStamp.Expired";

fn date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// How far the time stamp of a request lies before `now`.
fn age(request: &Request, now: DateTime<Utc>) -> TimeDelta {
    now - NaiveDateTime::parse_from_str(request.param("Timestamp"), "%Y-%m-%dT%H:%M:%SZ").unwrap().and_utc()
}

/// A provider that sends its `Date`. Its clock is ahead of this machine's clock by this much.
fn ahead(by: TimeDelta) -> impl Fn(&Request) -> Reply {
    move |request| {
        let now = Utc::now() + by;
        let reply = if age(request, now).abs() > TimeDelta::minutes(15) {
            Reply::code(400, OFF, "Specified time stamp or date value is expired.")
        } else {
            Reply::record()
        };
        reply.header("Date", &date(now))
    }
}

#[test]
fn a_wrong_clock_is_corrected_once_and_reported() {
    for (by, words) in [(TimeDelta::minutes(135), "2h 15m"), (TimeDelta::days(-40), "ahead of")] {
        let bench = Bench::new(&ledger(40));
        bench.provider.answer_with(ahead(by));
        let run = bench.run(&["--concurrency", "8"]).exits(0).says("clock").says(words);
        assert_eq!(run.stderr.matches("this machine's clock is").count(), 1, "{}", run.stderr);
        assert_eq!(column(&bench.details(), "status"), ["found"; 40]);
        // Only requests in flight before the first answer were signed again.
        let (seen, summary) = (bench.provider.seen(), bench.summary());
        assert!((41..=48).contains(&seen), "{seen} requests");
        assert_eq!((summary.number("requests"), summary.number("retries")), (seen as u64, seen as u64 - 40));
        assert!(summary.0["notes"].to_string().contains("this machine's clock is"), "{}", summary.0["notes"]);
        bench.provider.assert_own_nonces();
    }
}

#[test]
fn a_corrected_time_that_is_refused_ends_the_run() {
    let bench = Bench::new(&ledger(9));
    // The provider sends a time that it then refuses.
    let wrong = Utc::now() + TimeDelta::hours(3);
    bench.provider.by_default(Reply::code(400, OFF, "expired").header("Date", &date(wrong)));
    bench.run(&["--concurrency", "1"]).exits(3).says("NTP");
    let requests = bench.provider.requests();
    assert_eq!(requests.len(), 2);
    assert!(age(&requests[0], wrong) > TimeDelta::hours(2));
    assert!(age(&requests[1], wrong).abs() < TimeDelta::minutes(2));
}

#[test]
fn a_refused_time_with_equal_clocks_ends_the_run() {
    let bench = Bench::new(&ledger(9));
    bench.provider.answer_with(|_| Reply::code(400, OFF, "expired").header("Date", &date(Utc::now())));
    let run = bench.run(&["--concurrency", "1"]).exits(3).says("NTP");
    assert!(!run.stderr.contains("this machine's clock is"), "{}", run.stderr);
    // Each call at most once, and the second attempt that stops the run.
    assert!((2..=10).contains(&bench.provider.seen()), "{}", bench.provider.seen());
}

#[test]
fn with_one_attempt_only_the_first_call_fails() {
    let bench = Bench::new(&ledger(6));
    bench.provider.answer_with(ahead(TimeDelta::hours(1)));
    bench.run(&["--concurrency", "1", "--max-attempts", "1"]).exits(4);
    assert_eq!(column(&bench.details(), "status"), ["failed", "found", "found", "found", "found", "found"]);
    assert_eq!(bench.provider.seen(), 6);
}

#[test]
fn a_clock_correction_survives_other_errors_of_a_call() {
    let bench = Bench::new(&ledger(1));
    let calls = AtomicUsize::new(0);
    let skewed = ahead(TimeDelta::hours(1));
    bench.provider.answer_with(move |request| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::code(503, "ServiceUnavailable", "Wait."),
        _ => skewed(request),
    });
    // The second attempt reveals the wrong clock; the third is the first with the provider's time.
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 3);
}

#[test]
fn the_age_of_a_call_is_judged_by_the_providers_clock() {
    // The provider's clock against this machine's, and a call made at this minute of its clock.
    for (by, called_at, status) in
        [(-10, -2, "pending"), (-10, -6, "not_found"), (10, -2, "pending"), (10, -6, "not_found")]
    {
        let called_at = Utc::now() + TimeDelta::minutes(by + called_at);
        let local = (called_at + TimeDelta::hours(8)).format("%Y-%m-%d %H:%M:%S");
        let bench = Bench::new(&format!("call_id,prod_id,called_at\n1^1,11000000300006,{local}\n"));
        bench.provider.answer_with(move |_| {
            Reply::without_data().header("Date", &date(Utc::now() + TimeDelta::minutes(by)))
        });
        let run = bench.run(&[]).exits(0).says(if by < 0 { "10m ahead of" } else { "10m behind" });
        assert_eq!(run.stderr.matches("this machine's clock is").count(), 1, "{}", run.stderr);
        assert!(bench.summary().0["notes"].to_string().contains("decides how old a call is"));
        assert_eq!(column(&bench.details(), "status"), [status], "{by} {called_at}");
        // Publishing again changes nothing.
        bench.run(&["--offline"]).exits(0);
        assert_eq!(column(&bench.details(), "status"), [status]);
    }
}

/// The sandbox checks time stamps with its own code.
#[test]
fn requests_to_the_sandbox_follow_the_sandboxs_clock() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let options = Options {
        clock_ahead: TimeDelta::minutes(-31),
        cap_requests: 1_000,
        cap_window: Duration::from_secs(1),
        ..Options::default()
    };
    let sandbox = runtime.block_on(Sandbox::bind(options)).unwrap();
    let endpoint = sandbox.url();
    runtime.spawn(sandbox.serve());
    let bench = Bench::new(&ledger(5));
    for format in ["json", "xml"] {
        let store = format!("{format}.db");
        let options = ["--endpoint", &endpoint, "--wire-format", format, "--store", &store];
        bench.run(&options).exits(0).says("31m ahead of");
        assert!(!column(&bench.details(), "status").contains(&"failed"));
    }
}
