//! The details: one row per distinct call, as one Parquet file or as a folder of days.

use std::path::Path;

use super::partitions::{ClosedPartitions, Partitions};
use super::schema::{Cell, Column, DETAILS, count_cell};
use super::table::Table;
use crate::error::Result;
use crate::staged::Staged;
use reconcile_core::detail::CallDetail;
use reconcile_core::ledger_row::LedgerRow;
use reconcile_core::status::Lookup;

/// The column that is in the subfolders' names if the details are a folder of days.
pub(super) const DAY_COLUMN: &str = "call_date";

/// The details while they are written.
pub(super) enum Details {
    File { table: Box<Table>, staged: Staged },
    Folder(Box<Partitions>),
}

/// The details with all rows written, before they are renamed.
pub(super) enum ClosedDetails {
    File(Staged),
    Folder(ClosedPartitions),
}

impl Details {
    /// Starts a file, or a folder of days if `by_day` is set.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn create(
        target: &Path,
        by_day: bool,
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        if by_day {
            let columns: Vec<Column> =
                DETAILS.into_iter().filter(|column| column.name != DAY_COLUMN).collect();
            let folder = Partitions::create(target, &columns, carried, metadata)?;
            return Ok(Self::Folder(Box::new(folder)));
        }
        let staged = Staged::create(target)?;
        let table = Table::create(staged.writer()?, target, &DETAILS, carried, metadata)?.on_own_thread()?;
        Ok(Self::File { table: Box::new(table), staged })
    }

    /// Adds a call.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn push(&mut self, row: &LedgerRow, lookup: &Lookup, discrepancies: u64) -> Result<()> {
        let cells = cells(row, lookup, discrepancies);
        match self {
            Self::File { table, .. } => table.push(cells),
            Self::Folder(folder) => {
                let names = DETAILS.iter().map(|column| column.name).chain(std::iter::repeat(""));
                let kept = cells.zip(names).filter(|(_, name)| *name != DAY_COLUMN);
                folder.push(lookup.found_on, kept.map(|(cell, _)| cell))
            }
        }
    }

    /// Writes the remaining rows and closes the files.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn finish(self) -> Result<ClosedDetails> {
        match self {
            Self::File { table, staged } => table.finish().map(|()| ClosedDetails::File(staged)),
            Self::Folder(folder) => folder.finish().map(ClosedDetails::Folder),
        }
    }
}

impl ClosedDetails {
    /// Syncs them to disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        match self {
            Self::File(staged) => staged.sync(),
            Self::Folder(folder) => folder.sync(),
        }
    }

    /// Path of the finished file or folder.
    pub(super) fn target(&self) -> &Path {
        match self {
            Self::File(staged) => staged.target(),
            Self::Folder(folder) => folder.target(),
        }
    }

    /// Renames them to their path. [`ClosedDetails::finish`] must follow.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be renamed.
    pub(super) fn rename(&mut self) -> Result<()> {
        match self {
            Self::File(staged) => staged.rename(),
            Self::Folder(folder) => folder.rename(),
        }
    }

    /// Syncs their names to disk, and removes a replaced folder.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is failing.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::File(staged) => staged.sync_folder(),
            Self::Folder(folder) => folder.finish(),
        }
    }
}

/// Cells of a call in the order of [`DETAILS`], then the carried ones.
fn cells<'a>(row: &'a LedgerRow, lookup: &'a Lookup, discrepancies: u64) -> impl Iterator<Item = Cell<'a>> {
    let (detail, failure) = (lookup.detail.as_ref(), lookup.failure.as_ref());
    [
        Cell::Text(Some(&row.key.call_id)),
        Cell::Integer(Some(row.key.prod_id.0)),
        Cell::Text(row.key.prod_id.name()),
        Cell::Date(Some(lookup.found_on)),
        Cell::Text(Some(lookup.status.as_str())),
        Cell::Text(detail.and_then(|d| d.caller.as_deref())),
        Cell::Text(detail.and_then(|d| d.callee.as_deref())),
        Cell::Text(detail.and_then(|d| d.caller_show_number.as_deref())),
        Cell::Text(detail.and_then(|d| d.callee_show_number.as_deref())),
        Cell::Timestamp(detail.and_then(|d| d.created_at)),
        Cell::Timestamp(detail.and_then(|d| d.started_at)),
        Cell::Timestamp(detail.and_then(|d| d.ended_at)),
        Cell::Timestamp(detail.and_then(|d| d.a_ring_at)),
        Cell::Timestamp(detail.and_then(|d| d.a_end_at)),
        Cell::Timestamp(detail.and_then(|d| d.b_ring_at)),
        Cell::Timestamp(detail.and_then(|d| d.b_start_at)),
        Cell::Timestamp(detail.and_then(|d| d.b_end_at)),
        Cell::Integer(detail.and_then(|d| d.duration_s)),
        Cell::Integer(detail.and_then(CallDetail::billable_minutes)),
        Cell::Text(detail.and_then(|d| d.state.as_deref())),
        Cell::Text(detail.map(|d| d.outcome.as_str())),
        Cell::Boolean(detail.and_then(|d| d.answered)),
        Cell::Text(detail.and_then(|d| d.state_desc.as_deref())),
        Cell::Text(detail.and_then(|d| d.hangup_by.map(|party| party.as_str()))),
        Cell::Text(failure.map(|f| f.code.as_str())),
        Cell::Text(failure.map(|f| f.message.as_str())),
        Cell::Text(lookup.request_id.as_deref()),
        Cell::Integer(Some(lookup.attempts)),
        Cell::Timestamp(lookup.fetched_at),
        count_cell(discrepancies),
        count_cell(row.line),
        Cell::Text(lookup.raw.as_deref()),
    ]
    .into_iter()
    .chain(row.carried.iter().map(|value| Cell::Text(Some(value))))
}
