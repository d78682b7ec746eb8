//! Which digits of a text are a phone number: by the numbering plan, or because the number is
//! known.

use std::collections::BTreeMap;
use std::ops::Range;

use super::digits::{digit_value, digits_of, may_have_digits};
use super::escapes::{Unit, readings};
use super::harmless::is_harmless;
use super::scan::{Span, runs};

/// Shorter numbers are extensions. If they were searched in texts, every price would be masked.
pub const MIN_DIGITS: usize = 5;
/// Fewest digits that count as a phone number of any kind.
pub(super) const MIN_PHONE_DIGITS: usize = 7;
/// Visible separators allowed between two digits of a number in the data files.
const MAX_SEPARATORS: usize = 3;

/// A phone number in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Its bytes, with a `+` before it.
    pub range: Range<usize>,
    /// The bytes of each digit.
    pub digit_ranges: Vec<Range<usize>>,
    /// Its digits in ASCII, with its country code.
    pub digits: String,
    /// The character that spells each digit.
    pub spelled: Vec<char>,
}

impl Number {
    fn new(span: Span<'_>) -> Self {
        let units: Vec<Unit> = span.digits.iter().map(|digit| span.unit(digit)).collect();
        Self {
            range: span.start_byte()..span.end_byte(),
            digit_ranges: units.iter().map(|unit| unit.start..unit.end).collect(),
            digits: span.ascii(),
            spelled: units.iter().map(|unit| unit.c).collect(),
        }
    }
}

/// The phone numbers in a text. The numbers in `known` are found anywhere; others are found if they
/// look like a phone number.
#[must_use]
pub fn numbers_in(text: &str, known: &[String]) -> Vec<Number> {
    find(text, |span| {
        let parts = span.split(|digit| digit.gap > MAX_SEPARATORS);
        parts.into_iter().flat_map(|part| planned_or_known(part, known)).collect()
    })
}

/// The phone numbers in a text, and all other runs of seven digits or more that are no date, no id
/// and the like.
#[must_use]
pub fn all_numbers_in(text: &str) -> Vec<Number> {
    find(text, |span| {
        let mut found = Vec::new();
        let mut from = 0;
        for range in planned_ranges(span, &[]) {
            found.extend(other_numbers(span, from..range.start));
            found.push(span.part(range.clone()));
            from = range.end;
        }
        found.extend(other_numbers(span, from..span.len()));
        found
    })
}

