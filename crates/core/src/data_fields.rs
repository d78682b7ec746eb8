//! Reads the JSON of the provider's `Data` into the values of the known fields.

use std::borrow::Cow;
use std::fmt;

use compact_str::{CompactString, ToCompactString};
use memchr::memchr;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::quick_parse::{trimmed, whole_number};

/// Why `Data` cannot be read. The text may name a field, but never contains its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// The longest possible duration in seconds: a year.
pub(crate) const LONGEST_CALL_S: i64 = 366 * 86_400;

/// The number of the known fields.
const KNOWN: usize = 17;

/// The known fields of `Data`, and a search among them.
macro_rules! known_fields {
    ($($name:literal)*) => {
        /// The known fields of `Data`, with the provider's names.
        const NAMES: [&str; KNOWN] = [$($name),*];

        /// The index in [`NAMES`] of this very name.
        ///
        /// The compiler knows the names here, so it compares whole words. A search in the list
        /// would call a function for each name of the same length.
        #[inline]
        fn index_of_name(name: &str) -> Option<usize> {
            match name {
                $($name => Some(const { Field::named($name).0 }),)*
                _ => None,
            }
        }
    };
}

known_fields! {
    "callId" "caller" "callee" "callerShowNumber" "calleeShowNumber" "gmtCreate" "startDate" "endDate"
    "aRingTime" "aEndTime" "bRingTime" "bStartTime" "bEndTime" "duration" "state" "stateDesc"
    "hangupDirection"
}

/// The names of the same fields in records of the provider's other operations and callbacks, as
/// [`is_same_name`] compares them.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("called", "callee"),
    ("callerShowNum", "callerShowNumber"),
    ("calleeShowNum", "calleeShowNumber"),
    ("calledShowNumber", "calleeShowNumber"),
    ("startTime", "startDate"),
    ("endTime", "endDate"),
    ("statusCode", "state"),
    ("statusMsg", "stateDesc"),
];

/// The index in [`NAMES`] of a field with this name in any spelling; `None` for an unknown field.
#[inline]
fn index_of(name: &str) -> Option<usize> {
    index_of_name(name).or_else(|| index_of_other_spelling(name))
}

/// The same for a spelling that `Data` of the usual form does not have.
#[cold]
fn index_of_other_spelling(name: &str) -> Option<usize> {
    let other = OTHER_NAMES.iter().find(|(other, _)| is_same_name(other, name));
    let known = other.map_or(name, |(_, known)| known);
    NAMES.iter().position(|field| is_same_name(field, known))
}

/// True if two names are equal without their case and `_`.
fn is_same_name(a: &str, b: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase())
    }
    letters(a).eq(letters(b))
}

/// One of the known fields of `Data`.
#[derive(Clone, Copy)]
pub(crate) struct Field(usize);

impl Field {
    /// The field with this name. Only for constants: an unknown name does not compile.
    pub(crate) const fn named(name: &str) -> Self {
        let mut at = 0;
        while !is_same(NAMES[at].as_bytes(), name.as_bytes()) {
            at += 1;
        }
        Self(at)
    }

