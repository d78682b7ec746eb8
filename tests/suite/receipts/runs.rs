//! Runs with receipts: which requests they save, and what the outputs say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::support::sandbox::Server;
use crate::support::{Bench, Row, cell, column};

/// Calls of the ledger.
pub(super) const CALLS: usize = 600;

/// Columns in which a call with a receipt may differ from the same call without one: those of the
/// request, and those that a receipt lacks.
const OF_SOURCE: [&str; 9] = [
    "source",
    "request_id",
    "attempts",
    "fetched_at",
    "raw",
    "created_at",
    "state_desc",
    "caller_show_number",
    "callee_show_number",
];

/// A ledger, and a sandbox that knows its calls and has written receipts for most of them.
pub(super) struct Night {
    pub(super) bench: Bench,
    pub(super) server: Server,
}

impl Night {
    pub(super) fn new(options: &[&str]) -> Self {
        let mut ledger = String::from("call_id,prod_id,called_at,callee,duration\n");
        for n in 0..CALLS {
            let (hour, minute) = (8 + n / 60, n % 60);
            writeln!(ledger, "{n}^1,7,2026-11-16 {hour:02}:{minute:02}:09,1250000{n:04},{}", n % 3 * 10)
                .unwrap();
        }
        let bench = Bench::new(&ledger);
        let (calls, receipts) = (bench.path("calls.csv"), bench.path("receipts.jsonl"));
        let own = ["--calls", calls.to_str().unwrap(), "--receipts-out", receipts.to_str().unwrap()];
        let usual = ["--cap", "100000/min", "--latency", "1ms..3ms", "--seed", "7"];
        let server = Server::start(&[&own[..], &usual, options].concat());
        Self { bench, server }
    }

    pub(super) fn run(&self, options: &[&str]) -> crate::support::Run {
        self.bench.run(&[&["--endpoint", &self.server.url()], options].concat())
    }

    /// The CallIds of the receipts.
    pub(super) fn with_receipt(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.bench.path("receipts.jsonl")).unwrap();
        let id = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["call_id"].as_str().unwrap().to_owned()
        };
        text.lines().map(id).collect()
    }
}

pub(super) fn without_source(rows: Vec<Row>) -> Vec<Row> {
    let without = |mut row: Row| {
        row.retain(|column, _| !OF_SOURCE.contains(&column.as_str()));
        row
    };
    rows.into_iter().map(without).collect()
}

/// The discrepancies but those of `called_at`: a receipt's time is some seconds later.
fn found_without_called_at(bench: &Bench) -> Vec<Row> {
    let mut found = bench.discrepancies();
    found.retain(|row| cell(row, "field") != "called_at");
    found
}

fn ids_with_called_at(bench: &Bench) -> BTreeSet<String> {
    let rows = bench.discrepancies();
    let late = rows.iter().filter(|row| cell(row, "field") == "called_at");
    late.map(|row| cell(row, "call_id").to_owned()).collect()
}

#[test]
fn receipts_save_requests_and_change_nothing_else() {
    let night = Night::new(&["--plant", "5%", "--faults", "receipt-lost=5%,receipt-doubled=2%"]);
    night.run(&["--store", "plain.db"]).exits(0);
    let (plain, of_plain) = (night.bench.details(), found_without_called_at(&night.bench));
    let late: BTreeSet<String> = ids_with_called_at(&night.bench);
    assert!(column(&plain, "source").iter().all(|source| *source == "query"));
    let saved = night.with_receipt();
    assert!(saved.len() > CALLS * 8 / 10 && saved.len() < CALLS);

    let with = ["--receipts", "receipts.jsonl", "--receipts-trust", "full"];
    night.run(&with).exits(0);
    let summary = night.bench.summary();
    summary.assert_totals();
    assert_eq!(summary.number("first_tries"), (CALLS - saved.len()) as u64);
    let details = night.bench.details();
    for row in &details {
        let has_receipt = saved.contains(cell(row, "call_id"));
        assert_eq!(cell(row, "source"), if has_receipt { "receipt" } else { "query" });
        assert!(!has_receipt || cell(row, "raw").is_empty());
        assert_eq!(cell(row, "attempts") == "0", has_receipt);
    }
    for (mut with, plain) in without_source(details.clone()).into_iter().zip(without_source(plain)) {
        if late.contains(cell(&with, "call_id")) && saved.contains(cell(&with, "call_id")) {
            with.insert("discrepancies".into(), cell(&plain, "discrepancies").into());
        }
        assert_eq!(with, plain);
    }
    assert!(!late.is_empty() && !of_plain.is_empty());
    assert_eq!(found_without_called_at(&night.bench), of_plain);

    // The receipts are in the store, so another run needs neither them nor the provider.
    night.run(&["--offline"]).exits(0);
    assert_eq!(night.bench.summary().number("requests"), 0);
    assert_eq!(column(&night.bench.details(), "source"), column(&details, "source"));
}

