//! What is shown of a phone number: `138****5678`.

use std::ops::Range;

use super::digits::{digit_value, may_have_digits};
use super::escapes::readings;
use super::harmless::is_harmless;
use super::numbers::{MIN_PHONE_DIGITS, numbers_in};
use super::scan::{Digit, Span, runs};

/// How many digits of a number are shown at its front and at its back.
fn shown_digits(digits: usize) -> (usize, usize) {
    if digits >= 10 { (3, 4) } else { (0, 2.min(digits / 2)) }
}

/// A phone number with its middle digits masked: `138****5678`. A number with fewer than ten digits
/// keeps at most its last two.
#[must_use]
pub fn mask_number(text: &str) -> String {
    let is_digit = |c: char| c.is_numeric() || digit_value(c).is_some();
    let digits = text.chars().filter(|c| is_digit(*c)).count();
    let (front, back) = shown_digits(digits);
    let mut seen = 0;
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        if is_digit(c) {
            let is_kept = seen < front || seen >= digits - back;
            masked.push(if is_kept { c } else { '*' });
            seen += 1;
        } else {
            masked.push(c);
        }
    }
    masked
}

/// A text for people, in which every phone number is masked.
///
/// Seven digits or more count as a phone number, in any script, with any separators between them,
/// and as escapes (`\u0031`, `%31`, `&#49;`). Dates and times such as `2026-05-26 17:01:51`,
/// CallIds, known products and counts such as `1,000,000` are kept.
#[must_use]
pub fn mask_text(text: &str) -> String {
    if !may_have_phone_number(text) {
        return text.to_owned();
    }
    let mut hidden = Vec::new();
    for units in readings(text) {
        for run in runs(&units).iter().filter(|run| run.len() >= MIN_PHONE_DIGITS) {
            hide_run(Span::new(&units, run), &mut hidden);
        }
    }
    with_stars(text, hidden)
}

/// As [`mask_text`], and these numbers are masked wherever they are.
#[must_use]
pub fn mask_known(text: &str, known: &[String]) -> String {
    mask_text(&mask_planned(text, known))
}

/// A text in which only these numbers are masked and what is a phone number by the numbering plan.
/// Other digits, such as a product's id, are kept.
#[must_use]
pub fn mask_planned(text: &str, known: &[String]) -> String {
    let hidden = numbers_in(text, known).into_iter().flat_map(|number| {
        let (front, back) = shown_digits(number.digit_ranges.len());
        let middle = front..number.digit_ranges.len() - back;
        number.digit_ranges[middle].to_vec()
    });
    with_stars(text, hidden.collect())
}

/// The fast path: false if the text has too few digits.
fn may_have_phone_number(text: &str) -> bool {
    let is_long_enough = || text.bytes().filter(u8::is_ascii_digit).count() >= MIN_PHONE_DIGITS;
    may_have_digits(text) && (!text.is_ascii() || is_long_enough())
}

/// Hides the numbers of a run. A list is masked value by value if each value is a date or has
/// enough digits; else its values may be the parts of one number, and it is masked as one.
fn hide_run(run: Span<'_>, hidden: &mut Vec<Range<usize>>) {
    if is_harmless(run) {
        return;
    }
    let values = run.split(|digit: &Digit| digit.after_list_mark);
    let are_complete = values.iter().all(|value| value.len() >= MIN_PHONE_DIGITS);
    let values = if are_complete { values } else { vec![run] };
    for value in values.into_iter().filter(|value| !is_harmless(*value)) {
        let (front, back) = shown_digits(value.len());
        let middle = &value.digits[front..value.len() - back];
        hidden.extend(middle.iter().map(|digit| value.unit(digit)).map(|unit| unit.start..unit.end));
    }
}

