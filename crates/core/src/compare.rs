//! Compares the ledger row of a call with the provider's answer and returns the discrepancies.
//!
//! [`Kind::rule`] says when there is a discrepancy of each kind.

use chrono::{DateTime, Utc};
use compact_str::{CompactString, ToCompactString};

use crate::calendar::{day_of, provider_text};
use crate::contradiction::{contradictions, other_call};
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::{Expected, LedgerRow, LedgerTime};
use crate::phone::{NUMBER_FIELDS, mask_planned, mask_text, same_number};
use crate::status::{Failure, FailureKind, Lookup, Status};

/// How far two values may differ and still match, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerances {
    /// For `duration_s`.
    pub duration_s: i64,
    /// For `called_at`, `started_at` and `ended_at`.
    pub time_s: i64,
}

/// All discrepancies of a call in the order of the output files: by kind, then by field.
#[must_use]
pub fn compare(row: &LedgerRow, lookup: &Lookup, tolerances: Tolerances) -> Vec<Discrepancy> {
    let mut found: Vec<Discrepancy> = of_status(row, lookup).into_iter().collect();
    if let Some(detail) = &lookup.detail {
        found.extend(other_call(&row.key, detail));
        if lookup.status == Status::Found {
            found.extend(unknown_state(detail));
            found.extend(contradictions(detail));
            found.extend(mismatches(&row.expected, detail, tolerances));
            found.extend(other_day(row, lookup));
        }
    }
    // A stable sort: it keeps the order above within each kind.
    found.sort_by_key(|d| d.kind);
    found
}

/// The discrepancy of a call that is not `found`.
fn of_status(row: &LedgerRow, lookup: &Lookup) -> Option<Discrepancy> {
    match lookup.status {
        Status::Found => None,
        Status::Deferred => Some(Discrepancy::new(Kind::Deferred, "no answer yet; the next run asks")),
        Status::NotFound => Some(Discrepancy::new(Kind::NotFound, not_found_message(row))),
        Status::Pending => Some(pending(lookup.detail.as_ref())),
        Status::Failed => Some(failed(lookup.failure.as_ref())),
    }
}

fn not_found_message(row: &LedgerRow) -> String {
    let (product, day) = (mask_planned(&row.key.prod_id.0.to_string(), &[]), row.key.day);
    format!(
        "the provider has no record of this CallId for product {product} on {day}: the CallId does not exist, or the \
         product, the day or the account is wrong"
    )
}

fn pending(detail: Option<&CallDetail>) -> Discrepancy {
    match detail {
        Some(detail) => {
            Discrepancy::new(Kind::Pending, "the call's state is not final yet; the next run asks again")
                .field("state")
                .values(None, detail.state.clone())
        }
        None => Discrepancy::new(
            Kind::Pending,
            "no record yet, and the call is too recent to count as not found; the next run asks again",
        ),
    }
}

fn failed(failure: Option<&Failure>) -> Discrepancy {
    let Some(failure) = failure else {
        return Discrepancy::new(Kind::Failed, "the lookup failed");
    };
    let (kind, next) = match failure.kind {
        FailureKind::Malformed => (Kind::Malformed, "the next run asks again"),
        FailureKind::Exhausted => (Kind::Failed, "every attempt failed; the next run asks again"),
        FailureKind::Rejected => (Kind::Failed, "later runs ask again only with --refresh"),
    };
    let code = &failure.code;
    let message = format!("{code}: {}", failure.message.trim_end_matches(['.', '。']));
    let message = format!("{}; {next}", mask_text(&message));
    Discrepancy::new(kind, message).values(None, Some(code.clone()))
}

fn unknown_state(detail: &CallDetail) -> Option<Discrepancy> {
    (!detail.state_known).then(|| {
        Discrepancy::new(Kind::UnknownState, "the state code is in none of the provider's tables")
            .field("state")
            .values(None, detail.state.clone())
    })
}

fn other_day(row: &LedgerRow, lookup: &Lookup) -> Option<Discrepancy> {
    (lookup.found_on != row.key.day).then(|| {
        Discrepancy::new(Kind::OtherDay, "the provider has the record on the neighbouring day")
            .field("call_date")
            .values(Some(row.key.day.to_compact_string()), Some(lookup.found_on.to_compact_string()))
    })
}

