//! Reads the envelope of an answer: the JSON or XML around `Data`. Pure.
//!
//! The text decides between JSON and XML, not the requested format. Names may be in either case,
//! values may have any type, and fields may be given twice. A value that cannot be decoded is kept
//! as its source text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{CODE, DATA, FieldValue, Fields, MESSAGE, NotEnvelope, REQUEST_ID, is_known};
use super::xml;

/// The fields around every answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) code: String,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) data: FieldValue,
    /// `Code` or `Data`, if the answer has it twice with different values.
    pub(super) contradictory: Option<&'static str>,
}

/// Reads a text as an envelope.
pub(super) fn read(text: &str) -> Result<Envelope, NotEnvelope> {
    let text = text.trim();
    let fields = match text.as_bytes().first() {
        Some(b'{') => json_fields(text)?,
        Some(b'<') => xml::fields(text)?,
        _ => return Err(NotEnvelope::Other),
    };
    Envelope::new(fields).ok_or(NotEnvelope::Other)
}

/// True if a text begins like an envelope. Used for a text that was cut off.
pub(super) fn begins(text: &str) -> bool {
    let text = text.trim_start();
    (text.starts_with('{') && names_a_field(text)) || xml::begins(text)
}

fn json_fields(text: &str) -> Result<Fields, NotEnvelope> {
    serde_json::from_str::<Json>(text).map(|json| json.0).map_err(|_| {
        let whole = text.ends_with('}') && names_a_field(text);
        if whole { NotEnvelope::Invalid } else { NotEnvelope::Other }
    })
}

fn names_a_field(json: &str) -> bool {
    ["\"Code\"", "\"Data\"", "\"RequestId\""].iter().any(|name| json.contains(name))
}

impl Envelope {
    /// `None` if there is no code: the JSON or XML is not the provider's.
    fn new(mut fields: Fields) -> Option<Self> {
        let mut contradictory = None;
        let mut take = |names: &[&'static str], decides: bool| {
            let name = names.iter().find(|name| fields.iter().any(|(known, _)| known == *name))?;
            let mut values = fields.extract_if(.., |(known, _)| known == name).map(|(_, value)| value);
            let first = values.next()?;
            if values.any(|other| other != first) && decides {
                contradictory = contradictory.or(Some(*name));
            }
            Some(first)
        };
        let code =
            take(CODE, true)?.into_text().map(|code| code.trim().to_owned()).filter(|c| !c.is_empty())?;
        let message = take(MESSAGE, false).and_then(FieldValue::into_text);
        let request_id = take(REQUEST_ID, false).and_then(FieldValue::into_text);
        let data = take(DATA, true).unwrap_or(FieldValue::Nothing);
        Some(Self { code, message, request_id, data, contradictory })
    }
}

/// The known fields of a JSON object. A repeated field is listed each time.
struct Json(Fields);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut fields = Fields::new();
                // A raw value is skipped without recursion, at any depth.
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if is_known(&name) {
                        fields.push((name, json_value(value.get())));
                    }
                }
                Ok(Json(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn json_value(raw: &str) -> FieldValue {
    if raw == "null" {
        return FieldValue::Nothing;
    }
    if !raw.starts_with('"') {
        return FieldValue::Text(raw.to_owned());
    }
    serde_json::from_str(raw).map_or_else(
        |_| FieldValue::Unreadable { raw: raw.to_owned(), why: "it contains half of a surrogate pair" },
        FieldValue::Text,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn envelope(text: &str) -> Envelope {
        read(text).unwrap()
    }

    #[test]
    fn names_may_be_in_lower_case_and_values_may_be_numbers() {
        let read = envelope(r#"{"code":100008.0,"message":"m","requestid":7,"data":null}"#);
        assert_eq!((read.code.as_str(), read.message.as_deref()), ("100008.0", Some("m")));
        assert_eq!((read.request_id.as_deref(), read.data), (Some("7"), FieldValue::Nothing));
    }

    #[test]
    fn only_code_and_data_must_not_contradict_themselves() {
        let read =
            envelope(r#"{"code":"200","Code":"OK","Message":"a","Message":"b","Data":"x","Data":"x"}"#);
        assert_eq!(
            (read.code.as_str(), read.message.as_deref(), read.contradictory),
            ("OK", Some("a"), None)
        );
        assert_eq!(envelope(r#"{"Code":"OK","Data":"x","Data":""}"#).contradictory, Some("Data"));
        assert_eq!(envelope(r#"{"Code":"OK","Code":"isp.UNKNOWN"}"#).contradictory, Some("Code"));
    }

    #[test]
    fn an_invalid_envelope_differs_from_half_of_one() {
        assert_eq!(read(r#"{"Code":"OK","Da"#), Err(NotEnvelope::Other));
        // As the provider's own page prints it.
        assert_eq!(read(r#"{"Data":"\{“caller”:”1”\}","Code":"OK"}"#), Err(NotEnvelope::Invalid));
        assert_eq!(read(r#"{"error": nope}"#), Err(NotEnvelope::Other));
        assert_eq!(read(r#"{"Data":"x"}"#), Err(NotEnvelope::Other));
        assert_eq!(read("[1]"), Err(NotEnvelope::Other));
        assert_eq!(read(""), Err(NotEnvelope::Other));
    }

    #[test]
    fn deep_nesting_is_skipped_without_recursion() {
        let deep =
            format!(r#"{{"Code":"OK","x":{}{},"Data":"d"}}"#, "[".repeat(300_000), "]".repeat(300_000));
        assert_eq!(envelope(&deep).data, FieldValue::Text("d".into()));
    }
}
