//! Temporary faults: each fault comes once, then a good reply.
//!
//! No call is lost. Every attempt has its own nonce and is counted as the provider counts it.

use std::time::Duration;

use crate::support::provider::Reply;
use crate::support::{Bench, cell, column, id, ledger};

const BUSY: &str = "Request was denied due to user flow control.";

fn throttled(status: u16, code: &str) -> Reply {
    Reply::code(status, code, BUSY).header("x-acs-retry-after", "50")
}

/// Runs three calls. The second one meets `fault` once.
fn once(fault: Reply, options: &[&str]) -> Bench {
    let bench = Bench::new(&ledger(3));
    bench.provider.script(&id(1), [fault]);
    bench.run(options).exits(0);

    assert_eq!(column(&bench.details(), "status"), ["found"; 3]);
    assert_eq!(column(&bench.details(), "attempts"), ["1", "2", "1"]);
    assert_eq!(bench.provider.asked_for(&id(1)).len(), 2);
    bench.provider.assert_own_nonces();
    let summary = bench.summary();
    assert_eq!(summary.number("requests") as usize, bench.provider.seen());
    assert_eq!((summary.number("first_tries"), summary.number("retries")), (3, 1));
    assert!(summary.complete());
    summary.assert_totals();
    bench
}

#[test]
fn http_500_is_tried_again() {
    once(Reply::empty(500), &[]);
}

#[test]
fn http_500_with_an_internal_error_is_tried_again() {
    once(Reply::code(500, "InternalError", "The request processing has failed."), &[]);
}

#[test]
fn http_503_is_tried_again() {
    once(Reply::code(503, "ServiceUnavailable", "The request has failed."), &[]);
}

#[test]
fn an_html_page_of_a_proxy_is_tried_again() {
    once(Reply::html(502), &[]);
}

#[test]
fn a_dropped_connection_is_tried_again() {
    once(Reply::dropped(), &[]);
}

#[test]
fn a_body_that_is_cut_off_is_tried_again() {
    once(Reply::cut_body(), &[]);
}

#[test]
fn a_timeout_is_tried_again() {
    once(Reply::stall(), &["--timeout", "700ms"]);
}

#[test]
fn a_slow_reply_within_the_timeout_is_no_fault() {
    let bench = Bench::new(&ledger(1));
    bench.provider.script(&id(0), [Reply::record().after(Duration::from_millis(300))]);
    bench.run(&["--timeout", "20s"]).exits(0);
    assert_eq!(bench.provider.seen(), 1);
}

