//! The workbook, read by openpyxl, pandas, DuckDB and a native reader: the same rows as in the CSV
//! of the same run, with the right types.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use calamine::{Data, DataType as _, Reader as _, Xlsx};

use crate::house::readme::sample_run_with;
use crate::support::provider::talk_seconds;
use crate::support::rust_files::root;
use crate::support::{Bench, Row, duckdb, id, read_csv, venv};

/// The columns that are numbers, and those that are dates.
const NUMBERS: [&str; 3] = ["ledger_line", "delta", "seconds_at_stake"];
const DATES: [&str; 3] = ["call_date", "called_at", "since"];

#[derive(serde::Deserialize)]
struct Book {
    sheets: Vec<Sheet>,
    pandas: BTreeMap<String, String>,
    pandas_rows: usize,
}

#[derive(serde::Deserialize)]
struct Sheet {
    name: String,
    frozen: Option<String>,
    filter: Option<String>,
    bold: Vec<bool>,
    widths: Vec<f64>,
    formats: Vec<String>,
    /// Each cell's type and text.
    rows: Vec<Vec<Option<(String, String)>>>,
}

impl Sheet {
    fn header(&self) -> Vec<&str> {
        self.rows[0].iter().map(|cell| cell.as_ref().unwrap().1.as_str()).collect()
    }
}

fn with_openpyxl(path: &Path) -> Book {
    let mut command = venv::command("python");
    command.arg(root().join("tests/readers/workbook.py")).arg(path);
    serde_json::from_str(&venv::output(&mut command, "openpyxl and pandas read the workbook")).unwrap()
}

fn open(path: &Path) -> Xlsx<BufReader<File>> {
    Xlsx::new(BufReader::new(File::open(path).unwrap())).unwrap()
}

/// The rows of a sheet as the native reader sees them, from column to text. Dates are written as in
/// the CSV.
fn rows(path: &Path, sheet: &str) -> Vec<Row> {
    let range = open(path).worksheet_range(sheet).unwrap();
    let mut rows = range.rows();
    let header: Vec<String> = rows.next().unwrap().iter().map(ToString::to_string).collect();
    let text = |name: &str, value: &Data| match value {
        Data::DateTime(at) => {
            let seconds = ((at.as_f64() - 25_569.0) * 86_400.0).round() as i64;
            let at = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            let format = if name == "called_at" { "%F %T+08:00" } else { "%F" };
            at.format(format).to_string()
        }
        value => value.to_string(),
    };
    rows.map(|row| {
        let cells = header.iter().zip(row).filter(|(_, value)| **value != Data::Empty);
        cells.map(|(name, value)| (name.clone(), text(name, value))).collect()
    })
    .collect()
}

/// The rows of a CSV file. An empty field is no value.
fn csv_rows(path: &Path) -> Vec<Row> {
    let mut rows = read_csv(path);
    rows.iter_mut().for_each(|row| row.retain(|_, value| !value.is_empty()));
    rows
}

/// A ledger whose carried column holds texts that spreadsheets misread.
fn spiteful(texts: &[&str]) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["call_id", "prod_id", "called_at", "callee", "duration_s", "note"]).unwrap();
    for (i, text) in texts.iter().enumerate() {
        let talk = (talk_seconds(&id(i)) + 1).to_string();
        csv.write_record([&id(i), "11000000300006", "2024-05-26", "13812345678", &talk, *text]).unwrap();
    }
    String::from_utf8(csv.into_inner().unwrap()).unwrap()
}

const SPITEFUL: [&str; 12] = [
    "=cmd|' /C calc'!A0",
    "=1+1",
    "+8613812345678",
    "-5",
    "@SUM(A1)",
    "https://example.com/x?y=1",
    "mailto:a@example.com",
    "1.1E+13",
    "0571",
    "bell\u{7} and _x0041_",
    "<b>&amp;\"quote\"</b>",
    "备注 😀",
];

