//! Compares the ledger row of a call with the provider's answer and returns the discrepancies.
//!
//! [`Kind::rule`] says when there is a discrepancy of each kind.

use chrono::{DateTime, Utc};
use compact_str::{CompactString, ToCompactString};

use crate::calendar::{day_of, provider_text};
use crate::compared::{Compared, FIELDS, FieldResult};
use crate::contradiction::{add_contradictions, other_call};
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::{Expected, LedgerRow, LedgerTime};
use crate::message::Message;
use crate::phone::same_number;
use crate::status::{Failure, FailureKind, Lookup, Status};

/// How far two values may differ and still match, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerances {
    /// For `duration_s`.
    pub duration_s: i64,
    /// For `called_at`, `started_at` and `ended_at`.
    pub time_s: i64,
}

impl Tolerances {
    /// The tolerance of one of [`MEASURED`].
    pub(crate) fn of(self, field: &str) -> i64 {
        if field == "duration_s" { self.duration_s } else { self.time_s }
    }
}

/// The fields measured in seconds, by name.
pub(crate) const MEASURED: [&str; 4] = ["called_at", "duration_s", "ended_at", "started_at"];

/// Compares a call: its discrepancies, and what was compared.
#[must_use]
pub fn compare(row: &LedgerRow, lookup: &Lookup, tolerances: Tolerances) -> Compared {
    let mut found: Vec<Discrepancy> = of_status(row, lookup).into_iter().collect();
    let mut fields = FieldResults::default();
    if let Some(detail) = &lookup.detail {
        found.extend(other_call(&row.key, detail));
    }
    match &lookup.detail {
        Some(detail) if lookup.status == Status::Found => {
            found.extend(unknown_state(detail));
            add_contradictions(detail, &mut found);
            fields.compare(&row.expected, detail, tolerances);
            found.append(&mut fields.mismatches);
            found.extend(other_day(row, lookup));
        }
        _ => fields.no_record(&row.expected),
    }
    // A stable sort: it keeps the order above within each kind.
    found.sort_by_key(|d| d.kind);
    Compared { discrepancies: found, fields: fields.results }
}

/// The discrepancy of a call that is not `found`.
fn of_status(row: &LedgerRow, lookup: &Lookup) -> Option<Discrepancy> {
    match lookup.status {
        Status::Found => None,
        Status::Deferred => Some(Discrepancy::new(Kind::Deferred, Message::NotAsked)),
        Status::NotFound => {
            let message = Message::NotFound { product: row.key.prod_id, day: row.key.day };
            Some(Discrepancy::new(Kind::NotFound, message))
        }
        Status::Pending => Some(pending(lookup.detail.as_ref())),
        Status::Failed => Some(failed(lookup.failure.as_ref())),
    }
}

fn pending(detail: Option<&CallDetail>) -> Discrepancy {
    match detail {
        Some(detail) if detail.is_final => {
            Discrepancy::new(Kind::Pending, Message::NoDuration).field("duration_s")
        }
        Some(detail) => Discrepancy::new(Kind::Pending, Message::NotFinal)
            .field("state")
            .values(None, detail.state.clone()),
        None => Discrepancy::new(Kind::Pending, Message::TooRecent),
    }
}

fn failed(failure: Option<&Failure>) -> Discrepancy {
    let Some(failure) = failure else {
        return Discrepancy::new(Kind::Failed, Message::LookupFailed);
    };
    let kind = match failure.kind {
        FailureKind::Malformed => Kind::Malformed,
        FailureKind::Exhausted | FailureKind::Rejected => Kind::Failed,
    };
    Discrepancy::new(kind, Message::Failed(Box::new(failure.clone())))
        .values(None, Some(failure.code.clone()))
}

fn unknown_state(detail: &CallDetail) -> Option<Discrepancy> {
    (!detail.state_known).then(|| {
        Discrepancy::new(Kind::UnknownState, Message::UnknownState)
            .field("state")
            .values(None, detail.state.clone())
    })
}

fn other_day(row: &LedgerRow, lookup: &Lookup) -> Option<Discrepancy> {
    (lookup.found_on != row.key.day).then(|| {
        Discrepancy::new(Kind::OtherDay, Message::OtherDay)
            .field("call_date")
            .values(Some(row.key.day.to_compact_string()), Some(lookup.found_on.to_compact_string()))
    })
}

/// The results of a call's fields, in the order of [`FIELDS`].
#[derive(Default)]
struct FieldResults {
    results: [FieldResult; FIELDS.len()],
    next: usize,
    mismatches: Vec<Discrepancy>,
}

