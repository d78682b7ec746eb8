//! A ledger that changes or disappears after the run has begun to send.
//!
//! The run ends with exit code 2, the old outputs stay, and every answer is stored: the next run
//! asks only for the other calls.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::support::provider::Reply;
use crate::support::{Bench, Run, column, id, ledger, ledger_of};

/// Runs a ledger of two calls, then one of twelve that is changed when its first request arrives.
/// Asserts all that is the same for every change. Returns the bench and the second run.
#[track_caller]
fn changed_in_mid_run(change: impl Fn(&Path) + Send + Sync + 'static) -> (Bench, Run) {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    let old = bench.output_bytes();
    assert!(old.iter().all(Option::is_some));

    bench.write("calls.csv", &ledger(12));
    let (path, first): (PathBuf, Once) = (bench.path("calls.csv"), Once::new());
    bench.provider.answer_with(move |_| {
        first.call_once(|| change(&path));
        Reply::record()
    });
    let run = bench.run(&["--concurrency", "2"]).exits(2).says("ledger").keeps_secrets(&bench.provider);
    assert_eq!(bench.output_bytes(), old, "the old outputs stay");
    assert!(bench.provider.seen() >= 12, "every call of the ledger was asked for");
    let answers = bench.number_in_store("SELECT count(*) FROM call WHERE answer = 'final'");
    assert_eq!(answers, i64::try_from(bench.provider.seen()).unwrap(), "every answer is stored");
    (bench, run)
}

/// Asserts that the next run finds these calls and asks for no call that has an answer.
#[track_caller]
fn assert_next_run_asks_only_for_new_calls(bench: &Bench, calls: std::ops::Range<usize>) {
    bench.run(&[]).exits(0);
    let ids: Vec<String> = calls.clone().map(id).collect();
    let details = bench.details();
    assert_eq!(column(&details, "call_id"), ids);
    assert_eq!(column(&details, "status"), vec!["found"; ids.len()]);
    for i in 0..calls.end.max(12) {
        assert_eq!(bench.provider.asked_for(&id(i)).len(), 1, "requests for call {i}");
    }
    bench.summary().assert_totals();
}

/// Asserts that the message does not deny the requests that were sent.
#[track_caller]
fn assert_does_not_deny_sending(run: Run) {
    let run = run.says("Stored answers are kept; the old outputs stay (exit 2).");
    assert!(!run.stderr.to_lowercase().contains("nothing was sent"), "{}", run.stderr);
}

#[test]
fn a_row_appended_in_mid_run_ends_the_run_and_loses_nothing() {
    let (bench, run) = changed_in_mid_run(|path| {
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(ledger_of([id(12)]).lines().nth(1).unwrap().as_bytes()).unwrap();
    });
    let run = run.says("changed");
    assert_next_run_asks_only_for_new_calls(&bench, 0..13);
    assert_does_not_deny_sending(run);
}

#[test]
fn a_ledger_replaced_in_mid_run_ends_the_run_and_loses_nothing() {
    let (bench, run) = changed_in_mid_run(|path| {
        let other = path.with_extension("new");
        fs::write(&other, ledger_of((5..15).map(id))).unwrap();
        fs::rename(&other, path).unwrap();
    });
    let run = run.says("changed");
    assert_next_run_asks_only_for_new_calls(&bench, 5..15);
    assert_does_not_deny_sending(run);
}

#[test]
fn a_ledger_deleted_in_mid_run_ends_the_run_and_loses_nothing() {
    let (bench, run) = changed_in_mid_run(|path| fs::remove_file(path).unwrap());
    bench.write("calls.csv", &ledger(12));
    assert_next_run_asks_only_for_new_calls(&bench, 0..12);
    assert_does_not_deny_sending(run);
}
