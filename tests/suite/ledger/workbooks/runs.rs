//! Whole runs over workbooks.

use std::fs::File;
use std::process::Stdio;

use reconcile::ledger::{Input, Options, ScannedLedger};
use rust_xlsxwriter::{ExcelDateTime, Format, Worksheet};
use sha2::{Digest as _, Sha256};

use super::workbook;
use crate::support::rust_files::root;
use crate::support::{Bench, Row, column, id, read_csv};

/// Writes a CSV ledger into a sheet as a person's workbook would have it: ids and numbers as text,
/// durations as numbers, and times as real dates.
fn fill(sheet: &mut Worksheet, csv: &str) {
    let date = Format::new().set_num_format("yyyy/m/d h:mm:ss");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let header: Vec<&str> = rows[0].iter().collect();
    for (row, record) in rows.iter().enumerate() {
        for (at, text) in record.iter().enumerate() {
            let (row, column) = (row as u32, at as u16);
            let name = header.get(at).copied().unwrap_or_default();
            let is_time = ["called_at", "started_at", "ended_at"].contains(&name);
            let at_time = if is_time { serial(text) } else { None };
            match (at_time, text.parse::<f64>()) {
                (Some(serial), _) => {
                    let at = ExcelDateTime::from_serial_datetime(serial).unwrap();
                    sheet.write_with_format(row, column, &at, &date).unwrap();
                }
                (None, Ok(seconds)) if name == "duration" => drop(sheet.write(row, column, seconds).unwrap()),
                _ if text.is_empty() => {}
                _ => drop(sheet.write(row, column, text).unwrap()),
            }
        }
    }
}

/// The serial day of a local time such as `2026-11-16 09:08:10`, or of the same with `T` and zone.
fn serial(text: &str) -> Option<f64> {
    let text = text.strip_suffix("+08:00").unwrap_or(text).replace('T', " ");
    let at = chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok()?;
    let first = chrono::NaiveDate::from_ymd_opt(1899, 12, 30)?.and_time(chrono::NaiveTime::MIN);
    Some((at - first).num_seconds() as f64 / 86_400.0)
}

fn without_lines(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        for column in ["ledger_line", "request_id", "attempts", "fetched_at"] {
            row.remove(column);
        }
        // Only a text has bytes and quotes.
        if let Some(message) = row.get_mut("message")
            && let Some(at) = message.find(", byte ")
        {
            message.replace_range(at.., ")");
        }
        if let Some(message) = row.get_mut("message").filter(|message| message.starts_with("the row has ")) {
            message.truncate(message.find(';').unwrap());
        }
    }
    rows
}

#[test]
fn the_sample_as_a_workbook_has_the_same_outputs() {
    let text = std::fs::read_to_string(root().join("sample-data/calls.csv")).unwrap();
    let bench = Bench::new(&text);
    let sandbox = ["--sandbox"];
    let of = |input: &str, out: &str| {
        bench.run(&[&sandbox[..], &["--input", input, "--out", out]].concat()).exits(0);
        let discrepancies = read_csv(&bench.path(&out.replace(".parquet", ".discrepancies.csv")));
        let details = crate::support::read_parquet(&bench.path(out));
        (without_lines(details), without_lines(discrepancies))
    };
    std::fs::write(bench.path("calls.xlsx"), workbook(|sheet| fill(sheet, &text))).unwrap();
    let (details, discrepancies) = of("calls.csv", "csv.parquet");
    let (details_of_workbook, discrepancies_of_workbook) = of("calls.xlsx", "xlsx.parquet");
    assert!(details.len() > 80 && discrepancies.len() > 30);
    assert_eq!(details_of_workbook, details);
    assert_eq!(discrepancies_of_workbook, discrepancies);
}

