//! A Parquet file as a ledger: its rows as records of text, in the file's order.
//!
//! Owns the reading of arrow and parquet. Every value becomes the text in which the ledger's other readers take it
//! exactly: a timestamp with a zone is RFC 3339, one without is local UTC+8 text, a whole number has no point. Promises
//! that what is held is one batch of [`BATCH`] rows and one page of each column.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, BinaryArray, RecordBatch, StringArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use csv::ByteRecord;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type as PhysicalType;

use crate::error::{Error, Result};

/// The first bytes of every Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Rows decoded at once.
const BATCH: usize = 1_024;

/// A Parquet file being read.
pub(super) struct Table {
    reader: ParquetRecordBatchReader,
    names: Vec<String>,
    /// Columns whose timestamps do not say whether they are UTC.
    without_zone_rule: Vec<usize>,
    columns: Vec<BinaryArray>,
    /// The next row of the batch.
    at: usize,
    source_name: String,
}

impl Table {
    /// Reads the footer of `file`.
    ///
    /// # Errors
    /// Wrong usage: the file is damaged, or written in a way that is not read.
    pub(super) fn open(file: File, source_name: &str) -> Result<Self> {
        let failed = |error| unreadable(source_name, error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let leaves = builder.parquet_schema().columns();
        let int96 = leaves.iter().filter(|leaf| leaf.physical_type() == PhysicalType::INT96);
        let roots: Vec<&str> =
            int96.filter_map(|leaf| leaf.path().parts().first().map(String::as_str)).collect();
        let without_zone_rule = (0..names.len()).filter(|at| roots.contains(&names[*at].as_str())).collect();
        let reader = builder.with_batch_size(BATCH).build().map_err(failed)?;
        let source_name = source_name.to_owned();
        Ok(Self { reader, names, without_zone_rule, columns: Vec::new(), at: 0, source_name })
    }

    /// The columns' names.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the timestamps of this column are of the old 96-bit kind, which some systems write in UTC and some in
    /// local time.
    pub(super) fn is_without_zone_rule(&self, column: usize) -> bool {
        self.without_zone_rule.contains(&column)
    }

    /// Puts the next row into `record`; false at the end.
    ///
    /// # Errors
    /// Wrong usage: the file is damaged or cannot be read any further.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        while self.columns.first().is_none_or(|column| self.at == column.len()) {
            let Some(batch) = self.reader.next() else { return Ok(false) };
            let texts = |batch: RecordBatch| batch.columns().iter().map(texts).collect();
            let columns: Result<_, ArrowError> = batch.and_then(texts);
            self.columns = columns.map_err(|error| unreadable(&self.source_name, error))?;
            self.at = 0;
        }
        record.clear();
        for column in &self.columns {
            record.push_field(if column.is_null(self.at) { b"" } else { column.value(self.at) });
        }
        self.at += 1;
        Ok(true)
    }
}

fn unreadable(source_name: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::usage(format!("cannot read the Parquet ledger {source_name}"))
        .hint("write it anew, packed with zstd, snappy, gzip or not at all, or export it as CSV; what is stored is kept")
        .because(error)
}

/// The values of a column as text; nulls stay nulls.
fn texts(column: &ArrayRef) -> Result<BinaryArray, ArrowError> {
    let text = match column.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            column.clone()
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Date32 => {
            cast(column, &DataType::Utf8)?
        }
        DataType::Dictionary(_, values) => return texts(&cast(column, values)?),
        DataType::Date64 => cast(&cast(column, &DataType::Date32)?, &DataType::Utf8)?,
        DataType::Timestamp(_, zone) => timestamps(column, zone.is_some())?,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => floats(column)?,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => decimals(column)?,
        kind if kind.is_integer() => cast(column, &DataType::Utf8)?,
        _ => displayed(column)?,
    };
    Ok(cast(&text, &DataType::Binary)?.as_binary::<i32>().clone())
}

fn timestamps(column: &ArrayRef, has_zone: bool) -> Result<ArrayRef, ArrowError> {
    // The zone only says how to show what is UTC; names of zones are not compiled in.
    let zone = has_zone.then(|| "+00:00".into());
    let unit = match column.data_type() {
        DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Microsecond,
    };
    let of_unit = make_array(
        column.to_data().into_builder().data_type(DataType::Timestamp(unit, zone.clone())).build()?,
    );
    let micros = cast(&of_unit, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    let text = |micros: i64| {
        let form = if has_zone { "%Y-%m-%dT%H:%M:%S%.fZ" } else { "%Y-%m-%d %H:%M:%S%.f" };
        // What no calendar has is shown as the number it is, and found to be no time.
        DateTime::from_timestamp_micros(micros)
            .map_or_else(|| micros.to_string(), |at| at.format(form).to_string())
    };
    let values = micros.as_primitive::<TimestampMicrosecondType>().iter();
    Ok(Arc::new(values.map(|value| value.map(text)).collect::<StringArray>()))
}

/// Whole numbers without a point, as they were before another program made them floating; NaN, which stands for a
/// missing one, as null.
fn floats(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = |value: f64| match value {
        v if v.is_nan() => None,
        v if v.fract() == 0.0 && v.abs() < EXACT => Some(format!("{v:.0}")),
        v => Some(v.to_string()),
    };
    let floats = cast(column, &DataType::Float64)?;
    let values = floats.as_primitive::<Float64Type>().iter();
    Ok(Arc::new(values.map(|value| value.and_then(text)).collect::<StringArray>()))
}

/// Whole numbers without a point.
fn decimals(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let whole = |text: &str| match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => text.to_owned(),
    };
    let texts = cast(column, &DataType::Utf8)?;
    let values = texts.as_string::<i32>().iter();
    Ok(Arc::new(values.map(|value| value.map(whole)).collect::<StringArray>()))
}

/// Anything else, such as a list, as arrow shows it.
fn displayed(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |at: usize| -> Result<Option<String>, ArrowError> {
        if column.is_null(at) { Ok(None) } else { formatter.value(at).try_to_string().map(Some) }
    };
    Ok(Arc::new((0..column.len()).map(text).collect::<Result<StringArray, _>>()?))
}
