//! Turns the provider's raw `Data` into a typed [`CallDetail`].
//!
//! Stored answers can be normalized again without asking the provider. Every field may be missing,
//! numbers may come as strings and strings as numbers, and unknown fields stay in the raw text.
//! `Data` that cannot be read is [`Malformed`], with a reason. docs/provider.md lists every form.

use std::borrow::Cow;

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};

use crate::calendar::from_provider_local;
use crate::data_fields::{Field, Fields, JsonValue};
use crate::detail::{CallDetail, Party};
use crate::quick_parse::{self, trimmed};
use crate::states::interpret;

pub use crate::data_fields::Malformed;

/// Reads `Data` into a [`CallDetail`].
///
/// # Errors
///
/// [`Malformed`] if it is not a JSON object, has no field of a record, or a field has an unknown
/// form.
pub fn normalize(data: &str) -> Result<CallDetail, Malformed> {
    macro_rules! field {
        ($name:literal) => {
            const { Field::named($name) }
        };
    }
    let f = Fields::read(data)?;
    let state = f.text(field!("state"))?;
    let duration_s = f.seconds(field!("duration"))?;
    let started_at = time(&f, field!("startDate"))?;
    let b_start_at = time(&f, field!("bStartTime"))?;
    let has_start = started_at.is_some() || b_start_at.is_some();
    let meaning = interpret(state.as_deref(), duration_s, has_start);
    Ok(CallDetail {
        call_id: f.text(field!("callId"))?,
        caller: f.text(field!("caller"))?,
        callee: f.text(field!("callee"))?,
        caller_show_number: f.text(field!("callerShowNumber"))?,
        callee_show_number: f.text(field!("calleeShowNumber"))?,
        created_at: time(&f, field!("gmtCreate"))?,
        started_at,
        ended_at: time(&f, field!("endDate"))?,
        a_ring_at: time(&f, field!("aRingTime"))?,
        a_end_at: time(&f, field!("aEndTime"))?,
        b_ring_at: time(&f, field!("bRingTime"))?,
        b_start_at,
        b_end_at: time(&f, field!("bEndTime"))?,
        duration_s,
        state,
        state_desc: f.text(field!("stateDesc"))?,
        outcome: meaning.outcome,
        answered: meaning.answered,
        is_final: meaning.is_final,
        state_known: meaning.is_known,
        hangup_by: hangup(f.value(field!("hangupDirection"))),
    })
}

