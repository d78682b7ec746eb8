//! Parses the times of a ledger, in the forms that people, databases and spreadsheets write.
//!
//! Pure. A time is never guessed: an ambiguous time, or a time without its year, is an error. Times
//! without a zone are in UTC+8, like the provider's times.

use chrono::{
    DateTime, Datelike as _, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc,
};

use crate::calendar::{from_provider_local, provider_offset};
use crate::ledger_row::LedgerTime;
use crate::quick_parse;
use crate::row_problem::TimeProblem;

/// Numbers below this are Unix seconds (until the year 5138); others are milliseconds (since 1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Serial days of spreadsheets from 2000-01-01 to 2100-12-31. Day 1 is 1900-01-01. Spreadsheets
/// count 1900 as a leap year by mistake.
const SERIAL_DAYS: std::ops::RangeInclusive<i64> = 36_526..=73_415;

/// Plausible years of a call.
pub const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;

/// A parsed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedTime {
    /// The time.
    pub time: LedgerTime,
    /// True if it was written as a spreadsheet's serial day.
    pub is_serial_day: bool,
}

type Result<T> = std::result::Result<T, TimeProblem>;

/// Parses a day or a point in time, rounded down to whole seconds like the provider's times. The
/// text is trimmed and has no full-width characters except those of dates.
///
/// # Errors
/// The text is no time, or ambiguous.
pub fn parse_time(text: &str) -> Result<ParsedTime> {
    let is_numeric = |b: u8| b.is_ascii_digit() || b == b'.' || b == b'-';
    let parsed = match decimal_parts(text).filter(|_| text.bytes().all(is_numeric)) {
        Some((whole, fraction)) => parse_number(whole, fraction)?,
        None => ParsedTime { time: TimeScanner { rest: text }.parse()?, is_serial_day: false },
    };
    let day = parsed.time.day();
    if YEARS.contains(&day.year()) { Ok(parsed) } else { Err(TimeProblem::ImplausibleYear(day)) }
}

/// Parses only `2026-11-01 09:05:07`, the form in nearly every ledger, faster than [`parse_time`].
pub fn parse_common_form(text: &str) -> Option<ParsedTime> {
    let local = quick_parse::local_time(text).filter(|local| YEARS.contains(&local.year()))?;
    Some(ParsedTime { time: LedgerTime::Instant(from_provider_local(local)), is_serial_day: false })
}

/// The whole part of a decimal number, with its sign, and the fraction.
fn decimal_parts(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    (!unsigned.is_empty() && digits(unsigned) && digits(fraction) && !text.ends_with('.'))
        .then_some((whole, fraction))
}

/// Parses Unix seconds or milliseconds, serial days, or a date without separators. No Unix time of
/// the accepted years looks like such a date.
fn parse_number(whole: &str, fraction: &str) -> Result<ParsedTime> {
    let value: i64 = whole.parse().map_err(|_| TimeProblem::NotATime)?;
    if SERIAL_DAYS.contains(&value) {
        let time = parse_serial_day(value, fraction).ok_or(TimeProblem::NotATime)?;
        return Ok(ParsedTime { time, is_serial_day: true });
    }
    if fraction.is_empty()
        && let Some(time) = parse_without_separators(whole)
    {
        return Ok(ParsedTime { time, is_serial_day: false });
    }
    let is_seconds = (-MILLISECONDS_FROM + 1..MILLISECONDS_FROM).contains(&value);
    let seconds = if is_seconds { value } else { value.div_euclid(1000) };
    let time = DateTime::from_timestamp(seconds, 0).map(LedgerTime::Instant).ok_or(TimeProblem::NotATime)?;
    Ok(ParsedTime { time, is_serial_day: false })
}

