//! The discrepancies of an earlier run, as decisions look at them.

use std::path::Path;

use crate::discrepancy_file::{Columns, DiscrepancyFile, Known};
use crate::error::Result;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use reconcile_core::message::Message;
use reconcile_core::quick_parse;

/// The rows of a discrepancy file.
pub(super) struct FoundRows {
    file: DiscrepancyFile,
    texts: Vec<String>,
}

/// A discrepancy of the file.
pub(super) struct FoundRow {
    /// What the file says of it. Its message is not read.
    pub(super) row: DiscrepancyRow,
    /// Whether the file has a decision on it.
    pub(super) is_decided: bool,
}

impl FoundRows {
    /// Opens the file. A workbook needs its sheet of all discrepancies.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be read, or is no discrepancy file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: DiscrepancyFile::open(path)?, texts: Vec::new() })
    }

    /// Whether a file for the same people needs a byte order mark.
    pub(super) fn needs_byte_order_mark(&self) -> bool {
        self.file.needs_byte_order_mark()
    }

    fn read(&mut self) -> Result<Option<FoundRow>> {
        if !self.file.next(&mut self.texts)? {
            return Ok(None);
        }
        let row = found_row(self.file.columns(), &self.texts);
        row.map(Some).map_err(|what| self.file.unusable_row(&what))
    }
}

impl Iterator for FoundRows {
    type Item = Result<FoundRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// What a row says, or what is wrong with it.
fn found_row(columns: &Columns, row: &[String]) -> Result<FoundRow, String> {
    let text = |column| columns.text(row, column);
    let given = |column| Some(text(column)).filter(|text| !text.is_empty());
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == text(Known::Kind));
    let number = |column: Known| {
        let number = given(column).map(str::parse::<i64>).transpose();
        number.map_err(|_| format!("has a {} that is no whole number", column.name()))
    };
    let day = |text| quick_parse::day(text).ok_or("has a call_date that is no day such as 2026-11-16");
    let what = Discrepancy::new(kind.ok_or("has no known kind")?, Message::NotAsked)
        .field(text(Known::Field))
        .values(given(Known::Expected).map(Into::into), given(Known::Actual).map(Into::into))
        .delta(number(Known::Delta)?);
    let row = DiscrepancyRow {
        call_id: given(Known::CallId).map(Into::into),
        ledger_line: None,
        what,
        call_date: given(Known::CallDate).map(day).transpose()?,
        prod_id: number(Known::ProdId)?,
        status: None,
        callee: None,
        called_at: None,
        at_stake_s: 0,
        since: None,
        resolution: None,
        carried: Vec::new(),
        own_numbers: Vec::new(),
    };
    Ok(FoundRow { row, is_decided: given(Known::Resolution).is_some() })
}
