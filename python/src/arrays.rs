//! The values of a column, whatever its type.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType as MicrosecondType};
use arrow_array::{
    Array, ArrayRef, Date32Array, Int64Array, LargeStringArray, OffsetSizeTrait, StringArray,
    StringViewArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::cast_with_options;
use arrow_cast::{CastOptions, display::ArrayFormatter, display::FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate};

/// What is wrong with a column, in words.
type Result<T> = std::result::Result<T, String>;

/// The zone of all times in the outputs.
pub(crate) const UTC: &str = "UTC";

/// A column of texts.
#[derive(Debug, Clone)]
pub(crate) enum Texts {
    Short(StringArray),
    Long(LargeStringArray),
    Views(StringViewArray),
}

impl Texts {
    /// The column as it is, if it holds texts.
    pub(crate) fn of(column: &ArrayRef) -> Option<Self> {
        match column.data_type() {
            DataType::Utf8 => Some(Self::Short(column.as_string().clone())),
            DataType::LargeUtf8 => Some(Self::Long(column.as_string().clone())),
            DataType::Utf8View => Some(Self::Views(column.as_string_view().clone())),
            _ => None,
        }
    }

    /// The text of a row; `None` for null.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Short(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Long(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Views(texts) => texts.is_valid(row).then(|| texts.value(row)),
        }
    }

    /// The mean length of the texts in bytes, rounded up.
    pub(crate) fn mean_bytes(&self) -> usize {
        let (bytes, rows) = match self {
            Self::Short(texts) => (span(texts.value_offsets()), texts.len()),
            Self::Long(texts) => (span(texts.value_offsets()), texts.len()),
            Self::Views(texts) => (texts.total_buffer_bytes_used(), texts.len()),
        };
        bytes.div_ceil(rows.max(1))
    }

    /// The column.
    pub(crate) fn array(&self) -> ArrayRef {
        match self {
            Self::Short(texts) => Arc::new(texts.clone()),
            Self::Long(texts) => Arc::new(texts.clone()),
            Self::Views(texts) => Arc::new(texts.clone()),
        }
    }
}

/// The bytes between the first offset and the last one.
fn span<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    match offsets {
        [first, .., last] => last.as_usize() - first.as_usize(),
        _ => 0,
    }
}

/// A value that does not fit the new type is an error.
fn cast(column: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })
        .map_err(|error| format!("a value cannot be read as {to} ({error}); make the column a text"))
}

/// A column without a dictionary.
pub(crate) fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(column, values)?),
        DataType::RunEndEncoded(_, values) => plain(&cast(column, values.data_type())?),
        DataType::Null => Ok(new_null_array(&DataType::Utf8, column.len())),
        _ => Ok(column.clone()),
    }
}

/// Values as texts that the ledger's parsers read exactly, as the program reads a Parquet ledger: a
/// time with a zone is RFC 3339, one without a zone is in UTC+8, and a whole number has no decimal
/// point.
///
/// # Errors
///
/// The type has no such text.
pub(crate) fn texts(column: &ArrayRef) -> Result<Texts> {
    let column = plain(column)?;
    if let Some(texts) = Texts::of(&column) {
        return Ok(texts);
    }
    let text: StringArray = match column.data_type() {
        DataType::Boolean | DataType::Date32 => cast(&column, &DataType::Utf8)?.as_string().clone(),
        DataType::Date64 => return texts(&cast(&column, &DataType::Date32)?),
        DataType::Timestamp(_, zone) => {
            let has_zone = zone.is_some();
            let micros = microseconds(&column)?;
            micros.iter().map(|at| at.map(|at| time_text(at, has_zone))).collect()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(&column, &DataType::Float64)?;
            floats.as_primitive::<Float64Type>().iter().map(|value| value.and_then(float_text)).collect()
        }
        kind if kind.is_decimal() => {
            let texts = cast(&column, &DataType::Utf8)?;
            texts.as_string::<i32>().iter().map(|text| text.map(without_zeros)).collect()
        }
        kind if kind.is_integer() => cast(&column, &DataType::Utf8)?.as_string().clone(),
        kind => return Err(format!("it has the type {kind}; make it a text")),
    };
    Ok(Texts::Short(text))
}

/// Values of any type as texts to show.
pub(crate) fn shown(column: &ArrayRef) -> Result<Texts> {
    if let Ok(texts) = texts(column) {
        return Ok(texts);
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).map_err(|error| error.to_string())?;
    let mut shown = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        let mut text = String::new();
        write!(text, "{}", formatter.value(row)).map_err(|error| error.to_string())?;
        shown.push(column.is_valid(row).then_some(text));
    }
    Ok(Texts::Short(shown.into()))
}

/// A time of the ledger as text.
pub(crate) fn time_text(micros: i64, has_zone: bool) -> String {
    let form = if has_zone { "%Y-%m-%dT%H:%M:%S%.fZ" } else { "%Y-%m-%d %H:%M:%S%.f" };
    // A value outside the calendar stays a number. That is no valid time.
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |at| at.format(form).to_string())
}

/// A whole number has no decimal point, because another program turned it into a float. NaN is
/// null, because it means a missing value.
fn float_text(value: f64) -> Option<String> {
    /// Whole numbers below 2^53 are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        v if v.is_nan() => None,
        v if v.fract() == 0.0 && v.abs() < EXACT => Some(format!("{v:.0}")),
        v => Some(v.to_string()),
    }
}

fn without_zeros(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => text.to_owned(),
    }
}

/// Times in microseconds, with the zone that the column has.
pub(crate) fn microseconds(column: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let DataType::Timestamp(_, zone) = column.data_type() else {
        return Err(format!("it has the type {}; make it a timestamp", column.data_type()));
    };
    let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
    Ok(micros.as_primitive::<MicrosecondType>().clone())
}

/// The same instants in UTC. A zone is only for display.
pub(crate) fn in_utc(micros: &TimestampMicrosecondArray) -> TimestampMicrosecondArray {
    micros.clone().with_timezone(UTC)
}

/// Whole numbers; `None` for another type.
pub(crate) fn integers(column: &ArrayRef) -> Option<Int64Array> {
    let fits = column.data_type().is_integer() && *column.data_type() != DataType::UInt64;
    let cast = fits.then(|| cast(column, &DataType::Int64).ok())??;
    Some(cast.as_primitive::<Int64Type>().clone())
}

/// Days; `None` for another type.
pub(crate) fn days(column: &ArrayRef) -> Option<Date32Array> {
    let is_day = matches!(column.data_type(), DataType::Date32 | DataType::Date64);
    let cast = is_day.then(|| cast(column, &DataType::Date32).ok())??;
    Some(cast.as_primitive::<Date32Type>().clone())
}

/// The day of a row; `None` for null or a day outside the calendar.
#[inline]
pub(crate) fn day(days: &Date32Array, row: usize) -> Option<NaiveDate> {
    days.is_valid(row).then(|| days.value_as_date(row)).flatten()
}
