//! Reads other tables as the ledger is read: CSV in any encoding, Parquet, or a sheet of a
//! workbook, row by row as texts.

use reconcile_core::row_problem::RowProblem;

use super::error::{LedgerError, Result};
use super::input::Input;
use super::ledger_bytes::LedgerBytes;
use super::options::Options;
use super::raw_record::RawRecord;
use super::records::Records;

/// The rows of a table below its header row.
pub struct TableRows {
    records: Records<LedgerBytes>,
    names: Vec<String>,
    raw: RawRecord,
}

/// A row of a table.
#[derive(Debug)]
pub enum TableRow {
    /// A row of this line with its texts. It may have fewer of them than there are columns, or
    /// more.
    Texts(u64, Vec<String>),
    /// A row of this line that cannot be read.
    Unreadable(u64, RowProblem),
}

impl TableRows {
    /// Reads the header row. `sheet` names the sheet of a workbook; without it, the first one that
    /// is not hidden is read.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no table.
    pub fn open(input: &Input, sheet: Option<&str>) -> Result<Self> {
        let options = Options { sheet: sheet.map(str::to_owned), ..Options::default() };
        let (records, names) = input.records(&options)?;
        Ok(Self { records, names, raw: RawRecord::default() })
    }

    /// The headers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a CSV file for the same people needs a byte order mark. Known once all rows were
    /// read.
    #[must_use]
    pub fn needs_byte_order_mark(&self) -> bool {
        self.records.layout(Vec::new()).byte_order_mark
    }

    fn read(&mut self) -> Result<Option<TableRow>> {
        let raw = &mut self.raw;
        if !self.records.advance(raw)? {
            return Ok(None);
        }
        if let Some(row) = raw.unsplittable.take() {
            return Ok(Some(TableRow::Unreadable(row.line, row.reason)));
        }
        if let Some(cell) = raw.unusable_cells.first() {
            return Ok(Some(TableRow::Unreadable(raw.line, cell.reason.clone())));
        }
        let texts = raw.cells.iter().enumerate().map(|(at, cell)| {
            let column = || self.names.get(at).cloned().unwrap_or_default();
            let text = std::str::from_utf8(cell).map(str::to_owned);
            text.map_err(|_| RowProblem::InvalidBytes { column: column(), encoding: raw.encoding })
        });
        Ok(Some(match texts.collect() {
            Ok(texts) => TableRow::Texts(raw.line, texts),
            Err(problem) => TableRow::Unreadable(raw.line, problem),
        }))
    }
}

/// An item is an error only if the source cannot be read any further.
impl Iterator for TableRows {
    type Item = Result<TableRow, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
