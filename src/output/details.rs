//! The details: one row per distinct call, as one Parquet file or a folder of days.

use std::fs::File;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread::scope;

use chrono::NaiveDate;

use super::partitions::{ClosedPartitions, Partitions};
use super::schema::{Cell, Column, DETAILS, call_key, whole};
use super::staged::{Staged, unreadable};
use crate::error::Result;
use crate::output::table::{self, Part, Table};
use reconcile_core::ledger_row::LedgerRow;
use reconcile_core::lookup::Lookup;
use reconcile_core::tie_out::Written;

/// The cells of a call, in the order of [`super::schema::DETAILS`], then the carried ones.
fn cells<'a>(row: &'a LedgerRow, lookup: &'a Lookup, discrepancies: u64) -> impl Iterator<Item = Cell<'a>> {
    let (detail, failure) = (lookup.detail.as_ref(), lookup.failure.as_ref());
    let text = |value: Option<&'a str>| Cell::Text(value);
    let day = lookup.found_on;
    [
        text(Some(&row.key.call_id)),
        Cell::Whole(Some(row.key.prod_id.0)),
        text(row.key.prod_id.name()),
        Cell::Day(Some(day)),
        text(Some(lookup.status.as_str())),
        text(detail.and_then(|d| d.caller.as_deref())),
        text(detail.and_then(|d| d.callee.as_deref())),
        text(detail.and_then(|d| d.caller_show_number.as_deref())),
        text(detail.and_then(|d| d.callee_show_number.as_deref())),
        Cell::Time(detail.and_then(|d| d.created_at)),
        Cell::Time(detail.and_then(|d| d.started_at)),
        Cell::Time(detail.and_then(|d| d.ended_at)),
        Cell::Time(detail.and_then(|d| d.a_ring_at)),
        Cell::Time(detail.and_then(|d| d.a_end_at)),
        Cell::Time(detail.and_then(|d| d.b_ring_at)),
        Cell::Time(detail.and_then(|d| d.b_start_at)),
        Cell::Time(detail.and_then(|d| d.b_end_at)),
        Cell::Whole(detail.and_then(|d| d.duration_s)),
        Cell::Whole(detail.and_then(reconcile_core::detail::CallDetail::billable_minutes)),
        text(detail.and_then(|d| d.state.as_deref())),
        text(detail.map(|d| d.outcome.as_str())),
        Cell::Flag(detail.and_then(|d| d.answered)),
        text(detail.and_then(|d| d.state_desc.as_deref())),
        text(detail.and_then(|d| d.hangup_by)),
        text(failure.map(|f| f.code.as_str())),
        text(failure.map(|f| f.message.as_str())),
        text(lookup.request_id.as_deref()),
        Cell::Whole(Some(lookup.attempts)),
        Cell::Time(lookup.fetched_at),
        whole(discrepancies),
        whole(row.line),
        text(lookup.raw.as_deref()),
    ]
    .into_iter()
    .chain(row.carried.iter().map(|value| Cell::Text(Some(value))))
}

/// The details being written: one file, or a folder of days.
pub(super) enum Details {
    File(Box<Table>, Staged),
    Folder(Box<Partitions>),
}

/// The details, whole; they still have to be put in their place.
pub(super) enum ClosedDetails {
    File(Staged),
    Folder(ClosedPartitions),
}

/// The column that a folder's name has in its place.
const PARTITIONED_BY: &str = "call_date";

impl Details {
    /// Begins them.
    ///
    /// # Errors
    ///
    /// Exit 6 when they cannot be written.
    pub(super) fn create(
        target: &Path,
        by_day: bool,
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        if by_day {
            let columns: Vec<Column> =
                DETAILS.into_iter().filter(|(name, ..)| *name != PARTITIONED_BY).collect();
            let folder = Partitions::create(target, &columns, carried, metadata)?;
            return Ok(Self::Folder(Box::new(folder)));
        }
        let staged = Staged::create(target)?;
        let table = Table::create(staged.writer()?, target, &DETAILS, carried, metadata)?.beside()?;
        Ok(Self::File(Box::new(table), staged))
    }

    /// Adds a call.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub(super) fn push(&mut self, row: &LedgerRow, lookup: &Lookup, discrepancies: u64) -> Result<()> {
        let cells = cells(row, lookup, discrepancies);
        match self {
            Self::File(table, _) => table.push(cells),
            Self::Folder(folder) => {
                let named = DETAILS.iter().map(|(name, ..)| *name).chain(std::iter::repeat(""));
                let kept = cells.zip(named).filter(|(_, name)| *name != PARTITIONED_BY);
                folder.push(lookup.found_on, kept.map(|(cell, _)| cell))
            }
        }
    }

    /// Ends them and counts what they say.
    ///
    /// # Errors
    ///
    /// Exit 6 when they cannot be written, or do not read as they were written.
    pub(super) fn finish(self, written: &mut Written) -> Result<ClosedDetails> {
        match self {
            Self::File(table, staged) => {
                table.finish()?;
                read_back(&|| staged.reader(), staged.target(), None, written)?;
                Ok(ClosedDetails::File(staged))
            }
            Self::Folder(folder) => {
                let closed = folder.finish()?;
                for (day, path) in closed.parts() {
                    let open = || File::open(path).map_err(|e| unreadable(closed.target(), e));
                    read_back(&open, closed.target(), Some(*day), written)?;
                }
                Ok(ClosedDetails::Folder(closed))
            }
        }
    }
}

impl ClosedDetails {
    /// Puts what was written on disk.
    ///
    /// # Errors
    ///
    /// Exit 6 when the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        match self {
            Self::File(staged) => staged.sync(),
            Self::Folder(folder) => folder.sync(),
        }
    }

    /// Puts them in their place.
    ///
    /// # Errors
    ///
    /// Exit 6 when they cannot be renamed.
    pub(super) fn rename(self) -> Result<()> {
        match self {
            Self::File(staged) => staged.rename(),
            Self::Folder(folder) => folder.rename(),
        }
    }
}

/// Counts what a file of details says, on two threads; `day` is that of its folder.
fn read_back(
    open: &(dyn Fn() -> Result<File> + Sync),
    target: &Path,
    day: Option<NaiveDate>,
    written: &mut Written,
) -> Result<()> {
    let count = |part| count(open()?, part, target, day);
    scope(|threads| {
        let other = threads.spawn(|| count(Part::Half { first: true }));
        written.add(count(Part::Half { first: false })?);
        written.add(other.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        Ok(())
    })
}

fn count(file: File, part: Part, target: &Path, day: Option<NaiveDate>) -> Result<Written> {
    let mut written = Written::default();
    let all = ["call_id", "prod_id", PARTITIONED_BY, "status", "discrepancies"];
    let columns: Vec<&str> =
        all.into_iter().filter(|name| day.is_none() || *name != PARTITIONED_BY).collect();
    table::read(file, target, part, &columns, &mut |row| {
        let [id, prod_id, .., Cell::Text(Some(status)), Cell::Whole(Some(discrepancies))] = row else {
            return Err(unreadable(target, "a row has no status, or no count of discrepancies"));
        };
        let discrepancies = discrepancies.unsigned_abs();
        written.add_call(status, discrepancies);
        if discrepancies > 0 {
            let day = day.map_or(row[2], |day| Cell::Day(Some(day)));
            let call = call_key(&[*id, *prod_id, day]);
            let call = call.ok_or_else(|| unreadable(target, "a row with discrepancies names no call"))?;
            written.add_discrepancies_of(&call, discrepancies);
        }
        Ok(())
    })?;
    Ok(written)
}
