//! Damaged workbooks: each gives its rows or an error in words, and no other rows.
//!
//! `RECONCILE_FUZZ_CASES` sets the number of cases.

use std::path::Path;

use reconcile::ledger::{Input, LedgerError, LedgerReader};
use reconcile_core::ledger_row::Record;
use rust_xlsxwriter::{ExcelDateTime, Format};
use tempfile::TempDir;

use super::{MAIN, Parts, lines, options, text_row, workbook};
use crate::support::number_from_environment;

const ROWS: u32 = 120;

fn read(path: &Path) -> Result<Vec<Record>, LedgerError> {
    let ledger: LedgerReader<_> = Input::open(path)?.ledger(&options())?;
    ledger.collect()
}

fn valid() -> Vec<Vec<u8>> {
    let usual = workbook(|sheet| {
        sheet.write_row(0, 0, ["call_id", "called_at", "duration", "callee", "note"]).unwrap();
        let format = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        for row in 1..=ROWS {
            sheet.write(row, 0, format!("{row}^{row}")).unwrap();
            let at = ExcelDateTime::from_serial_datetime(46_327.0 + f64::from(row) / 1_440.0).unwrap();
            sheet.write_with_format(row, 1, &at, &format).unwrap();
            sheet.write(row, 2, row).unwrap();
            sheet.write(row, 3, 13_800_000_000_u64 + u64::from(row)).unwrap();
            sheet.write(row, 4, "备注 ".repeat(row as usize % 5)).unwrap();
        }
    });
    let mut rows = text_row(1, &["call_id", "called_at"]);
    (2..ROWS).for_each(|row| rows += &text_row(row.into(), &[&format!("{row}^1"), "2026-11-01"]));
    vec![usual, Parts::of_rows(&rows).zip(zip::CompressionMethod::Stored)]
}

/// Damages a file in one of five ways.
fn damage(file: &mut Vec<u8>, random: &mut fastrand::Rng) {
    match random.u8(..5) {
        0 => file.truncate(random.usize(..file.len())),
        1 => {
            let (from, to) = (random.usize(..file.len()), random.usize(..file.len()));
            let len = random.usize(..64).min(file.len() - from.max(to));
            file.copy_within(from..from + len, to);
        }
        2 => {
            let at = random.usize(..file.len());
            file.drain(at..(at + random.usize(1..16)).min(file.len()));
        }
        // Most numbers of the file are in its directory.
        3 => {
            let at = file.len() - random.usize(1..file.len().min(700));
            file[at] = random.u8(..);
        }
        _ => {
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..file.len());
                file[at] ^= 1 << random.u8(..8);
            }
        }
    }
}

#[test]
fn damaged_workbooks_give_their_rows_or_an_error() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("calls.xlsx");
    let read_bytes = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    };
    let files: Vec<(Vec<u8>, Vec<Record>)> = valid()
        .into_iter()
        .map(|file| {
            let rows = read_bytes(&file).unwrap();
            assert!(rows.len() as u32 >= ROWS - 2 && rows.iter().all(|row| matches!(row, Record::Row(_))));
            (file, rows)
        })
        .collect();
    let (mut with_rows, mut with_error, mut contradictions) = (0, 0, 0);
    let mut random = fastrand::Rng::with_seed(21);
    for case in 0..number_from_environment("RECONCILE_FUZZ_CASES").unwrap_or(2_000) {
        let (valid, rows) = random.choice(&files).unwrap();
        let mut file = valid.clone();
        damage(&mut file, &mut random);
        if file.len() < 4 || !file.starts_with(b"PK\x03\x04") {
            continue;
        }
        match read_bytes(&file) {
            Ok(found) => {
                with_rows += 1;
                assert_eq!(&found, rows, "case {case}");
            }
            Err(error) => {
                with_error += 1;
                let words = error.to_string();
                contradictions += usize::from(words.contains("contradict"));
                assert!(words.contains("calls.xlsx") && !words.contains("panicked"), "{words}");
            }
        }
    }
    assert!(with_rows > 20 && with_error > 200, "{with_rows} with rows, {with_error} with an error");
    assert_eq!(contradictions, 0, "the reader panicked");
}

#[test]
fn damaged_xml_gives_rows_or_an_error() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("calls.xlsx");
    let mut random = fastrand::Rng::with_seed(22);
    let mut with_error = 0;
    let rows = text_row(1, &["call_id", "called_at"])
        + "<row r=\"2\" hidden=\"1\"><c r=\"A2\" t=\"s\"><v>0</v></c><c r=\"B2\" s=\"1\"><f>NOW()</f><v>46327.5</v></c></row>"
        + &text_row(3, &["1^1", "2026-11-01"]);
    for case in 0..number_from_environment("RECONCILE_FUZZ_CASES").unwrap_or(1_500) {
        let mut parts = Parts::of_rows(&rows);
        parts.change("xl/sharedStrings.xml", "</sst>", "<si><t>2^2</t></si></sst>");
        let at = random.usize(..parts.0.len());
        let bytes = &mut parts.0[at].1;
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = *random.choice(b"<>/\"&;= 0A").unwrap(),
                2 => drop(bytes.drain(at..(at + random.usize(1..20)).min(bytes.len()))),
                _ => bytes.insert(at, random.u8(..)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        std::fs::write(&path, parts.zip(zip::CompressionMethod::Stored)).unwrap();
        if let Err(error) = read(&path) {
            with_error += 1;
            let words = error.to_string();
            assert!(words.contains("calls.xlsx") && !words.contains("contradict"), "case {case}: {words}");
        }
    }
    assert!(with_error > 300, "{with_error} with an error");
}

