//! A numeric cell as text: as the cell shows it, and as the ledger's parsers read it exactly.
//!
//! Pure. Whole numbers below 2^53 keep all digits. Larger ones have lost digits, and become
//! scientific notation, as spreadsheets show them; the ledger's parsers refuse that with a reason.

use std::fmt::Write as _;

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use reconcile_core::row_problem::CellProblem;

use super::number_format::NumberFormat;

/// What a column is read as, as far as the text of a number depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ColumnUse {
    /// Talk seconds: durations become whole seconds.
    Seconds,
    /// Points in time and days.
    Time,
    /// Anything else.
    #[default]
    Other,
}

/// Whole numbers below 2^53 are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Serial day of 9999-12-31, the last day of spreadsheets.
const LAST_DAY: f64 = 2_958_465.0;
/// Serial day of 2000-01-01. Earlier days are no calls.
const FIRST_CALL_DAY: f64 = 36_526.0;
/// Days from the first day of the 1900 system to that of the 1904 system.
const DAYS_TO_1904: f64 = 1_462.0;
const DAY_S: f64 = 86_400.0;

/// Appends the text of a number. `is_1904` says whether the workbook's days count from 1904.
///
/// # Errors
/// The number has no clear meaning in its column. The text is appended nevertheless.
pub(super) fn push_number(
    text: &mut String,
    value: f64,
    format: NumberFormat,
    usage: ColumnUse,
    is_1904: bool,
) -> Result<(), CellProblem> {
    let serial = if is_1904 { value + DAYS_TO_1904 } else { value };
    let is_day = (0.0..LAST_DAY + 1.0).contains(&serial) && value >= 0.0;
    match format {
        // A day as a bare number: the parsers count such days from 1900.
        NumberFormat::Number if usage == ColumnUse::Time && is_1904 && serial >= FIRST_CALL_DAY && is_day => {
            push_plain(text, serial);
        }
        NumberFormat::Padded(digits) if (0.0..EXACT).contains(&value) && value.fract() == 0.0 => {
            let _ = write!(text, "{value:0>digits$}");
        }
        NumberFormat::OtherUnit if usage == ColumnUse::Seconds => {
            push_plain(text, value);
            return Err(CellProblem::OtherUnit);
        }
        NumberFormat::Percent => {
            push_plain(text, value * 100.0);
            text.push('%');
        }
        NumberFormat::Date { has_time } if is_day => push_date(text, serial, has_time),
        NumberFormat::Time { has_hours, has_seconds } if is_day => {
            return push_clock(text, value, serial, usage, (has_hours, has_seconds));
        }
        NumberFormat::Elapsed { has_seconds } => return push_elapsed(text, value, usage, has_seconds),
        _ => push_plain(text, value),
    }
    Ok(())
}

/// A cell that shows only a time of day. Its value may be a duration, or a day and a time.
fn push_clock(
    text: &mut String,
    value: f64,
    serial: f64,
    usage: ColumnUse,
    (has_hours, has_seconds): (bool, bool),
) -> Result<(), CellProblem> {
    if value >= 1.0 && (usage != ColumnUse::Seconds || serial >= FIRST_CALL_DAY) {
        push_date(text, serial, true);
        return Ok(());
    }
    let hides_hours = !has_hours && value * 24.0 >= 1.0;
    push_elapsed(text, value, usage, has_seconds)?;
    let hides = usage == ColumnUse::Seconds && (value >= 1.0 || hides_hours);
    if hides { Err(CellProblem::HiddenPart) } else { Ok(()) }
}

/// A duration in days: whole seconds in a column of seconds, `h:mm:ss` elsewhere.
fn push_elapsed(
    text: &mut String,
    days: f64,
    usage: ColumnUse,
    has_seconds: bool,
) -> Result<(), CellProblem> {
    let milliseconds = (days * DAY_S * 1_000.0).round();
    if milliseconds.abs() >= EXACT {
        push_plain(text, days);
        return Ok(());
    }
    let (sign, all) = (if milliseconds < 0.0 { "-" } else { "" }, milliseconds.abs() as u64);
    let (seconds, rest) = (all / 1_000, all % 1_000);
    if usage == ColumnUse::Seconds && has_seconds && rest == 0 {
        let _ = write!(text, "{sign}{seconds}");
        return Ok(());
    }
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let _ = write!(text, "{sign}{hours}:{minutes:02}:{:02}", seconds % 60);
    if rest > 0 {
        let _ = write!(text, ".{rest:03}");
    }
    match usage {
        ColumnUse::Seconds if !has_seconds => Err(CellProblem::NoSeconds),
        ColumnUse::Time => Err(CellProblem::NoDay),
        _ => Ok(()),
    }
}

/// A serial day of the 1900 system: a day, or a point in time if its format or its value has one.
fn push_date(text: &mut String, serial: f64, has_time: bool) {
    // A double keeps less than a millisecond of a day, so only whole ones count.
    let milliseconds = (serial * DAY_S * 1_000.0).round() as i64;
    let (days, of_day) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    match days {
        // Spreadsheets show these two days, which do not exist.
        0 => text.push_str("1900-01-00"),
        60 => text.push_str("1900-02-29"),
        _ => {
            let first = NaiveDate::from_ymd_opt(1899, 12, if days < 60 { 31 } else { 30 });
            let day = first.and_then(|first| first.checked_add_days(Days::new(days as u64)));
            let _ = write!(text, "{}", day.unwrap_or_default());
        }
    }
    if has_time || of_day > 0 {
        let time = NaiveTime::MIN + TimeDelta::milliseconds(of_day);
        let _ = write!(text, " {}", time.format("%H:%M:%S%.f"));
    }
}

