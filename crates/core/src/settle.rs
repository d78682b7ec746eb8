//! `--settle`: a recent call without a record is `pending`, an older one is `not_found`.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::end_of_day;
use crate::ledger_row::{LedgerRow, LedgerTime};

/// True if the call was at least `settle` old when the answer came, so its record is missing.
///
/// The age counts from the ledger's time, or from the end of the call's day if the ledger gives
/// only a day. It is measured at the time of the answer, so publishing later changes no status.
#[must_use]
pub fn is_old_enough(row: &LedgerRow, fetched_at: DateTime<Utc>, settle: TimeDelta) -> bool {
    let called_at = row.expected.called_at.and_then(LedgerTime::instant);
    fetched_at - called_at.unwrap_or_else(|| end_of_day(row.key.day)) >= settle
}
