//! From the provider's raw `Data` to a typed [`CallDetail`]. Pure, so that stored answers can be
//! normalized again at no cost.
//!
//! Every field is optional; numbers may come as strings and strings as numbers; unknown fields stay in
//! the raw text. What cannot be read at all is [`Malformed`], with a reason. docs/provider.md lists every form.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use compact_str::{CompactString, ToCompactString};
use memchr::memchr;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::calendar::from_provider_local;
use crate::detail::{CallDetail, Outcome};
use crate::quick_parse::{self, trimmed};
use crate::states::{self, Answered};

/// Why `Data` could not be read; names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// No call lasts longer, in seconds: a year. A duration beyond is no duration.
const LONGEST_CALL_S: i64 = 366 * 86_400;

/// The fields of `Data` that are understood. Names as the provider writes them.
const NAMES: [&str; 17] = [
    "callId",
    "caller",
    "callee",
    "callerShowNumber",
    "calleeShowNumber",
    "gmtCreate",
    "startDate",
    "endDate",
    "aRingTime",
    "aEndTime",
    "bRingTime",
    "bStartTime",
    "bEndTime",
    "duration",
    "state",
    "stateDesc",
    "hangupDirection",
];

/// Where in [`NAMES`] a field is, known when the program is compiled.
const fn at(name: &str) -> usize {
    let mut at = 0;
    while !same(NAMES[at].as_bytes(), name.as_bytes()) {
        at += 1;
    }
    at
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// A value of `Data`, borrowed from it where it can be.
#[derive(Debug, Default, PartialEq)]
enum JsonValue<'a> {
    #[default]
    Null,
    Text(Cow<'a, str>),
    Number(Number),
    /// None that any field may have.
    Other(Value),
}

impl<'de> Deserialize<'de> for JsonValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = JsonValue<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Null)
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Number(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Number(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Other(number.into()))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<JsonValue<'de>, E> {
                Ok(JsonValue::Other(flag.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<JsonValue<'de>, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(seq)).map(JsonValue::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JsonValue<'de>, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(map)).map(JsonValue::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Which of [`NAMES`] a key is.
struct Name(Option<usize>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(NAMES.iter().position(|known| *known == name)))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// Their values, null where there is none.
#[derive(Debug, Default, PartialEq)]
struct Fields<'a> {
    values: [JsonValue<'a>; NAMES.len()],
    /// One that stands there twice, with different values.
    twice: Option<&'static str>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                let mut seen = [false; NAMES.len()];
                while let Some(Name(known)) = map.next_key()? {
                    let Some(i) = known else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let value = map.next_value()?;
                    if seen[i] && fields.values[i] != value {
                        fields.twice = fields.twice.or(Some(NAMES[i]));
                    }
                    (fields.values[i], seen[i]) = (value, true);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The fields of `Data` in the form in which it comes: without white space and escapes, its values texts and whole numbers.
/// `None` where it has another form, or none: that is for serde_json, which takes twice as long, to say.
fn plain(data: &str) -> Option<Fields<'_>> {
    // All at once: many bytes are looked at in one step.
    if data.bytes().fold(false, |found, b| found | (b < b' ') | (b == b'\\')) {
        return None;
    }
    let mut fields = Fields::default();
    let mut rest = data.strip_prefix('{')?;
    loop {
        let (name, after) = quoted(rest)?;
        let after = after.strip_prefix(':')?;
        let (value, after) = match quoted(after) {
            Some((text, after)) => (JsonValue::Text(Cow::Borrowed(text)), after),
            None => plain_number(after)?,
        };
        if let Some(field) = NAMES.iter().position(|known| *known == name) {
            if fields.values[field] != JsonValue::Null {
                return None;
            }
            fields.values[field] = value;
        }
        match after.as_bytes() {
            b"}" => return Some(fields),
            [b',', ..] => rest = &after[1..],
            _ => return None,
        }
    }
}

/// A text in quotes at the beginning, and what follows it.
fn quoted(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix('"')?;
    let end = memchr(b'"', inner.as_bytes())?;
    Some((&inner[..end], &inner[end + 1..]))
}

/// A whole number as JSON writes it, and what follows it.
fn plain_number(rest: &str) -> Option<(JsonValue<'_>, &str)> {
    let end = rest.bytes().position(|b| !b.is_ascii_digit())?;
    let (digits, after) = rest.split_at(end);
    let number = quick_parse::whole_number(digits).filter(|_| digits == "0" || !digits.starts_with('0'))?;
    Some((JsonValue::Number(number.cast_unsigned().into()), after))
}

impl<'a> Fields<'a> {
    fn read(data: &'a str) -> Result<Self, Malformed> {
        if !data.trim_start().starts_with('{') {
            return Err(Malformed("Data is not a JSON object".into()));
        }
        let parse = || serde_json::from_str(data);
        let fields = plain(data).map_or_else(parse, Ok);
        let fields: Self =
            fields.map_err(|e| Malformed(format!("Data is not valid JSON (column {})", e.column())))?;
        if let Some(name) = fields.twice {
            return Err(Malformed(format!(
                "the field {name} of Data stands there twice, with different values"
            )));
        }
        if fields.values.iter().all(|value| *value == JsonValue::Null) {
            return Err(Malformed("Data holds none of the fields of a record".into()));
        }
        Ok(fields)
    }

    fn text(&self, field: usize) -> Result<Option<CompactString>, Malformed> {
        match &self.values[field] {
            JsonValue::Null => Ok(None),
            JsonValue::Text(s) => Ok(Some(trimmed(s)).filter(|s| !s.is_empty()).map(Into::into)),
            JsonValue::Number(n) => Ok(Some(n.to_compact_string())),
            // A number that is not whole, or too long, has lost digits.
            JsonValue::Other(_) => Err(malformed(field, "text")),
        }
    }

    fn seconds(&self, field: usize) -> Result<Option<i64>, Malformed> {
        let read = match &self.values[field] {
            JsonValue::Null => return Ok(None),
            JsonValue::Number(n) => n.as_i64(),
            JsonValue::Text(s) if s.trim().is_empty() => return Ok(None),
            JsonValue::Text(s) => s.trim().parse().ok(),
            JsonValue::Other(_) => None,
        };
        let read = read.filter(|n| (0..=LONGEST_CALL_S).contains(n));
        read.map(Some).ok_or_else(|| malformed(field, "a whole number of seconds"))
    }

    /// `yyyy-MM-dd HH:mm:ss` in UTC+8; empty means none.
    fn time(&self, field: usize) -> Result<Option<DateTime<Utc>>, Malformed> {
        let text = match &self.values[field] {
            JsonValue::Text(text) => Cow::Borrowed(trimmed(text)),
            _ => Cow::Owned(self.text(field)?.map(Into::into).unwrap_or_default()),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let with_fraction = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok();
        let local = quick_parse::local_time(&text).or_else(with_fraction);
        // The service began in 2015; what lies far outside is no time of a call, and beyond what can be calculated with.
        let local = local.filter(|local| (1970..=9999).contains(&local.year()));
        let local = local.ok_or_else(|| malformed(field, "a time like 2026-05-26 17:01:51"))?;
        Ok(Some(from_provider_local(local)))
    }
}

/// Reads `Data`.
///
/// # Errors
///
/// [`Malformed`] when it is no JSON object, holds no field of a record, or a field has a form that no source knows.
pub fn normalize(data: &str) -> Result<CallDetail, Malformed> {
    let f = Fields::read(data)?;
    let (state, duration_s) = (f.text(const { at("state") })?, f.seconds(const { at("duration") })?);
    let (started_at, b_start_at) = (f.time(const { at("startDate") })?, f.time(const { at("bStartTime") })?);
    let talked = duration_s.is_some_and(|s| s > 0) && (started_at.is_some() || b_start_at.is_some());
    let (outcome, is_final, state_known, answered) = judge(state.as_deref(), duration_s, talked);
    Ok(CallDetail {
        call_id: f.text(const { at("callId") })?,
        caller: f.text(const { at("caller") })?,
        callee: f.text(const { at("callee") })?,
        caller_show_number: f.text(const { at("callerShowNumber") })?,
        callee_show_number: f.text(const { at("calleeShowNumber") })?,
        created_at: f.time(const { at("gmtCreate") })?,
        started_at,
        ended_at: f.time(const { at("endDate") })?,
        a_ring_at: f.time(const { at("aRingTime") })?,
        a_end_at: f.time(const { at("aEndTime") })?,
        b_ring_at: f.time(const { at("bRingTime") })?,
        b_start_at,
        b_end_at: f.time(const { at("bEndTime") })?,
        duration_s,
        state,
        state_desc: f.text(const { at("stateDesc") })?,
        outcome,
        answered,
        is_final,
        state_known,
        hangup_by: hangup(&f.values[const { at("hangupDirection") }]),
    })
}

/// What state and talk time say together. A record without a state, or with one in no table, is final:
/// asking again would not teach us the code. Without a state, a start and talk time say that somebody answered; a code
/// in no table may mean anything.
fn judge(state: Option<&str>, duration_s: Option<i64>, talked: bool) -> (Outcome, bool, bool, Option<bool>) {
    let Some(code) = state else { return (Outcome::Unknown, true, true, talked.then_some(true)) };
    let Some(known) = states::find(code) else { return (Outcome::Unknown, true, false, None) };
    let answered = match known.answered {
        Answered::Yes => Some(true),
        Answered::No => Some(false),
        Answered::ByTalkTime => duration_s.map(|s| s > 0),
    };
    (known.outcome, known.is_final, true, answered)
}

fn malformed(field: usize, wanted: &str) -> Malformed {
    Malformed(format!("the field {} of Data is not {wanted}", NAMES[field]))
}

/// 0 is the callee, 1 the caller; other numbers belong to other operations and say nothing here.
fn hangup(value: &JsonValue<'_>) -> Option<&'static str> {
    match value {
        JsonValue::Number(n) if n.as_i64() == Some(0) => Some("callee"),
        JsonValue::Number(n) if n.as_i64() == Some(1) => Some("caller"),
        JsonValue::Text(s) if s == "0" => Some("callee"),
        JsonValue::Text(s) if s == "1" => Some("caller"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::calendar::provider_text;
    use proptest::prelude::*;

    /// What `Data` is made of, and what it must not be.
    const PIECES: [&str; 26] = [
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\"state\":",
        "\"duration\":",
        "\"new\":",
        "\"200000\"",
        "\"是\"",
        "\"\"",
        "0",
        "007",
        "75",
        "-1",
        "1.5",
        "1e3",
        "18446744073709551615",
        "null",
        "true",
        "[1]",
        " ",
        "\n",
        "\\",
        "\"\\u0041\"",
        "\u{7f}",
    ];

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

    proptest! {
        #[test]
        fn the_plain_form_is_read_as_the_library_reads_it(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..14),
            at in 0..REAL.len(), piece in proptest::sample::select(PIECES.to_vec()),
        ) {
            let at = (0..=at).rev().find(|at| REAL.is_char_boundary(*at)).unwrap_or(0);
            let damaged = format!("{}{piece}{}", &REAL[..at], &REAL[at..]);
            for data in [format!("{{{}}}", pieces.concat()), pieces.concat(), damaged] {
                if let Some(fields) = plain(&data) {
                    prop_assert_eq!(&fields, &serde_json::from_str(&data).unwrap(), "{}", data);
                }
            }
            prop_assert!(plain(REAL).is_some());
        }
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
    fn a_field_that_stands_there_twice_must_say_the_same() {
        assert!(normalize(r#"{"state":"200000","state":"200000","x":1,"x":2}"#).is_ok());
        let why = normalize(r#"{"state":"200000","state":"200002"}"#).unwrap_err().to_string();
        assert_eq!(why, "the field state of Data stands there twice, with different values");
        assert!(normalize(r#"{"duration":null,"duration":4}"#).is_err());
    }

    #[test]
    fn an_object_without_a_field_of_a_record_is_no_record() {
        for data in ["{ }", r#"{"called":"1","stateCode":"200000"}"#, r#"{"state":null}"#] {
            assert_eq!(
                normalize(data).unwrap_err().to_string(),
                "Data holds none of the fields of a record",
                "{data}"
            );
        }
    }

    #[test]
    fn values_beyond_all_calls_are_malformed_and_nothing_overflows() {
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
    fn what_has_no_state_is_judged_by_its_talk_time() {
        let d = normalize(r#"{"duration":4,"bStartTime":"2026-05-26 17:01:47"}"#).unwrap();
        assert_eq!(
            (d.outcome, d.answered, d.is_final, d.state_known),
            (Outcome::Unknown, Some(true), true, true)
        );
        assert_eq!(normalize(r#"{"duration":0,"state":""}"#).unwrap().answered, None);
    }

    #[test]
    fn an_unknown_state_is_final_and_not_assumed_answered() {
        let d = normalize(r#"{"state":"502","duration":0}"#).unwrap();
        assert_eq!((d.outcome, d.answered, d.is_final, d.state_known), (Outcome::Unknown, None, true, false));
        let d = normalize(r#"{"state":"200103"}"#).unwrap();
        assert_eq!((d.outcome, d.is_final), (Outcome::InProgress, false));
    }
}
