//! Reads a discrepancy file that this program has written: CSV, JSON lines, Parquet or a workbook.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;

use serde_json::Value;

use super::file::{name, open_table, unreadable};
use crate::error::{Error, Result};
use crate::ledger::{TableRow, TableRows};
use crate::output::csv_form::without_guard;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use reconcile_core::message::Message;
use reconcile_core::quick_parse;

/// The columns that are read, in the order of the file. Only the last one may be missing: version
/// 0.1 did not write it.
const COLUMNS: [&str; 9] =
    ["call_id", "kind", "field", "expected", "actual", "delta", "call_date", "prod_id", "resolution"];
/// The sheet of a workbook that has all discrepancies.
const SHEET: &str = "all";
/// What messages call the file.
const WHAT: &str = "discrepancy file";

/// The rows of a discrepancy file.
pub(super) struct DiscrepancyFile {
    /// As messages show it.
    name: String,
    rows: Rows,
}

enum Rows {
    Table { table: Box<TableRows>, columns: [Option<usize>; COLUMNS.len()] },
    Json(Lines<BufReader<File>>, u64),
}

/// A discrepancy of the file.
pub(super) struct FoundRow {
    /// What the file says of it. Its message is not read.
    pub(super) row: DiscrepancyRow,
    /// Whether the file has a decision on it.
    pub(super) is_decided: bool,
}

impl DiscrepancyFile {
    /// Opens the file. A workbook needs its sheet of all discrepancies.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be read, or is no discrepancy file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let has_extension = |known: &str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(known));
        let is_workbook = has_extension("xlsx");
        if has_extension("jsonl") || has_extension("ndjson") {
            let file = File::open(path).map_err(|e| {
                Error::usage(format!("the {WHAT} {} cannot be opened", name(path)))
                    .hint("check that the file exists and that you may read it")
                    .because(e)
            })?;
            return Ok(Self { name: name(path), rows: Rows::Json(BufReader::new(file).lines(), 0) });
        }
        let table = Box::new(open_table(path, WHAT, is_workbook.then_some(SHEET))?);
        let columns = COLUMNS.map(|column| table.names().iter().position(|header| header == column));
        let own = Self { name: name(path), rows: Rows::Table { table, columns } };
        let Rows::Table { columns, .. } = &own.rows else { return Ok(own) };
        match COLUMNS.iter().zip(columns).find(|(column, at)| at.is_none() && **column != "resolution") {
            Some((column, _)) => Err(own.refused(1, &format!("there is no column {column}"))),
            None => Ok(own),
        }
    }

    /// Whether a file for the same people needs a byte order mark.
    pub(super) fn needs_byte_order_mark(&self) -> bool {
        match &self.rows {
            Rows::Table { table, .. } => table.needs_byte_order_mark(),
            Rows::Json(..) => false,
        }
    }

    fn read(&mut self) -> Result<Option<FoundRow>> {
        let next = match &mut self.rows {
            Rows::Table { table, columns } => match table.next().transpose() {
                Ok(row) => row.map(|row| texts_of_table(row, columns)),
                Err(e) => return Err(unreadable(WHAT, e)),
            },
            Rows::Json(lines, line) => {
                *line += 1;
                lines.next().map(|text| texts_of_json(*line, text))
            }
        };
        let Some((line, texts)) = next else { return Ok(None) };
        let row = texts.and_then(|texts| found_row(line, texts));
        row.map(Some).map_err(|what| self.refused(line, &what))
    }

    fn refused(&self, line: u64, what: &str) -> Error {
        Error::usage(format!("line {line} of the {WHAT} {}: {what}", self.name))
            .hint("name a discrepancy file as `reconcile` has written it")
    }
}

impl Iterator for DiscrepancyFile {
    type Item = Result<FoundRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A line with its texts in the order of [`COLUMNS`], or what is wrong with it.
type LineTexts = (u64, Result<Vec<String>, String>);

fn texts_of_table(row: TableRow, columns: &[Option<usize>; COLUMNS.len()]) -> LineTexts {
    match row {
        TableRow::Texts(line, cells) => {
            let text = |at: &Option<usize>| at.and_then(|at| cells.get(at)).map_or("", |cell| cell);
            (line, Ok(columns.iter().map(|at| without_guard(text(at)).to_owned()).collect()))
        }
        TableRow::Unreadable(line, problem) => (line, Err(problem.to_string())),
    }
}

fn texts_of_json(line: u64, text: std::io::Result<String>) -> LineTexts {
    let row = text.map_err(|e| e.to_string()).and_then(|text| {
        let row: Value = serde_json::from_str(&text).map_err(|e| format!("it is no JSON: {e}"))?;
        if !row.is_object() {
            return Err("it is no JSON object".to_owned());
        }
        let text = |column: &str| match &row[column] {
            Value::String(text) => text.clone(),
            Value::Number(n) => n.to_string(),
            _ => String::new(),
        };
        Ok(COLUMNS.iter().map(|column| text(column)).collect())
    });
    (line, row)
}

fn found_row(line: u64, texts: Vec<String>) -> Result<FoundRow, String> {
    let [call_id, kind, field, expected, actual, delta, call_date, prod_id, resolution] =
        <[String; COLUMNS.len()]>::try_from(texts).map_err(|_| "a column is missing".to_owned())?;
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = kind.ok_or("it has no known kind")?;
    let number = |text: &str, column: &str| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{column} is no whole number")),
    };
    let call_date = match &*call_date {
        "" => None,
        text => Some(quick_parse::day(text).ok_or("call_date is no day such as 2026-11-16")?),
    };
    let what = Discrepancy::new(kind, Message::NotAsked)
        .field(field)
        .values(given(expected).map(Into::into), given(actual).map(Into::into))
        .delta(number(&delta, "delta")?);
    let row = DiscrepancyRow {
        call_id: given(call_id),
        ledger_line: Some(line),
        what,
        call_date,
        prod_id: number(&prod_id, "prod_id")?,
        status: None,
        callee: None,
        called_at: None,
        at_stake_s: 0,
        resolution: None,
        carried: Vec::new(),
        own_numbers: Vec::new(),
    };
    Ok(FoundRow { row, is_decided: !resolution.is_empty() })
}
