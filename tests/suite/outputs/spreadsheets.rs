//! The CSV files in programs that people open them with: byte order mark, guard against formulas.

use serde_json::Value;

use crate::support::rust_files::root;
use crate::support::{Bench, cell, duckdb, id, read_csv, skip, venv};
use std::process::Command;

const MARK: &[u8] = "\u{feff}".as_bytes();

/// A call with a carried column that begins like a formula, and an unusable row.
fn ledger() -> String {
    format!(
        "call_id,prod_id,called_at,callee,备注\n{},11000000300006,2024-05-26,+8613800138000,\"=1+1&\"\"，\"\"\"\n\
         ,11000000300006,2024-05-26,,'是\n",
        id(0)
    )
}

fn has_mark(bench: &Bench, name: &str) -> bool {
    std::fs::read(bench.path(name)).unwrap().starts_with(MARK)
}

#[test]
fn the_mark_follows_the_ledger_unless_an_option_decides() {
    let bench = Bench::new(&ledger());
    let marks = |given: &[&str]| {
        bench.run(&[&["--max-unusable", "2"], given].concat()).exits(0);
        [has_mark(&bench, "details.discrepancies.csv"), has_mark(&bench, "details.rejects.csv")]
    };
    assert_eq!(marks(&[]), [false; 2]);
    assert_eq!(marks(&["--csv-bom", "always"]), [true; 2]);
    std::fs::write(bench.path("calls.csv"), [MARK, ledger().as_bytes()].concat()).unwrap();
    assert_eq!(marks(&[]), [true; 2]);
    assert_eq!(marks(&["--csv-bom", "never"]), [false; 2]);
    // A ledger of Chinese Excel.
    let text = ledger();
    let (gb18030, ..) = encoding_rs::GB18030.encode(&text);
    std::fs::write(bench.path("calls.csv"), gb18030).unwrap();
    assert_eq!(marks(&["--csv-bom", "auto"]), [true; 2]);
}

#[test]
fn a_guarded_file_has_no_formula_and_the_rejects_stay_a_ledger() {
    let bench = Bench::new(&ledger());
    bench.run(&["--max-unusable", "2"]).exits(0);
    let rows = read_csv(&bench.path("details.discrepancies.csv"));
    let plain = rows.iter().find(|row| cell(row, "field") == "callee").unwrap();
    assert_eq!(cell(plain, "ledger_备注"), "=1+1&\"，\"");
    let rejects = std::fs::read(bench.path("details.rejects.csv")).unwrap();

    bench.run(&["--max-unusable", "2", "--csv-guard"]).exits(0);
    let rows = read_csv(&bench.path("details.discrepancies.csv"));
    let guarded = rows.iter().find(|row| cell(row, "field") == "callee").unwrap();
    assert_eq!(cell(guarded, "ledger_备注"), "'=1+1&\"，\"");
    assert_eq!(cell(guarded, "expected"), "'+8613800138000");
    assert_eq!(cell(guarded, "prod_id"), "11000000300006", "numbers are not guarded");
    for (column, text) in rows.iter().flatten() {
        let is_number = text.parse::<f64>().is_ok();
        assert!(is_number || !text.starts_with(['=', '+', '-', '@']), "{column}: {text}");
    }
    assert_eq!(std::fs::read(bench.path("details.rejects.csv")).unwrap(), rejects);
    bench.summary().assert_totals();
}

/// The rows in the columns that spreadsheets spoil, as a program reads them.
fn read_with(program: &str, bench: &Bench) -> Value {
    let mut command = venv::command("python");
    command.arg(root().join("tests/readers/read_csv.py")).arg(program);
    command.arg(bench.path("details.discrepancies.csv"));
    serde_json::from_str(&venv::output(&mut command, program)).unwrap()
}

#[test]
fn duckdb_pandas_and_polars_read_marked_and_guarded_files() {
    let bench = Bench::new(&ledger());
    bench.run(&["--max-unusable", "2", "--csv-bom", "always", "--csv-guard"]).exits(0);
    let rows = read_csv(&bench.path("details.discrepancies.csv"));
    let columns = ["call_id", "ledger_line", "kind", "expected", "callee", "seconds_at_stake", "ledger_备注"];
    let texts = |row: &crate::support::Row| Value::from(columns.map(|name| cell(row, name)).to_vec());
    let expected: Value = rows.iter().map(texts).collect();
    for program in ["pandas", "polars"] {
        assert_eq!(read_with(program, &bench), expected, "{program}");
    }
    let sql = format!(
        "SELECT {} FROM read_csv('details.discrepancies.csv', all_varchar = true)",
        columns.map(|name| format!("coalesce(\"{name}\", '') AS \"{name}\"")).join(", ")
    );
    let read: Vec<serde_json::Map<String, Value>> =
        serde_json::from_str(&duckdb::query(&bench.path(""), &["-json"], &sql)).unwrap();
    let read: Value =
        read.iter().map(|row| Value::from(columns.map(|name| row[name].clone()).to_vec())).collect();
    assert_eq!(read, expected, "DuckDB");
    // DuckDB finds the types by itself.
    let types = "SELECT typeof(called_at), typeof(seconds_at_stake), typeof(call_date) \
                 FROM 'details.discrepancies.csv' LIMIT 1";
    let types = duckdb::query(&bench.path(""), &["-csv", "-noheader"], types);
    assert_eq!(types.trim(), "TIMESTAMP WITH TIME ZONE,BIGINT,DATE");
}

#[test]
fn libreoffice_shows_chinese_and_calculates_nothing() {
    let there = Command::new("soffice").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return skip("LibreOffice is not installed");
    }
    let bench = Bench::new(&ledger());
    bench.run(&["--max-unusable", "2", "--csv-bom", "always", "--csv-guard"]).exits(0);
    let mut command = Command::new("soffice");
    command.arg(format!("-env:UserInstallation=file://{}", bench.path("home").display()));
    // The answers to its import dialog: comma, double quote, UTF-8, from row 1.
    command.args(["--headless", "--infilter=CSV:44,34,76,1", "--convert-to", "fods", "--outdir"]);
    command.arg(bench.path("calc")).arg(bench.path("details.discrepancies.csv"));
    venv::output(&mut command, "LibreOffice");
    let sheet = std::fs::read_to_string(bench.path("calc/details.discrepancies.fods")).unwrap();
    assert!(sheet.contains("ledger_备注"), "the text is not read as UTF-8");
    assert!(!sheet.contains("table:formula"), "a cell is a formula");
    assert!(sheet.contains("=1+1&amp;"), "the text of the cell is there");
}
