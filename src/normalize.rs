//! From the provider's raw `Data` to a typed [`CallDetail`]. Pure, so that stored answers can be
//! normalized again at no cost.
//!
//! Every field is optional; numbers may come as strings and strings as numbers; unknown fields stay in
//! the raw text. What cannot be read at all is [`Malformed`], with a reason.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::call::from_provider_local;
use crate::detail::{CallDetail, Outcome};
use crate::provider::states::{self, Answered};

/// Why `Data` could not be read; names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// The fields of `Data` that are understood. Names as the provider writes them.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    call_id: Value,
    caller: Value,
    callee: Value,
    caller_show_number: Value,
    callee_show_number: Value,
    gmt_create: Value,
    start_date: Value,
    end_date: Value,
    a_ring_time: Value,
    a_end_time: Value,
    b_ring_time: Value,
    b_start_time: Value,
    b_end_time: Value,
    duration: Value,
    state: Value,
    state_desc: Value,
    hangup_direction: Value,
}

/// Reads `Data`.
///
/// # Errors
///
/// [`Malformed`] when it is no JSON object, or a field has a form that no source knows.
pub fn normalize(data: &str) -> Result<CallDetail, Malformed> {
    // serde would also read the fields from an array, in order; the provider never means that.
    if !data.trim_start().starts_with('{') {
        return Err(Malformed("Data is not a JSON object".into()));
    }
    let f: Fields = serde_json::from_str(data)
        .map_err(|e| Malformed(format!("Data is not valid JSON (column {})", e.column())))?;
    let state = text(&f.state, "state")?;
    let duration_s = whole(&f.duration, "duration")?;
    let (outcome, is_final, state_known, answered) = judge(state.as_deref(), duration_s);
    Ok(CallDetail {
        call_id: text(&f.call_id, "callId")?,
        caller: text(&f.caller, "caller")?,
        callee: text(&f.callee, "callee")?,
        caller_show_number: text(&f.caller_show_number, "callerShowNumber")?,
        callee_show_number: text(&f.callee_show_number, "calleeShowNumber")?,
        created_at: time(&f.gmt_create, "gmtCreate")?,
        started_at: time(&f.start_date, "startDate")?,
        ended_at: time(&f.end_date, "endDate")?,
        a_ring_at: time(&f.a_ring_time, "aRingTime")?,
        a_end_at: time(&f.a_end_time, "aEndTime")?,
        b_ring_at: time(&f.b_ring_time, "bRingTime")?,
        b_start_at: time(&f.b_start_time, "bStartTime")?,
        b_end_at: time(&f.b_end_time, "bEndTime")?,
        duration_s,
        state,
        state_desc: text(&f.state_desc, "stateDesc")?,
        outcome,
        answered,
        is_final,
        state_known,
        hangup_by: hangup(&f.hangup_direction),
    })
}

/// What state and talk time say together. A record without a state, or with one in no table, is final:
/// asking again would not teach us the code.
fn judge(state: Option<&str>, duration_s: Option<i64>) -> (Outcome, bool, bool, Option<bool>) {
    let Some(known) = state.and_then(states::find) else {
        return (Outcome::Unknown, true, state.is_none(), None);
    };
    let answered = match known.answered {
        Answered::Yes => Some(true),
        Answered::No => Some(false),
        Answered::ByTalkTime => duration_s.map(|s| s > 0),
    };
    (known.outcome, known.is_final, true, answered)
}

fn malformed(field: &str, wanted: &str) -> Malformed {
    Malformed(format!("the field {field} of Data is not {wanted}"))
}

fn text(value: &Value, field: &str) -> Result<Option<String>, Malformed> {
    match value {
        Value::Null => Ok(None),
        Value::String(s) => Ok(Some(s.trim()).filter(|s| !s.is_empty()).map(str::to_owned)),
        Value::Number(n) => Ok(Some(n.to_string())),
        _ => Err(malformed(field, "text")),
    }
}

fn whole(value: &Value, field: &str) -> Result<Option<i64>, Malformed> {
    let read = match value {
        Value::Null => return Ok(None),
        Value::Number(n) => n.as_i64(),
        Value::String(s) if s.trim().is_empty() => return Ok(None),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    };
    read.filter(|n| *n >= 0).map(Some).ok_or_else(|| malformed(field, "a whole number of seconds"))
}

/// `yyyy-MM-dd HH:mm:ss` in UTC+8; empty means none.
fn time(value: &Value, field: &str) -> Result<Option<DateTime<Utc>>, Malformed> {
    let Some(text) = text(value, field)? else { return Ok(None) };
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S")
        .map(|local| Some(from_provider_local(local)))
        .map_err(|_| malformed(field, "a time like 2026-05-26 17:01:51"))
}

/// 0 is the callee, 1 the caller; other numbers belong to other operations and say nothing here.
fn hangup(value: &Value) -> Option<&'static str> {
    match value {
        Value::Number(n) if n.as_i64() == Some(0) => Some("callee"),
        Value::Number(n) if n.as_i64() == Some(1) => Some("caller"),
        Value::String(s) if s == "0" => Some("callee"),
        Value::String(s) if s == "1" => Some("caller"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::provider_text;

    /// The provider's one published real response (the callee is masked there).
    const REAL: &str = r#"{"callId":"1779786101083^1779786101083","endDate":"2026-05-26 17:01:51","stateDesc":"用户接听","callee":"185****8980","bStartTime":"2026-05-26 17:01:47","gmtCreate":"2026-05-26 17:01:41","duration":4,"calleeShowNumber":"0571000018363","bRingTime":"2026-05-26 17:01:42","bEndTime":"2026-05-26 17:01:51","state":"200000","startDate":"2026-05-26 17:01:47","hangupDirection":0}"#;

    #[test]
    fn the_real_response_is_read_whole() {
        let d = normalize(REAL).unwrap();
        assert_eq!(d.created_at.unwrap().timestamp(), 1_779_786_101);
        assert_eq!(provider_text(d.started_at.unwrap()), "2026-05-26 17:01:47");
        assert_eq!((d.duration_s, d.billable_minutes()), (Some(4), Some(1)));
        assert_eq!((d.outcome, d.answered, d.is_final), (Outcome::Answered, Some(true), true));
        assert_eq!((d.caller, d.hangup_by), (None, Some("callee")));
        assert_eq!(d.callee_show_number.as_deref(), Some("0571000018363"));
    }

    #[test]
    fn numbers_may_be_strings_and_strings_numbers() {
        let d =
            normalize(r#"{"state":200003,"duration":"0","hangupDirection":"1","startDate":"","new":[1]}"#)
                .unwrap();
        assert_eq!(
            (d.state.as_deref(), d.duration_s, d.hangup_by),
            (Some("200003"), Some(0), Some("caller"))
        );
        assert_eq!((d.outcome, d.answered, d.started_at), (Outcome::NoAnswer, Some(false), None));
    }

    #[test]
    fn the_providers_own_samples_with_curly_quotes_are_malformed() {
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
    fn an_unknown_state_is_final_and_not_assumed_answered() {
        let d = normalize(r#"{"state":"502","duration":0}"#).unwrap();
        assert_eq!((d.outcome, d.answered, d.is_final, d.state_known), (Outcome::Unknown, None, true, false));
        let d = normalize(r#"{"state":"200103"}"#).unwrap();
        assert_eq!((d.outcome, d.is_final), (Outcome::InProgress, false));
    }
}
