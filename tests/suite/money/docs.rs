//! The examples of docs/money.md, computed by real runs.

use std::fs;

use serde_json::Value;

use super::{Call, bench};
use crate::house::readme::sample_run_with;
use crate::support::rust_files::root;
use crate::support::{Bench, cell, column};

/// The rows of the table whose header row begins with this text.
fn table(header: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("docs/money.md")).unwrap();
    let (_, rest) = page.split_once(&format!("| {header} |")).unwrap();
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|text| text.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// A number in millionths; empty text is none.
fn millionths(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let places: i64 = format!("{places:0<6}").parse().unwrap();
    whole.parse::<i64>().ok().map(|whole| whole * 1_000_000 + places)
}

#[test]
fn the_six_calls_cost_what_the_page_says() {
    let rows = table("`ledger`");
    let seconds = |text: &str| text.parse::<i64>().ok();
    let calls: Vec<Call> =
        rows.iter().map(|row| ("2024-05-26", seconds(&row[0]), seconds(&row[1]))).collect();
    assert_eq!(calls.len(), 6);
    let bench = bench(&calls);
    bench.run(&["--config", "money.toml"]).exits(0);
    let details = bench.details();
    for (at, name) in [(2, "billed_units"), (3, "amount"), (4, "expected_amount")] {
        let written: Vec<Option<i64>> = rows.iter().map(|row| millionths(&row[at])).collect();
        let computed: Vec<Option<i64>> = column(&details, name).into_iter().map(millionths).collect();
        assert_eq!(computed, written, "{name}");
    }
    let money = &bench.summary().0["money"]["currencies"][0];
    let sums =
        [&money["amount"], &money["expected"], &money["bridge"][11]["amount"], &money["at_stake_total"]];
    assert_eq!(sums, ["0.330000", "0.330000", "0.385000", "0.165000"]);
}

/// A run over the sample data with its tariffs and its bill.
fn sample() -> Bench {
    let path = |name: &str| root().join("sample-data").join(name).display().to_string();
    sample_run_with(&["--config", &path("money.toml"), "--bill", &path("bill.csv")])
}

/// What the found calls of a product cost by their seconds, computed without the program's rules.
fn recomputed(bench: &Bench, product: &str) -> i64 {
    let (unit_s, price) = match product {
        "voice-notification" => (60, 55_000),
        "verification-code" => (60, 50_000),
        _ => (6, 5_500),
    };
    let details = crate::support::read_parquet(&bench.path("out/details.parquet"));
    let found =
        details.iter().filter(|row| cell(row, "product") == product && cell(row, "status") == "found");
    found.map(|row| (cell(row, "duration_s").parse().unwrap_or(0) + unit_s - 1) / unit_s * price).sum()
}

#[test]
fn the_sample_costs_what_the_page_says() {
    let bench = sample();
    let money = bench.summary_at("out/details.summary.json").0["money"].clone();
    let rows = table("product | calls");
    let named = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|line| line["name"] == name).unwrap().clone()
    };
    let amount = |value: &Value| millionths(value.as_str().unwrap()).unwrap();
    let mut all = [0; 5];
    for row in &rows[..3] {
        let name = row[0].trim_matches('`');
        let (sides, bill) = (named(&money["by_product"], name), named(&money["bill"]["by_product"], name));
        let computed = [
            sides["calls"].as_i64().unwrap(),
            amount(&sides["expected"]),
            amount(&sides["amount"]),
            amount(&bill["computed"]),
            amount(&bill["billed"]),
        ];
        let written = [0, 1, 2, 3, 4].map(|at| match at {
            0 => row[1].parse().unwrap(),
            at => millionths(&row[at + 1]).unwrap(),
        });
        assert_eq!(computed, written, "{name}");
        assert_eq!(computed[3], recomputed(&bench, name), "{name}");
        all = std::array::from_fn(|at| all[at] + computed[at]);
    }
    let written: Vec<i64> = rows[3][2..].iter().map(|text| millionths(text).unwrap()).collect();
    assert_eq!((rows[3][1].parse(), written.as_slice()), (Ok(all[0]), &all[1..]));
    assert_eq!(
        (&money["bill"]["apart"][0]["origin"], &money["bill"]["unmapped"][0]["item"]),
        (&"refund".into(), &"sms_send".into())
    );
}

#[test]
fn the_sandbox_writes_the_bill_of_the_sample() {
    let bench = bench(&[]);
    let config = root().join("sample-data/money.toml").display().to_string();
    let sandbox = bench.start_command({
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.args(["sandbox", "--port", "0", "--bill-out", "bill.csv", "--config", &config]);
        command.env_clear().current_dir(bench.path("."));
        command
    });
    crate::support::wait_until("the bill is there", || bench.path("bill.csv").exists());
    sandbox.kill();
    let (written, sample) = (
        fs::read_to_string(bench.path("bill.csv")).unwrap(),
        fs::read_to_string(root().join("sample-data/bill.csv")).unwrap(),
    );
    // The sample has two rows more: a refund, and an item of another product.
    assert_eq!(written.lines().collect::<Vec<_>>(), sample.lines().take(10).collect::<Vec<_>>());
    assert_eq!(sample.lines().count(), 12);
    let refused = bench.run_exactly(&["sandbox", "--port", "0", "--bill-out", "other.csv"], &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("needs a tariff"), "{}", refused.stderr);
}
