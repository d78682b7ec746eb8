//! The provider's envelope, in JSON or in XML: which of the two is told by the text, not by what was asked for. Pure.
//!
//! Nothing is assumed of the text: names in either case, any type in any place, a field given twice. What cannot be
//! taken out of its envelope is said and kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{CODE, DATA, Fields, MESSAGE, REQUEST_ID, Value, is_known};
use super::xml;

/// What the provider writes around every answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) code: String,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) data: Value,
    /// A field that is given twice and decides, with different values.
    pub(super) twice: Option<&'static str>,
}

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// An envelope.
    Envelope(Envelope),
    /// It begins and ends as an envelope does, and between the two it breaks the rules of its format.
    Broken,
    /// Something else, or half of an envelope.
    Other,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Reading {
    let text = text.trim();
    let fields = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Json>(text).map(|json| json.0).map_err(|_| ends_as_json(text)),
        Some(b'<') => xml::fields(text),
        _ => Err(false),
    };
    match fields {
        Ok(fields) => Envelope::new(fields).map_or(Reading::Other, Reading::Envelope),
        Err(true) => Reading::Broken,
        Err(false) => Reading::Other,
    }
}

/// Whether a text is the provider's at all: for one that was cut off, its beginning has to do.
pub(super) fn begins(text: &str) -> bool {
    let text = text.trim_start();
    (text.starts_with('{') && names_a_field(text)) || xml::begins(text)
}

fn ends_as_json(text: &str) -> bool {
    text.ends_with('}') && names_a_field(text)
}

fn names_a_field(json: &str) -> bool {
    ["\"Code\"", "\"Data\"", "\"RequestId\""].iter().any(|name| json.contains(name))
}

impl Envelope {
    /// `None` without a code: then it is somebody else's JSON or XML.
    fn new(mut fields: Fields) -> Option<Self> {
        let mut twice = None;
        let mut take = |names: &[&'static str], decides: bool| {
            let name = names.iter().find(|name| fields.iter().any(|(known, _)| known == *name))?;
            let mut values = fields.extract_if(.., |(known, _)| known == name).map(|(_, value)| value);
            let first = values.next()?;
            if values.any(|other| other != first) && decides {
                twice = twice.or(Some(*name));
            }
            Some(first)
        };
        let code =
            take(CODE, true)?.into_text().map(|code| code.trim().to_owned()).filter(|c| !c.is_empty())?;
        let message = take(MESSAGE, false).and_then(Value::into_text);
        let request_id = take(REQUEST_ID, false).and_then(Value::into_text);
        let data = take(DATA, true).unwrap_or(Value::Nothing);
        Some(Self { code, message, request_id, data, twice })
    }
}

/// A JSON object's known fields, each one as often as it comes.
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
                // A raw value is skipped without recursion, however deep it is.
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

fn json_value(raw: &str) -> Value {
    if raw == "null" {
        return Value::Nothing;
    }
    if !raw.starts_with('"') {
        return Value::Text(raw.to_owned());
    }
    serde_json::from_str(raw).map_or_else(
        |_| Value::Unreadable { raw: raw.to_owned(), why: "half of a surrogate pair stands in it" },
        Value::Text,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn envelope(text: &str) -> Envelope {
        match read(text) {
            Reading::Envelope(envelope) => envelope,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn names_may_be_written_small_and_values_may_be_numbers() {
        let read = envelope(r#"{"code":100008.0,"message":"m","requestid":7,"data":null}"#);
        assert_eq!((read.code.as_str(), read.message.as_deref()), ("100008.0", Some("m")));
        assert_eq!((read.request_id.as_deref(), read.data), (Some("7"), Value::Nothing));
    }

    #[test]
    fn the_provider_s_own_spelling_goes_before_another_and_only_what_decides_must_not_differ() {
        let read =
            envelope(r#"{"code":"200","Code":"OK","Message":"a","Message":"b","Data":"x","Data":"x"}"#);
        assert_eq!((read.code.as_str(), read.message.as_deref(), read.twice), ("OK", Some("a"), None));
        assert_eq!(envelope(r#"{"Code":"OK","Data":"x","Data":""}"#).twice, Some("Data"));
        assert_eq!(envelope(r#"{"Code":"OK","Code":"isp.UNKNOWN"}"#).twice, Some("Code"));
    }

    #[test]
    fn half_an_envelope_is_none_and_a_whole_one_that_breaks_the_rules_is_broken() {
        assert_eq!(read(r#"{"Code":"OK","Da"#), Reading::Other);
        // As the provider's own page prints it.
        assert_eq!(read(r#"{"Data":"\{“caller”:”1”\}","Code":"OK"}"#), Reading::Broken);
        assert_eq!(read(r#"{"error": nope}"#), Reading::Other);
        assert_eq!(read(r#"{"Data":"x"}"#), Reading::Other);
        assert_eq!(read("[1]"), Reading::Other);
        assert_eq!(read(""), Reading::Other);
    }

    #[test]
    fn nesting_without_end_is_skipped_without_recursion() {
        let deep =
            format!(r#"{{"Code":"OK","x":{}{},"Data":"d"}}"#, "[".repeat(300_000), "]".repeat(300_000));
        assert_eq!(envelope(&deep).data, Value::Text("d".into()));
    }
}