/// The text with a `*` in place of each range. A range inside another is part of it.
fn with_stars(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        if range.start >= at {
            masked.push_str(&text[at..range.start]);
            masked.push('*');
            at = range.end;
        }
    }
    masked + &text[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_number_is_masked() {
        assert_eq!(mask_number("13812345678"), "138****5678");
        assert_eq!(mask_number("+86 138-1234-5678"), "+86 1**-****-5678");
        assert_eq!(mask_number("0571000018363"), "057******8363");
        assert_eq!(mask_number("95187"), "***87");
        assert_eq!(mask_number("1"), "*");
        assert_eq!(mask_number(""), "");
    }

    #[test]
    fn every_number_in_a_text_is_masked() {
        for (text, masked) in [
            ("callee 13812345678 is limited", "callee 138****5678 is limited"),
            ("callee:138 1234 5678, 0571-88888888.", "callee:138 **** 5678, 057*-****8888."),
            ("号码13812345678。", "号码138****5678。"),
            ("138.1234.5678", "138.****.5678"),
            ("138_1234_5678", "138_****_5678"),
            ("138/1234/5678", "138/****/5678"),
            ("138,1234,5678", "138,****,5678"),
            ("138–1234–5678", "138–****–5678"),
            ("138\u{a0}1234\u{3000}5678", "138\u{a0}****\u{3000}5678"),
            ("138\u{200b}1234\u{200b}5678", "138\u{200b}****\u{200b}5678"),
            ("１３８１２３４５６７８", "１３８****５６７８"),
            ("(138)(1234)(5678)", "(138)(****)(5678)"),
            ("138:1234:5678", "138:****:5678"),
            (
                r"\u0031\u0033\u0038\u0031\u0032\u0033\u0034\u0035\u0036\u0037\u0038",
                r"\u0031\u0033\u0038****\u0035\u0036\u0037\u0038",
            ),
            ("%31%33%381%32345678", "%31%3*%******5678"),
            ("&#49;&#51;&#56;12345678", "&#49;&#51;&#56;******78"),
            ("8613812345678^1", "861******5678^1"),
            ("HTTP 502 after 3 tries", "HTTP 502 after 3 tries"),
        ] {
            assert_eq!(mask_text(text), masked);
        }
    }

    #[test]
    fn dates_ids_and_counts_in_a_text_are_kept() {
        for text in [
            "at 2026-05-26 17:01:51",
            "on 2026-05-26, at",
            "read as 9999-12-31, outside",
            "0001-01-01 00:00:00",
            "06:30 UTC+8, 2026-11-27, in 7 h 12 min",
            "06:30 UTC-3:30, 2026-11-27, UTC-10, 2026-11-27 06:30",
            "from 2026-05-26 17:01:51, 2026-05-27 18:00:00, to 2026-05-28",
            "17.11.2026 09:30, 11/26/2026 9:30, 2026/5/6",
            "/data/2026/05/26/calls-20260526.csv",
            "calls_20260526_030000.csv",
            "20260526030000.csv",
            "116014888060^102816313060, 1779786101083^1",
            "product 11000000300006",
            "1,000,000 calls",
            "acs:ram::1234567890123456:role/voice-night",
            "pid 4194303 in line 1234567",
            "http://192.168.100.123/x and 192.168.100.123:8080",
            "127.0.0.1:45678",
            "138****5678, 2026-05-26 138****5678",
        ] {
            assert_eq!(mask_text(text), text);
        }
    }

    #[test]
    fn what_only_resembles_a_date_or_an_id_is_masked() {
        for (text, masked) in [
            ("2026-05-26 13812345678", "202*-**-** *******5678"),
            ("2026-13-26", "****-**-26"),
            ("UTC+8, 13812345678", "UTC+8, 13*****5678"),
            ("20261399", "******99"),
            ("13812345678^102816313060", "138****5678^102816313060"),
            ("116014888060", "116*****8060"),
            ("13,812,345,678", "13,8**,**5,678"),
            ("pid 41943031", "pid ******31"),
            ("hotline 8888666", "hotline *****66"),
            ("192.168.100.123", "192.***.**0.123"),
            ("**8888 6666**", "****** **66**"),
        ] {
            assert_eq!(mask_text(text), masked);
        }
    }

    #[test]
    fn known_numbers_are_masked_anywhere() {
        let known = ["13812345678".to_owned(), "95187".to_owned()];
        assert_eq!(mask_known("13812345678^2, ext. 95187", &known), "138****5678^2, ext. ***87");
    }
}
