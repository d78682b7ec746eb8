//! Reads a time of a ledger in every form in which people, databases and spreadsheets write one.
//!
//! Pure. Promises that a time is never guessed: what could be two times, or lacks its year, is refused with what it is.
//! Times without a zone are UTC+8, as the provider's own.

use chrono::{
    DateTime, Datelike as _, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc,
};

use reconcile_core::calendar::{from_provider_local, provider_offset};
use reconcile_core::ledger_row::LedgerTime;
use reconcile_core::quick_parse;

/// Numbers below this are Unix seconds (until the year 5138), from it on milliseconds (since 1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Serial days of spreadsheets (day 1 is 1900-01-01, and 1900 wrongly a leap year) from 2000-01-01 to 2100-12-31.
const SERIAL_DAYS: std::ops::RangeInclusive<i64> = 36_526..=73_415;

/// Years in which a call can have been made.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;

const WRITE: &str = "write YYYY-MM-DD HH:MM:SS (UTC+8), RFC 3339, or Unix seconds or milliseconds";

/// A time, and whether it was a spreadsheet's serial day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) time: LedgerTime,
    pub(super) serial_day: bool,
}

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    NoTime,
    NoYear,
    DayOrMonthFirst,
    TwelveHours,
    ZeroDate,
    NoSuchTime,
    OtherYears(NaiveDate),
}

impl Trouble {
    /// What is wrong and what to do.
    pub(super) fn reason(self) -> String {
        match self {
            Self::NoTime => format!("not a time; {WRITE}"),
            Self::NoYear => format!("a date that has lost its year, as spreadsheets show it; {WRITE}"),
            Self::DayOrMonthFirst => {
                format!("day, month and year cannot be told apart in this order; {WRITE}")
            }
            Self::TwelveHours => format!("a time on the twelve-hour clock; {WRITE}"),
            Self::ZeroDate => "a zero date, which databases write for none; leave the cell empty".to_owned(),
            Self::NoSuchTime => format!("there is no such day or time of day; {WRITE}"),
            Self::OtherYears(day) => {
                format!("read as {day}, which is outside the years 2000 to 2100; {WRITE}")
            }
        }
    }
}

type Result<T> = std::result::Result<T, Trouble>;

/// Reads a point in time, floored to whole seconds (the provider knows no finer), or a day. The text is trimmed and
/// has no full-width characters but those of dates.
pub(super) fn read(text: &str) -> Result<Read> {
    let numeric = |b: u8| b.is_ascii_digit() || b == b'.' || b == b'-';
    let found = match numeric_parts(text).filter(|_| text.bytes().all(numeric)) {
        Some((whole, fraction)) => number(whole, fraction)?,
        None => Read { time: TimeScanner { rest: text }.written()?, serial_day: false },
    };
    let day = found.time.day();
    if YEARS.contains(&day.year()) { Ok(found) } else { Err(Trouble::OtherYears(day)) }
}

/// `2026-11-01 09:05:07`, the form that nearly every ledger has, without looking for the others.
pub(super) fn plain(text: &str) -> Option<Read> {
    let local = quick_parse::local_time(text).filter(|local| YEARS.contains(&local.year()))?;
    Some(Read { time: LedgerTime::Instant(from_provider_local(local)), serial_day: false })
}

/// A decimal number as its sign with its whole part, and its fraction.
fn numeric_parts(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    (!unsigned.is_empty() && digits(unsigned) && digits(fraction) && !text.ends_with('.'))
        .then_some((whole, fraction))
}

/// Unix seconds or milliseconds, serial days, or a date without separators, which no Unix time of these years is.
fn number(whole: &str, fraction: &str) -> Result<Read> {
    let value: i64 = whole.parse().map_err(|_| Trouble::NoTime)?;
    if SERIAL_DAYS.contains(&value) {
        return Ok(Read { time: serial_day(value, fraction).ok_or(Trouble::NoTime)?, serial_day: true });
    }
    if fraction.is_empty()
        && let Some(time) = packed(whole)
    {
        return Ok(Read { time, serial_day: false });
    }
    let seconds = if value.abs() < MILLISECONDS_FROM { value } else { value.div_euclid(1000) };
    let time = DateTime::from_timestamp(seconds, 0).map(LedgerTime::Instant).ok_or(Trouble::NoTime)?;
    Ok(Read { time, serial_day: false })
}