/// Parses `45962` as a day and `45962.37` as a time on it, rounded to the nearest second.
fn parse_serial_day(days: i64, fraction: &str) -> Option<LedgerTime> {
    let day =
        NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(u64::try_from(days).ok()?))?;
    if fraction.is_empty() {
        return Some(LedgerTime::Day(day));
    }
    // A double has at most 17 significant digits.
    let digits = &fraction[..fraction.len().min(17)];
    let (parts, scale) = (digits.parse::<i128>().ok()?, 10_i128.pow(u32::try_from(digits.len()).ok()?));
    let seconds = (2 * parts * 86_400 + scale) / (2 * scale);
    let local = day.and_time(NaiveTime::MIN) + TimeDelta::seconds(i64::try_from(seconds).ok()?);
    Some(LedgerTime::Instant(from_provider_local(local)))
}

/// Parses `20261101`, a common partition name, or `20261101090507`.
fn parse_without_separators(digits: &str) -> Option<LedgerTime> {
    let part = |at: usize, len: usize| digits.get(at..at + len)?.parse::<u32>().ok();
    if !matches!(digits.len(), 8 | 14) || digits.starts_with('-') {
        return None;
    }
    let year = i32::try_from(part(0, 4)?).ok().filter(|year| YEARS.contains(year))?;
    let day = NaiveDate::from_ymd_opt(year, part(4, 2)?, part(6, 2)?)?;
    if digits.len() == 8 {
        return Some(LedgerTime::Day(day));
    }
    let local = day.and_hms_opt(part(8, 2)?, part(10, 2)?, part(12, 2)?)?;
    Some(LedgerTime::Instant(from_provider_local(local)))
}

/// Parses a text from left to right.
struct TimeScanner<'a> {
    rest: &'a str,
}