/// The values of seven digits or more in this part of a run.
fn other_numbers(span: Span<'_>, range: Range<usize>) -> Vec<Span<'_>> {
    if range.is_empty() {
        return Vec::new();
    }
    let mut values = span.part(range).split(|digit| digit.after_list_mark);
    values.retain(|value| value.len() >= MIN_PHONE_DIGITS && !is_harmless(*value));
    values
}

/// The mainland mobile numbers that are a whole group of digits, as in the CallId
/// `8613812345678^1`.
#[must_use]
pub fn mobile_numbers_in(text: &str) -> Vec<Number> {
    find(text, |span| {
        let groups = span.split(|digit| digit.starts_group);
        groups.into_iter().filter(|group| is_mobile(&digits_of(&group.ascii()))).collect()
    })
}

/// True if the text contains the number in any spelling, with its country code or without. Other
/// digits directly beside it make it another number.
#[must_use]
pub fn contains_number(text: &str, number: &str) -> bool {
    let forms = forms_of(number);
    if !may_contain(text, &forms) {
        return false;
    }
    let found = find(text, |span| {
        let parts = (0..span.len()).flat_map(|at| {
            let fitting =
                forms.iter().filter(move |form| starts_group(span, at) && ends_group(span, at + form.len()));
            fitting.map(move |form| (form, at)).filter(|(form, at)| {
                let part = span.part(*at..*at + form.len());
                part.ascii() == **form && is_certain(span, part)
            })
        });
        parts.map(|(form, at)| span.part(at..at + form.len())).take(1).collect()
    });
    !found.is_empty()
}

/// The fast path: false if the text's digits, with anything between them, are in none of the forms.
fn may_contain(text: &str, forms: &[String]) -> bool {
    let has_escapes = || text.bytes().any(|b| matches!(b, b'\\' | b'%' | b'&'));
    let digits: String = text.chars().filter_map(digit_value).map(|value| char::from(b'0' + value)).collect();
    forms.iter().any(|form| digits.contains(form)) || has_escapes()
}

/// False for digits that equal a number only by chance: a date, or a short number's digits from
/// several values.
fn is_certain(run: Span<'_>, part: Span<'_>) -> bool {
    let is_one_group = part.digits.iter().skip(1).all(|digit| !digit.starts_group);
    is_one_group || (part.len() >= MIN_PHONE_DIGITS && !is_harmless(part)) || part.len() == run.len()
}

/// The digits of a number in all its forms: with the country code of China and without.
fn forms_of(number: &str) -> Vec<String> {
    let digits = digits_of(number);
    let bare = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86")).unwrap_or(&digits);
    let national = match bare.len() {
        // After the country code, an area code has no 0.
        9..=11 if bare.len() < digits.len() && !bare.starts_with(['0', '1']) => format!("0{bare}"),
        9..=12 if bare.len() < digits.len() => bare.to_owned(),
        _ => digits.clone(),
    };
    let without_zero = national.strip_prefix('0').unwrap_or(&national);
    let mut forms = vec![digits.clone(), national.clone()];
    forms.extend(
        ["86", "0086"].iter().flat_map(|code| [format!("{code}{national}"), format!("{code}{without_zero}")]),
    );
    if is_mobile(&national) {
        // The prefix of a call to another city.
        forms.push(format!("0{national}"));
    }
    forms
}

/// Applies `select` to every run of digits in every reading of the text, the most unescaped one
/// first. Of numbers that overlap, the first is kept.
fn find(text: &str, select: impl Fn(Span<'_>) -> Vec<Span<'_>>) -> Vec<Number> {
    let mut found: BTreeMap<usize, Number> = BTreeMap::new();
    let is_too_short = || text.is_ascii() && text.bytes().filter(u8::is_ascii_digit).count() < MIN_DIGITS;
    if !may_have_digits(text) || is_too_short() {
        return Vec::new();
    }
    for units in readings(text).iter().rev() {
        for run in runs(units) {
            for span in select(Span::new(units, &run)) {
                let number = Number::new(span);
                let (start, end) = (number.range.start, number.range.end);
                let before = found.range(..end).next_back();
                if before.is_none_or(|(_, other)| other.range.end <= start) {
                    found.insert(start, number);
                }
            }
        }
    }
    found.into_values().collect()
}

fn planned_or_known<'a>(span: Span<'a>, known: &[String]) -> Vec<Span<'a>> {
    planned_ranges(span, known).into_iter().map(|range| span.part(range)).collect()
}

/// The digits that are a number by the numbering plan or a known one, as indices.
fn planned_ranges(span: Span<'_>, known: &[String]) -> Vec<Range<usize>> {
    let values: Vec<u8> = span.digits.iter().map(|digit| b'0' + digit.value).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < values.len() {
        let length = known_number_at(span, &values, at, known).or_else(|| phone_number_at(span, &values, at));
        found.extend(length.map(|length| at..at + length));
        at += length.unwrap_or(1);
    }
    found
}

fn starts_group(span: Span<'_>, at: usize) -> bool {
    at == 0 || span.digits[at].starts_group
}

/// Whether a number of this many digits ends where a group ends. False beyond the last digit.
fn ends_group(span: Span<'_>, at: usize) -> bool {
    at <= span.len() && span.digits.get(at).is_none_or(|next| next.starts_group)
}

/// Digits of the longest known number that starts here. A short one must be a whole group.
fn known_number_at(span: Span<'_>, values: &[u8], at: usize, known: &[String]) -> Option<usize> {
    let starts_here = |number: &&String| {
        let is_alone = || starts_group(span, at) && ends_group(span, at + number.len());
        values[at..].starts_with(number.as_bytes()) && (number.len() >= MIN_PHONE_DIGITS || is_alone())
    };
    known.iter().filter(starts_here).map(String::len).max()
}