/// `45962` is a day, `45962.37` a time of it, to the nearest second.
fn serial_day(days: i64, fraction: &str) -> Option<LedgerTime> {
    let day =
        NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(u64::try_from(days).ok()?))?;
    if fraction.is_empty() {
        return Some(LedgerTime::Day(day));
    }
    // A double has no more digits than these.
    let digits = &fraction[..fraction.len().min(17)];
    let (parts, scale) = (digits.parse::<i128>().ok()?, 10_i128.pow(u32::try_from(digits.len()).ok()?));
    let seconds = (2 * parts * 86_400 + scale) / (2 * scale);
    let local = day.and_time(NaiveTime::MIN) + TimeDelta::seconds(i64::try_from(seconds).ok()?);
    Some(LedgerTime::Instant(from_provider_local(local)))
}

/// `20261101`, as partitions are named, or `20261101090507`.
fn packed(digits: &str) -> Option<LedgerTime> {
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

/// What is left of a text being read.
struct TimeScanner<'a> {
    rest: &'a str,
}

impl TimeScanner<'_> {
    fn written(mut self) -> Result<LedgerTime> {
        let day = self.date()?;
        if self.rest.is_empty() {
            return day.map(LedgerTime::Day).ok_or(Trouble::NoSuchTime);
        }
        let between = self.rest.trim_start();
        self.rest = if between.len() == self.rest.len() {
            // `T`, or nothing after `日`.
            self.rest.strip_prefix(['T', 't']).unwrap_or(self.rest)
        } else {
            between
        };
        let time = self.time_of_day()?;
        let zone = self.zone()?;
        let local: NaiveDateTime =
            day.zip(time).map(|(day, time)| day.and_time(time)).ok_or(Trouble::NoSuchTime)?;
        let instant: Option<DateTime<Utc>> = local.and_local_timezone(zone).single().map(|at| at.to_utc());
        instant.map(LedgerTime::Instant).ok_or(Trouble::NoSuchTime)
    }

    /// `2026-11-01`, `2026/11/1`, `2026.11.1`, `2026年11月1日`; `None` when there is no such day.
    fn date(&mut self) -> Result<Option<NaiveDate>> {
        let (year, digits) = self.number(4).ok_or(Trouble::NoTime)?;
        if digits != 4 {
            return Err(self.without_year());
        }
        let separator = self.one_of(&['-', '/', '.', '年']).ok_or(Trouble::NoTime)?;
        let (month, _) = self.number(2).ok_or(Trouble::NoTime)?;
        self.one_of(&[if separator == '年' { '月' } else { separator }]).ok_or(Trouble::NoTime)?;
        let (day, _) = self.number(2).ok_or(Trouble::NoTime)?;
        if separator == '年' {
            self.one_of(&['日', '号']).ok_or(Trouble::NoTime)?;
        } else if self.rest.starts_with(|c: char| !c.is_whitespace() && !matches!(c, 'T' | 't')) {
            return Err(Trouble::NoTime);
        }
        if (year, month, day) == (0, 0, 0) {
            return Err(Trouble::ZeroDate);
        }
        Ok(i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day)))
    }

    /// What it is that does not begin with a year.
    fn without_year(&mut self) -> Trouble {
        let separator = self.one_of(&['-', '/', '.', '月']);
        match (separator, self.number(2)) {
            (Some('月'), Some(_)) => Trouble::NoYear,
            (Some(separator), Some(_)) if self.one_of(&[separator]).is_some() => {
                self.number(4).map_or(Trouble::NoTime, |_| Trouble::DayOrMonthFirst)
            }
            (Some(_), Some(_)) if self.rest.is_empty() || self.rest.starts_with(' ') => Trouble::NoYear,
            // `1-Nov`, `1-Nov-26`.
            (Some('-'), None) if self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let year = self.rest.contains('-');
                if year { Trouble::DayOrMonthFirst } else { Trouble::NoYear }
            }
            _ => Trouble::NoTime,
        }
    }

    /// `9:05`, `09:05:07.25`, `9时5分7秒`; `None` when there is no such time of day.
    fn time_of_day(&mut self) -> Result<Option<NaiveTime>> {
        if ["上午", "下午"].iter().any(|half| self.rest.starts_with(half)) {
            return Err(Trouble::TwelveHours);
        }
        let (hour, _) = self.number(2).ok_or(Trouble::NoTime)?;
        let separator = self.one_of(&[':', '时']).ok_or(Trouble::NoTime)?;
        let in_words = separator == '时';
        let (minute, digits) = self.number(2).ok_or(Trouble::NoTime)?;
        let full = |digits: usize| if digits == 2 || in_words { Ok(()) } else { Err(Trouble::NoTime) };
        full(digits)?;
        let mut second = 0;
        if in_words {
            self.one_of(&['分']).ok_or(Trouble::NoTime)?;
            if let Some((found, _)) = self.number(2) {
                self.one_of(&['秒']).ok_or(Trouble::NoTime)?;
                second = found;
            }
        } else if self.one_of(&[':']).is_some() {
            let (found, digits) = self.number(2).ok_or(Trouble::NoTime)?;
            full(digits)?;
            second = found;
            if self.one_of(&['.', ',']).is_some() {
                // What is finer than a second is dropped.
                let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
                self.rest = if end == 0 { return Err(Trouble::NoTime) } else { &self.rest[end..] };
            }
        }
        Ok(NaiveTime::from_hms_opt(hour, minute, second))
    }

    /// `Z`, `UTC`, `+08`, `+0800`, `+08:00`; without one, UTC+8.
    fn zone(&mut self) -> Result<FixedOffset> {
        let rest = self.rest.trim_start();
        if rest.is_empty() {
            return Ok(provider_offset());
        }
        let half =
            |word: &&str| rest.len() >= 2 && rest.is_char_boundary(2) && rest[..2].eq_ignore_ascii_case(word);
        if ["AM", "PM"].iter().any(half) {
            return Err(Trouble::TwelveHours);
        }
        if ["Z", "UTC", "GMT"].iter().any(|name| rest.eq_ignore_ascii_case(name)) {
            return FixedOffset::east_opt(0).ok_or(Trouble::NoTime);
        }
        let west = rest.starts_with('-');
        let digits: String = rest.strip_prefix(['+', '-']).ok_or(Trouble::NoTime)?.replacen(':', "", 1);
        if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Trouble::NoTime);
        }
        let part = |at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<i32>().ok()).unwrap_or(0);
        let seconds = part(0) * 3600 + part(2) * 60;
        let offset = FixedOffset::east_opt(if west { -seconds } else { seconds });
        offset.filter(|_| part(2) < 60).ok_or(Trouble::NoSuchTime)
    }

    /// The digits next, at most so many; with how many there were.
    fn number(&mut self, most: usize) -> Option<(u32, usize)> {
        let end = self.rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest.len());
        if end == 0 || end > most {
            return None;
        }
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((digits.parse().ok()?, end))
    }

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

    fn shown(text: &str) -> String {
        match read(text) {
            Ok(Read { time: LedgerTime::Day(day), .. }) => format!("day {day}"),
            Ok(Read { time, .. }) => time.provider_text().into(),
            Err(trouble) => format!("! {trouble:?}"),
        }
    }

    #[test]
    fn every_form_of_time_is_read_to_the_second_in_utc_plus_8() {
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
            assert_eq!(shown(text), wanted, "{text}");
        }
        assert!(read("45962.37").unwrap().serial_day && !read("1671552000").unwrap().serial_day);
    }

    #[test]
    fn what_is_no_time_is_refused_for_what_it_is() {
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
                "NoTime",
            ),
            (
                &["2022-12-21 9", "2022-12-21 9:5", "2022-12-21 09:05:07 CST", "2022-12-21+08", "-", "."],
                "NoTime",
            ),
            (&["11月1日", "11月1日 9:05", "11/1", "11-1 9:05", "1-Nov"], "NoYear"),
            (&["11/1/2026", "1-11-2026 9:05", "21.12.2022", "26/11/1", "1-Nov-26"], "DayOrMonthFirst"),
            (&["2026/11/1 9:05 PM", "2026/11/1 下午9:05"], "TwelveHours"),
            (&["0000-00-00", "0000-00-00 00:00:00"], "ZeroDate"),
            (&["2022-13-01", "2022-02-29", "2022-12-21 24:00", "2022-12-21 10:60"], "NoSuchTime"),
            (
                &["1999-12-31", "2101-01-01", "0", "-1671552000", "9999999999999", "36525", "73416"],
                "OtherYears",
            ),
        ] {
            for text in texts {
                assert!(shown(text).starts_with(&format!("! {wanted}")), "{text}: {}", shown(text));
            }
        }
    }
}
