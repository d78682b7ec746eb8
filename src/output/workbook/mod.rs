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

use super::packed_rows::PackedRows;
use super::schema::{ColumnType, DISCREPANCIES};
use super::summary::Summary;
use crate::error::Result;
use crate::place::{folder_of, resolve};
use crate::staged::{Staged, unwritable};
use reconcile_core::tie_out::Written;

/// A workbook while its rows are written.
pub(super) struct Workbook {
    staged: Staged,
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
        let thread = WritingThread::start(sheets, types, staged.writer()?, path)?;
        Ok(Self { staged, thread, counted: Written::default() })
    }

    /// Adds rows, counted as `counted`.
    ///
    /// # Errors
    ///
    /// Exit 6 if earlier rows could not be written.
    pub(super) fn append(&mut self, rows: PackedRows, counted: Written) -> Result<()> {
        self.counted.add(counted);
        self.thread.add(rows)
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
    pub(super) fn finish(self, summary: &Summary<'_>) -> Result<Staged> {
        let names = self.thread.finish(Night::new(summary))?;
        read_back::check(&self.staged, &names, &self.counted)?;
        Ok(self.staged)
    }
}
