//! Calls that several rows name: every difference between the rows is named, and a value that the
//! first row lacks is compared from a later one.

use serde_json::json;

use crate::support::provider::Reply;
use crate::support::{Bench, cell, column, id, ledger};

const HEADER: &str = "call_id,prod_id,called_at,callee,state,duration,started_at,ended_at,note\n";

fn answering(ledger: &str) -> Bench {
    let bench = Bench::new(ledger);
    bench.provider.by_default(Reply::ok(&json!({
        "callee": "12510000000", "gmtCreate": "2024-05-26 10:00:00", "startDate": "2024-05-26 10:00:08",
        "endDate": "2024-05-26 10:00:38", "duration": 30, "state": "200000"
    })));
    bench
}

/// A row of the i-th call: callee and all further values.
fn row(i: usize, rest: &str) -> String {
    format!("{},11000000300006,2024-05-26 10:00:00,{rest}\n", id(i))
}

#[test]
fn a_second_row_that_is_fuller_is_compared_and_named_in_full() {
    let full = "12510000000,200000,31,2024-05-26 10:00:08,2024-05-26 10:00:39,";
    let text = format!("{HEADER}{}{}", row(0, "12510000000,,,,,"), row(0, full));
    let bench = answering(&text);
    bench.run(&[]).exits(0);
    let kinds = [("mismatch", "duration_s"), ("mismatch", "ended_at"), ("duplicate", "state")];
    assert_eq!(bench.kinds(), kinds.map(|(kind, field)| (kind.to_owned(), field.to_owned())));
    let found = bench.discrepancies();
    assert_eq!(column(&found, "ledger_line"), ["2", "2", "3"]);
    assert_eq!((cell(&found[0], "expected"), cell(&found[0], "actual")), ("31", "30"));
    assert_eq!(cell(&found[0], "message"), "duration_s differs; the ledger's value is on line 3");
    let message = "names the same call as line 2; differs in state, duration_s, started_at, ended_at; line 2 counts, \
                   and a later row only where it has no value";
    assert_eq!(cell(&found[2], "message"), message);
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!((summary.number("with_discrepancies"), summary.number("duplicates")), (1, 1));
    assert_eq!(summary.0["duration_s"]["ledger"], 31);
    assert_eq!(summary.0["fields"]["duration_s"]["different"], 1);
}

#[test]
fn the_first_later_row_with_a_value_counts_among_other_calls() {
    let text = [
        HEADER.to_owned(),
        row(0, "12510000000,,,,,a"),
        row(1, ",,,,,"),
        row(0, ",,30,,,b"),
        row(2, "12510000000,200000,29,,,"),
        row(1, ",,,,,"),
        row(0, "12510000001,200003,99,,,c"),
        row(2, "12510000000,200000,30,,,"),
    ];
    let bench = answering(&text.concat());
    bench.run(&[]).exits(0);
    let found = bench.discrepancies();
    let lines: Vec<_> = found.iter().map(|row| (cell(row, "ledger_line"), cell(row, "field"))).collect();
    let wanted = [
        ("2", "state"),
        ("4", "callee"),
        ("5", "duration_s"),
        ("6", ""),
        ("7", "callee"),
        ("8", "duration_s"),
    ];
    assert_eq!(lines, wanted);
    let state = "state differs; the ledger's value is on line 7";
    assert_eq!(cell(&found[0], "message"), state, "line 4 gave the duration, line 7 the state");
    assert_eq!(cell(&found[2], "message"), "duration_s differs", "the first row's own value counts");
    assert!(cell(&found[3], "message").ends_with("with the same values"), "{:?}", found[3]);
    let carried = "differs in callee, state, duration_s, ledger_note;";
    assert!(cell(&found[4], "message").contains(carried), "{:?}", found[4]);
    // Call 1 has no expected value but the time, which agrees.
    assert_eq!((bench.summary().number("clean"), bench.summary().number("with_discrepancies")), (0, 3));
    let first = bench.comparable_outputs();
    bench.run(&["--offline"]).exits(0);
    assert_eq!(bench.comparable_outputs(), first);
}

#[test]
fn masked_rows_hide_the_numbers_of_later_rows() {
    let text = format!("{HEADER}{}{}", row(0, ",,,,,"), row(0, "13812345678,,,,,for 13812345678"));
    let bench = answering(&text);
    bench.run(&["--mask-phones", "partial"]).exits(0);
    let text = std::fs::read_to_string(bench.path("details.discrepancies.csv")).unwrap();
    assert!(!text.contains("13812345678") && !text.contains("12510000000"), "{text}");
    let found = bench.discrepancies();
    assert_eq!(column(&found, "field"), ["callee", "callee"]);
    assert_eq!(cell(&found[0], "expected"), "138****5678");
}

#[test]
fn explain_shows_the_same_as_the_file() {
    let text = format!("{HEADER}{}{}", row(0, "12510000000,,,,,"), row(0, "12510000000,200000,31,,,"));
    let bench = answering(&text);
    bench.run(&[]).exits(0);
    let shown = bench.bare(&["explain", &id(0), "--input", "calls.csv", "--store", "reconcile.db"]);
    for words in ["expected 31, actual 30", "the ledger's value is on line 3", "differs in state, duration_s"]
    {
        assert!(shown.contains(words), "{words} is not in:\n{shown}");
    }
}

#[test]
fn a_ledger_without_expected_values_compares_nothing() {
    let bench = Bench::new(&(ledger(2) + &ledger(2)[ledger(0).len()..]));
    bench.run(&[]).exits(0);
    assert_eq!(bench.kinds(), vec![("duplicate".to_owned(), String::new()); 2]);
}
