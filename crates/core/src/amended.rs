//! A record that changed after it was final: what a second look at it finds, and the fields that
//! changed.

use chrono::{DateTime, Utc};
use compact_str::{CompactString, ToCompactString as _};

use crate::answer::{AnswerKind, NewAnswer, StoredAnswer};
use crate::calendar::provider_text;
use crate::detail::{CallDetail, Party};
use crate::discrepancy::{Discrepancy, Kind};
use crate::message::Message;
use crate::normalize::normalize;
use crate::settle::kind_today;
use crate::status::Status;

/// The field of a record that the provider no longer has.
pub const LOST: &str = "status";

/// The fields that an amendment can concern and no ledger has.
pub const MORE_FIELDS: [&str; 9] = [
    "a_end_at",
    "a_ring_at",
    "b_end_at",
    "b_ring_at",
    "b_start_at",
    "created_at",
    "hangup_by",
    "state_desc",
    LOST,
];

/// What another answer says about a final record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondLook {
    /// It is the same record.
    Same,
    /// It is another record.
    Changed,
    /// The provider has no record any more.
    Lost,
    /// Nothing: the request failed, another day must still be asked, or the stored record was not
    /// final.
    Nothing,
}

impl SecondLook {
    /// What the answer `after` says about the stored one.
    ///
    /// Records are the same if their normalized fields are. So another spelling of the same `Data`
    /// is no change, and a field that the program does not read is never compared.
    #[must_use]
    pub fn new(before: &StoredAnswer, after: &NewAnswer) -> Self {
        if kind_today(before) != AnswerKind::Final {
            return Self::Nothing;
        }
        match after.kind {
            AnswerKind::Final | AnswerKind::Interim => Self::of_records(&before.answer, after),
            AnswerKind::NoRecord if after.next_date.is_none() => Self::Lost,
            AnswerKind::NoRecord | AnswerKind::Malformed | AnswerKind::Rejected | AnswerKind::Exhausted => {
                Self::Nothing
            }
        }
    }

    fn of_records(before: &NewAnswer, after: &NewAnswer) -> Self {
        if before.data == after.data {
            return Self::Same;
        }
        match (record(before), record(after)) {
            (Some(before), Some(after)) if before == after => Self::Same,
            (Some(_), Some(_)) => Self::Changed,
            _ => Self::Nothing,
        }
    }
}

/// The record in an answer; `None` if it has none.
#[must_use]
pub fn record(answer: &NewAnswer) -> Option<CallDetail> {
    normalize(answer.data.as_deref()?).ok()
}

/// The discrepancies between a final record and what replaced it, one for each field, by field.
/// `after` is `None` if the provider no longer has the record.
///
/// Fields that follow from others (`outcome`, `answered`, `billable_minutes`) have none.
#[must_use]
pub fn amendments(before: &CallDetail, after: Option<&CallDetail>) -> Vec<Discrepancy> {
    let Some(after) = after else {
        let values = [Status::Found, Status::NotFound].map(|status| Some(status.as_str().into()));
        let [before, after] = values;
        return vec![Discrepancy::new(Kind::Amended, Message::RecordLost).field(LOST).values(before, after)];
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    pairs.filter_map(|((field, before), (_, after))| amended(field, &before, &after)).collect()
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(Option<CompactString>),
    Seconds(Option<i64>),
    Time(Option<DateTime<Utc>>),
}

impl Value {
    fn text(&self) -> Option<CompactString> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Seconds(seconds) => seconds.map(|n| n.to_compact_string()),
            Self::Time(time) => time.map(provider_text),
        }
    }

    /// Its place on a scale of seconds.
    fn seconds(&self) -> Option<i64> {
        match self {
            Self::Text(_) => None,
            Self::Seconds(seconds) => *seconds,
            Self::Time(time) => time.map(|at| at.timestamp()),
        }
    }
}

fn amended(field: &'static str, before: &Value, after: &Value) -> Option<Discrepancy> {
    if before == after {
        return None;
    }
    let delta = before.seconds().zip(after.seconds()).map(|(before, after)| after.saturating_sub(before));
    let amended = Discrepancy::new(Kind::Amended, Message::Amended { field }).field(field);
    Some(amended.values(before.text(), after.text()).delta(delta))
}

