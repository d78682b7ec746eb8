//! Parses single values of a ledger: CallIds, products, phone numbers, times, yes or no, seconds.
//!
//! Pure. A value is read exactly or not at all. An [`InvalidValue`] says what is wrong and what to
//! do. Its reason never quotes the value. Full-width characters are read as their ASCII
//! equivalents, except in a CallId, which stays untouched.

use std::borrow::Cow;

use compact_str::CompactString;

use crate::data_fields::LONGEST_CALL_S;
use crate::ledger_times::{ParsedTime, parse_common_form, parse_time};
use crate::product::ProductId;
use crate::quick_parse::{self, is_digits};
use crate::row_problem::{CallIdProblem, RowProblem};

/// Longest CallId in bytes; the provider's own have fewer than 50.
const MAX_CALL_ID: usize = 256;

/// Why a value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    /// Name of the field; empty if the problem is the row as a whole.
    pub field: &'static str,
    /// The column, from 0, if the value belongs to no field.
    pub column: Option<usize>,
    /// What was expected, in a few words.
    pub expected: Option<CompactString>,
    /// The text as found.
    pub found: CompactString,
    /// What is wrong and what to do.
    pub reason: RowProblem,
}

impl InvalidValue {
    /// An invalid value of a field, with the text as found.
    #[must_use]
    pub fn new(field: &'static str, found: &str, reason: RowProblem) -> Self {
        Self { field, column: None, expected: None, found: found.into(), reason }
    }

    /// Sets what was expected.
    #[must_use]
    pub fn expecting(mut self, expected: impl Into<CompactString>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// The ASCII equivalent of a full-width character or a special space; any other character as is.
pub fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        _ => c,
    }
}

/// True for byte order marks, marks of writing direction and zero-width spaces. They come from web
/// pages, address books and joined files.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{ad}')
}

/// Marks that make a spreadsheet treat a value as text.
const TEXT_MARKS: [char; 7] = ['\'', '`', '\u{b4}', '\u{2018}', '\u{2019}', '\u{ff07}', '\u{ff40}'];

/// A value without what is no part of it: white space and control characters around it, and the
/// marks that make a spreadsheet treat it as text, such as `="0571"`, `'0571`, `` `0571 ``.
pub fn bare(text: &str) -> &str {
    match text.as_bytes() {
        // Nearly all values.
        [first, .., last] if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => text,
        [only] if only.is_ascii_alphanumeric() => text,
        _ => without_marks(text),
    }
}

fn without_marks(text: &str) -> &str {
    let around = |c: char| c.is_whitespace() || c.is_control();
    let text = text.trim_matches(around);
    let quoted = text.strip_prefix('=').unwrap_or(text);
    let quoted = quoted.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    let text = quoted.unwrap_or(text).trim_matches(around);
    let Some(marked) = text.strip_prefix(TEXT_MARKS) else { return text };
    marked.strip_suffix(TEXT_MARKS).unwrap_or(marked).trim_matches(around)
}

/// A value with ASCII for full-width characters and without invisible characters.
fn cleaned(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let text: String = text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect();
    Cow::Owned(bare(&text).to_owned())
}

/// A whole number that a program wrote as `20.0`, without its fraction; any other text as it is.
fn whole(text: &str) -> &str {
    let Some((number, fraction)) = text.split_once('.') else { return text };
    let is_zero = !fraction.is_empty() && fraction.bytes().all(|b| b == b'0');
    let digits = number.strip_prefix('+').unwrap_or(number);
    if is_zero && is_digits(digits) { number } else { text }
}

/// True for the words that databases and programs write for a missing value.
pub fn is_null(text: &str) -> bool {
    matches!(text, "\\N" | "NULL" | "null" | "(null)" | "NaN" | "nan" | "NaT" | "None" | "<NA>" | "#N/A")
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
    InvalidValue::new(field, text, RowProblem::ScientificNotation)
}

/// Checks a CallId that is trimmed and not empty.
///
/// # Errors
/// It is damaged, or no CallId.
pub fn check_call_id(text: &str) -> Result<(), InvalidValue> {
    let invalid = |reason| Err(InvalidValue::new("call_id", text, reason));
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
        return invalid(RowProblem::CallId(CallIdProblem::ControlCharacter));
    }
    if text.len() > MAX_CALL_ID {
        return invalid(RowProblem::CallId(CallIdProblem::Long { limit: MAX_CALL_ID }));
    }
    if text.ends_with('0') && whole(text) != text {
        return invalid(RowProblem::CallId(CallIdProblem::Decimal));
    }
    if !text.is_ascii() && text.chars().any(|c| narrow(c) != c || c == '\u{2c6}') {
        return invalid(RowProblem::CallId(CallIdProblem::FullWidth));
    }
    if !text.is_ascii() && text.chars().any(is_invisible) {
        return invalid(RowProblem::CallId(CallIdProblem::Invisible));
    }
    let has_mark = text.starts_with(TEXT_MARKS) || text.ends_with(TEXT_MARKS);
    if has_mark || text.contains(['"', '`']) || text.starts_with('=') {
        return invalid(RowProblem::CallId(CallIdProblem::Quoted));
    }
    if text.starts_with('^') || text.ends_with('^') {
        return invalid(RowProblem::CallId(CallIdProblem::Half));
    }
    Ok(())
}

