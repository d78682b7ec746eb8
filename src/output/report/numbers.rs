//! Numbers as the report shows them, each with its place in the summary.

use std::sync::Arc;

use minijinja::{Error, ErrorKind, Value};
use serde_json::{Number, Value as JsonValue};

use crate::output::lang::Lang;
use crate::texts;
use reconcile_core::decimal::Decimal;

/// How a number is shown.
#[derive(Clone, Copy)]
pub(super) enum NumberStyle {
    Unsigned,
    /// With a sign unless it is 0.
    Signed,
    /// An age in nights.
    Nights(Lang),
}

/// The numbers of the summary, as HTML that names their JSON pointers.
pub(super) struct Numbers(pub(super) Arc<JsonValue>);

impl Numbers {
    /// The number at this pointer.
    pub(super) fn number(&self, pointer: &str, style: NumberStyle) -> Result<Value, Error> {
        let n = self.get(pointer)?;
        let text = match (style, n.as_i64()) {
            (NumberStyle::Signed, Some(n)) => signed(n > 0, &group_thousands(&n)),
            (NumberStyle::Nights(lang), Some(nights)) => texts::age(lang, nights.unsigned_abs()),
            _ => group_thousands(n),
        };
        Ok(Value::from_safe_string(format!("<data value=\"{n}\" data-at=\"{pointer}\">{text}</data>")))
    }

    /// The amount at this pointer, with a sign unless it is 0 if `is_signed`; a dash if it is null.
    pub(super) fn amount(&self, pointer: &str, is_signed: bool) -> Result<Value, Error> {
        let text = match self.0.pointer(pointer) {
            Some(JsonValue::String(text)) => text,
            Some(JsonValue::Null) => return Ok(Value::from("–")),
            _ => return Err(missing("amount", pointer)),
        };
        // A sum may be larger than an amount can be. It is shown with all its places.
        let (is_positive, short) = match Decimal::parse(text) {
            Ok(amount) => (amount > Decimal::ZERO, amount.short()),
            Err(_) => (!text.starts_with('-'), text.clone()),
        };
        let short = signed(is_signed && is_positive, &group_thousands(&short));
        Ok(Value::from_safe_string(format!("<data value=\"{text}\" data-at=\"{pointer}\">{short}</data>")))
    }

    /// The seconds at this pointer as minutes with one decimal, without a sign if `unsigned`.
    pub(super) fn minutes(&self, pointer: &str, unsigned: bool) -> Result<Value, Error> {
        let minutes = format!("{:.1}", self.get(pointer)?.as_f64().unwrap_or(0.0) / 60.0);
        let minutes = if minutes == "-0.0" { "0.0".to_owned() } else { minutes };
        let is_positive = !unsigned && minutes != "0.0" && !minutes.starts_with('-');
        let text = signed(is_positive, &group_thousands(&minutes));
        Ok(Value::from_safe_string(format!(
            "<data value=\"{minutes}\" data-at=\"{pointer}\" data-unit=\"min\">{text}</data>"
        )))
    }

    /// The number at `pointer` in percent of the one at `of`, or of the sum of the numbers there.
    pub(super) fn share(&self, pointer: &str, of: &str) -> Result<Value, Error> {
        let n = self.get(pointer)?.as_f64().unwrap_or(0.0);
        let whole = match self.0.pointer(of) {
            Some(JsonValue::Object(parts)) => parts.values().filter_map(JsonValue::as_f64).sum(),
            _ => self.get(of)?.as_f64().unwrap_or(0.0),
        };
        if whole == 0.0 {
            return Ok(Value::from("–"));
        }
        let share = format!("{:.1}", 100.0 * n / whole);
        Ok(Value::from_safe_string(format!(
            "<data value=\"{share}\" data-at=\"{pointer}\" data-of=\"{of}\">{share}%</data>"
        )))
    }

    fn get(&self, pointer: &str) -> Result<&Number, Error> {
        match self.0.pointer(pointer) {
            Some(JsonValue::Number(n)) => Ok(n),
            _ => Err(missing("number", pointer)),
        }
    }
}

fn missing(what: &str, pointer: &str) -> Error {
    Error::new(ErrorKind::UndefinedError, format!("the summary has no {what} at {pointer}"))
}

/// The text with a `+` if the number is positive, and with a real minus sign.
fn signed(is_positive: bool, text: &str) -> String {
    if is_positive { format!("+{text}") } else { text.replace('-', "\u{2212}") }
}

/// `1234567` as `1,234,567`.
pub(super) fn group_thousands(n: &impl ToString) -> String {
    let text = n.to_string();
    let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (digits, String::new()),
    };
    let mut grouped = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (n, grouped) in [("7", "7"), ("1000", "1,000"), ("-1234567", "-1,234,567"), ("1234.5", "1,234.5")]
        {
            assert_eq!(group_thousands(&n), grouped);
        }
    }
}
