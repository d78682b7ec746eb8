//! A ledger row against what the provider says: the comparison of the contract, section 5. Pure.

use chrono::{DateTime, Utc};
use compact_str::{CompactString, ToCompactString};

use crate::calendar::{day_of, provider_text};
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::{Expected, LedgerRow, LedgerTime};
use crate::lookup::{Lookup, Status};
use crate::phone::normalize_number;

/// How far two values may lie apart and still match, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerances {
    /// For `duration_s`.
    pub duration_s: i64,
    /// For `called_at`, `started_at` and `ended_at`.
    pub time_s: i64,
}

/// All discrepancies of a call, in the order of the files: by kind, then by field as the contract lists them.
#[must_use]
pub fn compare(row: &LedgerRow, lookup: &Lookup, tolerances: Tolerances) -> Vec<Discrepancy> {
    let mut found: Vec<Discrepancy> = standing(row, lookup).into_iter().collect();
    if let Some(detail) = &lookup.detail {
        found.extend(wrong_call_id(row, detail));
        if lookup.status == Status::Found {
            found.extend(unknown_state(detail));
            found.extend(contradictions(detail));
            found.extend(mismatches(&row.expected, detail, tolerances));
            found.extend(other_day(row, lookup));
        }
    }
    // Stable: within a kind the order above stays.
    found.sort_by_key(|d| d.kind);
    found
}

/// What the status itself says.
fn standing(row: &LedgerRow, lookup: &Lookup) -> Option<Discrepancy> {
    match lookup.status {
        Status::Found => None,
        Status::Deferred => Some(Discrepancy::new(Kind::Deferred, "not asked yet; the next run asks")),
        Status::NotFound => Some(Discrepancy::new(Kind::NotFound, not_found_message(row))),
        Status::Pending => Some(pending(lookup)),
        Status::Failed => Some(failed(lookup)),
    }
}

fn not_found_message(row: &LedgerRow) -> String {
    format!(
        "the provider has no record of this CallId for product {} on {}: it does not exist, or product, day or account \
         are not the call's",
        row.key.prod_id.0, row.key.day
    )
}

fn pending(lookup: &Lookup) -> Discrepancy {
    match &lookup.detail {
        Some(detail) => {
            Discrepancy::new(Kind::Pending, "the call's state is not final yet; the next run asks again")
                .field("state")
                .values(None, detail.state.clone())
        }
        None => Discrepancy::new(
            Kind::Pending,
            "no record yet, and the call is too young to miss it; the next run asks again",
        ),
    }
}

fn failed(lookup: &Lookup) -> Discrepancy {
    let Some(failure) = &lookup.failure else {
        return Discrepancy::new(Kind::Failed, "the look-up failed");
    };
    let (kind, again) = match (failure.malformed, failure.transient) {
        (true, _) => (Kind::Malformed, "; the next run asks again"),
        (false, true) => (Kind::Failed, " after all attempts; the next run asks again"),
        (false, false) => (Kind::Failed, "; asked again only with --refresh"),
    };
    let message = crate::phone::mask_text(failure.message.trim_end_matches(['.', '。']));
    Discrepancy::new(kind, format!("{}: {message}{again}", failure.code))
        .values(None, Some(failure.code.clone()))
}

fn wrong_call_id(row: &LedgerRow, detail: &CallDetail) -> Option<Discrepancy> {
    let actual = detail.call_id.as_ref().filter(|id| **id != row.key.call_id)?;
    Some(OTHER_CALL.found(row.key.call_id.as_str().into(), actual.clone()))
}

fn unknown_state(detail: &CallDetail) -> Option<Discrepancy> {
    (!detail.state_known).then(|| {
        Discrepancy::new(Kind::UnknownState, "the state code stands in none of the provider's tables")
            .field("state")
            .values(None, detail.state.clone())
    })
}

