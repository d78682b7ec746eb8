//! Parses single values of a ledger: CallIds, products, phone numbers, times, yes or no, seconds.
//!
//! Pure. A value is read exactly or not at all. An [`InvalidValue`] says what is wrong and what to
//! do. Its reason never quotes the value. Full-width characters are read as their ASCII
//! equivalents, except in a CallId, which stays untouched.

use std::borrow::Cow;

use compact_str::CompactString;

use super::times::{ParsedTime, parse_common_form, parse_time};
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse::{self, is_digits};

/// Longest CallId in bytes; the provider's own have fewer than 50.
const MAX_CALL_ID: usize = 256;

/// Why a value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InvalidValue {
    /// Name of the field; empty if the problem is the row as a whole.
    pub(super) field: &'static str,
    /// The column, from 0, if the value belongs to no field.
    pub(super) column: Option<usize>,
    /// What was expected, in a few words.
    pub(super) expected: Option<CompactString>,
    /// The text as found.
    pub(super) found: CompactString,
    /// What is wrong and what to do.
    pub(super) reason: String,
}

impl InvalidValue {
    pub(super) fn new(field: &'static str, found: &str, reason: impl Into<String>) -> Self {
        Self { field, column: None, expected: None, found: found.into(), reason: reason.into() }
    }

    pub(super) fn expecting(mut self, expected: impl Into<CompactString>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// The ASCII equivalent of a full-width character or a special space; any other character as is.
pub(super) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        _ => c,
    }
}

/// True for byte order marks, marks of writing direction and zero-width spaces. They come from web
/// pages, address books and joined files.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{ad}')
}

/// A value with ASCII for full-width characters and without invisible characters. The marks that
/// make a spreadsheet treat it as text are removed: `="0571"`, `'0571`.
fn cleaned(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix("=\"").and_then(|inner| inner.strip_suffix('"')).unwrap_or(text);
    let text = text.strip_prefix('\'').unwrap_or(text);
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let text: String = text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect();
    Cow::Owned(text.trim().to_owned())
}

/// True for a number such as `1.16E+11`: spreadsheets write long numbers in this notation.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    is_digits(whole.strip_prefix(['+', '-']).unwrap_or(whole))
        && is_digits(fraction)
        && is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn changed_by_spreadsheet(field: &'static str, text: &str) -> InvalidValue {
    let reason = "a spreadsheet changed this number to scientific notation and dropped digits; \
                  export the column as text from the original system";
    InvalidValue::new(field, text, reason)
}

/// Checks a CallId that is trimmed and not empty.
pub(super) fn check_call_id(text: &str) -> Result<(), InvalidValue> {
    let invalid = |reason: &str| Err(InvalidValue::new("call_id", text, reason));
    // Without an early exit, the compiler checks many bytes at a time.
    let numbers = text.bytes().fold(true, |all, b| all & (b.is_ascii_digit() | (b == b'^')));
    if numbers && text.len() <= MAX_CALL_ID && !text.starts_with('^') && !text.ends_with('^') {
        // The provider's own form; no check below can fail.
        return Ok(());
    }
    // A hexadecimal identifier may look like `123e456`; a spreadsheet always writes a sign.
    if text.contains(['+', '.', ',']) && is_scientific(text) {
        return Err(changed_by_spreadsheet("call_id", text));
    }
    if text.chars().any(char::is_control) {
        return invalid("the CallId contains a control character or a line break; remove it");
    }
    if text.len() > MAX_CALL_ID {
        return invalid(&format!(
            "the CallId is longer than {MAX_CALL_ID} bytes; check that its column holds CallIds"
        ));
    }
    if !text.is_ascii() && text.chars().any(|c| narrow(c) != c || c == '\u{2c6}') {
        return invalid(
            "the CallId contains full-width characters instead of digits and `^`; export it again from the \
             original system",
        );
    }
    if !text.is_ascii() && text.chars().any(is_invisible) {
        return invalid(
            "the CallId contains an invisible character, such as a byte order mark; type it again, or export \
             it again from the original system",
        );
    }
    if text.contains('"') || text.starts_with(['\'', '=']) {
        return invalid("the CallId contains quotes or a spreadsheet formula; write only the CallId");
    }
    if text.starts_with('^') || text.ends_with('^') {
        return invalid(
            "half of the CallId is missing, because it was split at its `^`; put both halves into one column",
        );
    }
    Ok(())
}

/// True for a CallId of at least twelve digits and nothing else. The provider's CallIds have a `^`
/// between two numbers. An export may have dropped it.
pub(super) fn may_lack_caret(call_id: &str) -> bool {
    call_id.len() >= 12 && is_digits(call_id)
}

/// Parses the id or the name of a product.
pub(super) fn product(text: &str) -> Result<ProductId, InvalidValue> {
    let (field, value) = ("prod_id", cleaned(text));
    if let Some(product) = ProductId::parse(&value) {
        return Ok(product);
    }
    if is_scientific(&value) {
        return Err(changed_by_spreadsheet(field, text).expecting("a product"));
    }
    let names: Vec<&str> = reconcile_core::product::PRODUCTS.iter().map(|(_, name)| *name).collect();
    let reason = format!("not a product; write its number or one of {}", names.join(", "));
    Err(InvalidValue::new(field, text, reason).expecting("a product"))
}

/// Reads a phone number or a code as text. Only scientific notation is an error.
pub(super) fn number_text(field: &'static str, text: &str) -> Result<CompactString, InvalidValue> {
    if is_digits(text) {
        return Ok(text.into());
    }
    let value = cleaned(text);
    if is_scientific(&value) { Err(changed_by_spreadsheet(field, text)) } else { Ok(value.into()) }
}

