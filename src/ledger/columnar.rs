//! Reads a Parquet file as a ledger: its rows as records of text, in the file's order.
//!
//! Every value becomes text that the ledger's parsers read exactly: a timestamp with a zone becomes
//! RFC 3339, one without a zone local UTC+8 text, and a whole number has no decimal point. Memory
//! holds one batch of [`BATCH`] rows and one page of each column.

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

use super::error::{LedgerError, Result};
use super::ledger_bytes::LedgerBytes;

/// First bytes of every Parquet file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Rows decoded at once.
const BATCH: usize = 1_024;

/// The rows of a Parquet file.
pub(super) struct ParquetRows {
    reader: ParquetRecordBatchReader,
    names: Vec<String>,
    /// Positions of the columns with the type INT96.
    int96: Vec<usize>,
    /// The current batch.
    columns: Vec<BinaryArray>,
    /// Index of the next row in the batch.
    at: usize,
    ledger: String,
}

impl ParquetRows {
    /// Reads the footer of the file.
    ///
    /// # Errors
    /// The file is damaged, or has an unsupported form.
    pub(super) fn open(bytes: LedgerBytes, ledger: &str) -> Result<Self> {
        let failed = |error| unreadable(ledger, error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?;
        let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let leaves = builder.parquet_schema().columns();
        let leaves = leaves.iter().filter(|leaf| leaf.physical_type() == PhysicalType::INT96);
        let roots: Vec<&str> =
            leaves.filter_map(|leaf| leaf.path().parts().first().map(String::as_str)).collect();
        let int96 = (0..names.len()).filter(|at| roots.contains(&names[*at].as_str())).collect();
        let reader = builder.with_batch_size(BATCH).build().map_err(failed)?;
        Ok(Self { reader, names, int96, columns: Vec::new(), at: 0, ledger: ledger.to_owned() })
    }

    /// Names of the columns.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// True for a column of INT96 timestamps. Some systems write them in UTC, others in local time.
    pub(super) fn is_int96(&self, column: usize) -> bool {
        self.int96.contains(&column)
    }

    /// Reads the next row into `record`; `false` at the end.
    ///
    /// # Errors
    /// The file is damaged or cannot be read any further.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> Result<bool> {
        while self.columns.first().is_none_or(|column| self.at == column.len()) {
            let Some(batch) = self.reader.next() else { return Ok(false) };
            let to_texts = |batch: RecordBatch| batch.columns().iter().map(to_text).collect();
            let columns: Result<_, ArrowError> = batch.and_then(to_texts);
            self.columns = columns.map_err(|error| unreadable(&self.ledger, error))?;
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

fn unreadable(ledger: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LedgerError {
    LedgerError::Parquet { ledger: ledger.to_owned(), source: error.into() }
}

/// The values of a column as text; nulls stay nulls.
fn to_text(column: &ArrayRef) -> Result<BinaryArray, ArrowError> {
    let text = match column.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            column.clone()
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Date32 => {
            cast(column, &DataType::Utf8)?
        }
        DataType::Dictionary(_, values) => return to_text(&cast(column, values)?),
        DataType::Date64 => cast(&cast(column, &DataType::Date32)?, &DataType::Utf8)?,
        DataType::Timestamp(_, zone) => timestamps_to_text(column, zone.is_some())?,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => floats_to_text(column)?,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => decimals_to_text(column)?,
        kind if kind.is_integer() => cast(column, &DataType::Utf8)?,
        _ => others_to_text(column)?,
    };
    Ok(cast(&text, &DataType::Binary)?.as_binary::<i32>().clone())
}

fn timestamps_to_text(column: &ArrayRef, has_zone: bool) -> Result<ArrayRef, ArrowError> {
    // Values are in UTC and the zone is only for display, so any zone will do. The program contains
    // no zone names.
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
        // A value outside the calendar stays a number. That is no valid time.
        DateTime::from_timestamp_micros(micros)
            .map_or_else(|| micros.to_string(), |at| at.format(form).to_string())
    };
    let values = micros.as_primitive::<TimestampMicrosecondType>().iter();
    Ok(Arc::new(values.map(|value| value.map(text)).collect::<StringArray>()))
}

/// Floats as text. Whole numbers have no decimal point, because another program turned them into
/// floats. NaN becomes null, because it means a missing value.
fn floats_to_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    /// Whole numbers below 2^53 are exact.
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

/// Decimals as text: whole numbers without a decimal point.
fn decimals_to_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let whole = |text: &str| match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => text.to_owned(),
    };
    let texts = cast(column, &DataType::Utf8)?;
    let values = texts.as_string::<i32>().iter();
    Ok(Arc::new(values.map(|value| value.map(whole)).collect::<StringArray>()))
}

/// Any other type, such as a list, as arrow displays it.
fn others_to_text(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |at: usize| -> Result<Option<String>, ArrowError> {
        if column.is_null(at) { Ok(None) } else { formatter.value(at).try_to_string().map(Some) }
    };
    Ok(Arc::new((0..column.len()).map(text).collect::<Result<StringArray, _>>()?))
}