/// A way in which the provider contradicts itself. The messages begin with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// For whoever counts them.
    pub name: &'static str,
    /// The field concerned.
    pub field: &'static str,
    /// What it is.
    pub rule: &'static str,
}

const fn contradiction(name: &'static str, field: &'static str, rule: &'static str) -> Contradiction {
    Contradiction { name, field, rule }
}

const OTHER_CALL: Contradiction =
    contradiction("other_call", "call_id", "the record carries another CallId than the one asked for");
const DURATION_VS_SPAN: Contradiction =
    contradiction("duration_vs_span", "duration_s", "duration is not endDate - startDate");
const ANSWERED_WITHOUT_TALK: Contradiction =
    contradiction("answered_without_talk", "duration_s", "answered, but with 0 seconds");
const TALK_WITHOUT_ANSWER: Contradiction =
    contradiction("talk_without_answer", "duration_s", "not answered, but with talk time");

/// Every rule of the kind `inconsistent`.
pub const CONTRADICTIONS: [Contradiction; 4] =
    [OTHER_CALL, DURATION_VS_SPAN, ANSWERED_WITHOUT_TALK, TALK_WITHOUT_ANSWER];

impl Contradiction {
    fn found(self, expected: CompactString, actual: CompactString) -> Discrepancy {
        Discrepancy::new(Kind::Inconsistent, format!("{}: {}", self.name, self.rule))
            .field(self.field)
            .values(Some(expected), Some(actual))
    }
}

/// Where the provider contradicts itself.
fn contradictions(detail: &CallDetail) -> Vec<Discrepancy> {
    let Some(duration) = detail.duration_s else { return Vec::new() };
    let found =
        |rule: Contradiction, expected: &str| rule.found(expected.into(), duration.to_compact_string());
    let span = detail.started_at.zip(detail.ended_at).map(|(start, end)| (end - start).num_seconds());
    let off = span.filter(|span| *span != duration);
    let off = off.map(|span| found(DURATION_VS_SPAN, &span.to_string()).delta(Some(duration - span)));
    let talk = match detail.answered {
        Some(true) if duration == 0 => Some(found(ANSWERED_WITHOUT_TALK, ">0")),
        Some(false) if duration > 0 => Some(found(TALK_WITHOUT_ANSWER, "0")),
        _ => None,
    };
    off.into_iter().chain(talk).collect()
}

fn other_day(row: &LedgerRow, lookup: &Lookup) -> Option<Discrepancy> {
    (lookup.found_on != row.key.day).then(|| {
        Discrepancy::new(Kind::OtherDay, "the record stands on the neighbouring day")
            .field("call_date")
            .values(Some(row.key.day.to_compact_string()), Some(lookup.found_on.to_compact_string()))
    })
}

/// What the ledger expects and the provider says otherwise. An absent value on either side is not compared.
fn mismatches(expected: &Expected, detail: &CallDetail, tolerances: Tolerances) -> Vec<Discrepancy> {
    let numbers = [
        ("caller", &expected.caller, &detail.caller),
        ("callee", &expected.callee, &detail.callee),
        ("caller_show_number", &expected.caller_show_number, &detail.caller_show_number),
        ("callee_show_number", &expected.callee_show_number, &detail.callee_show_number),
    ];
    let mut found: Vec<Discrepancy> = numbers.into_iter().filter_map(|(f, e, a)| number(f, e, a)).collect();
    found.extend(plain("state", expected.state.as_ref(), detail.state.as_ref()));
    found.extend(plain("answered", expected.answered.as_ref(), detail.answered.as_ref()));
    found.extend(duration(expected.duration_s, detail.duration_s, tolerances.duration_s));
    // A day alone says nothing to compare with the instant at which the request was accepted.
    let called_at = expected.called_at.filter(|t| t.instant().is_some());
    found.extend(time("called_at", called_at, detail.created_at, false, tolerances.time_s));
    // A call that nobody answered has neither start nor end: there the empty field is a statement.
    let unanswered = detail.answered == Some(false);
    found.extend(time("started_at", expected.started_at, detail.started_at, unanswered, tolerances.time_s));
    found.extend(time("ended_at", expected.ended_at, detail.ended_at, unanswered, tolerances.time_s));
    found
}