/// Every field in which ledger and provider differ. A value that one side lacks is not compared.
fn mismatches(expected: &Expected, detail: &CallDetail, tolerances: Tolerances) -> Vec<Discrepancy> {
    let numbers = NUMBER_FIELDS.into_iter().zip(expected.numbers()).zip(detail.numbers());
    let mut found: Vec<Discrepancy> =
        numbers.filter_map(|((field, expected), actual)| number(field, expected, actual)).collect();
    found.extend(value("state", expected.state.as_ref(), detail.state.as_ref()));
    found.extend(value("answered", expected.answered.as_ref(), detail.answered.as_ref()));
    found.extend(duration(expected.duration_s, detail.duration_s, tolerances.duration_s));
    // `created_at` has a time of day, so a day without one cannot be compared with it.
    let called_at = expected.called_at.filter(|t| t.instant().is_some());
    found.extend(time("called_at", called_at, detail.created_at, false, tolerances.time_s));
    // An unanswered call has neither start nor end, so there the empty field is a value.
    let unanswered = detail.answered == Some(false);
    found.extend(time("started_at", expected.started_at, detail.started_at, unanswered, tolerances.time_s));
    found.extend(time("ended_at", expected.ended_at, detail.ended_at, unanswered, tolerances.time_s));
    found
}

fn differs(field: &str) -> Discrepancy {
    Discrepancy::new(Kind::Mismatch, format!("{field} differs")).field(field)
}

fn value<T: PartialEq + ToCompactString>(
    field: &str,
    expected: Option<&T>,
    actual: Option<&T>,
) -> Option<Discrepancy> {
    let (expected, actual) = (expected?, actual?);
    (expected != actual)
        .then(|| differs(field).values(Some(expected.to_compact_string()), Some(actual.to_compact_string())))
}

fn number(
    field: &str,
    expected: Option<&CompactString>,
    actual: Option<&CompactString>,
) -> Option<Discrepancy> {
    let (expected, actual) = (expected?, actual?);
    (!same_number(expected, actual))
        .then(|| differs(field).values(Some(expected.clone()), Some(actual.clone())))
}

fn duration(expected: Option<i64>, actual: Option<i64>, tolerance: i64) -> Option<Discrepancy> {
    let (expected, actual) = (expected?, actual?);
    let delta = actual.saturating_sub(expected);
    (delta.abs() > tolerance).then(|| {
        differs("duration_s")
            .values(Some(expected.to_compact_string()), Some(actual.to_compact_string()))
            .delta(Some(delta))
    })
}

/// Compares a time. With `empty_differs`, a time that the provider lacks is a difference too.
fn time(
    field: &str,
    expected: Option<LedgerTime>,
    actual: Option<DateTime<Utc>>,
    empty_differs: bool,
    tolerance: i64,
) -> Option<Discrepancy> {
    let expected = expected?;
    let Some(actual) = actual else {
        return empty_differs.then(|| differs(field).values(Some(expected.provider_text()), None));
    };
    let (is_too_far, delta) = match expected {
        LedgerTime::Instant(at) => {
            let delta = delta_s(at, actual);
            (delta.abs() > tolerance, Some(delta))
        }
        LedgerTime::Day(day) => (day_of(actual) != day, None),
    };
    is_too_far.then(|| {
        let (expected, actual) = (expected.provider_text(), provider_text(actual));
        differs(field).values(Some(expected), Some(actual)).delta(delta)
    })
}

/// Actual − expected in whole seconds.
///
/// The provider writes whole seconds, so a fraction in the ledger is dropped first. The result is
/// the difference of the two times as the discrepancy file shows them.
fn delta_s(expected: DateTime<Utc>, actual: DateTime<Utc>) -> i64 {
    actual.timestamp() - expected.timestamp()
}