#[test]
fn a_part_of_the_calls_with_receipts_is_asked_all_the_same() {
    let night = Night::new(&[]);
    let plan = night.bench.command_output(&["plan", "--json", "--receipts", "receipts.jsonl"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let saved = plan["saved_by_receipts"].as_u64().unwrap();
    assert!(saved > CALLS as u64 * 9 / 10 && plan["to_ask"] == CALLS as u64 - saved, "{plan}");
    night.run(&["--receipts", "receipts.jsonl"]).exits(0);
    let asked = night.bench.summary().number("requests");
    assert!((1..=40).contains(&asked), "2 % of {CALLS}: {asked}");
    // The next run draws the same sample, and its calls have their answers.
    night.run(&["--receipts", "receipts.jsonl"]).exits(0);
    assert_eq!(night.bench.summary().number("requests"), 0);
    night.run(&["--receipts", "receipts.jsonl", "--receipts-trust", "none", "--store", "other.db"]).exits(0);
    assert_eq!(night.bench.summary().number("requests"), CALLS as u64);
    assert!(column(&night.bench.details(), "source").iter().all(|source| *source == "query"));
}

#[test]
fn receipts_that_cannot_be_read_are_named_and_stop_no_run() {
    let night = Night::new(&[]);
    let path = night.bench.path("receipts.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("{\"", "{", 1)).unwrap();
    let run = night.run(&["--receipts", "receipts.jsonl", "--receipts-trust", "full"]).exits(0);
    run.says(
        "1 receipt cannot be read: neither JSON nor base64 of JSON; it may be cut off; receipts.jsonl:1",
    );
    assert_eq!(night.bench.summary().number("requests"), 1);
    for (options, says) in [
        (["--receipts", "nothing.jsonl"], "nothing.jsonl"),
        (["--receipts", "-"], "receipts cannot be read from standard input"),
        (["--receipts-trust", "half"], "needs full, none, or a sample such as sample=2%"),
    ] {
        night.run(&options).exits(2).says(says);
    }
}

#[test]
fn a_record_that_differs_from_its_receipt_is_a_discrepancy() {
    let night = Night::new(&["--faults", "receipt-differs=5%,receipt-lost=5%"]);
    let asked = ["--receipts", "receipts.jsonl", "--receipts-trust", "sample=100%"];
    night.run(&asked).exits(0);
    let details = night.bench.details();
    assert!(column(&details, "source").iter().all(|source| *source == "query"));
    let records: BTreeMap<&str, &Row> = details.iter().map(|row| (cell(row, "call_id"), row)).collect();
    let text = std::fs::read_to_string(night.bench.path("receipts.jsonl")).unwrap();
    let mut contradicting = BTreeSet::new();
    for line in text.lines() {
        let receipt: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| receipt[name].as_str().map_or(receipt[name].to_string(), str::to_owned);
        let id = text("call_id");
        let record = records[id.as_str()];
        if (text("duration"), text("status_code"))
            != (cell(record, "duration_s").into(), cell(record, "state").into())
        {
            contradicting.insert(id);
        }
    }
    let found = night.bench.discrepancies();
    assert!(column(&found, "kind").iter().all(|kind| *kind == "receipt_differs"));
    let ids: BTreeSet<String> = found.iter().map(|row| cell(row, "call_id").to_owned()).collect();
    assert!(ids.len() > 10);
    assert_eq!(ids, contradicting);
    let longer = found.iter().find(|row| cell(row, "field") == "duration_s").unwrap();
    let value = |column| cell(longer, column).parse::<i64>().unwrap();
    assert_eq!(value("delta"), value("actual") - value("expected"));
    assert_eq!(value("seconds_at_stake"), value("delta").abs());

    // Both answers are in the store, so the next night finds the same.
    night.run(&["--offline"]).exits(0);
    let again: Vec<Row> = night.bench.discrepancies();
    assert_eq!(again, found);
    assert_eq!(night.bench.summary().0["since_last"]["recurring"], found.len());
}
