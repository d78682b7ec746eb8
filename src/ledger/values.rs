//! Reads one value of a ledger: identifiers, products, times, yes or no, seconds.
//!
//! Pure. Promises that a value is read exactly or not at all: a [`Fault`] says what is wrong and what to
//! do, and quotes nothing of the value, which it keeps aside as it was found. Full-width characters are read as
//! what they stand for, but not in a CallId, which has to be untouched.

use std::borrow::Cow;

use chrono::{DateTime, Datelike as _, NaiveDate};
use compact_str::CompactString;

use super::times;
use reconcile_core::calendar::day_of;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse::{self, is_digits};

/// The longest CallId in bytes; the provider's own have fewer than 50.
const MAX_CALL_ID: usize = 256;

/// Why a value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The contract's name of the field; empty when the row as a whole is at fault.
    pub(super) field: &'static str,
    /// The column, from 0, where it is not the field's.
    pub(super) column: Option<usize>,
    /// What was wanted.
    pub(super) expected: Option<CompactString>,
    /// The text as found.
    pub(super) found: CompactString,
    /// What is wrong and what to do.
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(field: &'static str, found: &str, reason: impl Into<String>) -> Self {
        Self { field, column: None, expected: None, found: found.into(), reason: reason.into() }
    }

    pub(super) fn wanted(mut self, expected: impl Into<CompactString>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// A full-width character as what it stands for.
pub(super) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        _ => c,
    }
}

/// What nobody sees: marks of byte order and of writing direction, spaces without width. They come with what is copied
/// from web pages and address books, and with files that were joined.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{ad}')
}

/// A value without full-width and invisible characters, and without what makes a spreadsheet take it for text: `="0571"`, `'0571`.
fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix("=\"").and_then(|inner| inner.strip_suffix('"')).unwrap_or(text);
    let text = text.strip_prefix('\'').unwrap_or(text);
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let text: String = text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect();
    Cow::Owned(text.trim().to_owned())
}

/// A number as spreadsheets show long ones: `1.16E+11`.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    is_digits(whole.strip_prefix(['+', '-']).unwrap_or(whole))
        && is_digits(fraction)
        && is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn spreadsheet(field: &'static str, text: &str) -> Fault {
    let reason = "a spreadsheet has turned this number into scientific notation and dropped digits; \
                  export the column as text from the system it came from";
    Fault::new(field, text, reason)
}

/// A CallId, of text already trimmed and not empty.
pub(super) fn call_id(text: &str) -> Result<(), Fault> {
    let fault = |reason: &str| Err(Fault::new("call_id", text, reason));
    // All bytes are looked at, so that it can be done many at a time.
    let numbers = text.bytes().fold(true, |all, b| all & (b.is_ascii_digit() | (b == b'^')));
    if numbers && text.len() <= MAX_CALL_ID && !text.starts_with('^') && !text.ends_with('^') {
        // The provider's own form: nothing of the below can be wrong with it.
        return Ok(());
    }
    // A hexadecimal identifier may happen to read as `123e456`; a spreadsheet writes a sign.
    if text.contains(['+', '.', ',']) && is_scientific(text) {
        return Err(spreadsheet("call_id", text));
    }
    if text.chars().any(char::is_control) {
        return fault("the CallId contains a control character or a line break; correct the ledger");
    }
    if text.len() > MAX_CALL_ID {
        return fault(&format!("the CallId is longer than {MAX_CALL_ID} bytes; is this the right column?"));
    }
    if !text.is_ascii() && text.chars().any(|c| narrow(c) != c || c == '\u{2c6}') {
        return fault(
            "the CallId has full-width characters where the provider's has digits and `^`; export it anew from \
             the system it came from",
        );
    }
    if !text.is_ascii() && text.chars().any(is_invisible) {
        return fault(
            "the CallId has an invisible character in it, such as a byte order mark; type it anew, or export it from \
             the system it came from",
        );
    }
    if text.contains('"') || text.starts_with(['\'', '=']) {
        return fault("the CallId has quotes or a formula of a spreadsheet around it; leave only the CallId");
    }
    if text.starts_with('^') || text.ends_with('^') {
        return fault(
            "half of the CallId is missing: it was split at its `^`; put both halves back into one column",
        );
    }
    Ok(())
}

/// Digits alone, where the provider's CallIds have a `^` between two numbers. It may have been lost; nobody can say.
pub(super) fn has_lost_caret(call_id: &str) -> bool {
    call_id.len() >= 12 && is_digits(call_id)
}

/// A product by number or name.
pub(super) fn product(text: &str) -> Result<ProductId, Fault> {
    let (field, value) = ("prod_id", plain(text));
    if let Some(product) = ProductId::parse(&value) {
        return Ok(product);
    }
    if is_scientific(&value) {
        return Err(spreadsheet(field, text).wanted("a product"));
    }
    let names: Vec<&str> = reconcile_core::product::PRODUCTS.iter().map(|(_, name)| *name).collect();
    let reason = format!("not a product; give its number or one of {}", names.join(", "));
    Err(Fault::new(field, text, reason).wanted("a product"))
}

/// A number that someone calls or is called by, or a code, as text. Only what a spreadsheet has spoilt is refused.
pub(super) fn number(field: &'static str, text: &str) -> Result<CompactString, Fault> {
    if is_digits(text) {
        return Ok(text.into());
    }
    let value = plain(text);
    if is_scientific(&value) { Err(spreadsheet(field, text)) } else { Ok(value.into()) }
}