/// True for a CallId of at least twelve digits and nothing else. The provider's CallIds have a `^`
/// between two numbers. An export may have dropped it.
pub fn may_lack_caret(call_id: &str) -> bool {
    call_id.len() >= 12 && is_digits(call_id)
}

/// Number of digits that a spreadsheet keeps of a number.
pub const KEPT_DIGITS: usize = 15;

/// True for a CallId of digits alone, with only zeros after those that a spreadsheet keeps.
pub fn may_lack_digits(call_id: &str) -> bool {
    let may = call_id.ends_with('0') && has_more_digits(call_id);
    may && call_id.bytes().skip(KEPT_DIGITS).all(|digit| digit == b'0')
}

/// True for a CallId of digits alone, with more than a spreadsheet keeps.
pub fn has_more_digits(call_id: &str) -> bool {
    call_id.len() > KEPT_DIGITS && is_digits(call_id)
}

/// Parses the id or the name of a product.
///
/// # Errors
/// The text is no product.
pub fn product(text: &str) -> Result<ProductId, InvalidValue> {
    if let Some(product) = ProductId::parse(text) {
        return Ok(product);
    }
    let (field, value) = ("prod_id", cleaned(text));
    if let Some(product) = ProductId::parse(whole(&value)) {
        return Ok(product);
    }
    if is_scientific(&value) {
        return Err(changed_by_spreadsheet(field, text).expecting("a product"));
    }
    Err(InvalidValue::new(field, text, RowProblem::UnknownProduct).expecting("a product"))
}

/// Reads a phone number or a code as text. Only scientific notation is an error.
///
/// # Errors
/// A spreadsheet changed the value.
pub fn number_text(field: &'static str, text: &str) -> Result<CompactString, InvalidValue> {
    if is_digits(text) {
        return Ok(text.into());
    }
    let value = cleaned(text);
    if is_scientific(&value) { Err(changed_by_spreadsheet(field, text)) } else { Ok(whole(&value).into()) }
}

/// Parses yes or no, in the words of docs/contract.md.
///
/// # Errors
/// The text is neither.
pub fn yes_or_no(field: &'static str, text: &str) -> Result<bool, InvalidValue> {
    let known = |word: &str| match word {
        "true" | "1" | "yes" | "y" | "是" => Some(true),
        "false" | "0" | "no" | "n" | "否" => Some(false),
        _ => None,
    };
    known(text)
        .or_else(|| known(&whole(&cleaned(text)).to_ascii_lowercase()))
        .ok_or_else(|| InvalidValue::new(field, text, RowProblem::NotYesOrNo).expecting("true or false"))
}

/// Parses a non-negative number of whole seconds, at most as many as a year has.
///
/// # Errors
/// The text is no whole number, negative, or longer than any call.
pub fn seconds(field: &'static str, text: &str) -> Result<i64, InvalidValue> {
    let is_plausible = |number: &i64| *number <= LONGEST_CALL_S;
    if let Some(number) = quick_parse::whole_number(text).filter(is_plausible) {
        return Ok(number);
    }
    let value = cleaned(text);
    let number = quick_parse::whole_number(whole(&value));
    let problem = match number {
        Some(number) if is_plausible(&number) => return Ok(number),
        Some(_) => RowProblem::TooManySeconds,
        None if is_scientific(&value) => {
            return Err(changed_by_spreadsheet(field, text).expecting("whole seconds"));
        }
        None => RowProblem::NotSeconds,
    };
    Err(InvalidValue::new(field, text, problem).expecting("whole seconds"))
}

