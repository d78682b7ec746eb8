//! When an answer lasts, by the age of its call.
//!
//! - No record: `pending` until the call is `settle` old, then `not_found`.
//! - The record of an answered call without its duration: `pending` for [`DURATION_WITHIN`], then
//!   `found`.
//!
//! The age is measured at the time of the answer, so publishing later changes no status.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use memchr::memmem;

use crate::answer::{AnswerKind, StoredAnswer};
use crate::calendar::end_of_day;
use crate::detail::CallDetail;
use crate::ledger_row::{LedgerRow, LedgerTime};
use crate::normalize::normalize;

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

/// The kind of a stored answer under today's rules. A record that an older version stored as final
/// is `Interim` if it may still change.
#[must_use]
pub fn kind_today(stored: &StoredAnswer) -> AnswerKind {
    match stored.answer.kind {
        AnswerKind::Final if !is_still_final(stored) => AnswerKind::Interim,
        kind => kind,
    }
}

/// False if a record that an older version stored as final may still change under today's rules.
///
/// Nearly all records have state and duration in their usual spelling. They are not read again.
fn is_still_final(StoredAnswer { answer, fetched_at, .. }: &StoredAnswer) -> bool {
    let Some(data) = &answer.data else { return true };
    let duration = memmem::find(data.as_bytes(), b"\"duration\":").map(|at| &data.as_bytes()[at + 11..]);
    let has_duration = matches!(duration, Some([b'0'..=b'9', ..] | [b'"', b'0'..=b'9', ..]));
    if has_duration && memmem::find(data.as_bytes(), b"\"state\":").is_some() {
        return true;
    }
    normalize(data).is_ok_and(|detail| !may_change(&detail, answer.found_date, *fetched_at))
}