impl TimeScanner<'_> {
    fn parse(mut self) -> Result<LedgerTime> {
        let day = self.date()?;
        if self.rest.is_empty() {
            return day.map(LedgerTime::Day).ok_or(TimeProblem::NonexistentTime);
        }
        let between = self.rest.trim_start();
        self.rest = if between.len() == self.rest.len() {
            // `T`, or nothing at all after `日`.
            self.rest.strip_prefix(['T', 't']).unwrap_or(self.rest)
        } else {
            between
        };
        let time = self.time_of_day()?;
        let zone = self.zone()?;
        let local: NaiveDateTime =
            day.zip(time).map(|(day, time)| day.and_time(time)).ok_or(TimeProblem::NonexistentTime)?;
        let instant: Option<DateTime<Utc>> = local.and_local_timezone(zone).single().map(|at| at.to_utc());
        instant.map(LedgerTime::Instant).ok_or(TimeProblem::NonexistentTime)
    }

    /// Parses `2026-11-01`, `2026/11/1`, `2026.11.1` or `2026年11月1日`; `None` if the day does not
    /// exist.
    fn date(&mut self) -> Result<Option<NaiveDate>> {
        let (year, digits) = self.number(4).ok_or(TimeProblem::NotATime)?;
        if digits != 4 {
            return Err(self.date_without_year());
        }
        let separator = self.one_of(&['-', '/', '.', '年']).ok_or(TimeProblem::NotATime)?;
        let (month, _) = self.number(2).ok_or(TimeProblem::NotATime)?;
        self.one_of(&[if separator == '年' { '月' } else { separator }]).ok_or(TimeProblem::NotATime)?;
        let (day, _) = self.number(2).ok_or(TimeProblem::NotATime)?;
        if separator == '年' {
            self.one_of(&['日', '号']).ok_or(TimeProblem::NotATime)?;
        } else if self.rest.starts_with(|c: char| !c.is_whitespace() && !matches!(c, 'T' | 't')) {
            return Err(TimeProblem::NotATime);
        }
        if (year, month, day) == (0, 0, 0) {
            return Err(TimeProblem::ZeroDate);
        }
        Ok(i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day)))
    }

    /// The error for a date that does not begin with a year; its first number is already consumed.
    fn date_without_year(&mut self) -> TimeProblem {
        let separator = self.one_of(&['-', '/', '.', '月']);
        match (separator, self.number(2)) {
            (Some('月'), Some(_)) => TimeProblem::NoYear,
            (Some(separator), Some(_)) if self.one_of(&[separator]).is_some() => {
                self.number(4).map_or(TimeProblem::NotATime, |_| TimeProblem::AmbiguousOrder)
            }
            (Some(_), Some(_)) if self.rest.is_empty() || self.rest.starts_with(' ') => TimeProblem::NoYear,
            // `1-Nov`, `1-Nov-26`.
            (Some('-'), None) if self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                if self.rest.contains('-') { TimeProblem::AmbiguousOrder } else { TimeProblem::NoYear }
            }
            _ => TimeProblem::NotATime,
        }
    }

    /// Parses `9:05`, `09:05:07.25` or `9时5分7秒`; `None` if the time of day does not exist.
    fn time_of_day(&mut self) -> Result<Option<NaiveTime>> {
        if ["上午", "下午"].iter().any(|half| self.rest.starts_with(half)) {
            return Err(TimeProblem::TwelveHourClock);
        }
        let (hour, _) = self.number(2).ok_or(TimeProblem::NotATime)?;
        let separator = self.one_of(&[':', '时']).ok_or(TimeProblem::NotATime)?;
        let is_chinese = separator == '时';
        let (minute, digits) = self.number(2).ok_or(TimeProblem::NotATime)?;
        let two = |digits: usize| if digits == 2 || is_chinese { Ok(()) } else { Err(TimeProblem::NotATime) };
        two(digits)?;
        let mut second = 0;
        if is_chinese {
            self.one_of(&['分']).ok_or(TimeProblem::NotATime)?;
            if let Some((found, _)) = self.number(2) {
                self.one_of(&['秒']).ok_or(TimeProblem::NotATime)?;
                second = found;
            }
        } else if self.one_of(&[':']).is_some() {
            let (found, digits) = self.number(2).ok_or(TimeProblem::NotATime)?;
            two(digits)?;
            second = found;
            if self.one_of(&['.', ',']).is_some() {
                // Fractions of a second are dropped.
                let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
                self.rest = if end == 0 { return Err(TimeProblem::NotATime) } else { &self.rest[end..] };
            }
        }
        Ok(NaiveTime::from_hms_opt(hour, minute, second))
    }

    /// Parses `Z`, `UTC`, `+08`, `+0800` or `+08:00`; UTC+8 if there is no zone.
    fn zone(&mut self) -> Result<FixedOffset> {
        let rest = self.rest.trim_start();
        if rest.is_empty() {
            return Ok(provider_offset());
        }
        let begins = |word: &str| rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if begins("AM") || begins("PM") {
            return Err(TimeProblem::TwelveHourClock);
        }
        if ["Z", "UTC", "GMT"].iter().any(|name| rest.eq_ignore_ascii_case(name)) {
            return FixedOffset::east_opt(0).ok_or(TimeProblem::NotATime);
        }
        let west = rest.starts_with('-');
        let digits: String = rest.strip_prefix(['+', '-']).ok_or(TimeProblem::NotATime)?.replacen(':', "", 1);
        if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimeProblem::NotATime);
        }
        let part = |at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<i32>().ok()).unwrap_or(0);
        let seconds = part(0) * 3600 + part(2) * 60;
        let offset = FixedOffset::east_opt(if west { -seconds } else { seconds });
        offset.filter(|_| part(2) < 60).ok_or(TimeProblem::NonexistentTime)
    }

    /// Consumes the next number, of at most `most` digits; returns it with its number of digits.
    fn number(&mut self, most: usize) -> Option<(u32, usize)> {
        let end = self.rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest.len());
        if end == 0 || end > most {
            return None;
        }
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((digits.parse().ok()?, end))
    }

    /// Consumes the next character, if it is one of these.
    fn one_of(&mut self, wanted: &[char]) -> Option<char> {
        let next = self.rest.chars().next().filter(|c| wanted.contains(c))?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn outcome(text: &str) -> String {
        match parse_time(text) {
            Ok(ParsedTime { time: LedgerTime::Day(day), .. }) => format!("day {day}"),
            Ok(ParsedTime { time, .. }) => time.provider_text().into(),
            Err(error) => format!("! {error:?}"),
        }
    }

    #[test]
    fn every_form_of_time_is_parsed_to_the_second_in_utc_plus_8() {
        for (text, wanted) in [
            ("1671552000000", "2022-12-21 00:00:00"),
            ("1671552000999", "2022-12-21 00:00:00"),
            ("1671552000", "2022-12-21 00:00:00"),
            ("1671552000.5", "2022-12-21 00:00:00"),
            ("2022-12-20T16:00:00Z", "2022-12-21 00:00:00"),
            ("2022-12-20 16:00:00 UTC", "2022-12-21 00:00:00"),
            ("2022-12-20 16:00:00+00", "2022-12-21 00:00:00"),
            ("2022-12-21T00:00:00.75+08:00", "2022-12-21 00:00:00"),
            ("2022-12-20T11:30:00-0430", "2022-12-21 00:00:00"),
            ("2022-12-21", "day 2022-12-21"),
            ("2022-1-2", "day 2022-01-02"),
            ("2022/12/21", "day 2022-12-21"),
            ("2022年1月2日", "day 2022-01-02"),
            ("20221221", "day 2022-12-21"),
            ("20221221090507", "2022-12-21 09:05:07"),
            ("2026/11/1 9:05", "2026-11-01 09:05:00"),
            ("2026/11/1 9:05:07", "2026-11-01 09:05:07"),
            ("2026.11.1 9:05:07", "2026-11-01 09:05:07"),
            ("2026年11月1日 9:05", "2026-11-01 09:05:00"),
            ("2026年11月1日9时5分7秒", "2026-11-01 09:05:07"),
            ("2022-12-21 09:05", "2022-12-21 09:05:00"),
            ("2022-12-21T09:05", "2022-12-21 09:05:00"),
            ("2022-12-21 09:05:07", "2022-12-21 09:05:07"),
            ("2022-12-21  09:05:07,999", "2022-12-21 09:05:07"),
            ("45962.37", "2025-11-01 08:52:48"),
            ("45962.999999", "2025-11-02 00:00:00"),
            ("45962", "day 2025-11-01"),
            ("36526", "day 2000-01-01"),
            ("73415.5", "2100-12-31 12:00:00"),
            ("2000-01-01", "day 2000-01-01"),
            ("2100-12-31 23:59:59", "2100-12-31 23:59:59"),
        ] {
            assert_eq!(outcome(text), wanted, "{text}");
        }
        assert!(
            parse_time("45962.37").unwrap().is_serial_day && !parse_time("1671552000").unwrap().is_serial_day
        );
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        for (texts, wanted) in [
            (
                &[
                    "yesterday",
                    "2022-12-21é10:00",
                    "99999999999999999999",
                    "12022-12-21",
                    "2022-12/21",
                    "1:15",
                ][..],
                "NotATime",
            ),
            (
                &["2022-12-21 9", "2022-12-21 9:5", "2022-12-21 09:05:07 CST", "2022-12-21+08", "-", "."],
                "NotATime",
            ),
            (&["11月1日", "11月1日 9:05", "11/1", "11-1 9:05", "1-Nov"], "NoYear"),
            (&["11/1/2026", "1-11-2026 9:05", "21.12.2022", "26/11/1", "1-Nov-26"], "AmbiguousOrder"),
            (&["2026/11/1 9:05 PM", "2026/11/1 下午9:05"], "TwelveHourClock"),
            (&["0000-00-00", "0000-00-00 00:00:00"], "ZeroDate"),
            (&["2022-13-01", "2022-02-29", "2022-12-21 24:00", "2022-12-21 10:60"], "NonexistentTime"),
            (
                &["1999-12-31", "2101-01-01", "0", "-1671552000", "9999999999999", "36525", "73416"],
                "ImplausibleYear",
            ),
        ] {
            for text in texts {
                assert!(outcome(text).starts_with(&format!("! {wanted}")), "{text}: {}", outcome(text));
            }
        }
    }
}
