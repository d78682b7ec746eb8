//! A text as people see it: phone numbers masked, control characters visible. Every message, error,
//! log line, metric and notification passes it.

use std::borrow::Cow;

use reconcile_core::phone;

/// The text with its phone numbers masked and its control characters visible, on one line.
#[must_use]
pub fn shown(text: &str) -> String {
    escape(&phone::mask_text(text)).into_owned()
}

/// The text with visible control characters, such as `\u{1b}`. So it cannot clear a screen, change
/// the direction of writing or add a line.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, is_control, |c, escaped| match c {
        '\n' => escaped.push_str("\\n"),
        '\r' => escaped.push_str("\\r"),
        '\t' => escaped.push_str("\\t"),
        _ => escaped.extend(c.escape_unicode()),
    })
}

/// JSON in which the control characters that JSON allows are escaped, too. Its values stay equal.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let is_allowed = |c: char| is_control(c) && !c.is_ascii_control() || c == '\u{7f}';
    replace(json, is_allowed, |c, escaped| {
        let mut halves = [0; 2];
        for half in c.encode_utf16(&mut halves) {
            escaped.push_str(&format!("\\u{half:04x}"));
        }
    })
}

/// Control characters, line ends of Unicode, and marks that change the direction of writing.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn replace(text: &str, is_replaced: impl Fn(char) -> bool, add: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut replaced = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_replaced(c) {
            add(c, &mut replaced);
        } else {
            replaced.push(c);
        }
    }
    Cow::Owned(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_visible() {
        assert_eq!(
            escape("a\u{1b}[31m\nb\r\u{9b}1m\u{202e}c\u{2028}"),
            r"a\u{1b}[31m\nb\r\u{9b}1m\u{202e}c\u{2028}"
        );
        assert!(matches!(escape("号码 – é"), Cow::Borrowed(_)));
        assert_eq!(shown("13812345678\u{7}.csv"), r"138****5678\u{7}.csv");
    }

    #[test]
    fn escaped_json_has_the_same_values() {
        let json = serde_json::json!({"a": "\u{9b}1m\u{202e}\u{7f}\n\u{1b}"}).to_string();
        let escaped = escape_json(&json);
        assert!(escaped.is_ascii(), "{escaped}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).ok(),
            serde_json::from_str(&json).ok()
        );
    }
}
