//! Calls that only receipts name, over several nights: since when, decisions, masks, erasing,
//! kills.

use serde_json::{Value, json};

use super::planted::receipt as true_receipt;
use super::receipt;
use crate::support::provider::talk_seconds;
use crate::support::{Bench, cell, column, id, ledger, read_csv, wait_until};

/// A ledger of these calls on 2026-11-16, and receipts of some of them and of others.
fn night(calls: usize, others: &[&str]) -> Bench {
    let bench = Bench::new("");
    write_ledger(&bench, calls, &[]);
    let own = (0..calls).map(|call| receipt(&id(call), "10:00:00", 30));
    let others = others.iter().map(|call_id| with_callee(call_id));
    bench.write("receipts.jsonl", &own.chain(others).collect::<Vec<_>>().join("\n"));
    bench
}

/// A receipt of 40 seconds with a phone number.
fn with_callee(call_id: &str) -> String {
    receipt(call_id, "11:00:00", 40).replace("}", r#","callee":"13812345678"}"#)
}

fn write_ledger(bench: &Bench, calls: usize, more: &[&str]) {
    let ids = (0..calls).map(id).chain(more.iter().map(ToString::to_string));
    bench.write("calls.csv", &crate::support::ledger_of(ids).replace("2024-05-26", "2026-11-16"));
}

const WITH: [&str; 5] = ["--offline", "--receipts", "receipts.jsonl", "--receipts-trust", "full"];

fn changes(bench: &Bench) -> [u64; 3] {
    let counts = &bench.summary().0["since_last"];
    ["new", "recurring", "resolved"].map(|key| counts[key].as_u64().unwrap())
}

fn stored(bench: &Bench) -> i64 {
    bench.number_in_store("SELECT count(*) FROM open_discrepancy WHERE kind = 'missing_in_ledger'")
}

#[test]
fn a_row_that_comes_later_resolves_the_missing_call() {
    let bench = night(3, &["a^1", "b^1"]);
    bench.run(&WITH).exits(0);
    assert_eq!((changes(&bench), stored(&bench)), ([2, 0, 0], 2));
    bench.run(&WITH).exits(0);
    assert_eq!((changes(&bench), stored(&bench)), ([0, 2, 0], 2));
    // A night of which the receipts say nothing about them resolves nothing.
    bench.run(&["--offline"]).exits(0);
    assert_eq!((changes(&bench), stored(&bench)), ([0, 0, 0], 2));
    write_ledger(&bench, 3, &["b^1"]);
    bench.run(&WITH).exits(0);
    assert_eq!((changes(&bench), stored(&bench)), ([0, 1, 1], 1));
    bench.summary().assert_totals();
    let found = bench.discrepancies();
    assert_eq!(column(&found, "call_id"), ["a^1"]);
    assert_eq!(column(&bench.details(), "source"), ["receipt"; 4]);
}

#[test]
fn a_missing_call_can_be_decided_on() {
    let bench = night(2, &["a^1", "b^1"]);
    bench.run(&WITH).exits(0);
    let arguments = ["resolutions", "--from", "details.discrepancies.csv"];
    let to_fill_in = bench.bare(&arguments);
    let line = to_fill_in.lines().find(|line| line.contains("a^1")).unwrap();
    assert!(line.starts_with("a^1,,2026-11-16,missing_in_ledger,"), "{line}");
    bench.write(
        "decisions.csv",
        "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason\n\
         a^1,,2026-11-16,missing_in_ledger,duration_s,,40,accepted,a test call\n",
    );
    bench.run(&[&WITH[..], &["--resolutions", "decisions.csv"]].concat()).exits(0);
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!(summary.0["resolutions"]["accepted"], 1);
    assert_eq!(summary.0["at_stake_s"]["missing_in_ledger"], 40, "that of the open one");
    let found = bench.discrepancies();
    assert_eq!(column(&found, "resolution"), ["accepted", ""]);
}

#[test]
fn limits_count_missing_calls() {
    let bench = night(2, &["a^1"]);
    bench.run(&[&WITH[..], &["--exit-code"]].concat()).exits(1);
    bench.run(&[&WITH[..], &["--fail-above", "40s"]].concat()).exits(0);
    bench.run(&[&WITH[..], &["--fail-above", "39s"]].concat()).exits(1);
}

#[test]
fn numbers_of_missing_calls_are_masked_and_forgotten() {
    let bench = night(1, &["a^1", "13812345678"]);
    bench.run(&[&WITH[..], &["--mask-phones", "partial", "--store", "m.db"]].concat()).exits(0);
    let found = bench.discrepancies();
    assert_eq!(column(&found, "callee"), ["138****5678"; 2]);
    for name in Bench::outputs() {
        let bytes = std::fs::read(bench.path(name)).unwrap_or_default();
        let shown = bytes.windows(11).any(|window| window == b"13812345678");
        assert!(!shown, "{name} shows a number");
    }
    bench.run(&WITH).exits(0);
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(!page.contains("13812345678"), "a page never shows a number");
    assert_eq!(stored(&bench), 2);
    bench.bare(&["forget", "13812345678"]);
    assert_eq!(stored(&bench), 0, "nobody can tell which of them had the number");
}

#[test]
fn unusable_rows_and_other_days_make_no_missing_call() {
    let bench = night(1, &["a^1", "b^1"]);
    let text = std::fs::read_to_string(bench.path("calls.csv")).unwrap();
    // The last row has a wrong year.
    bench.write("calls.csv", &(text + "a^1,,2026-11-16\nz^1,11000000300006,2027-11-16\n"));
    let late = receipt("c^1", "10:00:00", 30).replace("2026-11-16", "2026-11-17");
    let receipts = std::fs::read_to_string(bench.path("receipts.jsonl")).unwrap();
    bench.write("receipts.jsonl", &format!("{receipts}\n{late}\n"));
    bench.run(&WITH).exits(4);
    let found = bench.discrepancies();
    let missing = found.iter().filter(|row| cell(row, "kind") == "missing_in_ledger");
    assert_eq!(missing.map(|row| cell(row, "call_id")).collect::<Vec<_>>(), ["b^1"]);
    let receipts = &bench.summary().0["receipts"];
    assert_eq!([&receipts["not_answering"], &receipts["outside"]], [1, 1]);
}

#[test]
fn diff_resolves_no_missing_call_that_b_could_not_see() {
    let bench = night(3, &["a^1", "b^1"]);
    let with = |out: &str| bench.run(&[&WITH[..], &["--out", out]].concat()).exits(0);
    with("a.parquet");
    bench.run(&["--offline", "--out", "b.parquet"]).exits(0);
    let diff = |arguments: &[&str]| bench.bare(&[&["diff"], arguments].concat());
    let as_json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&diff(&[arguments, &["--json"]].concat())).unwrap()
    };
    let sides = ["a.summary.json", "b.summary.json"];
    let found = as_json(&[&sides[..], &["--to", "changes.csv"]].concat());
    let nothing = json!({"rows": 0, "seconds_before": 0, "seconds_after": 0});
    assert_eq!((&found["resolved"], &found["not_compared"]), (&nothing, &json!(2)));
    let groups = found["by_kind_and_field"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["kind"] != "missing_in_ledger"), "{groups:?}");
    let changed = read_csv(&bench.path("changes.csv"));
    assert!(changed.iter().all(|row| cell(row, "kind") != "missing_in_ledger"), "{changed:?}");
    let note = "note: 2 discrepancies of calls missing in the ledger could not be compared, because B had no \
                receipts\n";
    assert!(diff(&sides).contains(note), "{}", diff(&sides));
    // The other way round they are new, and a B with receipts resolves them.
    let back = as_json(&["b.summary.json", "a.summary.json"]);
    assert_eq!((&back["new"]["rows"], &back["not_compared"]), (&json!(2), &json!(0)));
    write_ledger(&bench, 3, &["a^1"]);
    with("c.parquet");
    let seen = as_json(&["a.summary.json", "c.summary.json"]);
    assert_eq!((&seen["resolved"]["seconds_before"], &seen["not_compared"]), (&json!(40), &json!(0)));
}

