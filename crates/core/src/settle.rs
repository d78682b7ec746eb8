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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answer::NewAnswer;
    use crate::call::CallKey;
    use crate::ledger_row::Expected;
    use crate::product::ProductId;

    fn row(called_at: Option<LedgerTime>) -> LedgerRow {
        let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(7), day: NaiveDate::default() };
        let expected = Expected { called_at, ..Expected::default() };
        LedgerRow { line: 2, key, expected, query_date: None, carried: Vec::new() }
    }

    #[test]
    fn the_age_counts_from_the_time_or_from_the_end_of_the_day() {
        let (settle, second) = (TimeDelta::minutes(5), TimeDelta::seconds(1));
        let end = end_of_day(NaiveDate::default());
        let at = end - TimeDelta::hours(3);
        for (called_at, from) in [
            (Some(LedgerTime::Instant(at)), at),
            (Some(LedgerTime::Day(NaiveDate::default())), end),
            (None, end),
        ] {
            let row = row(called_at);
            assert!(is_old_enough(&row, from + settle, settle), "{called_at:?}");
            assert!(!is_old_enough(&row, from + settle - second, settle), "{called_at:?}");
        }
    }

    #[test]
    fn a_record_may_change_until_it_is_final_and_has_its_duration() {
        let end = end_of_day(NaiveDate::default());
        let changes = |data: &str, at| may_change(&normalize(data).unwrap(), NaiveDate::default(), at);
        let later = end + DURATION_WITHIN * 2;
        assert!(changes(r#"{"state":"200103","duration":0}"#, later), "the state is not final");
        assert!(!changes(r#"{"state":"200000","duration":4}"#, end));
        assert!(!changes(r#"{"state":"200002"}"#, end), "nobody answered, so no duration is to come");
        let second = TimeDelta::seconds(1);
        let without = r#"{"state":"200000"}"#;
        assert!(changes(without, end + DURATION_WITHIN - second));
        assert!(!changes(without, end + DURATION_WITHIN));
        // The age counts from the record's own time.
        let created = r#"{"state":"200000","gmtCreate":"1970-01-01 10:00:00"}"#;
        let created_at = normalize(created).unwrap().created_at.unwrap();
        assert!(created_at < end);
        assert!(changes(created, created_at + DURATION_WITHIN - second));
        assert!(!changes(created, created_at + DURATION_WITHIN));
    }

    #[test]
    fn a_record_stored_as_final_is_judged_by_todays_rules() {
        let day = NaiveDate::default();
        let kind = |kind, data: Option<&str>| {
            let answer = NewAnswer {
                kind,
                found_date: day,
                next_date: None,
                request_id: None,
                code: "OK".into(),
                message: "OK".into(),
                data: data.map(str::to_owned),
            };
            kind_today(&StoredAnswer { answer, fetched_at: end_of_day(day), session_no: 1 })
        };
        for lasting in [
            Some(r#"{"state":"200000","duration":4}"#),
            Some(r#"{"state":"200000","duration":"4"}"#),
            Some(r#"{"state":"200000","duration": 4}"#),
            Some(r#"{"statusCode":"200000","duration":4}"#),
            Some(r#"{"state":"200002"}"#),
            None,
        ] {
            assert_eq!(kind(AnswerKind::Final, lasting), AnswerKind::Final, "{lasting:?}");
        }
        for open in [
            r#"{"state":"200000"}"#,
            r#"{"state":"200000","duration":""}"#,
            r#"{"state":"200000","duration":null}"#,
            r#"{"duration":null,"state":"200000"}"#,
            r#"{"statusCode":"200103","duration":0}"#,
            "{",
        ] {
            assert_eq!(kind(AnswerKind::Final, Some(open)), AnswerKind::Interim, "{open}");
        }
        assert_eq!(kind(AnswerKind::NoRecord, None), AnswerKind::NoRecord);
    }
}
