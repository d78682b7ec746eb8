//! The workbook for people who use Excel or WPS: a sheet of the night, a sheet of all
//! discrepancies, and a sheet for each kind that has any.
//!
//! A thread of its own writes the sheets, row by row, so memory does not grow with the rows. The
//! sheet of the night is written last, because it has the numbers of the whole run.

mod cells;
mod night;
mod read_back;
mod sheets;
#[cfg(test)]
mod tests;
mod until_error;
mod writing_thread;

use std::path::Path;

use night::Night;
use sheets::{SHEET_ROWS, Sheets};
use writing_thread::WritingThread;

use super::discrepancies::cells;
use super::packed_rows::PackedRows;
use super::schema::{ColumnType, DISCREPANCIES};
use super::summary::Summary;
use crate::error::Result;
use crate::place::{folder_of, resolve};
use crate::staged::{Staged, unwritable};
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::product::ProductId;
use reconcile_core::tie_out::Written;

/// Rows are passed to the thread when they take this many bytes.
const BATCH_BYTES: usize = 1 << 16;

/// A workbook while its rows are written.
pub(super) struct Workbook {
    staged: Staged,
    columns: usize,
    /// Rows that are not yet passed to the thread.
    waiting: PackedRows,
    thread: WritingThread,
    counted: Written,
}

impl Workbook {
    /// Starts the workbook. Its rows have the columns of the discrepancy file.
    ///
    /// # Errors
    ///
    /// Exit 6 if it, or a temporary file in its folder, cannot be created.
    pub(super) fn create(path: &Path, carried: &[String]) -> Result<Self> {
        Self::with_sheets_of(SHEET_ROWS, path, carried)
    }

    /// As [`Workbook::create`], with this many rows in a sheet, the header included.
    fn with_sheets_of(sheet_rows: u32, path: &Path, carried: &[String]) -> Result<Self> {
        let staged = Staged::create(path)?;
        let place = resolve(path).map_err(|e| unwritable(path, e))?;
        let sheets = Sheets::new(folder_of(&place), carried, sheet_rows);
        let sheets = sheets.map_err(|e| unwritable(path, e))?;
        let types = DISCREPANCIES.iter().map(|column| column.column_type);
        let types: Vec<ColumnType> = types.chain(carried.iter().map(|_| ColumnType::Text)).collect();
        let columns = types.len();
        let thread = WritingThread::start(sheets, types, staged.writer()?, path)?;
        let (waiting, counted) = (PackedRows::default(), Written::default());
        Ok(Self { staged, columns, waiting, thread, counted })
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// Exit 6 if an earlier row could not be written.
    pub(super) fn push(&mut self, row: &DiscrepancyRow) -> Result<()> {
        self.counted.add_discrepancy(row.what.kind.as_str(), call(row).as_ref());
        let message = row.what.message.to_string();
        self.waiting.push(cells(row, &message, self.columns));
        if self.waiting.held_bytes() < BATCH_BYTES {
            return Ok(());
        }
        self.thread.add(std::mem::take(&mut self.waiting))
    }

    /// The rows so far. [`Workbook::finish`] checks that the file holds them.
    pub(super) fn counted(&self) -> &Written {
        &self.counted
    }

    /// Writes the remaining rows and the sheet of the night, and reads the rows back. The file
    /// still has to be synced and renamed.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written, or does not read back as it was written.
    pub(super) fn finish(mut self, summary: &Summary<'_>) -> Result<Staged> {
        self.thread.add(self.waiting)?;
        let names = self.thread.finish(Night::new(summary))?;
        read_back::check(&self.staged, &names, &self.counted)?;
        Ok(self.staged)
    }
}

/// The call of a row; `None` for an unusable row.
fn call(row: &DiscrepancyRow) -> Option<CallKey> {
    let call_id = row.call_id.clone().filter(|id| !id.is_empty())?;
    Some(CallKey { call_id, prod_id: ProductId(row.prod_id?), day: row.call_date? })
}