#[test]
fn the_product_of_the_run_is_that_of_missing_calls() {
    let bench = night(1, &["a^1"]);
    let tariffs = "[tariff.\"7\"]\nfirst = 60\nnext = 60\nprice = \"0.055\"\ncurrency = \"CNY\"\n";
    bench.write("reconcile.toml", tariffs);
    let options = ["--prod-id", "7", "--config", "reconcile.toml"];
    bench.run(&[&WITH[..], &options].concat()).exits(0);
    let found = bench.discrepancies();
    assert_eq!((cell(&found[0], "prod_id"), cell(&found[0], "seconds_at_stake")), ("7", "40"));
    let currency = &bench.summary().0["money"]["currencies"][0];
    let step = currency["bridge"].as_array().unwrap().iter().find(|step| step["step"] == "missing_in_ledger");
    assert_eq!(step.unwrap()["amount"], "0.055000");
    assert_eq!(currency["at_stake"]["missing_in_ledger"], "0.055000");
}

/// The rows of a night that was killed somewhere, and of the same night without a kill.
#[test]
fn wherever_it_is_killed_the_night_finds_the_same() {
    let options = ["--receipts", "receipts.jsonl", "--receipts-trust", "sample=50%", "--rate", "200/s"];
    let fresh = || {
        let bench = Bench::new(&ledger(60));
        let receipts = (0..80).map(|call| true_receipt(&id(call), 26, talk_seconds(&id(call))));
        bench.write("receipts.jsonl", &receipts.collect::<Vec<_>>().join("\n"));
        bench
    };
    // The sample is drawn by the store's secret, so all stores begin as copies of one.
    let origin = Bench::new(&ledger(1));
    origin.write("receipts.jsonl", &true_receipt(&id(0), 26, talk_seconds(&id(0))));
    origin.run(&[&options[..], &["--offline", "--store", "origin.db"]].concat());
    let result = |bench: &Bench| {
        let found = bench.discrepancies();
        let kinds: Vec<(String, String, String)> = found
            .iter()
            .map(|row| ["call_id", "kind", "since"].map(|name| cell(row, name).to_owned()).into())
            .collect();
        let sources = bench.details().iter().map(|row| cell(row, "source").to_owned()).collect::<Vec<_>>();
        (kinds, sources, bench.summary().0["receipts"].clone())
    };
    let whole = fresh();
    std::fs::copy(origin.path("origin.db"), whole.path("reconcile.db")).unwrap();
    whole.run(&options).exits(0);
    let (wanted, requests) = (result(&whole), whole.summary().number("requests"));
    assert!(wanted.0.iter().filter(|(_, kind, _)| kind == "missing_in_ledger").count() == 20);
    for step in 0..8_u64 {
        let bench = fresh();
        std::fs::copy(origin.path("origin.db"), bench.path("reconcile.db")).unwrap();
        let run = bench.start(&options);
        let until = requests * step / 8;
        wait_until("some requests are sent", || bench.provider.requests().len() as u64 >= until);
        run.kill();
        bench.run(&options).exits(0);
        bench.summary().assert_totals();
        assert_eq!(result(&bench), wanted, "killed after {until} requests");
        let asked: Vec<String> =
            bench.provider.requests().iter().map(|request| request.call_id().to_owned()).collect();
        // Only what was in flight is asked twice.
        assert!(asked.len() as u64 <= requests + 64, "{} of {requests}", asked.len());
        assert_eq!(bench.number_in_store("SELECT count(*) FROM receipt"), 60);
    }
}