#[test]
fn a_workbook_is_read_from_standard_input_and_from_any_name() {
    let bench = Bench::new("");
    let bytes = workbook(|sheet| {
        sheet.write_row(0, 0, ["call_id", "prod_id", "called_at"]).unwrap();
        sheet.write_row(1, 0, [id(0).as_str(), "11000000300006", "2024-05-26"]).unwrap();
    });
    std::fs::write(bench.path("calls.bin"), &bytes).unwrap();
    let stdin = Stdio::from(File::open(bench.path("calls.bin")).unwrap());
    let run = bench.start_reading(bench.command(&["--input", "-", "--sheet", "Calls"]), stdin).wait();
    run.exits(0).says("sheet `calls` of an Excel workbook").says("1 call in standard input");
    bench.run(&["--input", "calls.bin"]).exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(0)]);
    assert_eq!(column(&bench.details(), "ledger_line"), ["2"]);
}

#[test]
fn the_digest_covers_the_whole_file() {
    let bytes = workbook(|sheet| {
        sheet.write_row(0, 0, ["call_id"]).unwrap();
    });
    // A comment at the end of the archive.
    let bytes = [&bytes[..bytes.len() - 2], b"\x02\0hi"].concat();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let ledger = ScannedLedger::scan(Input::open(file.path()).unwrap(), Options::default()).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((ledger.scan.rows, ledger.scan.sha256), (0, digest));
}

#[test]
fn the_sheet_comes_from_option_environment_or_file() {
    let bench = Bench::new("call_id\n1^1\n");
    bench.write("reconcile.toml", "sheet = \"nowhere\"\n");
    let says = "calls.csv is not an Excel workbook (.xlsx), so it has no sheet `";
    let run = bench.run(&["--config", "reconcile.toml"]).exits(2);
    run.says(&format!("{says}nowhere`")).says("leave out --sheet").says("Nothing was sent (exit 2).");
    bench.run(&["--config", "reconcile.toml", "--sheet", "there"]).exits(2).says(&format!("{says}there`"));
    let mut command = bench.command(&[]);
    command.env("RECONCILE_SHEET", "here");
    bench.start_command(command).wait().exits(2).says(&format!("{says}here`"));
}

#[test]
fn rejects_of_a_workbook_are_csv_that_is_read_again() {
    let bench = Bench::new("");
    let bytes = workbook(|sheet| {
        let talk = Format::new().set_num_format("[h]:mm:ss");
        let day = Format::new().set_num_format("yyyy/m/d");
        sheet.write_row(0, 0, ["call_id", "prod_id", "called_at", "duration", "备注"]).unwrap();
        sheet.write_row(1, 0, [id(0).as_str(), "11000000300006", "2024-05-26"]).unwrap();
        sheet.write(2, 1, 11_000_000_300_006_u64).unwrap();
        sheet.write_with_format(2, 2, ExcelDateTime::from_ymd(2024, 5, 26).unwrap(), &day).unwrap();
        sheet.write_with_format(2, 3, ExcelDateTime::from_hms(0, 1, 15).unwrap(), &talk).unwrap();
        sheet.write(2, 4, "好").unwrap();
    });
    std::fs::write(bench.path("calls.xlsx"), &bytes).unwrap();
    bench.run(&["--input", "calls.xlsx"]).exits(0).says("1 row cannot be used; details.rejects.csv");
    let rejects = std::fs::read_to_string(bench.path("details.rejects.csv")).unwrap();
    let reason = "\"the row has no CallId; fill it in, or remove the row (column 1)\"";
    let row = format!(",11000000300006,2024-05-26,75,好,{reason}");
    let header = "call_id,prod_id,called_at,duration,备注,reconcile_reason";
    assert!(rejects.starts_with('\u{feff}'), "{rejects}");
    assert_eq!(rejects.trim_start_matches('\u{feff}').lines().collect::<Vec<_>>(), [header, &row]);
    bench.write("mended.csv", &rejects.replace("\n,", &format!("\n{},", id(1))));
    bench.run(&["--input", "mended.csv"]).exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(1)]);
}
