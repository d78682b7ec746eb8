//! Reads one value of a ledger: identifiers, products, times, yes or no, seconds.
//!
//! Pure. Promises that a value is read exactly or not at all: a [`Fault`] says what is wrong and what to
//! do, and quotes nothing of the value, which it keeps aside as it was found.

use crate::call::{LedgerTime, ProductId, day_of, from_provider_local};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};

/// The longest CallId in bytes; the provider's own have fewer than 50.
const MAX_CALL_ID: usize = 256;

/// Numbers below this are Unix seconds (until the year 5138), from it on milliseconds (since 1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Why a value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The contract's name of the field; empty when the row as a whole is at fault.
    pub(super) field: &'static str,
    /// What was wanted.
    pub(super) expected: Option<String>,
    /// The text as found.
    pub(super) found: String,
    /// What is wrong and what to do.
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(field: &'static str, found: &str, reason: impl Into<String>) -> Self {
        Self { field, expected: None, found: found.to_owned(), reason: reason.into() }
    }

    pub(super) fn wanted(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// A number as spreadsheets show long ones: `1.16E+11`.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole.strip_prefix(['+', '-']).unwrap_or(whole))
        && digits(fraction)
        && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn spreadsheet(field: &'static str, text: &str) -> Fault {
    let reason = "a spreadsheet has turned this number into scientific notation and dropped digits; \
                  export the column as text from the system it came from";
    Fault::new(field, text, reason)
}

/// A CallId, of text already trimmed and not empty.
pub(super) fn call_id(text: &str) -> Result<(), Fault> {
    let field = "call_id";
    // A hexadecimal identifier may happen to read as `123e456`; a spreadsheet writes a sign.
    if is_scientific(text) && text.contains(['+', '.', ',']) {
        return Err(spreadsheet(field, text));
    }
    if text.chars().any(char::is_control) {
        let reason = "the CallId contains a control character or a line break; correct the ledger";
        return Err(Fault::new(field, text, reason));
    }
    if text.len() > MAX_CALL_ID {
        let reason = format!("the CallId is longer than {MAX_CALL_ID} bytes; is this the right column?");
        return Err(Fault::new(field, text, reason));
    }
    Ok(())
}

/// A product by number or name.
pub(super) fn product(text: &str) -> Result<ProductId, Fault> {
    let field = "prod_id";
    if is_scientific(text) {
        return Err(spreadsheet(field, text).wanted("a product"));
    }
    ProductId::parse(text).ok_or_else(|| {
        let names: Vec<&str> = crate::call::PRODUCTS.iter().map(|(_, name)| *name).collect();
        let reason = format!("not a product; give its number or one of {}", names.join(", "));
        Fault::new(field, text, reason).wanted("a product")
    })
}

/// A number that someone calls or is called by, as text. Only what a spreadsheet has spoilt is refused.
pub(super) fn number(field: &'static str, text: &str) -> Result<String, Fault> {
    if is_scientific(text) { Err(spreadsheet(field, text)) } else { Ok(text.to_owned()) }
}

/// Yes or no, in the contract's words.
pub(super) fn yes_or_no(field: &'static str, text: &str) -> Result<bool, Fault> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "是" => Ok(true),
        "false" | "0" | "no" | "n" | "否" => Ok(false),
        _ => {
            let reason = "neither yes nor no; write true or false, 1 or 0, yes or no, 是 or 否";
            Err(Fault::new(field, text, reason).wanted("true or false"))
        }
    }
}

/// Whole seconds, not negative.
pub(super) fn seconds(field: &'static str, text: &str) -> Result<i64, Fault> {
    if is_scientific(text) {
        return Err(spreadsheet(field, text).wanted("whole seconds"));
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let reason = "not a number of whole seconds; write digits only, such as 75";
        Fault::new(field, text, reason).wanted("whole seconds")
    })
}

