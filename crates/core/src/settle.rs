//! `--settle`: a young call without a record is `pending`, an old one is `not_found`.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::end_of_day;
use crate::ledger_row::{LedgerRow, LedgerTime};

/// Whether a call was old enough, at the time of an answer without a record, for the record to be missing.
///
/// The age counts from the ledger's time, or from the end of the call's day when only the day is known. It is
/// measured at the time of the answer, so the status does not depend on when it is published.
#[must_use]
pub fn is_old_enough(row: &LedgerRow, fetched_at: DateTime<Utc>, settle: TimeDelta) -> bool {
    let called_at = row.expected.called_at.and_then(LedgerTime::instant);
    fetched_at - called_at.unwrap_or_else(|| end_of_day(row.key.day)) >= settle
}
