//! Fast parsers for the usual form of a value. For every other form they return `None`, and the
//! caller uses a parser for all forms. That parser takes several times longer, and every row has
//! about twelve values.

use chrono::{NaiveDate, NaiveDateTime};

/// A text without the white space around it.
///
/// Few texts have any. So the first and the last byte are checked before any characters.
#[must_use]
#[inline]
pub fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// True for a text of ASCII digits that is not empty.
#[must_use]
#[inline]
pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A whole number from digits only; `None` for any other text and for a number that is too large.
#[must_use]
#[inline]
pub fn whole_number(text: &str) -> Option<i64> {
    let mut digits = text.bytes().map(|b| b.wrapping_sub(b'0'));
    let number = digits.try_fold(0_i64, |number, digit| {
        let more = number.checked_mul(10)?.checked_add(i64::from(digit))?;
        (digit < 10).then_some(more)
    });
    number.filter(|_| !text.is_empty())
}

/// A day from `YYYY-MM-DD`; `None` for any other text.
///
/// chrono parses the format string again for every value. With millions of rows, that takes a large
/// part of the run.
#[must_use]
#[inline]
pub fn day(text: &str) -> Option<NaiveDate> {
    let [y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0] = *text.as_bytes() else { return None };
    let year = two_digits(y3, y2)? * 100 + two_digits(y1, y0)?;
    NaiveDate::from_ymd_opt(year.cast_signed(), two_digits(m1, m0)?, two_digits(d1, d0)?)
}

/// A local time from `YYYY-MM-DD HH:MM:SS`; `None` for any other text.
#[must_use]
#[inline]
pub fn local_time(text: &str) -> Option<NaiveDateTime> {
    let [b' ', h1, h0, b':', m1, m0, b':', s1, s0] = *text.as_bytes().get(10..)? else { return None };
    let (hour, minute, second) = (two_digits(h1, h0)?, two_digits(m1, m0)?, two_digits(s1, s0)?);
    day(text.get(..10)?)?.and_hms_opt(hour, minute, second)
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn white_space_around_a_text_is_trimmed() {
        for text in ["", "a", " a ", "a b", "\u{3000}是\u{3000}", " 是", "é", "\t"] {
            assert_eq!(trimmed(text), text.trim(), "{text:?}");
        }
    }

    #[test]
    fn a_whole_number_is_read_from_digits_only() {
        assert_eq!(whole_number("0075"), Some(75));
        assert_eq!(whole_number("9223372036854775807"), Some(i64::MAX));
        for text in [
            "",
            "-1",
            "+1",
            "1 ",
            "1.0",
            "9223372036854775808",
            "99999999999999999999",
            "１",
            "zzzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(whole_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_is_read_in_one_form_only() {
        let leap = NaiveDate::from_ymd_opt(2028, 2, 29).unwrap();
        assert_eq!(day(&leap.to_string()), Some(leap));
        for text in [
            "",
            "2027-02-29",
            "2028-2-29",
            "2028-02-29 ",
            "2028/02/29",
            "+028-02-29",
            "2028-02-２9",
            "éé28-02-29",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn a_local_time_is_read_in_one_form_only() {
        let noon = NaiveDate::from_ymd_opt(2028, 2, 29).unwrap().and_hms_opt(12, 5, 9).unwrap();
        assert_eq!(local_time("2028-02-29 12:05:09"), Some(noon));
        for text in [
            "",
            "2028-02-29",
            "2028-02-29T12:05:09",
            "2028-02-29 24:00:00",
            "2028-02-29 12:05:60",
            "2028-02-29 12:05:9",
            "2028-02-29 12:05:09 ",
            "2027-02-29 12:05:09",
            "2028-02-29 1é:05:09",
        ] {
            assert_eq!(local_time(text), None, "{text}");
        }
    }
}