/// Parses yes or no, in the words of docs/contract.md.
pub(super) fn yes_or_no(field: &'static str, text: &str) -> Result<bool, InvalidValue> {
    let known = |word: &str| match word {
        "true" | "1" | "yes" | "y" | "是" => Some(true),
        "false" | "0" | "no" | "n" | "否" => Some(false),
        _ => None,
    };
    known(text).or_else(|| known(&cleaned(text).to_ascii_lowercase())).ok_or_else(|| {
        let reason = "neither yes nor no; write true or false, 1 or 0, yes or no, 是 or 否";
        InvalidValue::new(field, text, reason).expecting("true or false")
    })
}

/// Parses a non-negative number of whole seconds.
pub(super) fn seconds(field: &'static str, text: &str) -> Result<i64, InvalidValue> {
    let value = cleaned(text);
    let number = quick_parse::whole_number(&value);
    if number.is_none() && is_scientific(&value) {
        return Err(changed_by_spreadsheet(field, text).expecting("whole seconds"));
    }
    number.ok_or_else(|| {
        let reason = "not a number of whole seconds; write only digits, such as 75";
        InvalidValue::new(field, text, reason).expecting("whole seconds")
    })
}

/// Parses a point in time or a day.
pub(super) fn time(field: &'static str, text: &str) -> Result<ParsedTime, InvalidValue> {
    if let Some(parsed) = parse_common_form(text) {
        return Ok(parsed);
    }
    let value = cleaned(text);
    if is_scientific(&value) {
        return Err(changed_by_spreadsheet(field, text).expecting("a time"));
    }
    parse_time(&value).map_err(|error| InvalidValue::new(field, text, error.reason()).expecting("a time"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn scientific_notation_is_blamed_on_the_spreadsheet() {
        for invalid in [
            check_call_id("1.16E+11").unwrap_err(),
            product("1.1E+13").unwrap_err(),
            product("1,1e+13").unwrap_err(),
            number_text("caller", "1.38E+10").unwrap_err(),
            seconds("duration_s", "1E+2").unwrap_err(),
            time("called_at", "1.67155E+12").unwrap_err(),
            product("１.１Ｅ＋１３").unwrap_err(),
        ] {
            assert!(invalid.reason.contains("spreadsheet"), "{invalid:?}");
            assert!(!invalid.reason.contains(invalid.found.as_str()), "{invalid:?}");
        }
        assert_eq!(check_call_id("123e456"), Ok(()));
        assert_eq!(check_call_id("116012854210^10281427"), Ok(()));
    }

    #[test]
    fn a_call_id_has_at_most_256_bytes_and_no_control_character() {
        assert_eq!(check_call_id(&"x".repeat(256)), Ok(()));
        assert!(check_call_id(&"x".repeat(257)).unwrap_err().reason.contains("256 bytes"));
        assert!(check_call_id("a\nb").unwrap_err().reason.contains("control character"));
    }

    #[test]
    fn a_damaged_call_id_is_an_error() {
        for (text, word) in [
            ("116014888060＾102816313060", "full-width"),
            ("１１６^102", "full-width"),
            ("116014888060^", "half"),
            ("^102816313060", "half"),
            ("'116^102", "quotes"),
            ("=\"116^102\"", "quotes"),
            ("a\"b", "quotes"),
        ] {
            assert!(check_call_id(text).unwrap_err().reason.contains(word), "{text}");
        }
        assert_eq!(check_call_id("呼叫-7"), Ok(()));
        assert!(may_lack_caret("116014888060102816313060") && !may_lack_caret("116014888060^102816313060"));
    }

    #[test]
    fn full_width_characters_are_read_as_ascii() {
        assert_eq!(number_text("caller", "＋８６ １３８－１２").as_deref(), Ok("+86 138-12"));
        assert_eq!(number_text("caller", "=\"0571\"").as_deref(), Ok("0571"));
        assert_eq!(number_text("caller", "'0571").as_deref(), Ok("0571"));
        assert_eq!(seconds("duration_s", "７５"), Ok(75));
        assert_eq!(yes_or_no("answered", "ＹＥＳ"), Ok(true));
        assert_eq!(product("１１００００００３００００６").unwrap().0, 11_000_000_300_006);
        let at = |text| time("called_at", text).unwrap().time.provider_text();
        assert_eq!(at("２０２６／１１／１\u{3000}９：０５"), "2026-11-01 09:05:00");
    }

    #[test]
    fn yes_and_no_have_only_the_words_of_the_contract() {
        for text in ["true", "1", "YES", "y", "是"] {
            assert_eq!(yes_or_no("answered", text), Ok(true), "{text}");
        }
        for text in ["False", "0", "no", "N", "否"] {
            assert_eq!(yes_or_no("answered", text), Ok(false), "{text}");
        }
        assert_eq!(yes_or_no("answered", "maybe").unwrap_err().expected.as_deref(), Some("true or false"));
    }

    #[test]
    fn seconds_are_digits_only() {
        assert_eq!(seconds("duration_s", "0"), Ok(0));
        assert_eq!(seconds("duration_s", "075"), Ok(75));
        for text in ["12.0", "-1", "+1", "1:15", "99999999999999999999"] {
            assert!(seconds("duration_s", text).unwrap_err().reason.contains("whole seconds"), "{text}");
        }
    }
}
