#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::BufReader;

use calamine::{Data, Reader as _, Xlsx};
use proptest::prelude::*;

use super::night::Night;
use super::read_back::check;
use super::sheets::{MAX_COLUMNS, SHEET_ROWS, SheetNames, Sheets};
use crate::output::lang::Lang;
use crate::output::schema::{Cell, DISCREPANCIES};
use crate::staged::Staged;
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;
use reconcile_core::tie_out::{About, Written};

/// A row of the discrepancies with these values, and empty cells.
fn row<'a>(call_id: &'a str, kind: &'a str, carried: &[&'a str]) -> Vec<Cell<'a>> {
    let cell = |name: &str| match name {
        "call_id" => Cell::Text(Some(call_id)),
        "kind" => Cell::Text(Some(kind)),
        "prod_id" | "ledger_line" => Cell::Integer(Some(7)),
        "call_date" => Cell::Date(quick_parse::day("2026-11-16")),
        _ => Cell::Text(None),
    };
    let own = DISCREPANCIES.iter().map(|column| cell(column.name));
    own.chain(carried.iter().map(|text| Cell::Text(Some(text)))).collect()
}

fn count(written: &mut Written, call_id: &str, kind: &str) {
    let day = quick_parse::day("2026-11-16").unwrap();
    let call = CallKey { call_id: call_id.into(), prod_id: ProductId(7), day };
    written.add_discrepancy(kind, "", About::Call(&call));
}

/// A workbook of these rows, with `sheet_rows` in a sheet.
fn saved(staged: &Staged, sheet_rows: u32, carried: &[String], rows: &[Vec<Cell<'_>>]) -> SheetNames {
    let folder = staged.target().parent().unwrap();
    let mut sheets = Sheets::new(folder, carried, sheet_rows).unwrap();
    rows.iter().for_each(|row| sheets.add_row(row).unwrap());
    let left = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(left, 1, "the temporary files have no names");
    sheets.save(Night::empty(Lang::En, chrono::DateTime::UNIX_EPOCH), staged.writer().unwrap()).unwrap()
}

fn open(staged: &Staged) -> Xlsx<BufReader<File>> {
    Xlsx::new(BufReader::new(staged.reader().unwrap())).unwrap()
}

#[test]
fn a_full_sheet_continues_in_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let staged = Staged::create(&dir.path().join("w.xlsx")).unwrap();
    let ids: Vec<String> = (0..7).map(|i| format!("{i}^{i}")).collect();
    let kind = |i: usize| if i == 3 { "failed" } else { "mismatch" };
    let rows: Vec<Vec<Cell<'_>>> = ids.iter().enumerate().map(|(i, id)| row(id, kind(i), &[])).collect();
    let names = saved(&staged, 4, &[], &rows);
    assert_eq!(names.all, ["all", "all (2)", "all (3)"]);
    assert_eq!(names.by_kind, ["failed", "mismatch", "mismatch (2)"]);
    let mut book = open(&staged);
    let expected = ["Night", "all", "all (2)", "all (3)", "failed", "mismatch", "mismatch (2)"];
    assert_eq!(book.sheet_names(), expected);
    for (name, rows) in expected[1..].iter().zip([3, 3, 1, 1, 3, 3]) {
        let sheet = book.worksheet_range(name).unwrap();
        assert_eq!(sheet.height(), rows + 1, "{name}");
        assert_eq!(sheet.get_value((0, 0)), Some(&Data::String("call_id".into())), "{name}");
    }
    let mut counted = Written::default();
    ids.iter().enumerate().for_each(|(i, id)| count(&mut counted, id, kind(i)));
    check(&staged, &names, &counted).unwrap();
}

#[test]
fn a_sheet_that_lacks_a_row_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let staged = Staged::create(&dir.path().join("w.xlsx")).unwrap();
    let rows = [row("1^1", "mismatch", &[]), row("2^2", "failed", &[])];
    let names = saved(&staged, SHEET_ROWS, &[], &rows);
    let mut counted = Written::default();
    count(&mut counted, "1^1", "mismatch");
    assert!(check(&staged, &names, &counted).unwrap_err().what.contains("does not read back"));
    count(&mut counted, "2^2", "failed");
    check(&staged, &names, &counted).unwrap();
    let lacking = SheetNames { by_kind: vec!["failed".into()], ..names.clone() };
    let error = check(&staged, &lacking, &counted).unwrap_err();
    assert_eq!(error.source.unwrap().to_string(), "the sheets of the kinds lack rows");
    let missing = SheetNames { all: vec!["all (2)".into()], ..names };
    assert!(check(&staged, &missing, &counted).is_err());
}

#[test]
fn a_workbook_that_was_cut_short_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let staged = Staged::create(&dir.path().join("w.xlsx")).unwrap();
    let names = saved(&staged, SHEET_ROWS, &[], &[row("1^1", "mismatch", &[])]);
    let mut counted = Written::default();
    count(&mut counted, "1^1", "mismatch");
    let file = staged.writer().unwrap();
    for length in (0..file.metadata().unwrap().len()).rev().step_by(97) {
        file.set_len(length).unwrap();
        assert!(check(&staged, &names, &counted).is_err(), "{length} bytes");
    }
}

#[test]
fn columns_without_room_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let staged = Staged::create(&dir.path().join("w.xlsx")).unwrap();
    let carried: Vec<String> = (0..MAX_COLUMNS).map(|i| format!("ledger_{i}")).collect();
    let values: Vec<&str> = carried.iter().map(String::as_str).collect();
    let names = saved(&staged, SHEET_ROWS, &carried, &[row("1^1", "mismatch", &values)]);
    let mut counted = Written::default();
    count(&mut counted, "1^1", "mismatch");
    check(&staged, &names, &counted).unwrap();
    let note = open(&staged).worksheet_range("Night").unwrap();
    let words = "the sheets have the first 16384 of 16402 columns";
    assert_eq!(note.get_value((0, 1)), Some(&Data::String(words.into())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_text_reads_back_as_it_was(
        texts in prop::collection::vec(
            prop_oneof![
                any::<String>(),
                "[_x0-9A-F\\r\\n\\t \u{0}-\u{1f}\u{fffe}\u{ffff}<>&\"'=+@-]{1,20}",
            ],
            1..20,
        ),
    ) {
        let texts: Vec<&String> = texts.iter().filter(|text| !text.is_empty()).collect();
        let dir = tempfile::tempdir().unwrap();
        let staged = Staged::create(&dir.path().join("w.xlsx")).unwrap();
        let rows: Vec<Vec<Cell<'_>>> = texts.iter().map(|text| row(text, "mismatch", &[text])).collect();
        let names = saved(&staged, SHEET_ROWS, &["ledger_note".into()], &rows);
        let mut counted = Written::default();
        texts.iter().for_each(|text| count(&mut counted, text, "mismatch"));
        check(&staged, &names, &counted).unwrap();
        let sheet = open(&staged).worksheet_range("all").unwrap();
        for (text, at) in texts.iter().zip(1..) {
            let value = sheet.get_value((at, DISCREPANCIES.len() as u32));
            prop_assert_eq!(value, Some(&Data::String((*text).clone())));
        }
    }
}