/// A point in time, floored to whole seconds (the provider knows no finer), or a day.
pub(super) fn time(field: &'static str, text: &str) -> Result<LedgerTime, Fault> {
    if is_scientific(text) {
        return Err(spreadsheet(field, text).wanted("a time"));
    }
    let time = if text.bytes().all(|b| b.is_ascii_digit()) { unix(text) } else { written(text) };
    let Some(time) = time else {
        let reason = "not a time; write YYYY-MM-DD or YYYY-MM-DD HH:MM:SS (UTC+8), RFC 3339, or Unix seconds \
                      or milliseconds";
        return Err(Fault::new(field, text, reason).wanted("a time"));
    };
    if !(2000..=2100).contains(&time.day().year()) {
        let reason = format!(
            "read as {}, which is outside the years 2000 to 2100; write YYYY-MM-DD HH:MM:SS (UTC+8), or Unix \
             seconds or milliseconds",
            time.day()
        );
        return Err(Fault::new(field, text, reason).wanted("a time"));
    }
    Ok(time)
}

fn unix(text: &str) -> Option<LedgerTime> {
    let number: i64 = text.parse().ok()?;
    let seconds = if number < MILLISECONDS_FROM { number } else { number.div_euclid(1000) };
    DateTime::from_timestamp(seconds, 0).map(LedgerTime::Instant)
}

fn written(text: &str) -> Option<LedgerTime> {
    let whole = |time: DateTime<Utc>| DateTime::from_timestamp(time.timestamp(), 0).map(LedgerTime::Instant);
    // chrono alone would read years of any length and months of one digit.
    let bytes = text.as_bytes();
    let shape =
        |(at, byte): (usize, &u8)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    if bytes.len() < 10 || !bytes[..10].iter().enumerate().all(shape) {
        return None;
    }
    if bytes.len() == 10 {
        return NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(LedgerTime::Day);
    }
    if !matches!(bytes[10], b' ' | b'T' | b't') {
        return None;
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return whole(time.to_utc());
    }
    // The eleventh byte is ASCII, so both cuts lie between characters.
    let local = format!("{} {}", &text[..10], &text[11..]);
    ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&local, form).ok())
        .and_then(|local| whole(from_provider_local(local)))
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

    fn read(text: &str) -> String {
        match time("called_at", text) {
            Ok(time @ LedgerTime::Instant(_)) => time.text(),
            Ok(LedgerTime::Day(day)) => format!("day {day}"),
            Err(fault) => {
                assert_eq!(fault.found, text);
                format!("! {}", fault.reason)
            }
        }
    }

    #[test]
    fn every_form_of_time_is_read_to_the_second_in_utc_plus_8() {
        for (text, wanted) in [
            ("1671552000000", "2022-12-21 00:00:00"),
            ("1671552000999", "2022-12-21 00:00:00"),
            ("1671552000", "2022-12-21 00:00:00"),
            ("2022-12-20T16:00:00Z", "2022-12-21 00:00:00"),
            ("2022-12-21T00:00:00.75+08:00", "2022-12-21 00:00:00"),
            ("2022-12-21", "day 2022-12-21"),
            ("2022-12-21 09:05", "2022-12-21 09:05:00"),
            ("2022-12-21T09:05", "2022-12-21 09:05:00"),
            ("2022-12-21 09:05:07", "2022-12-21 09:05:07"),
            ("2022-12-21T09:05:07.999", "2022-12-21 09:05:07"),
            ("2000-01-01", "day 2000-01-01"),
            ("2100-12-31 23:59:59", "2100-12-31 23:59:59"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_reason() {
        for text in [
            "yesterday",
            "2022-13-01",
            "2022-02-29",
            "2022-1-2",
            "21.12.2022",
            "2022/12/21",
            "2022-12-21 24:00",
            "2022-12-21 ",
            "2022-12-21é10:00",
            "-1671552000",
            "1671552000.5",
            "99999999999999999999",
            "12022-12-21",
        ] {
            assert!(read(text).starts_with("! not a time"), "{text}: {}", read(text));
        }
        for text in ["1999-12-31", "2101-01-01", "0", "20260601", "9999999999999"] {
            assert!(read(text).contains("outside the years 2000 to 2100"), "{text}: {}", read(text));
        }
        assert!(read("1.67155E+12").contains("spreadsheet"));
    }

    #[test]
    fn scientific_notation_names_the_spreadsheet() {
        for fault in [
            call_id("1.16E+11").unwrap_err(),
            product("1.1E+13").unwrap_err(),
            product("1,1e+13").unwrap_err(),
            number("caller", "1.38E+10").unwrap_err(),
            seconds("duration_s", "1E+2").unwrap_err(),
        ] {
            assert!(fault.reason.contains("spreadsheet"), "{fault:?}");
            assert!(!fault.reason.contains(&fault.found), "{fault:?}");
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
