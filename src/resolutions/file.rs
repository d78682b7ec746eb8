//! Reads a file of resolutions: CSV in any encoding that a ledger may have, or the first sheet of a
//! workbook. A mistake names file and line.

use std::fs::File;
use std::path::Path;

use chrono::NaiveDate;

use crate::error::{Error, Result};
use crate::ledger::{Input, LedgerError, TableRow, TableRows};
use crate::output::csv_form::without_guard;
use crate::shown::shown;
use reconcile_core::resolution_entry::{COLUMNS, Entry, REQUIRED, column_of};
use reconcile_core::resolutions::{Resolutions, SecondDecision};

/// A row of the file, in the order of [`COLUMNS`].
pub(super) type Texts = [String; COLUMNS.len()];

/// Reads the decisions that hold on the day `today`, in UTC+8.
///
/// # Errors
///
/// Exit 2 when the file cannot be read, or a row of it has no meaning.
pub fn load(path: &Path, today: NaiveDate) -> Result<Resolutions> {
    let mut entries = Vec::new();
    read(path, &mut |_, entry| entries.extend(entry))?;
    decisions(path, entries, today)
}

/// The decisions of these entries of a file.
///
/// # Errors
///
/// Exit 2 when two of them decide on one discrepancy.
pub(super) fn decisions(path: &Path, entries: Vec<Entry>, today: NaiveDate) -> Result<Resolutions> {
    Resolutions::new(entries, today).map_err(|second| decided_twice(path, second))
}

/// The decisions of a loaded file that hold on another day, in UTC+8.
///
/// # Errors
///
/// Exit 2 when two of them decide on one discrepancy.
pub fn on_day(path: &Path, loaded: Resolutions, today: NaiveDate) -> Result<Resolutions> {
    loaded.on_day(today).map_err(|second| decided_twice(path, second))
}

fn decided_twice(path: &Path, second: SecondDecision) -> Error {
    let what = format!("line {} already decides on this discrepancy", second.first);
    mistake(path, second.line, &what).hint("keep one of the two lines")
}

/// Passes each row of the file to `each`, with what it decides. Returns whether a file for the same
/// people needs a byte order mark.
///
/// # Errors
///
/// Exit 2 when the file cannot be read, or a row of it has no meaning.
pub(super) fn read(path: &Path, each: &mut dyn FnMut([&str; COLUMNS.len()], Option<Entry>)) -> Result<bool> {
    let mut table = open_table(path, "file of resolutions", None)?;
    let columns = columns(path, table.names())?;
    let width = table.names().len();
    for row in table.by_ref() {
        let (line, cells) = match row.map_err(|e| unreadable("file of resolutions", e))? {
            TableRow::Texts(line, cells) => (line, cells),
            TableRow::Unreadable(line, problem) => {
                return Err(mistake(path, line, &problem.to_string()).hint("correct the line"));
            }
        };
        if cells.iter().skip(width).any(|cell| !cell.trim().is_empty()) {
            return Err(mistake(path, line, "there are more fields than columns")
                .hint("put a text that contains the delimiter into quotes"));
        }
        let text = |column: Option<usize>| column.and_then(|at| cells.get(at)).map_or("", |cell| cell);
        let texts = columns.map(|column| without_guard(text(column)));
        let entry = Entry::parse(line, texts)
            .map_err(|problem| mistake(path, line, &problem.to_string()).hint("correct the line"))?;
        each(texts, entry);
    }
    Ok(table.needs_byte_order_mark())
}

/// The table in a file. `what` names it in messages; `sheet` is that of a workbook.
///
/// # Errors
///
/// Exit 2 when it cannot be read.
pub(crate) fn open_table(path: &Path, what: &str, sheet: Option<&str>) -> Result<TableRows> {
    let refused = |problem: &str| Error::usage(format!("the {what} {} {problem}", name(path)));
    if path == Path::new("-") {
        return Err(refused("cannot be standard input").hint("name a file"));
    }
    // The ledger's own messages on these would name a ledger.
    File::open(path).map_err(|e| {
        refused("cannot be opened").hint("check that the file exists and that you may read it").because(e)
    })?;
    if path.is_dir() {
        return Err(refused("is a folder").hint("name a file in it"));
    }
    let opened = Input::open(path).and_then(|input| TableRows::open(&input, sheet));
    opened.map_err(|e| unreadable(what, e))
}

/// What went wrong with reading a table, which `what` names.
pub(crate) fn unreadable(what: &str, error: LedgerError) -> Error {
    let is_empty = matches!(error, LedgerError::Empty { .. });
    let error = Error::from(error);
    let error = Error { what: format!("the {what} cannot be read: {}", error.what), ..error };
    // The ledger's own hint names a column of the ledger.
    if is_empty { error.hint("add the header row") } else { error }
}

/// The path as messages show it.
fn name(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// What is wrong with a line of the file.
fn mistake(path: &Path, line: u64, what: &str) -> Error {
    Error::usage(format!("line {line} of {}: {what}", name(path)))
}

/// Where each of [`COLUMNS`] is in the file.
///
/// # Errors
///
/// Exit 2 when a column is missing or there twice.
fn columns(path: &Path, headers: &[String]) -> Result<[Option<usize>; COLUMNS.len()]> {
    let mut columns = [None; COLUMNS.len()];
    for (at, header) in headers.iter().enumerate() {
        let Some(column) = column_of(header) else { continue };
        if columns[column].replace(at).is_some() {
            let what = format!("the file of resolutions {} has two columns {}", name(path), COLUMNS[column]);
            return Err(Error::usage(what).hint("delete or rename one of them"));
        }
    }
    let required = COLUMNS.into_iter().zip(columns).take(REQUIRED);
    let missing: Vec<&str> = required.filter(|(_, at)| at.is_none()).map(|(column, _)| column).collect();
    if missing.is_empty() {
        return Ok(columns);
    }
    let noun = if missing.len() == 1 { "column" } else { "columns" };
    let what = format!("the file of resolutions {} lacks the {noun} {}", name(path), missing.join(", "));
    Err(Error::usage(what).hint(format!(
        "write the header row as {}; `reconcile resolutions` makes such a file",
        COLUMNS.join(",")
    )))
}