/// Actual − expected in seconds, for each field measured in seconds that both sides give.
pub fn deltas(expected: &Expected, detail: &CallDetail) -> impl Iterator<Item = (&'static str, i64)> {
    let time = |field, ledger: Option<LedgerTime>, provider: Option<DateTime<Utc>>| {
        Some((field, delta_s(ledger.and_then(LedgerTime::instant)?, provider?)))
    };
    let duration = expected.duration_s.zip(detail.duration_s);
    [
        duration.map(|(ledger, provider)| ("duration_s", provider.saturating_sub(ledger))),
        time("called_at", expected.called_at, detail.created_at),
        time("started_at", expected.started_at, detail.started_at),
        time("ended_at", expected.ended_at, detail.ended_at),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::CallKey;
    use crate::normalize::normalize;
    use crate::product::ProductId;
    use chrono::NaiveDate;

    const EXACT: Tolerances = Tolerances { duration_s: 0, time_s: 0 };

    const ANSWERED: &str = r#"{"caller":"18767130000","callee":"13735460000","calleeShowNumber":"0571000018363",
        "gmtCreate":"2026-11-16 10:00:00","startDate":"2026-11-16 10:00:10","endDate":"2026-11-16 10:00:40",
        "duration":30,"state":"200000"}"#;

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 16).unwrap()
    }

    fn row(expected: Expected) -> LedgerRow {
        let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(7), day: day() };
        LedgerRow { line: 2, key, expected, query_date: None, carried: vec!["x".into()] }
    }

    fn found(data: &str) -> Lookup {
        Lookup { status: Status::Found, detail: Some(normalize(data).unwrap()), ..Lookup::deferred(day(), 1) }
    }

    /// The discrepancies between a row with these expectations and the record `data`.
    fn differences(expected: Expected, data: &str, tolerances: Tolerances) -> Vec<Discrepancy> {
        compare(&row(expected), &found(data), tolerances)
    }

    #[test]
    fn numbers_match_in_every_spelling() {
        let expected = Expected {
            caller: Some("+86 187-6713-0000".into()),
            callee: Some("008613735460000".into()),
            callee_show_number: Some("0571-0000 18363".into()),
            caller_show_number: Some("not in the record, so not compared".into()),
            ..Expected::default()
        };
        assert_eq!(differences(expected, ANSWERED, EXACT), []);
    }

    #[test]
    fn a_delta_is_actual_minus_expected_in_seconds() {
        let expected = Expected { duration_s: Some(33), ..Expected::default() };
        let shorter = differs("duration_s").values(Some("33".into()), Some("30".into())).delta(Some(-3));
        assert_eq!(differences(expected.clone(), ANSWERED, EXACT), [shorter]);
        let three = Tolerances { duration_s: 3, time_s: 0 };
        assert_eq!(differences(expected, ANSWERED, three), [], "a tolerance includes its own value");
    }

    #[test]
    fn a_fraction_of_a_second_in_the_ledger_is_dropped() {
        let at = |ms| Some(LedgerTime::Instant(DateTime::from_timestamp_millis(ms).unwrap()));
        let created = normalize(ANSWERED).unwrap().created_at.unwrap().timestamp_millis();
        for (off, delta) in [(999, None), (-1, Some(1)), (-5_001, Some(6)), (5_999, Some(-5))] {
            let expected = Expected { called_at: at(created + off), ..Expected::default() };
            let found = differences(expected, ANSWERED, EXACT);
            assert_eq!(found.first().map(|d| d.delta.unwrap()), delta, "{off} ms");
        }
    }

    #[test]
    fn called_at_is_compared_only_with_a_time_of_day() {
        let mut expected = Expected { called_at: Some(LedgerTime::Day(day())), ..Expected::default() };
        assert_eq!(differences(expected.clone(), ANSWERED, EXACT), []);
        let created = normalize(ANSWERED).unwrap().created_at.unwrap();
        expected.called_at = Some(LedgerTime::Instant(created - chrono::TimeDelta::hours(8)));
        let found = differences(expected, ANSWERED, EXACT);
        assert_eq!(found[0].field, "called_at");
        assert_eq!(
            (found[0].expected.as_deref(), found[0].delta),
            (Some("2026-11-16 02:00:00"), Some(28_800))
        );
    }

    #[test]
    fn an_unanswered_call_contradicts_an_expected_start() {
        let expected = Expected {
            answered: Some(true),
            started_at: Some(LedgerTime::Instant(DateTime::UNIX_EPOCH)),
            caller: Some("13800138000".into()),
            ..Expected::default()
        };
        let found = differences(expected, r#"{"state":"200003","duration":0,"startDate":""}"#, EXACT);
        let fields: Vec<&str> = found.iter().map(|d| d.field.as_str()).collect();
        assert_eq!(fields, ["answered", "started_at"]);
    }

    #[test]
    fn a_record_that_contradicts_itself_is_inconsistent() {
        let only = |data: &str| {
            let found = differences(Expected::default(), data, EXACT);
            assert_eq!(found.len(), 1, "{found:?}");
            found.into_iter().next().unwrap()
        };
        let span = only(&ANSWERED.replace("\"duration\":30", "\"duration\":31"));
        assert_eq!((span.kind, span.field.as_str(), span.delta), (Kind::Inconsistent, "duration_s", Some(1)));
        assert_eq!((span.expected.as_deref(), span.actual.as_deref()), (Some("30"), Some("31")));
        assert_eq!(only(r#"{"state":"200000","duration":0}"#).expected.as_deref(), Some(">0"));
        assert_eq!(only(r#"{"state":"200002","duration":5}"#).expected.as_deref(), Some("0"));
        assert_eq!(only(r#"{"state":"200002","duration":0,"callId":"9^9"}"#).field, "call_id");
        assert_eq!(only(r#"{"state":"502","duration":0}"#).kind, Kind::UnknownState);
    }

    #[test]
    fn fields_of_a_pending_record_are_not_compared() {
        let row = row(Expected { answered: Some(false), duration_s: Some(9), ..Expected::default() });
        let lookup = Lookup { status: Status::Pending, ..found(r#"{"state":"200103","duration":0}"#) };
        let found = compare(&row, &lookup, EXACT);
        assert_eq!(
            found.iter().map(|d| (d.kind, d.field.as_str())).collect::<Vec<_>>(),
            [(Kind::Pending, "state")]
        );
        assert_eq!((found[0].expected.as_deref(), found[0].actual.as_deref()), (None, Some("200103")));
    }
}