/// A number with at most 15 digits, or a whole one below 2^53 with all.
fn push_plain(text: &mut String, value: f64) {
    let digits = format!("{value:.14e}");
    let rounded: f64 = if value.fract() == 0.0 { value } else { digits.parse().unwrap_or(value) };
    if rounded.abs() < EXACT {
        // Without a minus before zero.
        let _ = write!(text, "{}", rounded + 0.0);
        return;
    }
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let _ = write!(text, "{mantissa}E+{exponent}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64, code: &str, usage: ColumnUse, is_1904: bool) -> String {
        let mut text = String::new();
        match push_number(&mut text, value, NumberFormat::of_code(code), usage, is_1904) {
            Ok(()) => text,
            Err(why) => format!("{text}! {}", why.to_string().split(',').next().unwrap_or_default()),
        }
    }

    #[test]
    fn numbers_keep_all_digits_that_a_double_holds() {
        for (value, code, wanted) in [
            (75.0, "General", "75"),
            (-0.0, "General", "0"),
            (11_000_000_300_006.0, "0.00E+00", "11000000300006"),
            (9_007_199_254_740_991.0, "0", "9007199254740991"),
            (9_007_199_254_740_992.0, "0", "9.00719925474099E+15"),
            (1.160_148_880_601_02e23, "General", "1.16014888060102E+23"),
            (2e16, "General", "2E+16"),
            (-2e16, "General", "-2E+16"),
            (0.1 + 0.2, "General", "0.3"),
            (1_234.5, "#,##0.00", "1234.5"),
            (45_962.370_138_888_9, "General", "45962.3701388889"),
            (571.0, "0000", "0571"),
            (12_571.0, "0000", "12571"),
            (57.5, "0000", "57.5"),
            (0.155, "0%", "15.5%"),
            (0.5, "# ?/?", "0.5"),
        ] {
            assert_eq!(text(value, code, ColumnUse::Other, false), wanted, "{value} {code}");
        }
    }

    #[test]
    fn days_and_times_follow_the_format_and_the_date_system() {
        let at = 45_962.0 + (9.0 * 3_600.0 + 5.0 * 60.0 + 7.0) / DAY_S;
        for (value, code, is_1904, wanted) in [
            (45_962.0, "yyyy-mm-dd", false, "2025-11-01"),
            (45_962.0, "yyyy-mm-dd h:mm", false, "2025-11-01 00:00:00"),
            (at, "yyyy/m/d", false, "2025-11-01 09:05:07"),
            (at, "h:mm", false, "2025-11-01 09:05:07"),
            (at - 1_462.0, "m/d/yy h:mm", true, "2025-11-01 09:05:07"),
            (at + 0.75 / DAY_S, "m/d/yy h:mm", false, "2025-11-01 09:05:07.750"),
            (45_962.999_999_999_99, "yyyy-mm-dd", false, "2025-11-02"),
            (44_500.0, "General", true, "45962"),
            (44_500.5, "General", true, "45962.5"),
            (75.0, "General", true, "75"),
            (0.0, "yyyy-mm-dd", false, "1900-01-00"),
            (1.0, "yyyy-mm-dd", false, "1900-01-01"),
            (60.0, "yyyy-mm-dd", false, "1900-02-29"),
            (61.0, "yyyy-mm-dd", false, "1900-03-01"),
            (0.0, "yyyy-mm-dd", true, "1904-01-01"),
            (-1.0, "yyyy-mm-dd", false, "-1"),
            (1_793_495_107_000.0, "yyyy-mm-dd", false, "1793495107000"),
            (
                0.378_553_240_740_741,
                "h:mm:ss",
                false,
                "9:05:07! is a time of day or a duration without a day; write YYYY-MM-DD HH:MM:SS (UTC+8)",
            ),
        ] {
            assert_eq!(text(value, code, ColumnUse::Time, is_1904), wanted, "{value} {code}");
        }
    }

    #[test]
    fn durations_become_seconds_only_if_they_show_them() {
        let seconds = |seconds: f64, code| text(seconds / DAY_S, code, ColumnUse::Seconds, false);
        for (found, wanted) in [
            (seconds(75.0, "[h]:mm:ss"), "75"),
            (seconds(75.0, "h:mm:ss"), "75"),
            (seconds(75.0, "mm:ss"), "75"),
            (seconds(100_000.0, "[h]:mm:ss"), "100000"),
            (seconds(74.5, "h:mm:ss"), "0:01:14.500"),
            (seconds(-75.0, "[h]:mm:ss"), "-75"),
            (seconds(4_500.0, "h:mm"), "1:15:00! shows hours and minutes without seconds"),
            (seconds(4_500.0, "[h]:mm"), "1:15:00! shows hours and minutes without seconds"),
            (seconds(4_500.0, "mm:ss"), "4500! shows only a part of its duration; format it as [h]:mm:ss"),
            (
                seconds(90_000.0, "h:mm:ss"),
                "90000! shows only a part of its duration; format it as [h]:mm:ss",
            ),
            (text(45_962.5, "h:mm:ss", ColumnUse::Seconds, false), "2025-11-01 12:00:00"),
            (text(75.0 / DAY_S, "h:mm:ss", ColumnUse::Other, false), "0:01:15"),
            (text(75.0, "General", ColumnUse::Seconds, false), "75"),
            (text(0.75, "0%", ColumnUse::Seconds, false), "75%"),
            (text(2.0, "0\"分钟\"", ColumnUse::Other, false), "2"),
            (
                text(2.0, "0\"分钟\"", ColumnUse::Seconds, false),
                "2! shows another unit than seconds; write the talk time in seconds",
            ),
        ] {
            assert_eq!(found, wanted);
        }
    }
}
