//! The bridge of the summary, computed once more from ledger, details and discrepancies.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value;

use crate::house::readme::sample_run;
use crate::support::{Bench, Row, cell, id, read_csv, read_parquet};

/// Step by name: calls or rows, and seconds.
type Steps = BTreeMap<String, (i64, i64)>;

fn add(steps: &mut Steps, step: &str, seconds: i64) {
    let (calls, sum) = steps.entry(step.to_owned()).or_default();
    *calls += 1;
    *sum += seconds;
}

/// The ledger's rows: line, and seconds if the row gives them.
fn ledger_rows(path: &Path) -> Vec<(u64, Option<i64>)> {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_path(path).unwrap();
    let header = csv.headers().unwrap().clone();
    let duration = header.iter().position(|name| name.starts_with("duration"));
    let row = |record: csv::StringRecord| {
        let text = duration.filter(|_| record.len() == header.len()).and_then(|at| record.get(at));
        let seconds = text.map(|text| text.split('.').next().unwrap_or_default());
        (record.position().unwrap().line(), seconds.and_then(|text| text.parse().ok()))
    };
    csv.records().map(|record| row(record.unwrap())).collect()
}

fn call(row: &Row) -> [&str; 3] {
    ["call_id", "prod_id", "call_date"].map(|name| cell(row, name))
}

/// The steps, from the ledger's rows and the two data files.
fn computed(ledger: &[(u64, Option<i64>)], details: &[Row], discrepancies: &[Row]) -> Steps {
    let kind_on = |kind: &str| -> HashMap<u64, &Row> {
        let rows = discrepancies.iter().filter(|row| cell(row, "kind") == kind);
        rows.map(|row| (cell(row, "ledger_line").parse().unwrap(), row)).collect()
    };
    let (unusable, later) = (kind_on("invalid_row"), kind_on("duplicate"));
    let mut steps = Steps::new();
    let line = |row: &Row| cell(row, "ledger_line").parse::<u64>().unwrap();
    let first_rows: HashMap<u64, &Row> = details.iter().map(|row| (line(row), row)).collect();
    // What counts for each call.
    let mut expected: HashMap<[&str; 3], Option<i64>> = HashMap::new();
    for (line, seconds) in ledger {
        let own = seconds.unwrap_or(0);
        add(&mut steps, "ledger_total", own);
        if unusable.contains_key(line) {
            add(&mut steps, "unusable_rows", -own);
        } else if let Some(row) = later.get(line) {
            add(&mut steps, "duplicates", -own);
            let call = expected.get_mut(&call(row)).unwrap();
            if call.is_none() && seconds.is_some() {
                *call = *seconds;
                steps.get_mut("duplicates").unwrap().1 += own;
            }
        } else {
            expected.insert(call(first_rows[line]), *seconds);
        }
    }
    for row in details {
        let value = expected[&call(row)];
        let step = match cell(row, "status") {
            "not_found" => "missing",
            "pending" | "deferred" => "waiting",
            "failed" => "failed",
            _ => {
                add_found(&mut steps, value, row.get("duration_s").map(|text| text.parse().unwrap()));
                continue;
            }
        };
        add(&mut steps, step, -value.unwrap_or(0));
    }
    steps
}

fn add_found(steps: &mut Steps, ledger: Option<i64>, provider: Option<i64>) {
    add(steps, "provider_total", provider.unwrap_or(0));
    match (ledger, provider) {
        (None, Some(provider)) => add(steps, "no_ledger_value", provider),
        (Some(ledger), None) => add(steps, "no_provider_value", -ledger),
        (Some(ledger), Some(provider)) if provider > ledger => {
            add(steps, "differences_up", provider - ledger);
        }
        (Some(ledger), Some(provider)) if provider < ledger => {
            add(steps, "differences_down", provider - ledger);
        }
        _ => {}
    }
}

/// Asserts that the summary's bridge adds up, and that it is what the rows of ledger, details and
/// discrepancies give. The files are in this folder; `calls.csv` is the ledger.
#[track_caller]
pub fn assert_equal_to_the_rows(folder: &Path, what: &str) {
    assert_bridge(folder, &folder.join("calls.csv"), what);
}

#[track_caller]
fn assert_bridge(folder: &Path, ledger: &Path, what: &str) {
    let text = std::fs::read_to_string(folder.join("details.summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let steps: Vec<(String, (i64, i64))> = summary["bridge"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let number = |name: &str| step[name].as_i64().unwrap();
            (step["step"].as_str().unwrap().to_owned(), (number("calls"), number("seconds")))
        })
        .collect();
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("ledger_total", "provider_total"), "{what}");
    let (last, others) = steps.split_last().unwrap();
    assert_eq!(others.iter().map(|(_, (_, seconds))| seconds).sum::<i64>(), last.1.1, "{what}: adds up");
    let details = read_parquet(&folder.join("details.parquet"));
    let discrepancies = read_csv(&folder.join("details.discrepancies.csv"));
    let computed = computed(&ledger_rows(ledger), &details, &discrepancies);
    let reported: Steps = steps.into_iter().filter(|(_, (calls, _))| *calls > 0).collect();
    assert_eq!(reported, computed, "{what}");
}

#[test]
fn the_sample_s_bridge_is_what_its_rows_give() {
    let bench = sample_run();
    assert_bridge(&bench.path("out"), &bench.path("calls.csv"), "sample");
}

#[test]
fn seconds_from_a_row_with_too_many_fields_are_not_counted() {
    let bench = Bench::new(&format!(
        "call_id,prod_id,called_at,callee,duration_s\n{},11000000300006,2024-05-26,x,7\n\
         {},11000000300006,2024-05-26,a, b,13800138000\n,11000000300006,2024-05-26,x,5\n",
        id(0),
        id(1)
    ));
    bench.run(&["--max-unusable", "3"]).exits(0);
    let bridge = &bench.summary().0["bridge"];
    assert_eq!((&bridge[0]["calls"], &bridge[0]["seconds"]), (&3.into(), &12.into()), "{bridge}");
    assert_eq!((&bridge[1]["calls"], &bridge[1]["seconds"]), (&2.into(), &(-5).into()), "{bridge}");
}