#[test]
fn every_row_and_value_is_the_same_as_in_the_csv() {
    let bench = sample_run_with(&["--xlsx", "out/w.xlsx"]);
    let (csv, book) = (bench.path("out/details.discrepancies.csv"), bench.path("out/w.xlsx"));
    let expected = csv_rows(&csv);
    assert_eq!(expected.len(), 46);
    assert_eq!(rows(&book, "all"), expected);
    let names = open(&book).sheet_names();
    assert_eq!(names[..2], ["Night", "all"]);
    let mut kinds: Vec<&str> = expected.iter().map(|row| row["kind"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(names[2..], kinds);
    for kind in kinds {
        let of_kind: Vec<Row> = expected.iter().filter(|row| row["kind"] == kind).cloned().collect();
        assert_eq!(rows(&book, kind), of_kind, "{kind}");
    }
}

#[test]
fn openpyxl_and_pandas_read_the_right_types() {
    let bench = sample_run_with(&["--xlsx", "out/w.xlsx"]);
    let expected = csv_rows(&bench.path("out/details.discrepancies.csv"));
    let book = with_openpyxl(&bench.path("out/w.xlsx"));
    for sheet in &book.sheets[1..] {
        let (header, last) = (sheet.header(), sheet.rows.len());
        assert_eq!(
            (sheet.frozen.as_deref(), sheet.filter.clone()),
            (Some("A2"), Some(format!("A1:T{last}")))
        );
        assert!(sheet.bold.iter().all(|bold| *bold), "{}", sheet.name);
        let width = |name: &str| sheet.widths[header.iter().position(|it| *it == name).unwrap()];
        assert!(width("call_id") > 28.0 && width("message") > 60.0, "{}", sheet.name);
        let mut types: BTreeMap<&str, &str> = BTreeMap::new();
        for row in &sheet.rows[1..] {
            for (name, cell) in header.iter().zip(row) {
                let Some((kind, _)) = cell else { continue };
                assert_eq!(types.insert(name, kind).unwrap_or(kind), kind, "{name}");
            }
        }
        for (name, kind) in types {
            let number = if NUMBERS.contains(&name) { "int" } else { "str" };
            assert_eq!(kind, if DATES.contains(&name) { "datetime" } else { number }, "{name}");
        }
    }
    let all = &book.sheets[1];
    assert_eq!((all.name.as_str(), all.rows.len()), ("all", expected.len() + 1));
    let format = |name: &str| all.formats[all.header().iter().position(|it| *it == name).unwrap()].as_str();
    assert_eq!((format("call_date"), format("called_at")), ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"));
    for (row, expected) in all.rows[1..].iter().zip(&expected) {
        for (name, cell) in all.header().iter().zip(row) {
            let text = cell.as_ref().map(|(_, text)| match *name {
                "call_date" | "since" => text.replace(" 00:00:00", ""),
                "called_at" => format!("{text}+08:00"),
                _ => text.clone(),
            });
            assert_eq!(text.as_ref(), expected.get(*name), "{name}");
        }
    }
    assert_eq!(book.pandas_rows, expected.len());
    let types = |names: &[&str]| names.iter().map(|name| book.pandas[*name].clone()).collect::<Vec<_>>();
    assert_eq!(types(&DATES), ["datetime64[us]"; 3]);
    assert_eq!(types(&["ledger_line", "seconds_at_stake"]), ["int64"; 2]);
    assert_eq!(types(&["call_id", "prod_id", "callee"]), ["str"; 3]);
}

#[test]
fn duckdb_reads_the_same_rows() {
    let bench = sample_run_with(&["--xlsx", "out/w.xlsx"]);
    let (folder, load) = (bench.path("out"), venv::load_excel());
    let print = |sql: &str| {
        duckdb::query(&folder, &["-csv", "-noheader"], &format!("{load}; {sql}")).trim().to_owned()
    };
    let types =
        print("SELECT column_name, column_type FROM (DESCRIBE FROM read_xlsx('w.xlsx', sheet = 'all'))");
    for line in types.lines() {
        let (name, kind) = line.split_once(',').unwrap();
        let expected = match name {
            "call_date" | "since" => "DATE",
            "called_at" => "TIMESTAMP",
            name if NUMBERS.contains(&name) => "DOUBLE",
            // Columns without any value.
            "resolution" | "reason" => "DOUBLE",
            _ => "VARCHAR",
        };
        assert_eq!(kind, expected, "{name}");
    }
    let from_csv = "SELECT * REPLACE (prod_id::VARCHAR AS prod_id, callee::VARCHAR AS callee, \
                    delta::DOUBLE AS delta, (called_at AT TIME ZONE 'Asia/Shanghai') AS called_at) \
                    FROM read_csv('details.discrepancies.csv', \
                    types = {called_at: 'TIMESTAMPTZ', callee: 'VARCHAR', expected: 'VARCHAR', \
                    actual: 'VARCHAR'})";
    let from_book = "SELECT * FROM read_xlsx('w.xlsx', sheet = 'all')";
    let sql = format!(
        "SELECT (SELECT count(*) FROM ({from_csv} EXCEPT ALL {from_book})), \
         (SELECT count(*) FROM ({from_book} EXCEPT ALL {from_csv})), (SELECT count(*) FROM ({from_book}))"
    );
    assert_eq!(print(&sql), "0,0,46");
}

#[test]
fn a_workbook_may_take_the_place_of_the_csv() {
    let bench = sample_run_with(&["--discrepancies", "out/d.XLSX"]);
    assert!(!bench.path("out/details.discrepancies.csv").exists());
    bench.summary_at("out/details.summary.json").assert_totals();
    let options = ["--sandbox", "--offline", "--out", "out/details.parquet", "--sql"];
    bench.run(&options).exits(0);
    let expected = csv_rows(&bench.path("out/details.discrepancies.csv"));
    assert_eq!(rows(&bench.path("out/d.XLSX"), "all"), expected);
    let page = |bench: &Bench| std::fs::read_to_string(bench.path("out/details.report.html")).unwrap();
    assert!(!page(&bench).contains("d.XLSX"));
    bench.run(&[&options[..], &["--discrepancies", "out/d.XLSX"]].concat()).exits(0);
    assert!(page(&bench).contains("d.XLSX"));
    // The views over other files work as they are; those over the workbook are comments.
    let print = |folder: &Path, before: &str, sql: &str| {
        let flags = ["-csv", "-noheader", "-init", "details.sql"];
        duckdb::query(folder, &flags, &format!("{before}{sql}")).trim().to_owned()
    };
    let folder = bench.path("out");
    assert_eq!(print(&folder, "", "SELECT sum(calls) FROM by_status"), "86");
    let sql = std::fs::read_to_string(folder.join("details.sql")).unwrap();
    let (others, own) = sql.split_once("-- The discrepancies are in a workbook").unwrap();
    let own: String = own.lines().skip(2).map(|line| format!("{}\n", &line[3..])).collect();
    let own = own.replace("INSTALL excel; LOAD excel", &venv::load_excel());
    std::fs::write(folder.join("details.sql"), format!("{others}{own}")).unwrap();
    assert_eq!(print(&folder, "", "SELECT count(*) FROM largest"), "46");
    assert_eq!(print(&folder, "", "SELECT sum(rows) FROM by_kind"), "46");
}

#[test]
fn two_workbooks_of_one_run_have_the_same_rows() {
    let bench = Bench::new(&spiteful(&SPITEFUL));
    bench.run(&["--discrepancies", "d.xlsx", "--xlsx", "w.xlsx"]).exits(0);
    let read = |name: &str| rows(&bench.path(name), "all");
    assert_eq!(read("d.xlsx"), read("w.xlsx"));
    assert_eq!(read("d.xlsx").len(), 2 * SPITEFUL.len(), "the talk time and the callee differ");
}

#[test]
fn no_text_becomes_a_formula_a_link_or_a_number() {
    let bench = Bench::new(&spiteful(&SPITEFUL));
    bench.run(&["--xlsx", "w.xlsx"]).exits(0);
    let path = bench.path("w.xlsx");
    assert_eq!(rows(&path, "all"), csv_rows(&bench.path("details.discrepancies.csv")));
    let book = with_openpyxl(&path);
    let all = &book.sheets[1];
    let column = all.header().iter().position(|name| *name == "ledger_note").unwrap();
    // Excel turns the escapes back; openpyxl does not.
    let seen = |text: &str| text.replace('\u{7}', "_x0007_").replace("_x0041_", "_x005F_x0041_");
    for (i, rows) in all.rows[1..].chunks(2).enumerate() {
        for row in rows {
            assert_eq!(row[column], Some(("str".into(), seen(SPITEFUL[i]))));
        }
    }
}

#[test]
fn a_text_too_long_for_a_cell_is_cut_and_counted() {
    let long = "长".repeat(40_000);
    let bench = Bench::new(&spiteful(&[&long, "short"]));
    bench.run(&["--xlsx", "w.xlsx", "--lang", "zh"]).exits(0);
    let path = bench.path("w.xlsx");
    let notes: Vec<String> = rows(&path, "all").iter().map(|row| row["ledger_note"].clone()).collect();
    assert_eq!(notes[0].chars().count(), 32_767);
    assert!(notes[0].ends_with("长… [cut]") && notes[2] == "short");
    let night = open(&path).worksheet_range("本次").unwrap();
    let notes: Vec<String> =
        night.rows().filter(|row| row[0] == "说明").map(|row| row[1].to_string()).collect();
    let note = |sheet: &str| format!("工作表“{sheet}”有 2 个单元格超过 32767 个字符，已截断");
    assert_eq!(notes, [note("all"), note("mismatch")]);
    with_openpyxl(&path);
}

#[test]
fn the_first_sheet_has_the_numbers_of_the_summary() {
    for (lang, name, sandbox) in [("en", "Night", "Sandbox: "), ("zh", "本次", "沙箱：")] {
        let bench = sample_run_with(&["--xlsx", "out/w.xlsx", "--lang", lang]);
        let summary = bench.summary_at("out/details.summary.json").0;
        let night = open(&bench.path("out/w.xlsx")).worksheet_range(name).unwrap();
        let rows: Vec<&[Data]> = night.rows().collect();
        assert!(rows[0][0].to_string().starts_with(sandbox));
        let numbers = |code: &str, from: usize| -> Vec<i64> {
            let of_code = |row: &&&[Data]| row[1] == code;
            let row = rows.iter().skip(from).find(of_code).unwrap_or_else(|| panic!("no {code}"));
            row[2..4].iter().filter_map(|cell| cell.get_float()).map(|n| n as i64).collect()
        };
        for (code, n) in summary["headline"].as_object().unwrap() {
            assert_eq!(numbers(code, 0), [n.as_i64().unwrap()], "{code}");
        }
        let bridge = rows.iter().position(|row| row[1] == "ledger_total").unwrap();
        for step in summary["bridge"].as_array().unwrap() {
            let code = step["step"].as_str().unwrap();
            let expected = [&step["calls"], &step["seconds"]].map(|n| n.as_i64().unwrap());
            assert_eq!(numbers(code, bridge), expected, "{code}");
        }
        let kinds = rows.iter().position(|row| row[1] == "provider_total").unwrap();
        let counts = |name: &str| summary[name].as_object().unwrap().clone();
        for (kind, n) in counts("discrepancies").into_iter().filter(|(_, n)| *n != 0) {
            let at_stake_s = counts("at_stake_s")[&kind].as_i64().unwrap();
            assert_eq!(numbers(&kind, kinds), [n.as_i64().unwrap(), at_stake_s], "{kind}");
        }
        let texts: Vec<String> = rows.iter().map(|row| row[1].to_string()).collect();
        // The words between the numbers are in the sheet's language.
        let digits = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).map(str::to_owned).collect()
        };
        for line in summary["tie_out"].as_array().unwrap() {
            let numbers = line["numbers"].as_str().unwrap();
            assert!(texts.iter().any(|text| digits(text) == digits(numbers)), "{numbers}");
        }
        for key in ["run_id", "input_sha256", "input"] {
            assert!(texts.iter().any(|text| text == summary[key].as_str().unwrap()), "{key}");
        }
    }
}

#[test]
fn an_incomplete_night_says_why() {
    let bench = Bench::new(&spiteful(&["a"]));
    bench.run(&["--offline", "--xlsx", "w.xlsx"]).exits(4);
    let night = open(&bench.path("w.xlsx")).worksheet_range("Night").unwrap();
    let value = |label: &str| night.rows().find(|row| row[0] == label).unwrap()[1].to_string();
    assert_eq!(value("Complete"), "no");
    assert_eq!(value("Reason"), "1 call has no stored answer (offline run)");
}

#[test]
fn a_masked_workbook_has_no_full_number() {
    for masking in [&["partial"][..], &["token", "--mask-key-file", "mask.key"]] {
        let bench = Bench::new(&spiteful(&["call 13812345678", "or 185-1234-8980", "+8613812345678"]));
        bench.write("mask.key", "a secret key of the night");
        bench.run(&[&["--xlsx", "w.xlsx", "--mask-phones"], masking].concat()).exits(0);
        let path = bench.path("w.xlsx");
        assert_eq!(rows(&path, "all"), csv_rows(&bench.path("details.discrepancies.csv")));
        let mut book = open(&path);
        let mut cells = 0;
        for (name, sheet) in book.worksheets() {
            for cell in sheet.used_cells() {
                let digits: String = cell.2.to_string().chars().filter(char::is_ascii_digit).collect();
                for number in ["13812345678", "18512348980"] {
                    assert!(!digits.contains(number), "{name}: {:?}", cell.2);
                }
                cells += 1;
            }
        }
        assert!(cells > 200, "only {cells} cells");
    }
}

#[test]
fn a_path_that_is_no_workbooks_or_taken_is_refused() {
    let bench = Bench::new(&spiteful(&["a"]));
    for name in ["w.csv", "w.xls", "w"] {
        bench.run(&["--xlsx", name]).exits(2).says(name).says("end the name with .xlsx");
    }
    bench.run(&["--discrepancies", "d.xls"]).exits(2).says("or .xlsx");
    bench.run(&["--xlsx", "w.xlsx", "--discrepancies", "./w.xlsx"]).exits(2).says("is the same file as");
    bench.run(&["--xlsx", "none/w.xlsx"]).exits(2).says("there is no folder none");
    assert_eq!(bench.provider.seen(), 0);
}

/// The counts of the first sheet: the number in the third column, by the title of its table and the
/// code in the second column.
fn counts_of_night(path: &Path) -> BTreeMap<(String, String), i64> {
    let range = open(path).worksheet_range("Night").unwrap();
    let (mut title, mut counts) = (String::new(), BTreeMap::new());
    for row in range.rows() {
        match (row[0].as_string(), row[1].as_string(), row[2].as_i64()) {
            (Some(name), Some(code), _) if code == "code" => title = name,
            (_, Some(code), Some(n)) => drop(counts.insert((title.clone(), code), n)),
            _ => {}
        }
    }
    counts
}

#[test]
fn the_first_sheet_says_what_is_new_and_what_receipts_say() {
    let receipts = root().join("sample-data/receipts.jsonl").display().to_string();
    let with_receipts = ["--xlsx", "out/w.xlsx", "--receipts", &receipts, "--receipts-trust", "full"];
    let bench = sample_run_with(&with_receipts);
    let count = |counts: &BTreeMap<(String, String), i64>, title: &str, code: &str| {
        counts.get(&(title.to_owned(), code.to_owned())).copied()
    };
    let (since, receipts_of) = ("Discrepancies since the last run", "The provider’s receipts");
    let first = counts_of_night(&bench.path("out/w.xlsx"));
    assert_eq!(["new", "recurring", "resolved"].map(|code| count(&first, since, code)), [45, 0, 0].map(Some));
    let codes = ["read", "unreadable", "answered", "missing_in_ledger"];
    assert_eq!(codes.map(|code| count(&first, receipts_of, code)), [82, 2, 70, 3].map(Some));
    assert_eq!(count(&first, "Final records looked at again", "asked"), None);

    // The receipts are in the store, but this run reads none. It asks for no sample of them.
    let again = ["--sandbox", "--out", "out/details.parquet", "--xlsx", "out/w.xlsx", "--recheck", "3d"];
    bench.run(&[&again[..], &["--receipts-trust", "full"]].concat()).exits(0);
    let second = counts_of_night(&bench.path("out/w.xlsx"));
    assert_eq!(
        ["new", "recurring", "resolved"].map(|code| count(&second, since, code)),
        [0, 42, 0].map(Some)
    );
    assert_eq!(count(&second, receipts_of, "read"), None);
    let looked_at = count(&second, "Final records looked at again", "asked").unwrap();
    assert_eq!(
        Some(looked_at),
        bench.summary_at("out/details.summary.json").0["rechecked"]["asked"].as_i64()
    );
    assert!(looked_at > 0);
}