/// Digits of the longest phone number that starts here and ends where a group of digits ends.
fn phone_number_at(span: Span<'_>, values: &[u8], at: usize) -> Option<usize> {
    if !starts_group(span, at) {
        return None;
    }
    let has_plus = span.part(at..at + 1).has_plus();
    let longest = (values.len() - at).min(17);
    let is_number = |length: &usize| {
        let range = at..at + length;
        ends_group(span, range.end)
            && is_phone_number(&values[range.clone()], has_plus)
            && !has_another_inside(span.part(range))
    };
    (8..=longest).rev().find(is_number)
}

/// True if one of the groups after the first is by itself another phone number: `0 13812345678` is
/// a 0 and a number.
fn has_another_inside(span: Span<'_>) -> bool {
    let whole = digits_of(&span.ascii());
    let groups = span.split(|digit| digit.starts_group);
    groups.iter().skip(1).any(|group| {
        let digits = group.ascii();
        is_phone_number(digits.as_bytes(), false) && digits_of(&digits) != whole
    })
}

fn is_mobile(digits: &str) -> bool {
    digits.len() == 11 && digits.starts_with('1')
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

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in_text(text: &str) -> bool {
        contains_number(text, "+86 139-1111-2222")
    }

    #[test]
    fn a_number_is_found_in_every_notation() {
        for text in [
            "13911112222",
            "+86 139 1111 2222",
            "8613911112222",
            "0086-139.1111.2222",
            "013911112222",
            "transferred to 139-1111-2222, then cut",
            "转接13911112222",
            "1779786101083-13911112222",
            "139,1111,2222",
            "139_1111_2222/1",
            "139\u{200b}1111\u{a0}2222",
            "１３９１１１１２２２２",
            "𝟏𝟑𝟗𝟏𝟏𝟏𝟏𝟐𝟐𝟐𝟐",
            r#"{"callee":"\u0031\u0033\u00391111\u00a02222"}"#,
            r#"{\"callee\":\"\\u00313911112222\"}"#,
            "called %2B86139%31111%202222",
            "<callee>&#49;3911112222</callee>",
            "[13911112222,13911113333]",
            "{\"callee\":13911112222}",
            "13911112222^1",
        ] {
            assert!(is_in_text(text), "{text}");
        }
    }

    #[test]
    fn a_number_inside_a_longer_one_is_not_found() {
        for text in
            ["", "139111122223", "1139111122220", "1391111222", "2026-05-26 17:01:51", "13:91:11:12:22:2"]
        {
            assert!(!is_in_text(text), "{text}");
        }
    }

    #[test]
    fn a_landline_number_has_its_0_or_the_country_code() {
        for number in ["0571-88886666", "+86 571 8888 6666", "8657188886666", "0086 0571 88886666"] {
            for text in ["057188886666", "+86571-8888-6666", "0086 571 88886666", "86(0571)88886666"] {
                assert!(contains_number(text, number), "{number} in {text}");
            }
            assert!(!contains_number("88886666", number));
        }
    }

    #[test]
    fn a_short_or_date_like_number_is_not_found_by_chance() {
        assert!(!contains_number("2026-05-26 17:01", "052617"));
        assert!(!contains_number("2026-05-26 17:01", "20260526"));
        assert!(contains_number("call 20260526 back", "20260526"));
        assert!(contains_number("call 9-5187", "95187") && contains_number("95187 or 95188", "95187"));
    }

    #[test]
    fn values_of_a_list_are_separate_numbers() {
        let digits = |text| all_numbers_in(text).into_iter().map(|number| number.digits).collect::<Vec<_>>();
        assert_eq!(digits("13812345678,13912345678"), ["13812345678", "13912345678"]);
        assert_eq!(digits(r#"["88886666","77776666"]"#), ["88886666", "77776666"]);
        assert_eq!(digits("0 13812345678 2026-05-26"), ["13812345678"]);
        assert_eq!(digits("2026-05-26 17:01:41, 116014888060^102816313060"), [""; 0]);
    }
}
