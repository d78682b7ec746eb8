//! Finds the phone numbers in a text. Pure.

use std::ops::Range;

use reconcile_core::phone::normalize_number;

/// Shorter numbers are extensions. If they were searched in texts, every price would be masked.
pub(super) const MIN_DIGITS: usize = 5;
/// Shorter numbers are only found where no other digit is next to them.
const MIN_DIGITS_INSIDE_OTHERS: usize = 7;
/// Characters allowed between two digits of a number.
const MAX_SEPARATORS: usize = 3;

/// The ASCII digits of a number, without the country code of a mobile number. Full-width digits
/// count as digits.
pub(super) fn digits_of(number: &str) -> String {
    normalize_number(&number.chars().filter_map(ascii_digit).collect::<String>())
}

/// The digit as ASCII; `None` for any other character.
fn ascii_digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10),
        _ => None,
    }
}

/// The phone numbers in a text, as ranges of bytes. The numbers in `known` are found anywhere;
/// others are found if they look like a phone number.
pub(super) fn numbers_in(text: &str, known: &[String]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in digit_runs(text) {
        let mut at = 0;
        while at < run.digits.len() {
            let length = run.known_number_at(at, known).or_else(|| run.phone_number_at(at));
            if let Some(length) = length {
                found.push(run.start_with_plus(at)..run.digits[at + length - 1].end);
            }
            at += length.unwrap_or(1);
        }
    }
    found
}

/// A digit of a text.
struct Digit {
    /// Bytes before it.
    start: usize,
    /// Bytes up to its end.
    end: usize,
    /// No other digit is directly before it. A number may start here, and the one before may end.
    starts_group: bool,
}

/// Digits of a text with at most [`MAX_SEPARATORS`] characters between two of them.
struct DigitRun<'a> {
    text: &'a str,
    digits: Vec<Digit>,
    /// The same digits in ASCII.
    values: Vec<u8>,
}

fn digit_runs(text: &str) -> Vec<DigitRun<'_>> {
    let mut runs: Vec<DigitRun<'_>> = Vec::new();
    let mut separators = MAX_SEPARATORS + 1;
    for (start, c) in text.char_indices() {
        let Some(value) = ascii_digit(c).and_then(|c| u8::try_from(c).ok()) else {
            separators += if ends_number(c) { MAX_SEPARATORS + 1 } else { 1 };
            continue;
        };
        let digit = Digit { start, end: start + c.len_utf8(), starts_group: separators > 0 };
        if separators > MAX_SEPARATORS {
            runs.push(DigitRun { text, digits: Vec::new(), values: Vec::new() });
        }
        if let Some(run) = runs.last_mut() {
            run.digits.push(digit);
            run.values.push(value);
        }
        separators = 0;
    }
    runs
}

/// Letters end a number, and so do the separators of times and lists.
fn ends_number(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, ':' | ',' | ';' | '^')
}

impl DigitRun<'_> {
    /// First byte of the number that starts at this digit, with its `+`.
    fn start_with_plus(&self, at: usize) -> usize {
        self.digits[at].start - self.plus_before(at).map_or(0, char::len_utf8)
    }

    fn plus_before(&self, at: usize) -> Option<char> {
        let before = &self.text[..self.digits[at].start];
        ['+', '＋'].into_iter().find(|plus| before.ends_with(*plus))
    }

    /// Whether no further digit follows directly after this many digits.
    fn ends_group(&self, at: usize) -> bool {
        self.digits.get(at).is_none_or(|next| next.starts_group)
    }

    /// Digits of the longest known number that starts here.
    fn known_number_at(&self, at: usize, known: &[String]) -> Option<usize> {
        let starts_here = |number: &&String| {
            let is_alone = || self.digits[at].starts_group && self.ends_group(at + number.len());
            self.values[at..].starts_with(number.as_bytes())
                && (number.len() >= MIN_DIGITS_INSIDE_OTHERS || is_alone())
        };
        known.iter().filter(starts_here).map(String::len).max()
    }

    /// Digits of the longest phone number that starts here and ends where a group of digits ends.
    fn phone_number_at(&self, at: usize) -> Option<usize> {
        if !self.digits[at].starts_group {
            return None;
        }
        let has_plus = self.plus_before(at).is_some();
        let longest = (self.values.len() - at).min(17);
        let is_number = |length: &usize| {
            self.ends_group(at + length) && is_phone_number(&self.values[at..at + length], has_plus)
        };
        (8..=longest).rev().find(is_number)
    }
}

/// A mainland mobile number with or without 86, a landline number with its area code, a 400 or 800
/// number, or an international one.
fn is_phone_number(digits: &[u8], has_plus: bool) -> bool {
    let length = digits.len();
    match digits {
        [b'8', b'6', b'1', ..] if length == 13 => true,
        [b'0', b'0', b'8', b'6', b'1', ..] if length == 15 => true,
        [b'1', ..] if length == 11 => true,
        [b'4' | b'8', b'0', b'0', ..] if length == 10 => true,
        [b'0', b'0', ..] => (10..=17).contains(&length),
        [b'0', ..] => (10..=13).contains(&length),
        _ => has_plus && (8..=15).contains(&length),
    }
}
