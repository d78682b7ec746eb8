//! When an answer lasts, by the age of its call.
//!
//! - No record: `pending` until the call is `settle` old, then `not_found`.
//! - The record of an answered call without its duration: `pending` for [`DURATION_WITHIN`], then
//!   `found`.
//!
//! The age is measured at the time of the answer, so publishing later changes no status.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::end_of_day;
use crate::detail::CallDetail;
use crate::ledger_row::{LedgerRow, LedgerTime};

/// How long the provider may take to fill in the duration of an answered call.
pub const DURATION_WITHIN: TimeDelta = TimeDelta::days(3);

/// True if the call was at least `settle` old when the answer came, so its record is missing.
///
/// The age counts from the ledger's time, or from the end of the call's day if the ledger gives
/// only a day.
#[must_use]
pub fn is_old_enough(row: &LedgerRow, fetched_at: DateTime<Utc>, settle: TimeDelta) -> bool {
    let called_at = row.expected.called_at.and_then(LedgerTime::instant);
    fetched_at - called_at.unwrap_or_else(|| end_of_day(row.key.day)) >= settle
}

/// True if a record may still change: its state is not final, or its duration is still to come.
///
/// The age counts from `gmtCreate`, or from the end of the day on which the record was found.
#[must_use]
pub fn may_change(detail: &CallDetail, found_on: NaiveDate, fetched_at: DateTime<Utc>) -> bool {
    let has_no_duration = detail.answered == Some(true) && detail.duration_s.is_none();
    let created_at = || detail.created_at.unwrap_or_else(|| end_of_day(found_on));
    !detail.is_final || (has_no_duration && fetched_at - created_at() < DURATION_WITHIN)
}