impl FieldResults {
    /// Compares every field. A value that one side lacks is not compared.
    fn compare(&mut self, expected: &Expected, detail: &CallDetail, tolerances: Tolerances) {
        for (expected, actual) in expected.numbers().into_iter().zip(detail.numbers()) {
            self.add(expected, actual, number);
        }
        self.add(expected.state.as_ref(), detail.state.as_ref(), value);
        self.add(expected.answered.as_ref(), detail.answered.as_ref(), value);
        self.add(expected.duration_s, detail.duration_s, |_, expected, actual| {
            duration(expected, actual, tolerances.duration_s)
        });
        // An unanswered call has neither start nor end, so there the empty field is a value.
        let unanswered = detail.answered == Some(false);
        for (expected, actual, empty_differs) in [
            (comparable_called_at(expected), detail.created_at, false),
            (expected.started_at, detail.started_at, unanswered),
            (expected.ended_at, detail.ended_at, unanswered),
        ] {
            match (expected, actual) {
                (Some(expected), None) if empty_differs => self.push(Some(|field: &'static str| {
                    Some(differs(field).values(Some(expected.provider_text()), None))
                })),
                _ => self.add(expected, actual, |field, expected, actual| {
                    time(field, expected, actual, tolerances.time_s)
                }),
            }
        }
    }

    /// Notes which values are expected of a call without a final record.
    fn no_record(&mut self, expected: &Expected) {
        let [caller, callee, caller_show_number, callee_show_number] =
            expected.numbers().map(|number| number.is_some());
        let is_expected = [
            caller,
            callee,
            caller_show_number,
            callee_show_number,
            expected.state.is_some(),
            expected.answered.is_some(),
            expected.duration_s.is_some(),
            comparable_called_at(expected).is_some(),
            expected.started_at.is_some(),
            expected.ended_at.is_some(),
        ];
        let result = |is_expected| if is_expected { FieldResult::NoRecord } else { FieldResult::NotExpected };
        self.results = is_expected.map(result);
    }

    /// Adds the next field. `differ` returns the discrepancy of two different values.
    fn add<E, A>(
        &mut self,
        expected: Option<E>,
        actual: Option<A>,
        differ: impl FnOnce(&'static str, E, A) -> Option<Discrepancy>,
    ) {
        match (expected, actual) {
            (None, _) => self.next += 1,
            (Some(_), None) => self.push(None::<fn(&'static str) -> Option<Discrepancy>>),
            (Some(expected), Some(actual)) => {
                self.push(Some(|field: &'static str| differ(field, expected, actual)))
            }
        }
    }

    /// Adds the result of the next field: compared with this outcome, or not comparable.
    fn push(&mut self, compared: Option<impl FnOnce(&'static str) -> Option<Discrepancy>>) {
        let at = self.next;
        self.next += 1;
        self.results[at] = match compared.map(|differ| differ(FIELDS[at])) {
            None => FieldResult::NotComparable,
            Some(None) => FieldResult::Equal,
            Some(Some(mismatch)) => {
                self.mismatches.push(mismatch);
                FieldResult::Different
            }
        };
    }
}

/// `created_at` has a time of day, so a day without one cannot be compared with it.
fn comparable_called_at(expected: &Expected) -> Option<LedgerTime> {
    expected.called_at.filter(|t| t.instant().is_some())
}

fn differs(field: &'static str) -> Discrepancy {
    Discrepancy::new(
        Kind::Mismatch,
        Message::Differs { field, later_line: 0, file: CompactString::default() },
    )
    .field(field)
}

pub(crate) fn value<T: PartialEq + ToCompactString>(
    field: &'static str,
    expected: &T,
    actual: &T,
) -> Option<Discrepancy> {
    (expected != actual)
        .then(|| differs(field).values(Some(expected.to_compact_string()), Some(actual.to_compact_string())))
}

pub(crate) fn number(
    field: &'static str,
    expected: &CompactString,
    actual: &CompactString,
) -> Option<Discrepancy> {
    (!same_number(expected, actual))
        .then(|| differs(field).values(Some(expected.clone()), Some(actual.clone())))
}

pub(crate) fn duration(expected: i64, actual: i64, tolerance: i64) -> Option<Discrepancy> {
    let delta = actual.saturating_sub(expected);
    (delta.abs() > tolerance).then(|| {
        differs("duration_s")
            .values(Some(expected.to_compact_string()), Some(actual.to_compact_string()))
            .delta(Some(delta))
    })
}

pub(crate) fn time(
    field: &'static str,
    expected: LedgerTime,
    actual: DateTime<Utc>,
    tolerance: i64,
) -> Option<Discrepancy> {
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

/// Actual − expected in seconds, for each of [`MEASURED`]; `None` if a side does not give it.
pub(crate) fn deltas(expected: &Expected, detail: &CallDetail) -> [Option<i64>; MEASURED.len()] {
    let time = |ledger: Option<LedgerTime>, provider: Option<DateTime<Utc>>| {
        Some(delta_s(ledger.and_then(LedgerTime::instant)?, provider?))
    };
    let duration = expected.duration_s.zip(detail.duration_s);
    [
        time(expected.called_at, detail.created_at),
        duration.map(|(ledger, provider)| provider.saturating_sub(ledger)),
        time(expected.ended_at, detail.ended_at),
        time(expected.started_at, detail.started_at),
    ]
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
        compare(&row(expected), &found(data), tolerances).discrepancies
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
        assert_eq!(differences(expected.clone(), ANSWERED, EXACT), []);
        let other = Expected { callee: Some("13735460001".into()), ..expected };
        let differs = differs("callee").values(Some("13735460001".into()), Some("13735460000".into()));
        assert_eq!(differences(other, ANSWERED, EXACT), [differs]);
    }

    #[test]
    fn only_values_of_both_sides_are_compared() {
        let results = |expected, data| compare(&row(expected), &found(data), EXACT).fields;
        let named = |results: [FieldResult; 10], result| -> Vec<&str> {
            FIELDS.into_iter().zip(results).filter(|(_, r)| *r == result).map(|(field, _)| field).collect()
        };
        let expected = Expected {
            caller: Some("18767130000".into()),
            caller_show_number: Some("not in the record".into()),
            duration_s: Some(31),
            called_at: Some(LedgerTime::Day(day())),
            ..Expected::default()
        };
        assert!(compare(&row(expected.clone()), &found(ANSWERED), EXACT).is_compared());
        let all = results(expected, ANSWERED);
        assert_eq!(named(all, FieldResult::Equal), ["caller"]);
        assert_eq!(named(all, FieldResult::Different), ["duration_s"]);
        assert_eq!(named(all, FieldResult::NotComparable), ["caller_show_number"]);
        let only_state = Expected { ended_at: Some(LedgerTime::Day(day())), ..Expected::default() };
        let nothing = compare(&row(only_state.clone()), &found(r#"{"state":"200000"}"#), EXACT);
        assert!(nothing.discrepancies.is_empty() && !nothing.is_compared());
        // The empty end of an unanswered call is a value.
        let unanswered = compare(&row(only_state), &found(r#"{"state":"200002"}"#), EXACT);
        assert_eq!(unanswered.fields[9], FieldResult::Different);
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
    fn a_final_record_without_a_duration_waits_for_it() {
        let lookup = Lookup { status: Status::Pending, ..found(r#"{"state":"200000"}"#) };
        let found = compare(&row(Expected::default()), &lookup, EXACT).discrepancies;
        let no_duration = Discrepancy::new(Kind::Pending, Message::NoDuration).field("duration_s");
        assert_eq!(found, [no_duration]);
    }

    #[test]
    fn a_record_of_another_day_names_both_days() {
        let next = day().succ_opt().unwrap();
        let lookup = Lookup { found_on: next, ..found(ANSWERED) };
        let found = compare(&row(Expected::default()), &lookup, EXACT).discrepancies;
        let other = Discrepancy::new(Kind::OtherDay, Message::OtherDay)
            .field("call_date")
            .values(Some("2026-11-16".into()), Some("2026-11-17".into()));
        assert_eq!(found, [other]);
    }

    #[test]
    fn a_ledger_day_is_compared_with_the_day_of_the_time() {
        let starts = |day| {
            let expected = Expected { started_at: Some(LedgerTime::Day(day)), ..Expected::default() };
            differences(expected, ANSWERED, EXACT)
        };
        assert_eq!(starts(day()), []);
        let other = starts(day().succ_opt().unwrap());
        let found: Vec<_> = other.iter().map(|d| (d.field.as_str(), d.delta)).collect();
        assert_eq!(found, [("started_at", None)]);
    }

    #[test]
    fn fields_of_a_pending_record_are_not_compared() {
        let row = row(Expected { answered: Some(false), duration_s: Some(9), ..Expected::default() });
        let lookup = Lookup { status: Status::Pending, ..found(r#"{"state":"200103","duration":0}"#) };
        let Compared { discrepancies: found, fields } = compare(&row, &lookup, EXACT);
        assert_eq!(
            (fields[5], fields[6], fields[7]),
            (FieldResult::NoRecord, FieldResult::NoRecord, FieldResult::NotExpected,)
        );
        assert_eq!(
            found.iter().map(|d| (d.kind, d.field.as_str())).collect::<Vec<_>>(),
            [(Kind::Pending, "state")]
        );
        assert_eq!((found[0].expected.as_deref(), found[0].actual.as_deref()), (None, Some("200103")));
    }
}