#[test]
fn a_workbook_that_shrinks_during_the_run_is_a_changed_ledger() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("calls.xlsx");
    let (mut rows, mut random) = (text_row(1, &["call_id", "called_at"]), fastrand::Rng::with_seed(23));
    let mut id = || format!("{}^{}", random.u64(..), random.u64(..));
    (2..9_000).for_each(|row| rows += &text_row(row, &[&id(), "2026-11-01"]));
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::DEFLATE] {
        let bytes = Parts::of_rows(&rows).zip(method);
        let cut = bytes.len() as u64 / 2;
        assert!(cut > 70_000, "{cut}");
        // Before the reader is opened, and while it reads.
        for read_before in [false, true] {
            std::fs::write(&path, &bytes).unwrap();
            let input = Input::open(&path).unwrap();
            let opened = read_before.then(|| input.ledger(&options()).unwrap());
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
            let ledger = opened.map_or_else(|| input.ledger(&options()), Ok);
            let error = ledger.and_then(|ledger| ledger.collect::<Result<Vec<_>, _>>()).unwrap_err();
            assert!(matches!(error, LedgerError::Changed { .. }), "{error}");
        }
    }
}

/// The error of a workbook, after the name of the file.
fn error(parts: &Parts) -> String {
    let found = lines(&parts.bytes());
    let words =
        found.strip_prefix("error: cannot read the workbook calls.csv").unwrap_or_else(|| panic!("{found}"));
    let (error, hint) = words.split_once("\n  to do: ").unwrap();
    assert_eq!(
        hint,
        "open it in a spreadsheet program and save it again as .xlsx, or save the sheet as `CSV UTF-8`\n"
    );
    error.to_owned()
}

#[test]
fn each_damage_is_named() {
    let rows = text_row(1, &["call_id", "called_at"]) + &text_row(2, &["1^1", "2026-11-01"]);
    let changed = |part: &str, from: &str, to: &str| {
        let mut parts = Parts::of_rows(&rows);
        parts.change(part, from, to);
        error(&parts)
    };
    let in_sheet = |from: &str, to: &str| changed("xl/worksheets/sheet1.xml", from, to);
    for (found, wanted) in [
        (in_sheet("</worksheet>", ""), " from row 3 on: a part of it ends too early"),
        (in_sheet("</sheetData></worksheet>", ""), " from row 3 on: a part of it ends too early"),
        (in_sheet("<row r=\"2\">", "<row r=\"1\">"), " from row 2 on: its rows or cells are not in order"),
        (
            in_sheet("<row r=\"2\">", "<row r=\"1048577\">"),
            " from row 2 on: its rows or cells are not in order",
        ),
        (
            in_sheet("<row r=\"2\"><c", "<row r=\"2\"><c r=\"A3\""),
            " from row 3 on: its rows or cells are not in order",
        ),
        (
            in_sheet("<row r=\"2\"><c t=\"inlineStr\"", "<row r=\"2\"><c t=\"x\""),
            " from row 3 on: a cell has an unknown type",
        ),
        (
            in_sheet("</row></sheetData>", "<c t=\"s\"><v>0</v></c></row></sheetData>"),
            " from row 3 on: a cell refers to a text that it lacks",
        ),
        (in_sheet("1^1", "&entity;"), " from row 3 on: a part of it has an unknown entity"),
        (in_sheet("1^1", "<b>"), " from row 3 on: a part of it is not valid XML in UTF-8"),
        (
            in_sheet(&format!("<worksheet xmlns=\"{MAIN}\">"), "<!DOCTYPE a [<!ENTITY b \"c\">]><worksheet>"),
            ": a part of it has a document type",
        ),
        (
            in_sheet("<sheetData>", &format!("<sheetData>{}", "<a>".repeat(300))),
            " from row 1 on: its elements are nested too deeply",
        ),
        (changed("xl/_rels/workbook.xml.rels", "sheet1", "sheet2"), ": a part of it is missing"),
        (
            changed("xl/_rels/workbook.xml.rels", "\"styles.xml\"", "\"style.xml\""),
            ": a part of it is missing",
        ),
        (changed("xl/_rels/workbook.xml.rels", "sharedStrings.xml", "s.xml"), ": a part of it is missing"),
    ] {
        assert_eq!(found, wanted);
    }
    let whole = Parts::of_rows(&rows).bytes();
    let found = lines(&whole[..whole.len() - 30]);
    assert!(found.contains("the directory at its end is missing or damaged; it may be cut off"), "{found}");
}
