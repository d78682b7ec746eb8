//! What an attack from outside found: receipts that say too little, folders without receipts,
//! calls around midnight, signals, and amounts without a product.

use std::io::Write as _;

use super::receipt;
use crate::support::{Bench, cell, column, id, ledger_of};

/// A ledger of these calls on two days, without receipts.
fn bench(calls: usize) -> Bench {
    let ids = (0..calls).map(id);
    let ledger = ledger_of(ids).replace("2024-05-26", "2026-11-16");
    Bench::new(&(ledger + "last^1,11000000300006,2026-11-17\n"))
}

const WITH: [&str; 5] = ["--offline", "--receipts", "receipts.jsonl", "--receipts-trust", "full"];

#[test]
fn a_receipt_without_a_state_saves_no_request() {
    let bench = bench(1);
    let plain = format!(r#"{{"call_id":"{}","originate_time":"2026-11-16 10:00:00","duration":9}}"#, id(0));
    bench.write("receipts.jsonl", &plain);
    let plan = bench.command_output(&["plan", "--json", "--receipts", "receipts.jsonl"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!((&plan["to_ask"], &plan["saved_by_receipts"]), (&2.into(), &0.into()), "{plan}");
    bench.run(&WITH[1..]).exits(0);
    assert_eq!(bench.summary().number("requests"), 2);
    assert_eq!(column(&bench.details(), "source"), ["query"; 2]);
}

#[test]
fn another_list_of_calls_is_no_receipt() {
    let bench = bench(1);
    let row =
        format!(r#"{{"call_id":"{}","callee":"12500000001","called_at":"2026-11-16 10:00:00"}}"#, id(0));
    bench.write("receipts.jsonl", &format!("{}\n{row}\n", receipt("x^1", "10:00:00", 1)));
    let run = bench.run(&WITH);
    assert!(run.stderr.contains("neither originate_time nor status_code"), "{}", run.stderr);
    assert_eq!(bench.summary().0["receipts"]["invalid"], 1);
}

#[test]
fn a_folder_without_receipts_shows_nothing_and_says_so() {
    let bench = bench(1);
    std::fs::create_dir(bench.path("empty")).unwrap();
    let run = bench.run(&["--offline", "--receipts", "empty", "--metrics-file", "r.prom"]);
    assert!(run.stderr.contains("the given paths hold no receipt"), "{}", run.stderr);
    assert!(bench.summary().0.get("receipts").is_none());
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(!page.contains("id=\"receipts\""), "the page cannot see this direction");
    let metrics = std::fs::read_to_string(bench.path("r.prom")).unwrap();
    assert!(!metrics.contains("reconcile_receipts{"), "{metrics}");
}

#[test]
fn both_days_of_a_call_at_midnight_are_looked_at() {
    let bench = bench(1);
    let at = |call_id: &str, time: &str| receipt(call_id, "10:00:00", 5).replace("2026-11-16 10:00:00", time);
    let [inner, first, after] = [
        at("inner^1", "2026-11-17 00:00:10"),
        at("first^1", "2026-11-16 00:00:10"),
        at("after^1", "2026-11-18 00:00:10"),
    ];
    bench.write("receipts.jsonl", &[inner, first, after].join("\n"));
    bench.run(&WITH);
    bench.summary().assert_totals();
    let found = bench.discrepancies();
    let missing: Vec<(&str, &str)> = found
        .iter()
        .filter(|row| cell(row, "kind") == "missing_in_ledger")
        .map(|row| (cell(row, "call_id"), cell(row, "call_date")))
        .collect();
    assert_eq!(missing, [("inner^1", "2026-11-17")]);
    assert_eq!(bench.summary().0["receipts"]["outside"], 2);
}

#[test]
fn a_decision_on_a_missing_call_goes_stale_with_its_time() {
    let bench = bench(1);
    bench.write("receipts.jsonl", &receipt("x^1", "10:00:00", 40));
    let decision = "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason\n\
                    x^1,,2026-11-16,missing_in_ledger,duration_s,,40,accepted,test\n";
    bench.write("decisions.csv", decision);
    let options = [&WITH[..], &["--resolutions", "decisions.csv"]].concat();
    bench.run(&options);
    assert_eq!(bench.summary().0["resolutions"]["accepted"], 1);
    bench.write("receipts.jsonl", &receipt("x^1", "10:00:00", 3_600));
    bench.run(&options);
    let resolutions = &bench.summary().0["resolutions"];
    assert_eq!((&resolutions["accepted"], &resolutions["stale"]), (&0.into(), &1.into()));
}

#[test]
fn without_a_product_the_money_at_stake_is_unknown() {
    let bench = bench(1);
    bench.write("receipts.jsonl", &receipt("x^1", "10:00:00", 40));
    let tariffs = "[tariff.\"7\"]\nfirst = 60\nnext = 60\nprice = \"0.055\"\ncurrency = \"CNY\"\n";
    bench.write("reconcile.toml", tariffs);
    let run = bench.run(&[&WITH[..], &["--config", "reconcile.toml"]].concat());
    assert!(run.stderr.contains("1 call that the ledger lacks has no product"), "{}", run.stderr);
    let currency = &bench.summary().0["money"]["currencies"][0];
    assert_eq!(currency["at_stake_unknown"], 1, "{currency}");
}

#[test]
fn a_signal_ends_the_reading_of_receipts() {
    let bench = bench(1);
    let fifo = bench.path("receipts.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let run = bench.start(&WITH);
    // It is opened once the run reads it. Nothing ends the file.
    let mut writer = std::fs::File::options().write(true).open(&fifo).unwrap();
    writeln!(writer, "{}", receipt("x^1", "10:00:00", 5)).unwrap();
    run.signal("TERM");
    run.wait().exits(4).says("before the first request");
    drop(writer);
}