/// Parses a point in time or a day.
///
/// # Errors
/// The text is neither.
pub fn time(field: &'static str, text: &str) -> Result<ParsedTime, InvalidValue> {
    if let Some(parsed) = parse_common_form(text) {
        return Ok(parsed);
    }
    let value = cleaned(text);
    if is_scientific(&value) {
        return Err(changed_by_spreadsheet(field, text).expecting("a time"));
    }
    parse_time(whole(&value))
        .map_err(|problem| InvalidValue::new(field, text, RowProblem::Time(problem)).expecting("a time"))
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
            assert!(invalid.reason.to_string().contains("spreadsheet"), "{invalid:?}");
            assert!(!invalid.reason.to_string().contains(invalid.found.as_str()), "{invalid:?}");
        }
        assert_eq!(check_call_id("123e456"), Ok(()));
        assert_eq!(check_call_id("116012854210^10281427"), Ok(()));
    }

    #[test]
    fn a_call_id_has_at_most_256_bytes_and_no_control_character() {
        assert_eq!(check_call_id(&"x".repeat(256)), Ok(()));
        assert!(check_call_id(&"x".repeat(257)).unwrap_err().reason.to_string().contains("256 bytes"));
        assert!(check_call_id("a\nb").unwrap_err().reason.to_string().contains("control character"));
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
            ("`116^102", "quotes"),
            ("116^102`", "quotes"),
            ("\u{2018}116^102", "quotes"),
            ("\u{1f}116^102", "control character"),
            ("116^102\u{7f}", "control character"),
            ("116014888060.0", "decimal point"),
        ] {
            assert!(check_call_id(text).unwrap_err().reason.to_string().contains(word), "{text}");
        }
        assert_eq!(check_call_id("呼叫-7"), Ok(()));
        assert!(may_lack_caret("116014888060102816313060") && !may_lack_caret("116014888060^102816313060"));
    }

    #[test]
    fn full_width_characters_are_read_as_ascii() {
        assert_eq!(number_text("caller", "＋８６ １３８－１２").as_deref(), Ok("+86 138-12"));
        assert_eq!(seconds("duration_s", "７５"), Ok(75));
        assert_eq!(yes_or_no("answered", "ＹＥＳ"), Ok(true));
        assert_eq!(product("１１００００００３００００６").unwrap().0, 11_000_000_300_006);
        let at = |text| time("called_at", text).unwrap().time.provider_text();
        assert_eq!(at("２０２６／１１／１\u{3000}９：０５"), "2026-11-01 09:05:00");
    }

    #[test]
    fn what_is_around_a_value_is_no_part_of_it() {
        for text in [
            "0571",
            "=\"0571\"",
            "\"0571\"",
            "'0571",
            "`0571",
            "`0571`",
            "'0571'",
            "\u{2018}0571",
            "\u{ff40}0571",
            "\u{1f}0571",
            "0571\u{1f}",
            "\u{0}0571\u{7f}\u{85}",
            "\t0571",
            "=\"\t0571\"",
            "\u{1f}'0571",
            " ' 0571 ",
        ] {
            assert_eq!(bare(text), "0571", "{text:?}");
        }
        for empty in ["", "'", "`", "=\"\"", "\u{1f}", "''", " ", "\u{1f}\u{1e}"] {
            assert_eq!(bare(empty), "", "{empty:?}");
        }
        for text in ["a\"b", "+86 138", "-", "a`b", "=1", "(010)"] {
            assert_eq!(bare(text), text);
        }
    }

    #[test]
    fn a_whole_number_with_a_fraction_of_zero_is_that_number() {
        assert_eq!(seconds("duration_s", "20.0"), Ok(20));
        assert_eq!(seconds("duration_s", "20.000000"), Ok(20));
        assert_eq!(seconds("duration_s", "２０．０"), Ok(20));
        assert_eq!(product("11000000300006.0").unwrap().0, 11_000_000_300_006);
        assert_eq!(number_text("state", "200000.0").as_deref(), Ok("200000"));
        assert_eq!(number_text("callee", "12510000000.0").as_deref(), Ok("12510000000"));
        assert_eq!(number_text("callee", "1.0.0.0").as_deref(), Ok("1.0.0.0"));
        assert_eq!(number_text("callee", "138.5").as_deref(), Ok("138.5"));
        assert_eq!((yes_or_no("answered", "1.0"), yes_or_no("answered", "0.0")), (Ok(true), Ok(false)));
        let at = |text| time("called_at", text).unwrap().time.provider_text();
        assert_eq!(at("1671552000000.0"), "2022-12-21 00:00:00");
        assert_eq!((at("20221221.0"), at("45962.0")), ("2022-12-21".into(), "2025-11-01".into()));
    }

    #[test]
    fn digits_that_a_spreadsheet_dropped_are_noticed() {
        for call_id in ["116014888060102000", "116014888060102000000000", "1160148880601020"] {
            assert!(may_lack_digits(call_id), "{call_id}");
        }
        for call_id in ["116014888060102001", "116014888060000", "116014888060102^000", "116014888060^102000"]
        {
            assert!(!may_lack_digits(call_id), "{call_id}");
        }
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
        let longest = LONGEST_CALL_S.to_string();
        assert_eq!(seconds("duration_s", &longest), Ok(LONGEST_CALL_S));
        for text in ["31622401", "31622401.0", "1795786142201400000", "9223372036854775807"] {
            let problem = seconds("duration_s", text).unwrap_err().reason;
            assert!(problem.to_string().contains("more seconds than a year has"), "{text}");
        }
        assert_eq!(seconds("duration_s", "0"), Ok(0));
        assert_eq!(seconds("duration_s", "075"), Ok(75));
        for text in ["12.5", "12.", ".0", "-1", "-1.0", "+1", "1:15", "99999999999999999999"] {
            assert!(
                seconds("duration_s", text).unwrap_err().reason.to_string().contains("whole seconds"),
                "{text}"
            );
        }
    }
}
