//! Errors that are the same for every call and end the run at once.
//!
//! The exit code is 3. After the error no new request is sent. The message gives advice, the old
//! outputs stay, and no secret is shown.

use std::time::Duration;

use crate::support::provider::Reply;
use crate::support::{Bench, column, id, ledger};

const CONCURRENCY: usize = 4;

/// Runs a ledger of two calls, then one of 22 calls while the provider refuses every request with
/// `code`.
fn refused(status: u16, code: &str, advice: &str) {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    let old = bench.output_bytes();
    assert!(old.iter().all(Option::is_some));

    bench.write("calls.csv", &ledger(22));
    let message = format!(
        "{code} for 13812345678; server string to sign is:POST&%2F&AccessKeyId%3Dtestid%26SignatureNonce%3Dx"
    );
    bench.provider.by_default(Reply::code(status, code, &message).after(Duration::from_millis(20)));
    bench.run(&["--concurrency", "4", "-v"]).exits(3).says(code).says(advice).keeps_secrets(&bench.provider);
    let sent = bench.provider.seen() - 2;
    assert!((1..=CONCURRENCY).contains(&sent), "{sent} requests were sent");
    assert_eq!(bench.output_bytes(), old, "the old outputs stay");

    // Stored answers are kept: without the error, the run asks only for the other calls.
    bench.provider.by_default(Reply::record());
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 22]);
    assert_eq!(bench.provider.asked_for(&id(0)).len(), 1);
}

#[test]
fn a_missing_permission_ends_the_run() {
    refused(403, "Forbidden.RAM", "dyvms:QueryCallDetailByCallId");
}

#[test]
fn an_unknown_key_ends_the_run() {
    refused(404, "InvalidAccessKeyId.NotFound", "ALIBABA_CLOUD_ACCESS_KEY_ID");
}

#[test]
fn a_wrong_secret_ends_the_run() {
    refused(400, "SignatureDoesNotMatch", "ALIBABA_CLOUD_ACCESS_KEY_SECRET");
}

#[test]
fn a_denied_permission_with_http_200_ends_the_run() {
    refused(200, "isp.RAM_PERMISSION_DENY", "dyvms:QueryCallDetailByCallId");
}

#[test]
fn arrears_end_the_run() {
    refused(200, "isv.OUT_OF_SERVICE", "arrears");
}

#[test]
fn a_clock_that_stays_wrong_ends_the_run() {
    let bench = Bench::new(&ledger(3));
    bench.provider.by_default(Reply::code(
        400,
        "InvalidTimeStamp.Expired",
        "Specified time stamp is expired.",
    ));
    bench.run(&["--concurrency", "1"]).exits(3).says("clock");
    // The other two calls may have been ready before its second attempt.
    assert!((2..=4).contains(&bench.provider.seen()), "{}", bench.provider.seen());
}

#[test]
fn a_refused_first_run_writes_no_outputs() {
    let bench = Bench::new(&ledger(5));
    bench.provider.by_default(Reply::code(403, "Forbidden.RAM", "User not authorized."));
    bench.run(&[]).exits(3);
    assert!(bench.output_bytes().iter().all(Option::is_none));
}