fn differs(field: &str) -> Discrepancy {
    Discrepancy::new(Kind::Mismatch, format!("{field} differs")).field(field)
}

fn plain<T: PartialEq + ToCompactString>(
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
    expected: &Option<CompactString>,
    actual: &Option<CompactString>,
) -> Option<Discrepancy> {
    let (expected, actual) = (expected.as_ref()?, actual.as_ref()?);
    // Nearly all are spelled alike.
    (expected != actual && normalize_number(expected) != normalize_number(actual))
        .then(|| differs(field).values(Some(expected.clone()), Some(actual.clone())))
}

/// Actual − expected in whole seconds. The provider's clock has no finer ones, so a part of a second in the ledger is
/// dropped first: the result is what the two texts in the discrepancy file are apart.
fn apart(expected: DateTime<Utc>, actual: DateTime<Utc>) -> i64 {
    actual.timestamp() - expected.timestamp()
}

/// Actual − expected in seconds, for every field that is measured in them and that both sides give.
pub fn deltas(expected: &Expected, detail: &CallDetail) -> impl Iterator<Item = (&'static str, i64)> {
    let time = |field, ledger: Option<LedgerTime>, provider: Option<DateTime<Utc>>| {
        Some((field, apart(ledger.and_then(LedgerTime::instant)?, provider?)))
    };
    let talk = expected.duration_s.zip(detail.duration_s);
    [
        talk.map(|(ledger, provider)| ("duration_s", provider.saturating_sub(ledger))),
        time("called_at", expected.called_at, detail.created_at),
        time("started_at", expected.started_at, detail.started_at),
        time("ended_at", expected.ended_at, detail.ended_at),
    ]
    .into_iter()
    .flatten()
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

fn time(
    field: &str,
    expected: Option<LedgerTime>,
    actual: Option<DateTime<Utc>>,
    empty_speaks: bool,
    tolerance: i64,
) -> Option<Discrepancy> {
    let expected = expected?;
    let Some(actual) = actual else {
        return empty_speaks.then(|| differs(field).values(Some(expected.text()), None));
    };
    let (too_far, delta) = match expected {
        LedgerTime::Instant(t) => {
            let delta = apart(t, actual);
            (delta.abs() > tolerance, Some(delta))
        }
        LedgerTime::Day(day) => (day_of(actual) != day, None),
    };
    too_far.then(|| differs(field).values(Some(expected.text()), Some(provider_text(actual))).delta(delta))
}

/// A later row that names the same call: what it says, and the first field in which it differs.
#[must_use]
pub fn duplicate(first: &LedgerRow, later: &LedgerRow, carried: &[String]) -> Discrepancy {
    let message = format!("names the same call as line {}; only that line is compared", first.line);
    let differing = statements(first, carried)
        .into_iter()
        .zip(statements(later, carried))
        .find(|((field, a), (_, b))| !says_the_same(field, a.as_deref(), b.as_deref()))
        .map(|((field, a), (_, b))| (field, a, b));
    match differing {
        None => Discrepancy::new(Kind::Duplicate, message),
        Some((field, first, later)) => {
            Discrepancy::new(Kind::Duplicate, format!("{message}; {field} differs"))
                .field(field)
                .values(first, later)
        }
    }
}

/// A number may be spelled in another way.
fn says_the_same(field: &str, a: Option<&str>, b: Option<&str>) -> bool {
    a == b
        || (crate::phone::NUMBER_FIELDS.contains(&field)
            && a.map(normalize_number) == b.map(normalize_number))
}

/// All that a row says of its call, in the order in which differences are named.
fn statements(row: &LedgerRow, carried: &[String]) -> Vec<(String, Option<CompactString>)> {
    let e = &row.expected;
    let time = |t: Option<LedgerTime>| t.map(LedgerTime::text);
    let own = [
        ("caller", e.caller.clone()),
        ("callee", e.callee.clone()),
        ("caller_show_number", e.caller_show_number.clone()),
        ("callee_show_number", e.callee_show_number.clone()),
        ("state", e.state.clone()),
        ("answered", e.answered.map(|b| b.to_compact_string())),
        ("duration_s", e.duration_s.map(|s| s.to_compact_string())),
        ("called_at", time(e.called_at)),
        ("started_at", time(e.started_at)),
        ("ended_at", time(e.ended_at)),
        ("query_date", time(row.query_date)),
    ];
    own.into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .chain(carried.iter().cloned().zip(row.carried.iter().cloned().map(Some)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::call::CallKey;
    use crate::normalize::normalize;
    use crate::product::ProductId;
    use chrono::NaiveDate;

    const ANSWERED: &str = r#"{"caller":"18767130000","callee":"13735460000","calleeShowNumber":"0571000018363",
        "gmtCreate":"2026-11-16 10:00:00","startDate":"2026-11-16 10:00:10","endDate":"2026-11-16 10:00:40",
        "duration":30,"state":"200000"}"#;

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 16).expect("a day")
    }

    fn row(expected: Expected) -> LedgerRow {
        let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(7), day: day() };
        LedgerRow { line: 2, key, expected, query_date: None, carried: vec!["x".into()] }
    }

    fn found(data: &str) -> Lookup {
        Lookup { status: Status::Found, detail: Some(normalize(data).unwrap()), ..Lookup::deferred(day(), 1) }
    }

    /// (kind, field, expected, actual, delta) of every discrepancy.
    fn say(
        row: &LedgerRow,
        lookup: &Lookup,
        t: Tolerances,
    ) -> Vec<(Kind, String, String, String, Option<i64>)> {
        compare(row, lookup, t)
            .into_iter()
            .map(|d| {
                let text = |value: Option<CompactString>| String::from(value.unwrap_or_default());
                (d.kind, d.field, text(d.expected), text(d.actual), d.delta)
            })
            .collect()
    }

    #[test]
    fn numbers_match_through_spaces_hyphens_and_the_country_code() {
        let expected = Expected {
            caller: Some("+86 187-6713-0000".into()),
            callee: Some("008613735460000".into()),
            callee_show_number: Some("0571-0000 18363".into()),
            caller_show_number: Some("never returned, never compared".into()),
            ..Expected::default()
        };
        assert_eq!(say(&row(expected), &found(ANSWERED), Tolerances::default()), vec![]);
        assert_ne!(
            normalize_number("05344750000"),
            normalize_number("5344750000"),
            "a lost leading zero is a difference"
        );
        assert_ne!(
            normalize_number("8657112345678"),
            normalize_number("57112345678"),
            "86 is a country code only before a mobile"
        );
    }

    #[test]
    fn delta_is_actual_minus_expected_and_tolerance_is_inclusive() {
        let r = row(Expected { duration_s: Some(33), ..Expected::default() });
        let exact = say(&r, &found(ANSWERED), Tolerances::default());
        assert_eq!(exact, vec![(Kind::Mismatch, "duration_s".into(), "33".into(), "30".into(), Some(-3))]);
        assert_eq!(say(&r, &found(ANSWERED), Tolerances { duration_s: 3, time_s: 0 }), vec![]);
    }

    #[test]
    fn a_part_of_a_second_in_the_ledger_is_dropped_as_in_the_texts() {
        let at = |ms| Some(LedgerTime::Instant(DateTime::from_timestamp_millis(ms).unwrap()));
        let created = normalize(ANSWERED).unwrap().created_at.unwrap().timestamp_millis();
        for (off, wanted) in [(999, None), (-1, Some(1)), (-5_001, Some(6)), (5_999, Some(-5))] {
            let e = Expected { called_at: at(created + off), ..Expected::default() };
            let said = say(&row(e), &found(ANSWERED), Tolerances::default());
            assert_eq!(said.first().map(|d| d.4.unwrap()), wanted, "{off} ms");
        }
    }

    #[test]
    fn called_at_is_compared_only_with_a_time_of_day() {
        let mut e = Expected { called_at: Some(LedgerTime::Day(day())), ..Expected::default() };
        assert_eq!(say(&row(e.clone()), &found(ANSWERED), Tolerances::default()), vec![]);
        let detail = normalize(ANSWERED).unwrap();
        e.called_at = detail.created_at.map(|t| LedgerTime::Instant(t - chrono::TimeDelta::hours(8)));
        let said = say(&row(e), &found(ANSWERED), Tolerances::default());
        assert_eq!(said[0].1, "called_at");
        assert_eq!((said[0].2.as_str(), said[0].4), ("2026-11-16 02:00:00", Some(28_800)));
    }

    #[test]
    fn an_unanswered_call_contradicts_an_expected_start() {
        let e = Expected {
            answered: Some(true),
            started_at: Some(LedgerTime::Instant(Utc::now())),
            caller: Some("13800138000".into()),
            ..Expected::default()
        };
        let said =
            say(&row(e), &found(r#"{"state":"200003","duration":0,"startDate":""}"#), Tolerances::default());
        let fields: Vec<&str> = said.iter().map(|d| d.1.as_str()).collect();
        assert_eq!(fields, ["answered", "started_at"]);
    }

    #[test]
    fn the_provider_is_held_to_its_own_words() {
        let rules = |data: &str| say(&row(Expected::default()), &found(data), Tolerances::default());
        let span = rules(&ANSWERED.replace("\"duration\":30", "\"duration\":31"));
        assert_eq!(span, vec![(Kind::Inconsistent, "duration_s".into(), "30".into(), "31".into(), Some(1))]);
        assert_eq!(rules(r#"{"state":"200000","duration":0}"#)[0].2, ">0");
        assert_eq!(rules(r#"{"state":"200002","duration":5}"#)[0].2, "0");
        assert_eq!(rules(r#"{"state":"200002","duration":0,"callId":"9^9"}"#)[0].1, "call_id");
        assert_eq!(rules(r#"{"state":"502","duration":0}"#)[0].0, Kind::UnknownState);
    }

    #[test]
    fn fields_of_a_pending_record_are_not_compared() {
        let r = row(Expected { answered: Some(false), duration_s: Some(9), ..Expected::default() });
        let mut lookup = found(r#"{"state":"200103","duration":0}"#);
        lookup.status = Status::Pending;
        let said = say(&r, &lookup, Tolerances::default());
        assert_eq!(said, vec![(Kind::Pending, "state".into(), String::new(), "200103".into(), None)]);
    }

    #[test]
    fn a_duplicate_names_the_first_field_that_differs() {
        let carried = ["ledger_x".to_owned()];
        let first = row(Expected { duration_s: Some(3), ..Expected::default() });
        let mut later = LedgerRow { line: 9, ..first.clone() };
        assert_eq!(duplicate(&first, &later, &carried).field, "");
        let mut other_spelling = first.clone();
        other_spelling.expected.callee = Some("+86 13735460000".into());
        let said = Expected { callee: Some("13735460000".into()), ..first.expected.clone() };
        assert_eq!(
            duplicate(&LedgerRow { expected: said, ..first.clone() }, &other_spelling, &carried).field,
            ""
        );
        later.carried = vec!["y".into()];
        assert_eq!(duplicate(&first, &later, &carried).field, "ledger_x");
        later.expected.duration_s = Some(4);
        let d = duplicate(&first, &later, &carried);
        assert_eq!(
            (d.field.as_str(), d.expected.as_deref(), d.actual.as_deref()),
            ("duration_s", Some("3"), Some("4"))
        );
    }
}
