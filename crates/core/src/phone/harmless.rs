//! Digits that are no phone number although there are many of them: dates and times, CallIds, known
//! products, accounts, counts, amounts, IP addresses, process ids, ids of runs.

use super::scan::Span;
use crate::product::PRODUCTS;

/// Fewest digits of each half of a usual CallId. No phone number without a prefix is as long.
const CALL_ID_DIGITS: usize = 12;
/// Digits of the number of an account.
const ACCOUNT_DIGITS: usize = 16;
/// The days that databases and programs write if they know none.
const NO_DAYS: [[u32; 3]; 2] = [[1, 1, 1], [9999, 12, 31]];
/// Characters of a run's id, and the places of its hyphens.
const RUN_ID_CHARS: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// This program's messages name processes and lines by these words and at most seven digits.
const LABELS: [&str; 2] = ["pid ", "line "];

/// True if the digits are none of a phone number, so that messages show them.
pub(super) fn is_harmless(span: Span<'_>) -> bool {
    let digits = span.ascii();
    let is_product = || PRODUCTS.iter().any(|(id, _)| id.to_string() == digits);
    (span.is_plain()
        && (is_product() || is_half_of_call_id(span, &digits) || is_account(span) || is_labelled(span)))
        || is_count(&span.text())
        || is_amount(span)
        || is_address(span)
        || is_date(span)
        || is_in_run_id(span)
}

/// A half of `116014888060^102816313060`. A mobile number is none, with its country code or
/// without.
fn is_half_of_call_id(span: Span<'_>, digits: &str) -> bool {
    let is_beside_caret = span.before().next() == Some('^') || span.after().next() == Some('^');
    let is_mobile = ["86", "0086"]
        .iter()
        .any(|code| digits.strip_prefix(code).is_some_and(|rest| rest.len() == 11 && rest.starts_with('1')));
    is_beside_caret && digits.len() >= CALL_ID_DIGITS && !is_mobile
}

/// The account of a role: `acs:ram::1234567890123456:role/night`.
fn is_account(span: Span<'_>) -> bool {
    span.len() == ACCOUNT_DIGITS && is_after(span, "acs:ram::") && span.after().next() == Some(':')
}

/// A part of a run's id, perhaps after the run's number: `7-f37a3c1e-1234-4567-8901-234567890123`.
/// It is a UUID of version 4 in lower case.
fn is_in_run_id(span: Span<'_>) -> bool {
    let is_part = |c: &char| matches!(c, '0'..='9' | 'a'..='f' | '-');
    let mut before: Vec<char> = span.before().take(RUN_ID_CHARS).take_while(is_part).collect();
    before.reverse();
    let after = span.after().take(RUN_ID_CHARS).take_while(is_part);
    let word = String::from_iter(before) + &span.text() + &String::from_iter(after);
    let Some((number, id)) = word.len().checked_sub(RUN_ID_CHARS).and_then(|at| word.split_at_checked(at))
    else {
        return false;
    };
    let number = number.strip_suffix('-').unwrap_or(number);
    let is_at = |place: usize, wanted: &[u8]| wanted.contains(&id.as_bytes()[place]);
    let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_in_place = |(at, byte)| if HYPHENS.contains(&at) { byte == b'-' } else { is_hex(byte) };
    let is_number = number.len() < 7 && number.bytes().all(|b| b.is_ascii_digit());
    is_number && id.bytes().enumerate().all(is_in_place) && is_at(14, b"4") && is_at(19, b"89ab")
}

fn is_labelled(span: Span<'_>) -> bool {
    span.len() == 7 && LABELS.into_iter().any(|label| is_after(span, label))
}

/// True if this text is before the digits, and no letter or digit is before the text.
fn is_after(span: Span<'_>, text: &str) -> bool {
    let mut before = span.before();
    text.chars().rev().all(|c| before.next() == Some(c)) && !before.next().is_some_and(char::is_alphanumeric)
}

/// A number below a billion with commas: `1,000,000`.
fn is_count(text: &str) -> bool {
    let mut groups = text.split(',');
    let is_digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let starts = groups
        .next()
        .is_some_and(|first| (1..=3).contains(&first.len()) && !first.starts_with('0') && is_digits(first));
    let groups: Vec<&str> = groups.collect();
    starts && groups.len() == 2 && groups.iter().all(|group| group.len() == 3 && is_digits(group))
}

