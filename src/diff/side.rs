//! One side of a comparison: all rows of a discrepancy file, in parts by their identity.

use std::path::Path;

use crate::discrepancy_file::{Columns, DiscrepancyFile};
use crate::error::Result;
use crate::sorted_records::SortedRecords;

/// The rows of a discrepancy file.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) columns: Columns,
    /// Number of its rows.
    pub(crate) rows: u64,
    /// Talk seconds at stake of all rows.
    pub(crate) seconds: u64,
    /// Whether its texts are guarded against formulas.
    pub(super) is_guarded: bool,
    /// The rows by their identity, with their numbers in the file, from 0.
    pub(super) records: SortedRecords,
}

impl Side {
    /// Reads the whole file. Its rows are put into a temporary file in this folder; without one, in
    /// the system's.
    ///
    /// # Errors
    ///
    /// Exit 2 if the file is damaged; exit 6 if the temporary file cannot be written.
    pub(crate) fn read(file: &mut DiscrepancyFile, folder: Option<&Path>) -> Result<Self> {
        let mut side = Self {
            columns: file.columns().clone(),
            rows: 0,
            seconds: 0,
            is_guarded: false,
            records: SortedRecords::new_in(folder),
        };
        let mut row = Vec::new();
        while file.next(&mut row)? {
            let identity = side.columns.identity(&row);
            let identity = identity.ok_or_else(|| file.unusable_row("names no kind, or no call"))?;
            side.records.push(identity, side.rows, row.iter().map(String::as_str))?;
            side.rows += 1;
            side.seconds = side.seconds.saturating_add(side.columns.seconds(&row));
        }
        side.is_guarded = file.is_guarded();
        Ok(side)
    }
}