#[test]
fn throttling_is_tried_again_and_counted() {
    let bench = once(throttled(400, "Throttling"), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
}

#[test]
fn throttling_of_the_user_is_tried_again_and_counted() {
    let bench = once(throttled(400, "Throttling.User"), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
}

#[test]
fn throttling_of_the_api_is_tried_again_and_counted() {
    let bench = once(throttled(400, "Throttling.Api"), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
}

#[test]
fn throttling_without_a_hint_is_tried_again() {
    let bench = once(Reply::code(400, "Throttling.User", BUSY), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
}

#[test]
fn http_429_is_throttling_with_and_without_a_code() {
    let bench = once(throttled(429, "Throttling.User"), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
    let bench = once(Reply::html(429).header("x-acs-retry-after", "50"), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
}

#[test]
fn a_business_limit_of_the_account_is_throttling() {
    let bench = once(throttled(200, "isv.BUSINESS_LIMIT_CONTROL"), &[]);
    assert_eq!(bench.summary().number("throttled"), 1);
}

#[test]
fn a_system_error_is_tried_again_with_http_200_and_500() {
    once(Reply::code(200, "isp.SYSTEM_ERROR", "isp.SYSTEM_ERROR"), &[]);
    once(Reply::code(500, "isp.SYSTEM_ERROR", "isp.SYSTEM_ERROR"), &[]);
}

#[test]
fn a_gateway_error_is_tried_again() {
    once(Reply::code(200, "isp.GATEWAY_ERROR", "网元处理调用失败"), &[]);
}

#[test]
fn a_used_nonce_is_replaced_by_a_new_one() {
    once(Reply::code(400, "SignatureNonceUsed", "Specified signature nonce was used already."), &[]);
}

#[test]
fn a_refused_time_stamp_is_sent_once_more() {
    once(Reply::code(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."), &[]);
}

#[test]
fn all_requests_wait_as_long_as_the_provider_asks() {
    let bench = Bench::new(&ledger(6));
    bench
        .provider
        .script(&id(0), [Reply::code(400, "Throttling.User", BUSY).header("x-acs-retry-after", "1200")]);
    bench.run(&["--concurrency", "1"]).exits(0);
    let requests = bench.provider.requests();
    assert_eq!(requests.len(), 7);
    assert!(requests[1].arrived - requests[0].arrived >= Duration::from_millis(1200));
}

#[test]
fn retry_after_in_seconds_is_honoured() {
    let bench = Bench::new(&ledger(3));
    bench.provider.script(&id(0), [Reply::html(429).header("Retry-After", "1")]);
    bench.run(&["--concurrency", "1"]).exits(0);
    let requests = bench.provider.requests();
    assert!(requests[1].arrived - requests[0].arrived >= Duration::from_secs(1));
}

#[test]
fn all_faults_in_one_run_lose_no_call() {
    let faults = [
        Reply::empty(500),
        Reply::code(503, "ServiceUnavailable", "The request has failed."),
        Reply::html(502),
        Reply::dropped(),
        Reply::cut_body(),
        Reply::stall(),
        throttled(400, "Throttling"),
        throttled(400, "Throttling.User"),
        throttled(400, "Throttling.Api"),
        throttled(429, "Throttling.User"),
        Reply::code(500, "isp.SYSTEM_ERROR", "isp.SYSTEM_ERROR"),
        throttled(200, "isv.BUSINESS_LIMIT_CONTROL"),
    ];
    let bench = Bench::new(&ledger(30));
    let count = faults.len();
    for (i, fault) in faults.into_iter().enumerate() {
        bench.provider.script(&id(2 * i), [fault]);
    }
    bench.run(&["--timeout", "1s", "-v"]).exits(0).keeps_secrets(&bench.provider);

    let details = bench.details();
    assert_eq!(column(&details, "status"), ["found"; 30]);
    assert_eq!(column(&details, "call_id"), (0..30).map(id).collect::<Vec<_>>());
    let attempts: usize = details.iter().map(|row| cell(row, "attempts").parse::<usize>().unwrap()).sum();
    assert_eq!(attempts, 30 + count);
    assert_eq!(bench.provider.seen(), 30 + count);
    bench.provider.assert_own_nonces();
    let summary = bench.summary();
    assert_eq!(summary.number("requests") as usize, 30 + count);
    assert_eq!(summary.number("retries") as usize, count);
    assert_eq!(summary.number("throttled"), 5);
    summary.assert_totals();
}

#[test]
fn a_permanent_error_of_a_call_is_never_asked_again() {
    let bench = Bench::new(&ledger(3));
    bench.provider.script(&id(1), [Reply::code(400, "InvalidParameters", "The parameter is wrong.")]);
    bench.run(&[]).exits(0);
    let details = bench.details();
    assert_eq!(column(&details, "status"), ["found", "failed", "found"]);
    assert_eq!(cell(&details[1], "error_code"), "InvalidParameters");
    assert_eq!(bench.kinds(), [("failed".into(), String::new())]);
    assert_eq!(cell(&bench.discrepancies()[0], "actual"), "InvalidParameters");

    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 3);
    assert_eq!(column(&bench.details(), "status"), ["found", "failed", "found"]);
}

#[test]
fn after_a_lasting_error_the_next_run_asks_again() {
    let bench = Bench::new(&ledger(3));
    bench.provider.script(&id(1), vec![Reply::code(503, "ServiceUnavailable", "Wait."); 2]);
    let options = ["--max-attempts", "2"];
    // The message shows the command to run next.
    bench.run(&options).exits(4).says(&bench.arguments(&options).join(" "));
    assert_eq!(column(&bench.details(), "status"), ["found", "failed", "found"]);
    assert_eq!(cell(&bench.details()[1], "error_code"), "ServiceUnavailable");
    assert!(!bench.summary().complete());
    bench.summary().assert_totals();
    assert_eq!(bench.provider.seen(), 4);

    bench.run(&options).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 3]);
    assert_eq!(column(&bench.details(), "attempts"), ["1", "3", "1"]);
    assert_eq!(bench.provider.seen(), 5);
    assert!(bench.summary().complete());
    bench.provider.assert_own_nonces();
}