/// The fields of a record that come from the provider, as the details name them, by name.
fn fields(record: &CallDetail) -> [(&'static str, Value); 17] {
    let text = |value: &Option<CompactString>| Value::Text(value.clone());
    [
        ("a_end_at", Value::Time(record.a_end_at)),
        ("a_ring_at", Value::Time(record.a_ring_at)),
        ("b_end_at", Value::Time(record.b_end_at)),
        ("b_ring_at", Value::Time(record.b_ring_at)),
        ("b_start_at", Value::Time(record.b_start_at)),
        ("call_id", text(&record.call_id)),
        ("callee", text(&record.callee)),
        ("callee_show_number", text(&record.callee_show_number)),
        ("caller", text(&record.caller)),
        ("caller_show_number", text(&record.caller_show_number)),
        ("created_at", Value::Time(record.created_at)),
        ("duration_s", Value::Seconds(record.duration_s)),
        ("ended_at", Value::Time(record.ended_at)),
        ("hangup_by", Value::Text(record.hangup_by.map(|party: Party| party.as_str().into()))),
        ("started_at", Value::Time(record.started_at)),
        ("state", text(&record.state)),
        ("state_desc", text(&record.state_desc)),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::TimeDelta;

    use super::*;
    use crate::calendar::end_of_day;
    use crate::quick_parse;

    const RECORD: &str = r#"{"callId":"1^2","callee":"13735460000","gmtCreate":"2026-11-16 10:00:00",
        "startDate":"2026-11-16 10:00:10","endDate":"2026-11-16 10:00:40","duration":30,"state":"200000"}"#;

    fn answer(kind: AnswerKind, data: Option<&str>) -> NewAnswer {
        NewAnswer {
            kind,
            found_date: quick_parse::day("2026-11-16").unwrap(),
            next_date: None,
            request_id: None,
            code: "OK".into(),
            message: "OK".into(),
            data: data.map(Into::into),
        }
    }

    fn stored(kind: AnswerKind, data: Option<&str>) -> StoredAnswer {
        let answer = answer(kind, data);
        let fetched_at = end_of_day(answer.found_date) + TimeDelta::days(9);
        StoredAnswer { answer, fetched_at, session_no: 1 }
    }

    /// Field, value before, value after and delta of each amendment.
    fn rows(before: &str, after: Option<&str>) -> Vec<(String, String, String, Option<i64>)> {
        let after = after.map(|data| normalize(data).unwrap());
        let found = amendments(&normalize(before).unwrap(), after.as_ref());
        let text = |value: Option<CompactString>| value.unwrap_or_default().to_string();
        found.into_iter().map(|d| (d.field, text(d.expected), text(d.actual), d.delta)).collect()
    }

    #[test]
    fn each_changed_field_is_an_amendment_by_name() {
        let after = RECORD
            .replace("\"duration\":30", "\"duration\":21")
            .replace("10:00:40", "10:00:31")
            .replace("\"callee\":\"13735460000\",", "");
        assert_eq!(
            rows(RECORD, Some(&after)),
            [
                ("callee".into(), "13735460000".into(), String::new(), None),
                ("duration_s".into(), "30".into(), "21".into(), Some(-9)),
                ("ended_at".into(), "2026-11-16 10:00:40".into(), "2026-11-16 10:00:31".into(), Some(-9)),
            ]
        );
        assert_eq!(rows(RECORD, Some(RECORD)), []);
        assert_eq!(rows(RECORD, None), [("status".into(), "found".into(), "not_found".into(), None)]);
        let names = fields(&normalize(RECORD).unwrap()).map(|(name, _)| name);
        assert!(names.is_sorted());
        let known = |name: &&str| {
            crate::compared::FIELDS.contains(name) || MORE_FIELDS.contains(name) || *name == "call_id"
        };
        assert!(names.iter().all(known));
    }

    #[test]
    fn every_field_that_makes_a_record_another_one_is_an_amendment() {
        for (key, value) in [
            ("aRingTime", "2026-11-16 10:00:01"),
            ("aEndTime", "2026-11-16 10:00:02"),
            ("bRingTime", "2026-11-16 10:00:03"),
            ("bStartTime", "2026-11-16 10:00:04"),
            ("bEndTime", "2026-11-16 10:00:05"),
            ("callerShowNumber", "0571"),
            ("calleeShowNumber", "0572"),
            ("caller", "0573"),
            ("stateDesc", "x"),
            ("hangupDirection", "1"),
        ] {
            let after = RECORD.replacen('{', &format!("{{\"{key}\":\"{value}\","), 1);
            let second = SecondLook::new(
                &stored(AnswerKind::Final, Some(RECORD)),
                &answer(AnswerKind::Final, Some(&after)),
            );
            assert_eq!((second, rows(RECORD, Some(&after)).len()), (SecondLook::Changed, 1), "{key}");
        }
    }

    #[test]
    fn only_a_final_record_is_amended_and_only_by_a_whole_answer() {
        let before = stored(AnswerKind::Final, Some(RECORD));
        let look = |kind, data: Option<&str>| SecondLook::new(&before, &answer(kind, data));
        let spelled = RECORD.replace("\"duration\":30", "\"duration\" : \"30\"");
        let changed = RECORD.replace("\"duration\":30", "\"duration\":31");
        assert_eq!(look(AnswerKind::Final, Some(RECORD)), SecondLook::Same);
        assert_eq!(look(AnswerKind::Final, Some(&spelled)), SecondLook::Same);
        assert_eq!(look(AnswerKind::Final, Some(&changed)), SecondLook::Changed);
        assert_eq!(look(AnswerKind::Interim, Some(r#"{"state":"200103"}"#)), SecondLook::Changed);
        assert_eq!(look(AnswerKind::NoRecord, None), SecondLook::Lost);
        let other_day =
            NewAnswer { next_date: quick_parse::day("2026-11-17"), ..answer(AnswerKind::NoRecord, None) };
        assert_eq!(SecondLook::new(&before, &other_day), SecondLook::Nothing);
        for kind in [AnswerKind::Malformed, AnswerKind::Rejected, AnswerKind::Exhausted] {
            assert_eq!(look(kind, Some("x")), SecondLook::Nothing);
        }
        for kind in [AnswerKind::Interim, AnswerKind::NoRecord, AnswerKind::Malformed] {
            let before = stored(kind, Some(RECORD));
            let after = answer(AnswerKind::Final, Some(&changed));
            assert_eq!(SecondLook::new(&before, &after), SecondLook::Nothing, "{kind:?} was not final");
        }
    }
}
