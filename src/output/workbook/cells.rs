//! Writes the values of a row as cells of a sheet.
//!
//! Ids and phone numbers are text, so that no digit is lost. A text is never a formula or a link.
//! Characters that XML forbids are written as `_x0007_`, which Excel shows as the character itself.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};
use rust_xlsxwriter::{Format, Worksheet, XlsxError};

use crate::output::schema::Cell;
use reconcile_core::calendar::provider_local;

/// Most UTF-16 code units in a cell.
pub(super) const MAX_TEXT: usize = 32_767;
/// The end of a text that was cut.
const CUT: &str = "… [cut]";
/// Largest integer that Excel keeps: it has 15 digits.
const MAX_INTEGER: u64 = 999_999_999_999_999;
/// Excel's day 0, 30 December 1899, in days since the year 0.
const DAY_0: i32 = 693_594;
/// Excel's days that are the calendar's: from 1 March 1900, since Excel also knows the day before
/// it as 29 February, to 31 December 9999.
const DAYS: RangeInclusive<i32> = 61..=2_958_465;
const MS_A_DAY: f64 = 86_400e3;

/// The looks of cells.
pub(super) struct Formats {
    pub(super) bold: Format,
    pub(super) day: Format,
    pub(super) time: Format,
    pub(super) minutes: Format,
}

impl Formats {
    pub(super) fn new() -> Self {
        Self {
            bold: Format::new().set_bold(),
            day: Format::new().set_num_format("yyyy-mm-dd"),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            minutes: Format::new().set_num_format("0.0"),
        }
    }
}

/// A cell's place in a sheet, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) row: u32,
    pub(super) column: u16,
}

/// Writes a value. `is_id` is true if it is an id, which stays text. Returns whether the text was
/// cut.
///
/// # Errors
///
/// The place is outside the sheet.
pub(super) fn write(
    sheet: &mut Worksheet,
    at: Place,
    cell: Cell<'_>,
    is_id: bool,
    formats: &Formats,
) -> Result<bool, XlsxError> {
    match cell {
        Cell::Text(Some(text)) => write_text(sheet, at, text),
        Cell::Integer(Some(number)) if is_id => write_text(sheet, at, &number.to_string()),
        Cell::Integer(Some(number)) => write_integer(sheet, at, number),
        Cell::Boolean(Some(truth)) => sheet.write_boolean(at.row, at.column, truth).map(|_| false),
        Cell::Date(Some(day)) => {
            let text = || day.to_string();
            write_time(sheet, at, day.and_time(NaiveTime::MIN), &formats.day, text)
        }
        Cell::Timestamp(Some(instant)) => {
            let local = provider_local(instant);
            write_time(sheet, at, local, &formats.time, || local.to_string())
        }
        // Text, because a number of Excel is not exact.
        Cell::Decimal(Some(number)) => write_text(sheet, at, &number.to_string()),
        Cell::Text(None)
        | Cell::Integer(None)
        | Cell::Boolean(None)
        | Cell::Date(None)
        | Cell::Timestamp(None)
        | Cell::Decimal(None) => Ok(false),
    }
}

/// Writes a text. Returns whether it was cut.
///
/// # Errors
///
/// The place is outside the sheet.
pub(super) fn write_text(sheet: &mut Worksheet, at: Place, text: &str) -> Result<bool, XlsxError> {
    let fitting = fitting(text);
    let is_cut = matches!(fitting, Cow::Owned(_));
    sheet.write_string(at.row, at.column, &*fitting).map(|_| is_cut)
}

/// Writes an integer; as text if Excel would change its last digits.
///
/// # Errors
///
/// The place is outside the sheet.
pub(super) fn write_integer(sheet: &mut Worksheet, at: Place, number: i64) -> Result<bool, XlsxError> {
    if number.unsigned_abs() > MAX_INTEGER {
        return write_text(sheet, at, &number.to_string());
    }
    #[allow(clippy::cast_precision_loss, reason = "checked to have 15 digits at most")]
    sheet.write_number(at.row, at.column, number as f64).map(|_| false)
}

/// Writes a local time as a date of Excel; as text if Excel has no such date.
///
/// # Errors
///
/// The place is outside the sheet.
pub(super) fn write_time(
    sheet: &mut Worksheet,
    at: Place,
    local: NaiveDateTime,
    format: &Format,
    text: impl FnOnce() -> String,
) -> Result<bool, XlsxError> {
    match serial(local) {
        Some(serial) => sheet.write_number_with_format(at.row, at.column, serial, format).map(|_| false),
        None => write_text(sheet, at, &text()),
    }
}

/// Days since Excel's day 0, with the time as a fraction; `None` if Excel has no such date. Excel
/// keeps milliseconds.
fn serial(local: NaiveDateTime) -> Option<f64> {
    let day = Some(local.num_days_from_ce() - DAY_0).filter(|day| DAYS.contains(day))?;
    let time = local.time().signed_duration_since(NaiveTime::MIN).num_milliseconds();
    #[allow(clippy::cast_precision_loss, reason = "it has 8 digits at most")]
    Some(f64::from(day) + time as f64 / MS_A_DAY)
}

/// The day of a date of Excel; `None` if it is none.
pub(super) fn day_of_serial(serial: f64) -> Option<NaiveDate> {
    #[allow(clippy::cast_possible_truncation, reason = "values beyond the range become its limits")]
    let day = Some(serial as i32).filter(|day| DAYS.contains(day))?;
    NaiveDate::from_num_days_from_ce_opt(day + DAY_0)
}

/// The text, or its beginning with a mark if it is too long for a cell.
fn fitting(text: &str) -> Cow<'_, str> {
    // A text has at most as many code units as bytes.
    if text.len() <= MAX_TEXT || text.encode_utf16().count() <= MAX_TEXT {
        return Cow::Borrowed(text);
    }
    let room = MAX_TEXT - CUT.encode_utf16().count();
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= room
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push_str(CUT);
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_that_is_too_long_ends_with_a_mark() {
        for (character, units) in [("a", 1), ("备", 1), ("😀", 2)] {
            let most = MAX_TEXT / units;
            assert_eq!(fitting(&character.repeat(most)), character.repeat(most));
            let cut = fitting(&character.repeat(most + 1)).into_owned();
            assert!(cut.ends_with("… [cut]"), "{character}");
            let length = cut.encode_utf16().count();
            assert!((MAX_TEXT - 1..=MAX_TEXT).contains(&length), "{character}: {length}");
        }
    }

    #[test]
    fn dates_that_excel_lacks_are_none() {
        let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        assert_eq!(serial(at("1900-03-01T00:00:00")), Some(61.0));
        assert_eq!(serial(at("2026-11-16T12:00:00")), Some(46_342.5));
        assert_eq!(serial(at("9999-12-31T00:00:00")), Some(2_958_465.0));
        for text in ["1900-02-28T00:00:00", "0001-01-01T00:00:00", "+10000-01-01T00:00:00"] {
            assert_eq!(serial(at(text)), None, "{text}");
        }
    }

    #[test]
    fn a_date_gives_its_day_back() {
        for text in ["1900-03-01", "2024-02-29", "2026-11-16", "9999-12-31"] {
            let day: NaiveDate = text.parse().unwrap();
            let last = day.and_hms_micro_opt(23, 59, 59, 999_999).unwrap();
            assert_eq!(day_of_serial(serial(day.and_time(NaiveTime::MIN)).unwrap()), Some(day));
            assert_eq!(day_of_serial(serial(last).unwrap()), Some(day));
        }
        assert_eq!([-1.0, f64::NAN, 1e300].map(day_of_serial), [None, None, None]);
    }
}
