//! The details: one row per distinct call, as Parquet.

use std::fs::File;
use std::path::Path;

use crate::call::LedgerRow;
use crate::detail::Lookup;
use crate::error::Result;
use crate::totals::Written;

use super::parquet;
use super::schema::{Cell, call_key, whole};
use super::staged::unreadable;

/// The cells of a call, in the order of [`super::schema::DETAILS`], then the carried ones.
pub(super) fn cells<'a>(
    row: &'a LedgerRow,
    lookup: &'a Lookup,
    discrepancies: u64,
) -> impl Iterator<Item = Cell<'a>> {
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
        Cell::Whole(detail.and_then(crate::detail::CallDetail::billable_minutes)),
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

/// Counts what a file of details says.
///
/// # Errors
///
/// Exit 6 when it does not read as it was written.
pub(super) fn read_back(file: File, target: &Path, written: &mut Written) -> Result<()> {
    let columns = ["call_id", "prod_id", "call_date", "status", "discrepancies"];
    parquet::read(file, target, &columns, &mut |row| {
        let (Some(call), [.., Cell::Text(Some(status)), Cell::Whole(Some(discrepancies))]) =
            (call_key(row), row)
        else {
            return Err(unreadable(target, "a row has no call, no status or no count of discrepancies"));
        };
        written.add_call(&call, status, discrepancies.unsigned_abs());
        Ok(())
    })
}