/// The instant of a field `yyyy-MM-dd HH:mm:ss` in UTC+8; `None` if it is missing or empty.
fn time(fields: &Fields<'_>, field: Field) -> Result<Option<DateTime<Utc>>, Malformed> {
    let text = match fields.value(field) {
        JsonValue::Text(text) => Cow::Borrowed(trimmed(text)),
        _ => Cow::Owned(fields.text(field)?.map(Into::into).unwrap_or_default()),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let with_fraction = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok();
    let local = quick_parse::local_time(&text).or_else(with_fraction);
    // No call is from a year outside this range, and such years would overflow calculations.
    let local = local.filter(|local| (1970..=9999).contains(&local.year()));
    let local = local.ok_or_else(|| field.is_not("a time like 2026-05-26 17:01:51"))?;
    Ok(Some(from_provider_local(local)))
}

/// Who hung up: 0 is the callee, 1 the caller. Other numbers belong to other operations.
fn hangup(value: &JsonValue<'_>) -> Option<Party> {
    match value {
        JsonValue::Number(n) if n.as_i64() == Some(0) => Some(Party::Callee),
        JsonValue::Number(n) if n.as_i64() == Some(1) => Some(Party::Caller),
        JsonValue::Text(s) if s == "0" => Some(Party::Callee),
        JsonValue::Text(s) if s == "1" => Some(Party::Caller),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::calendar::provider_text;
    use crate::detail::Outcome;

    /// The only real response that the provider has published, with the callee masked.
    const REAL: &str = r#"{"callId":"1779786101083^1779786101083","endDate":"2026-05-26 17:01:51","stateDesc":"用户接听","callee":"185****8980","bStartTime":"2026-05-26 17:01:47","gmtCreate":"2026-05-26 17:01:41","duration":4,"calleeShowNumber":"0571000018363","bRingTime":"2026-05-26 17:01:42","bEndTime":"2026-05-26 17:01:51","state":"200000","startDate":"2026-05-26 17:01:47","hangupDirection":0}"#;

    #[test]
    fn the_published_response_is_read() {
        let d = normalize(REAL).unwrap();
        assert_eq!(d.created_at.unwrap().timestamp(), 1_779_786_101);
        assert_eq!(provider_text(d.started_at.unwrap()), "2026-05-26 17:01:47");
        assert_eq!((d.duration_s, d.billable_minutes()), (Some(4), Some(1)));
        assert_eq!((d.outcome, d.answered, d.is_final), (Outcome::Answered, Some(true), true));
        assert_eq!((d.caller, d.hangup_by), (None, Some(Party::Callee)));
        assert_eq!(d.callee_show_number.as_deref(), Some("0571000018363"));
    }

    #[test]
    fn a_number_may_be_a_string_and_a_string_a_number() {
        let d =
            normalize(r#"{"state":200003,"duration":"0","hangupDirection":"1","startDate":"","new":[1]}"#)
                .unwrap();
        assert_eq!(
            (d.state.as_deref(), d.duration_s, d.hangup_by),
            (Some("200003"), Some(0), Some(Party::Caller))
        );
        assert_eq!((d.outcome, d.answered, d.started_at), (Outcome::NoAnswer, Some(false), None));
    }

    #[test]
    fn unreadable_data_is_malformed() {
        // The provider's own samples have curly quotes and full-width commas.
        for data in [
            "{“caller”:”18767130000”}",
            r#"{"bRingTime":"2026-05-26 17:01:42"，"state":"200000"}"#,
            "[1]",
            "OK",
        ] {
            assert!(normalize(data).is_err(), "{data}");
        }
        for data in
            [r#"{"duration":-1}"#, r#"{"duration":1.5}"#, r#"{"endDate":"yesterday"}"#, r#"{"state":{}}"#]
        {
            assert!(normalize(data).is_err(), "{data}");
        }
    }

    #[test]
    fn a_field_may_occur_twice_only_with_the_same_value() {
        assert!(normalize(r#"{"state":"200000","state":"200000","x":1,"x":2}"#).is_ok());
        let why = normalize(r#"{"state":"200000","state":"200002"}"#).unwrap_err().to_string();
        assert_eq!(why, "the field state of Data occurs twice with different values");
        assert!(normalize(r#"{"duration":null,"duration":4}"#).is_err());
    }

    #[test]
    fn names_of_sibling_operations_are_read() {
        let by_task = normalize(
            r#"{"StartDate":"2026-11-25 10:00:08","EndDate":"2026-11-25 10:00:38","statusCode":"200000",
            "Duration":30,"called":"12510000000","GMT_CREATE":"2026-11-25 10:00:00","tags":""}"#,
        );
        let usual = normalize(
            r#"{"startDate":"2026-11-25 10:00:08","endDate":"2026-11-25 10:00:38","state":"200000",
            "duration":30,"callee":"12510000000","gmtCreate":"2026-11-25 10:00:00"}"#,
        );
        assert_eq!(by_task, usual);
        let callback = normalize(
            r#"{"call_id":"1^1","start_time":"2026-11-25 10:00:08","end_time":"","status_code":"200000",
            "status_msg":"ok","caller_show_num":"1","callee_show_num":"2","b_ring_time":"2026-11-25 10:00:03"}"#,
        )
        .unwrap();
        assert_eq!((callback.call_id.as_deref(), callback.state.as_deref()), (Some("1^1"), Some("200000")));
        assert_eq!((callback.caller_show_number.as_deref(), callback.ended_at), (Some("1"), None));
        assert_eq!(callback.callee_show_number.as_deref(), Some("2"));
        assert!(callback.started_at.is_some() && callback.b_ring_at.is_some());
    }

    #[test]
    fn two_spellings_of_a_field_must_have_the_same_value() {
        assert!(normalize(r#"{"state":"200000","statusCode":"200000"}"#).is_ok());
        for data in [
            r#"{"state":"200000","statusCode":"200003"}"#,
            r#"{"status_code":"200000","state":"200003"}"#,
            r#"{"statusCode":"200000", "StatusCode":"200003"}"#,
        ] {
            let why = normalize(data).unwrap_err().to_string();
            assert_eq!(why, "the field state of Data occurs twice with different values", "{data}");
        }
    }

    #[test]
    fn an_object_without_a_known_field_is_malformed() {
        for data in ["{ }", r#"{"calledParty":"1","stateCode":"200000"}"#, r#"{"state":null}"#] {
            assert_eq!(
                normalize(data).unwrap_err().to_string(),
                "Data has none of the fields of a record",
                "{data}"
            );
        }
    }

    #[test]
    fn values_too_large_for_a_call_are_malformed() {
        for data in [
            r#"{"duration":9223372036854775807}"#,
            r#"{"duration":"31622401"}"#,
            r#"{"endDate":"-262143-01-01 00:00:00"}"#,
            r#"{"endDate":"+262142-12-31 23:59:59"}"#,
            r#"{"callee":1e20}"#,
            r#"{"callee":123456789012345678901234567890}"#,
        ] {
            assert!(normalize(data).is_err(), "{data}");
        }
        let deep = format!(r#"{{"state":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(normalize(&deep).is_err());
        let deep = format!(r#"{{"state":"200000","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(normalize(&deep).unwrap().outcome, Outcome::Answered);
        let fraction = normalize(r#"{"endDate":"2026-05-26 17:01:51.0"}"#).unwrap();
        assert_eq!(provider_text(fraction.ended_at.unwrap()), "2026-05-26 17:01:51");
    }

    #[test]
    fn without_a_state_the_talk_time_decides() {
        let d = normalize(r#"{"duration":4,"bStartTime":"2026-05-26 17:01:47"}"#).unwrap();
        assert_eq!(
            (d.outcome, d.answered, d.is_final, d.state_known),
            (Outcome::Unknown, Some(true), true, true)
        );
        assert_eq!(normalize(r#"{"duration":0,"state":""}"#).unwrap().answered, None);
    }

    #[test]
    fn an_unknown_state_is_final_and_leaves_answered_open() {
        let d = normalize(r#"{"state":"502","duration":0}"#).unwrap();
        assert_eq!((d.outcome, d.answered, d.is_final, d.state_known), (Outcome::Unknown, None, true, false));
        let d = normalize(r#"{"state":"200103"}"#).unwrap();
        assert_eq!((d.outcome, d.is_final), (Outcome::InProgress, false));
    }
}