    /// The error for a field that does not have the form `wanted`.
    pub(crate) fn is_not(self, wanted: &str) -> Malformed {
        Malformed(format!("the field {} of Data is not {wanted}", NAMES[self.0]))
    }
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// A value in `Data`, borrowed from it if possible.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum JsonValue<'a> {
    #[default]
    Null,
    Text(Cow<'a, str>),
    Number(Number),
    /// A value that no field may have.
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

/// A field name: its index in [`NAMES`], or `None` for an unknown field.
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
                Ok(Name(index_of(name)))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// The values of the known fields. A missing field is null.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fields<'a> {
    values: [JsonValue<'a>; KNOWN],
    /// The first field that occurs twice with different values.
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
                let mut seen = [false; KNOWN];
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

/// Reads `Data` in its usual form into empty fields: no white space, no escapes, and only texts and
/// whole numbers.
///
/// `None` for every other form, valid or not. serde_json reads those and takes twice the time.
fn read_usual_form<'a>(data: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    // Without an early exit this loop is vectorized.
    if data.bytes().fold(false, |found, b| found | (b < b' ') | (b == b'\\')) {
        return None;
    }
    let mut rest = data.strip_prefix('{')?;
    loop {
        let (name, after) = quoted(rest)?;
        let after = after.strip_prefix(':')?;
        let (value, after) = match quoted(after) {
            Some((text, after)) => (JsonValue::Text(Cow::Borrowed(text)), after),
            None => number(after)?,
        };
        if let Some(field) = index_of(name) {
            if fields.values[field] != JsonValue::Null {
                return None;
            }
            fields.values[field] = value;
        }
        match after.as_bytes() {
            b"}" => return Some(()),
            [b',', ..] => rest = &after[1..],
            _ => return None,
        }
    }
}

/// The text in quotes at the beginning, and the rest.
fn quoted(rest: &str) -> Option<(&str, &str)> {
    let inner = rest.strip_prefix('"')?;
    let end = memchr(b'"', inner.as_bytes())?;
    Some((&inner[..end], &inner[end + 1..]))
}

/// The whole number at the beginning, in JSON's form, and the rest.
fn number(rest: &str) -> Option<(JsonValue<'_>, &str)> {
    let end = rest.bytes().position(|b| !b.is_ascii_digit())?;
    let (digits, after) = rest.split_at(end);
    let number = whole_number(digits).filter(|_| digits == "0" || !digits.starts_with('0'))?;
    Some((JsonValue::Number(number.cast_unsigned().into()), after))
}

impl<'a> Fields<'a> {
    /// Reads the known fields of `Data`.
    ///
    /// # Errors
    ///
    /// `Data` is not a JSON object, has a field twice with different values, or has no known field.
    pub(crate) fn read(data: &'a str) -> Result<Self, Malformed> {
        if !data.trim_start().starts_with('{') {
            return Err(Malformed("Data is not a JSON object".into()));
        }
        let mut fields = Self::default();
        if read_usual_form(data, &mut fields).is_none() {
            let invalid = |e: serde_json::Error| format!("Data is not valid JSON (column {})", e.column());
            fields = serde_json::from_str(data).map_err(|e| Malformed(invalid(e)))?;
        }
        if let Some(name) = fields.twice {
            return Err(Malformed(format!("the field {name} of Data occurs twice with different values")));
        }
        if fields.values.iter().all(|value| *value == JsonValue::Null) {
            return Err(Malformed("Data has none of the fields of a record".into()));
        }
        Ok(fields)
    }

    /// The value of a field.
    #[inline]
    pub(crate) fn value(&self, field: Field) -> &JsonValue<'a> {
        &self.values[field.0]
    }

    /// The text of a field, trimmed; `None` if it is missing or empty.
    pub(crate) fn text(&self, field: Field) -> Result<Option<CompactString>, Malformed> {
        match self.value(field) {
            JsonValue::Null => Ok(None),
            JsonValue::Text(s) => Ok(Some(trimmed(s)).filter(|s| !s.is_empty()).map(Into::into)),
            JsonValue::Number(n) => Ok(Some(n.to_compact_string())),
            // A fraction, or a number so long that digits are lost.
            JsonValue::Other(_) => Err(field.is_not("text")),
        }
    }

    /// The duration of a field in seconds; `None` if it is missing or empty.
    pub(crate) fn seconds(&self, field: Field) -> Result<Option<i64>, Malformed> {
        let seconds = match self.value(field) {
            JsonValue::Null => return Ok(None),
            JsonValue::Number(n) => n.as_i64(),
            JsonValue::Text(s) if s.trim().is_empty() => return Ok(None),
            JsonValue::Text(s) => s.trim().parse().ok(),
            JsonValue::Other(_) => None,
        };
        let seconds = seconds.filter(|n| (0..=LONGEST_CALL_S).contains(n));
        seconds.map(Some).ok_or_else(|| field.is_not("a whole number of seconds"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Pieces of JSON, valid and invalid in `Data`.
    const PIECES: [&str; 28] = [
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\"state\":",
        "\"Status_Code\":",
        "\"DURATION\":",
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

    const RECORD: &str = r#"{"callId":"1779786101083^1779786101083","endDate":"2026-05-26 17:01:51","stateDesc":"用户接听","duration":4,"state":"200000","hangupDirection":0}"#;

    proptest! {
        #[test]
        fn the_usual_form_is_read_as_serde_json_reads_it(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..14),
            at in 0..RECORD.len(), piece in proptest::sample::select(PIECES.to_vec()),
        ) {
            let at = (0..=at).rev().find(|at| RECORD.is_char_boundary(*at)).unwrap_or(0);
            let damaged = format!("{}{piece}{}", &RECORD[..at], &RECORD[at..]);
            for data in [format!("{{{}}}", pieces.concat()), pieces.concat(), damaged] {
                let mut fields = Fields::default();
                if read_usual_form(&data, &mut fields).is_some() {
                    prop_assert_eq!(&fields, &serde_json::from_str(&data).unwrap(), "{}", data);
                }
            }
            prop_assert!(read_usual_form(RECORD, &mut Fields::default()).is_some());
        }
    }
}