/// An amount below a billion with its currency: `-86457.135 CNY`.
fn is_amount(span: Span<'_>) -> bool {
    let text = span.text();
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let Some((whole, places)) = text.split_once('.').filter(|(a, b)| is_digits(a) && is_digits(b)) else {
        return false;
    };
    let after: Vec<char> = span.after().take(4).collect();
    let has_currency = matches!(after[..], [' ', ref code @ ..] if code.iter().filter(|c| c.is_ascii_uppercase()).count() == 3);
    // A phone number with a country code has more digits.
    whole.len() <= 9 && (2..=6).contains(&places.len()) && has_currency
}

/// An IPv4 address in a URL or before its port.
fn is_address(span: Span<'_>) -> bool {
    let text = span.text();
    let (host, port) = text.split_once(':').map_or((text.as_str(), None), |(host, port)| (host, Some(port)));
    let parts: Vec<&str> = host.split('.').collect();
    let is_byte = |part: &&str| part.parse::<u8>().is_ok_and(|byte| byte.to_string() == *part);
    let in_url = || span.before().take(3).eq("//:".chars());
    let has_port = || {
        let mut after = span.after();
        after.next() == Some(':') && after.next().is_some_and(|c| c.is_ascii_digit())
    };
    let is_in_place = match port {
        Some(port) => port.parse::<u16>().is_ok(),
        None => in_url() || has_port(),
    };
    parts.len() == 4 && parts.iter().all(is_byte) && is_in_place
}

/// Dates, each perhaps with the parts of a time that are next to it: `2026-05-26`, `51, 2026/05/26
/// 17` in `17:01:51, 2026/05/26 17:01`, `20260526-030000`, `8, 2026-05-26` in `UTC+8, 2026-05-26`.
fn is_date(span: Span<'_>) -> bool {
    let text = span.text();
    let mut rest = text.as_str();
    let mut before = span.before();
    if before.next() == Some(':') && before.next().is_some_and(|c| c.is_ascii_digit()) {
        let seconds = digits(rest, 2).filter(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_digit()));
        rest = seconds.map_or(rest, |(_, rest)| skip_separators(rest));
    }
    if is_after(span, "UTC+") || is_after(span, "UTC-") {
        let hours = field(rest).filter(|(hours, _)| hours.len() <= 2);
        rest = hours.map_or(rest, |(_, rest)| skip_separators(rest));
    }
    let before_colon = span.after().next() == Some(':');
    while let Some(after) = date(rest).or_else(|| compact_date(rest)) {
        if after.is_empty() {
            return true;
        }
        let next = skip_separators(after);
        if before_colon && field(next).is_some_and(|(hour, rest)| hour.len() <= 2 && rest.is_empty()) {
            return true;
        }
        rest = next;
    }
    false
}

/// The next digits as a number, and the rest.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    Some((digits.parse().ok()?, rest))
}

fn skip_separators(text: &str) -> &str {
    let skipped = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    if text.chars().count() - skipped.chars().count() <= 3 { skipped } else { text }
}

fn is_day(year: u32, month: u32, day: u32) -> bool {
    (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// The rest after a date like `2026-05-26`, `2026/5/6` or `26.05.2026`.
fn date(text: &str) -> Option<&str> {
    let (first, rest) = field(text)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.' | '_'))?;
    let (second, rest) = field(rest.strip_prefix(mark)?)?;
    let (third, rest) = field(rest.strip_prefix(mark)?)?;
    let lengths = [first, second, third].map(str::len);
    let number = |field: &str| field.parse().ok();
    let (first, second, third) = (number(first)?, number(second)?, number(third)?);
    let is_date = match lengths {
        [4, 2, 2] if NO_DAYS.contains(&[first, second, third]) => true,
        [4, 1..=2, 1..=2] => is_day(first, second, third),
        [1..=2, 1..=2, 4] => is_day(third, second, first) || is_day(third, first, second),
        _ => false,
    };
    is_date.then_some(rest)
}

/// The digits at the start, and the rest.
fn field(text: &str) -> Option<(&str, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(length).filter(|_| length > 0)
}

/// The rest after a date like `20260526`, perhaps with a time: `20260526-030000`.
fn compact_date(text: &str) -> Option<&str> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    if year < 2000 || !is_day(year, month, day) {
        return None;
    }
    let mark = rest.trim_start_matches(['-', '_', ' ']);
    let time = |text| {
        let (hour, rest) = digits(text, 2)?;
        let (minute, rest) = digits(rest, 2)?;
        let rest = digits(rest, 2).filter(|(second, _)| *second < 60).map_or(rest, |(_, rest)| rest);
        (hour < 24 && minute < 60 && is_end(rest)).then_some(rest)
    };
    time(mark).or_else(|| is_end(rest).then_some(rest))
}

fn is_end(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_digit())
}
