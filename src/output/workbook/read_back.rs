//! Counts the rows of a written workbook, cell by cell.

use std::fs::File;
use std::io::BufReader;
use std::thread::scope;

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};

use super::cells::day_of_serial;
use super::sheets::SheetNames;
use crate::caught::caught;
use crate::error::{Error, Result};
use crate::output::read_back::{COUNTED_COLUMNS, cells_of_texts};
use crate::output::schema::{Cell, call_key};
use crate::staged::{Staged, unreadable};
use crate::threads;
use reconcile_core::tie_out::{About, Written};

/// Checks that the sheet of all discrepancies, those of the kinds and that of the decisions hold
/// what was `counted` while they were written. Reads them on two threads.
///
/// # Errors
///
/// Exit 6 if they do not.
pub(super) fn check(staged: &Staged, names: &SheetNames, counted: &Written) -> Result<()> {
    let written = |names: &[String]| -> Result<Written> {
        let file = staged.reader()?;
        let read = caught(|| count(file, names));
        let written = read.ok_or_else(|| unreadable(staged.target(), "its reader stopped"))?;
        written.map_err(|e| unreadable(staged.target(), e))
    };
    let is_whole = |names: &[String]| -> Result<bool> { Ok(written(names)? == *counted) };
    let (all, by_kind, resolved) = scope(|scope| -> Result<_> {
        let check_all = || is_whole(&names.all);
        let all = threads::start_in(scope, "count", check_all).map_err(Error::no_more_threads)?;
        let by_kind = is_whole(&names.by_kind);
        let resolved = written(&names.resolved)?.has_decisions_of(counted);
        Ok((threads::result_of(all)?, by_kind?, resolved))
    })?;
    let what = match (all, by_kind, resolved) {
        (true, true, true) => return Ok(()),
        (false, ..) => "the sheet of all discrepancies lacks rows",
        (true, false, _) => "the sheets of the kinds lack rows",
        (true, true, false) => "the sheet of the decisions lacks rows",
    };
    Err(unreadable(staged.target(), what))
}

/// Counts the rows of these sheets.
fn count(file: File, names: &[String]) -> Result<Written, XlsxError> {
    let mut book = Xlsx::new(BufReader::new(file))?;
    let mut written = Written::default();
    for name in names {
        let mut cells = book.worksheet_cells_reader(name)?;
        let mut row = CountedRow::default();
        while let Some(cell) = cells.next_cell()? {
            let (at, column) = cell.get_position();
            if at != row.at {
                row.count(&mut written);
                row.at = at;
            }
            row.add(column, cell.get_value());
        }
        row.count(&mut written);
    }
    Ok(written)
}

/// The counted cells of a row.
#[derive(Default)]
struct CountedRow {
    /// The row in the sheet, counted from 0. Row 0 is the header.
    at: u32,
    /// The columns of [`COUNTED_COLUMNS`] in this sheet.
    columns: [Option<u32>; COUNTED_COLUMNS.len()],
    texts: [String; COUNTED_COLUMNS.len()],
}

impl CountedRow {
    fn add(&mut self, column: u32, value: &DataRef<'_>) {
        if self.at == 0 {
            let name = text(value);
            if let Some(no) = COUNTED_COLUMNS.iter().position(|counted| *counted == name) {
                self.columns[no] = Some(column);
            }
        } else if let Some(no) = self.columns.iter().position(|counted| *counted == Some(column)) {
            self.texts[no] = text(value);
        }
    }

    /// Counts the row, unless it is the header, and forgets its cells.
    fn count(&mut self, written: &mut Written) {
        let texts = std::mem::take(&mut self.texts);
        if self.at == 0 {
            return;
        }
        let row = cells_of_texts(texts.each_ref().map(String::as_str));
        let [.., Cell::Integer(line), _, _] = row else { return };
        let ([.., kind, resolution], call) = (&texts, call_key(&row));
        written.add_discrepancy(kind, resolution, About::new(line.is_some(), call.as_ref()));
    }
}

/// The text of a cell, the day of a date, or a whole number.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) => text.clone(),
        DataRef::DateTime(at) => day_of_serial(at.as_f64()).map(|day| day.to_string()).unwrap_or_default(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Int(number) => number.to_string(),
        _ => String::new(),
    }
}
