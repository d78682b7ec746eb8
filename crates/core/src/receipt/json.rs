//! Reads a receipt from a JSON object.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::builder::ReceiptBuilder;
use super::field::InputName;
use super::problem::ReceiptProblem;
use super::value::Receipt;
use crate::data_fields::JsonValue;

/// Floats below this are exact whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Receipt {
    /// Reads a JSON object. Values may be texts or numbers, and names may have any spelling.
    ///
    /// # Errors
    ///
    /// The text is no JSON object, or no usable receipt.
    pub fn from_json(json: &[u8]) -> Result<Self, ReceiptProblem> {
        let text = std::str::from_utf8(json).map_err(|_| ReceiptProblem::NotText)?;
        if !text.trim_start().starts_with('{') {
            let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
            return Err(if is_json { ReceiptProblem::NotAnObject } else { ReceiptProblem::NotJson });
        }
        let Object(builder) = serde_json::from_str(text).map_err(|_| ReceiptProblem::NotJson)?;
        builder?.finish()
    }
}

/// What the names and values of an object give. The first problem counts.
struct Object(Result<ReceiptBuilder, ReceiptProblem>);

/// A name in an object.
struct Name(InputName);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(InputName::of(name)))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let (mut builder, mut problem) = (ReceiptBuilder::default(), None);
                while let Some(Name(name)) = map.next_key()? {
                    if name == InputName::Unused || problem.is_some() {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    problem = add(&mut builder, name, &map.next_value()?).err();
                }
                Ok(Object(problem.map_or(Ok(builder), Err)))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

fn add(builder: &mut ReceiptBuilder, name: InputName, value: &JsonValue<'_>) -> Result<(), ReceiptProblem> {
    match value {
        JsonValue::Null => Ok(()),
        JsonValue::Text(text) => builder.add(name, text),
        JsonValue::Number(number) => builder.add(name, &number.to_string()),
        JsonValue::Other(value) => match (name, exact(value)) {
            (_, Some(number)) => builder.add(name, &number),
            (InputName::Field(field), None) => Err(ReceiptProblem::NotAValue(field)),
            (InputName::OtherMessage, None) => builder.add(name, "other"),
            (InputName::RingTime | InputName::Unused, None) => Ok(()),
        },
    }
}

/// The text of a float that is a whole number.
fn exact(value: &Value) -> Option<String> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT)?;
    Some(format!("{number:.0}"))
}