/// Yes or no, in the contract's words.
pub(super) fn yes_or_no(field: &'static str, text: &str) -> Result<bool, Fault> {
    let known = |word: &str| match word {
        "true" | "1" | "yes" | "y" | "是" => Some(true),
        "false" | "0" | "no" | "n" | "否" => Some(false),
        _ => None,
    };
    known(text).or_else(|| known(&plain(text).to_ascii_lowercase())).ok_or_else(|| {
        let reason = "neither yes nor no; write true or false, 1 or 0, yes or no, 是 or 否";
        Fault::new(field, text, reason).wanted("true or false")
    })
}

/// Whole seconds, not negative.
pub(super) fn seconds(field: &'static str, text: &str) -> Result<i64, Fault> {
    let value = plain(text);
    let number = quick_parse::whole_number(&value);
    if number.is_none() && is_scientific(&value) {
        return Err(spreadsheet(field, text).wanted("whole seconds"));
    }
    number.ok_or_else(|| {
        let reason = "not a number of whole seconds; write digits only, such as 75";
        Fault::new(field, text, reason).wanted("whole seconds")
    })
}

/// A point in time or a day.
pub(super) fn time(field: &'static str, text: &str) -> Result<times::Read, Fault> {
    if let Some(read) = times::plain(text) {
        return Ok(read);
    }
    let value = plain(text);
    if is_scientific(&value) {
        return Err(spreadsheet(field, text).wanted("a time"));
    }
    times::read(&value).map_err(|trouble| Fault::new(field, text, trouble.reason()).wanted("a time"))
}

/// The day that a CallId says itself: its part before `^`, when that is 13 digits and Unix milliseconds
/// of the years 2015 to 2100.
pub(super) fn day_in_call_id(call_id: &str) -> Option<NaiveDate> {
    let (front, _) = call_id.split_once('^')?;
    let digits = front.len() == 13 && front.bytes().all(|b| b.is_ascii_digit());
    let instant = DateTime::from_timestamp_millis(front.parse().ok().filter(|_| digits)?)?;
    Some(day_of(instant)).filter(|day| (2015..=2100).contains(&day.year()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn scientific_notation_names_the_spreadsheet() {
        for fault in [
            call_id("1.16E+11").unwrap_err(),
            product("1.1E+13").unwrap_err(),
            product("1,1e+13").unwrap_err(),
            number("caller", "1.38E+10").unwrap_err(),
            seconds("duration_s", "1E+2").unwrap_err(),
            time("called_at", "1.67155E+12").unwrap_err(),
            product("１.１Ｅ＋１３").unwrap_err(),
        ] {
            assert!(fault.reason.contains("spreadsheet"), "{fault:?}");
            assert!(!fault.reason.contains(fault.found.as_str()), "{fault:?}");
        }
        assert_eq!(call_id("123e456"), Ok(()));
        assert_eq!(call_id("116012854210^10281427"), Ok(()));
    }

    #[test]
    fn a_call_id_is_at_most_256_bytes_without_control_characters() {
        assert_eq!(call_id(&"x".repeat(256)), Ok(()));
        assert!(call_id(&"x".repeat(257)).unwrap_err().reason.contains("256 bytes"));
        assert!(call_id("a\nb").unwrap_err().reason.contains("control character"));
    }

    #[test]
    fn a_damaged_call_id_is_named() {
        for (text, word) in [
            ("116014888060＾102816313060", "full-width"),
            ("１１６^102", "full-width"),
            ("116014888060^", "half"),
            ("^102816313060", "half"),
            ("'116^102", "quotes"),
            ("=\"116^102\"", "quotes"),
            ("a\"b", "quotes"),
        ] {
            assert!(call_id(text).unwrap_err().reason.contains(word), "{text}");
        }
        assert_eq!(call_id("呼叫-7"), Ok(()));
        assert!(has_lost_caret("116014888060102816313060") && !has_lost_caret("116014888060^102816313060"));
    }

    #[test]
    fn full_width_characters_are_read_as_what_they_stand_for() {
        assert_eq!(number("caller", "＋８６ １３８－１２").as_deref(), Ok("+86 138-12"));
        assert_eq!(number("caller", "=\"0571\"").as_deref(), Ok("0571"));
        assert_eq!(number("caller", "'0571").as_deref(), Ok("0571"));
        assert_eq!(seconds("duration_s", "７５"), Ok(75));
        assert_eq!(yes_or_no("answered", "ＹＥＳ"), Ok(true));
        assert_eq!(product("１１００００００３００００６").unwrap().0, 11_000_000_300_006);
        let at = |text| time("called_at", text).unwrap().time.provider_text();
        assert_eq!(at("２０２６／１１／１\u{3000}９：０５"), "2026-11-01 09:05:00");
    }

    #[test]
    fn yes_and_no_are_read_in_the_words_of_the_contract_only() {
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

    #[test]
    fn only_thirteen_digits_before_the_caret_say_a_day() {
        let day = |text| day_in_call_id(text).map(|day| day.to_string());
        assert_eq!(day("1671552000000^123").as_deref(), Some("2022-12-21"));
        assert_eq!(day("1671551999999^123").as_deref(), Some("2022-12-20"));
        assert_eq!(day("1671552000000"), None);
        assert_eq!(day("116012854210^123"), None);
        assert_eq!(day("1400000000000^123"), None);
        assert_eq!(day("+671552000000^123"), None);
    }
}
