//! The columns and sums of a run with a tariff.

use std::fs;

use serde_json::json;

use super::{CALLS, assert_page, bench};
use crate::support::duckdb::query;
use crate::support::{Bench, column, id, read_parquet};

#[test]
fn each_call_has_its_units_and_both_amounts() {
    let bench = bench(&CALLS);
    bench.run(&["--config", "money.toml"]).exits(0);
    let details = bench.details();
    assert_eq!(
        column(&details, "billed_units"),
        ["2.000000", "2.000000", "2.000000", "", "1.000000", "0.000000"]
    );
    assert_eq!(column(&details, "amount"), ["0.110000", "0.110000", "0.110000", "", "0.055000", "0.000000"]);
    let expected = ["0.110000", "0.055000", "0.165000", "0.055000", "", "0.000000"];
    assert_eq!(column(&details, "expected_amount"), expected);
}

#[test]
fn the_sums_are_exact_in_summary_and_page() {
    let bench = bench(&CALLS);
    bench.run(&["--config", "money.toml"]).exits(0);
    let summary = bench.summary();
    summary.assert_totals();
    let money = &summary.0["money"];
    let cny = &money["currencies"][0];
    for (key, value) in [
        ("calls", json!(4)),
        ("amount", json!("0.330000")),
        ("expected", json!("0.330000")),
        ("difference", json!("0.000000")),
        ("without_amount", json!(0)),
        ("without_expected", json!(1)),
        // 0.055 + 0.055 for two mismatches, and 0.055 for the missing call.
        ("at_stake_total", json!("0.165000")),
        ("at_stake_unknown", json!(0)),
    ] {
        assert_eq!(cny[key], value, "{key}: {money:#}");
    }
    assert_eq!(
        (&cny["at_stake"]["mismatch"], &cny["at_stake"]["not_found"]),
        (&json!("0.110000"), &json!("0.055000"))
    );
    let steps: Vec<String> = cny["bridge"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!(
                "{} {} {}",
                step["step"].as_str().unwrap(),
                step["calls"],
                step["amount"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        steps,
        [
            "ledger_total 6 0.385000",
            "unusable_rows 0 0.000000",
            "duplicates 0 0.000000",
            "missing 1 -0.055000",
            "waiting 0 0.000000",
            "failed 0 0.000000",
            "no_ledger_value 1 0.055000",
            "no_provider_value 0 0.000000",
            "differences_up 1 0.055000",
            "differences_down 1 -0.055000",
            "missing_in_ledger 0 0.000000",
            "provider_total 5 0.385000",
        ]
    );
    assert!(money.get("bill").is_none());
    assert!(assert_page(&bench) > 15);
}

#[test]
fn duckdb_sums_the_same_decimal() {
    let bench = bench(&CALLS);
    bench.run(&["--config", "money.toml", "--partition-by", "call_date", "--out", "days"]).exits(0);
    bench.run(&["--config", "money.toml", "--offline"]).exits(0);
    for table in ["details.parquet", "days/*/*.parquet"] {
        let sql = format!(
            "SELECT typeof(any_value(amount)), sum(amount), sum(expected_amount), sum(billed_units) FROM '{table}'"
        );
        let row = query(&bench.path("."), &["-csv", "-noheader"], &sql);
        assert_eq!(row.trim(), "\"DECIMAL(18,6)\",0.385000,0.385000,7.000000", "{table}");
    }
}

#[test]
fn without_a_tariff_nothing_changes() {
    let bench = bench(&CALLS);
    bench.run(&[]).exits(0);
    let names: Vec<String> = read_parquet(&bench.path("details.parquet"))[0].keys().cloned().collect();
    assert!(!names.iter().any(|name| name.contains("amount") || name == "billed_units"), "{names:?}");
    assert!(bench.summary().0.get("money").is_none());
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(!page.contains("id=\"money\""));
}

#[test]
fn money_comes_after_the_account_and_before_the_ledger() {
    let bench = Bench::new(&format!(
        "call_id,product,called_at,account,note\n{},voice-notification,2024-05-26,north,x\n",
        id(0)
    ));
    bench.write("money.toml", super::CONFIG);
    bench.write("accounts.toml", "[north]\nprofile = \"north\"\n");
    let options = ["--config", "money.toml", "--accounts", "accounts.toml", "--offline"];
    bench.run(&options).exits(4);
    let sql = "SELECT string_agg(column_name, ',') FROM (DESCRIBE SELECT * FROM 'details.parquet')";
    let names = query(&bench.path("."), &["-csv", "-noheader"], sql);
    let end = "raw,source,account,billed_units,amount,expected_amount,ledger_note\"";
    assert!(names.trim().ends_with(end), "{names}");
}

#[test]
fn a_gap_between_tariffs_leaves_amounts_empty_and_is_said() {
    let bench = bench(&CALLS);
    let ended = "[[tariff.11000000300006]]\nfirst = 60\nnext = 60\nprice = \"0.055\"\nto = 2024-05-26\n\
                 [[tariff.11000000300006]]\nfirst = 6\nnext = 6\nprice = \"0.0055\"\nfrom = 2024-05-28\n";
    bench.write("money.toml", ended);
    bench.run(&["--config", "money.toml"]).exits(0).says("2 calls have no tariff on their day");
    let amounts = ["0.110000", "0.110000", "0.110000", "", "", ""];
    assert_eq!(column(&bench.details(), "amount"), amounts);
    assert_eq!(bench.summary().0["money"]["without_tariff"], 2);
    assert!(assert_page(&bench) > 15);
}

#[test]
fn decisions_settle_money_too() {
    let bench = bench(&CALLS);
    let decisions = format!(
        "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason\n\
         {},11000000300006,2024-05-26,mismatch,duration_s,60,61,accepted,known\n",
        id(1)
    );
    bench.write("decisions.csv", &decisions);
    bench.run(&["--config", "money.toml", "--resolutions", "decisions.csv"]).exits(0);
    let money = &bench.summary().0["money"]["currencies"][0];
    assert_eq!((&money["settled"], &money["at_stake_total"]), (&json!("0.055000"), &json!("0.110000")));
}

#[test]
fn a_later_row_counts_as_a_duplicate_in_money() {
    let bench = bench(&CALLS[..1]);
    let ledger = fs::read_to_string(bench.path("calls.csv")).unwrap();
    let first = ledger.lines().nth(1).unwrap().to_owned();
    bench.write("calls.csv", &format!("{ledger}{first}\n"));
    bench.run(&["--config", "money.toml"]).exits(0);
    let cny = &bench.summary().0["money"]["currencies"][0];
    let step = |at: usize| (cny["bridge"][at]["calls"].as_u64(), cny["bridge"][at]["amount"].as_str());
    assert_eq!((step(0), step(2)), ((Some(2), Some("0.220000")), (Some(1), Some("-0.110000"))));
    assert_eq!(cny["at_stake"]["duplicate"], "0.110000");
}
