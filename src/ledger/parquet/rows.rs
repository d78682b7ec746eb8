//! Reads a Parquet file as a ledger: its rows as records of text, in the file's order.
//!
//! Every value becomes text that the ledger's parsers read exactly: a timestamp with a zone becomes
//! RFC 3339, one without a zone local UTC+8 text, and a whole number has no decimal point.
//!
//! Promises: a damaged file is an error, never a panic. Memory holds one batch of rows and the
//! pages in which they are; [`parquet_bounds`](super::bounds) limits both. Long texts are
//! not copied before their length is known.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryViewArray, RecordBatch, RecordBatchReader as _, StringArray,
    make_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use csv::ByteRecord;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;

use super::bounds::{check_footer, rows_at_once};
use super::pages::Refused;
use crate::caught::caught;
use crate::ledger::error::{LedgerError, Result};
use crate::ledger::ledger_bytes::LedgerBytes;
use crate::ledger::split::{MAX_KEPT, MAX_RECORD};

/// The rows of a Parquet file.
pub(in crate::ledger) struct ParquetRows {
    reader: ParquetRecordBatchReader,
    names: Vec<String>,
    /// Positions of the columns with the type INT96.
    int96: Vec<usize>,
    /// The current batch.
    columns: Vec<ColumnTexts>,
    /// Number of rows in the current batch.
    len: usize,
    /// Index of the next row in the batch.
    at: usize,
    /// Rows read so far.
    rows: u64,
    ledger: String,
}

/// The next row of a Parquet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum NextRow {
    Whole,
    /// The row is longer than [`MAX_RECORD`]; only its beginning was read.
    TooLong,
    End,
}

impl ParquetRows {
    /// Reads the footer of the file, and checks its pages.
    ///
    /// # Errors
    /// The file is damaged, or has an unsupported form.
    pub(in crate::ledger) fn open(bytes: LedgerBytes, ledger: &str) -> Result<Self> {
        let opened = caught(|| {
            check_footer(&bytes)?;
            let (reader, int96) = open(bytes)?;
            Ok((reader, int96))
        });
        let (reader, int96) = opened.unwrap_or(Err(CONTRADICTION)).map_err(|e| refused(ledger, None, e))?;
        let names = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        let ledger = ledger.to_owned();
        Ok(Self { reader, names, int96, columns: Vec::new(), len: 0, at: 0, rows: 0, ledger })
    }

    /// Names of the columns.
    pub(in crate::ledger) fn names(&self) -> &[String] {
        &self.names
    }

    /// True for a column of INT96 timestamps. Some systems write them in UTC, others in local time.
    pub(in crate::ledger) fn is_int96(&self, column: usize) -> bool {
        self.int96.contains(&column)
    }

    /// Reads the next row into `record`.
    ///
    /// # Errors
    /// The file is damaged or cannot be read any further.
    pub(in crate::ledger) fn read(&mut self, record: &mut ByteRecord) -> Result<NextRow> {
        let next = caught(|| self.next_row(record)).unwrap_or(Err(CONTRADICTION));
        let next = next.map_err(|e| refused(&self.ledger, Some(self.rows + 2), e))?;
        self.rows += u64::from(next != NextRow::End);
        Ok(next)
    }

    fn next_row(&mut self, record: &mut ByteRecord) -> Result<NextRow, Refused> {
        while self.at == self.len {
            // Frees the pages of this batch before the next one is read.
            self.columns.clear();
            let Some(batch) = self.reader.next() else { return Ok(NextRow::End) };
            let batch: RecordBatch = batch.map_err(ParquetError::from)?;
            let columns: Result<_, ArrowError> = batch.columns().iter().map(ColumnTexts::of).collect();
            self.columns = columns.map_err(ParquetError::from)?;
            (self.len, self.at) = (batch.num_rows(), 0);
        }
        record.clear();
        for column in &self.columns {
            let room = MAX_RECORD - record.as_slice().len();
            if !column.push(self.at, record, room)? {
                self.at += 1;
                return Ok(NextRow::TooLong);
            }
        }
        self.at += 1;
        Ok(NextRow::Whole)
    }
}

const CONTRADICTION: Refused = Refused::Damaged("its parts contradict each other");

/// The error for a file that cannot be read, or not from this line on.
fn refused(ledger: &str, line: Option<u64>, why: Refused) -> LedgerError {
    let ledger = ledger.to_owned();
    match why {
        Refused::Damaged(_) | Refused::TooLarge { .. } => {
            LedgerError::DamagedParquet { ledger, line, why: why.to_string() }
        }
        Refused::Unreadable(error) => LedgerError::reading(&ledger, line, error),
        Refused::Parquet(ParquetError::External(error)) if error.is::<io::Error>() => {
            let error = error.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error);
            LedgerError::reading(&ledger, line, error)
        }
        Refused::Parquet(error) => LedgerError::Parquet { ledger, line, source: error.into() },
    }
}

/// The reader of a file's rows, and the positions of its INT96 columns.
fn open(bytes: LedgerBytes) -> Result<(ParquetRecordBatchReader, Vec<usize>), Refused> {
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())?;
    let rows = rows_at_once(&bytes, metadata.metadata())?;
    let fields: Vec<FieldRef> = metadata.schema().fields().iter().map(as_views).collect();
    let int96 = {
        let leaves = metadata.parquet_schema().columns().iter();
        let leaves = leaves.filter(|leaf| leaf.physical_type() == PhysicalType::INT96);
        let roots: Vec<&str> =
            leaves.filter_map(|leaf| leaf.path().parts().first().map(String::as_str)).collect();
        (0..fields.len()).filter(|at| roots.contains(&fields[*at].name().as_str())).collect()
    };
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata.schema().metadata().clone()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata);
    Ok((builder.with_batch_size(rows).build()?, int96))
}

/// The field with all its texts as views into the file's pages: a long text in a dictionary is not
/// copied for each of its rows.
fn as_views(field: &FieldRef) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(type_with_views(field.data_type())))
}

fn type_with_views(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, values) => type_with_views(values),
        DataType::RunEndEncoded(_, values) => type_with_views(values.data_type()),
        DataType::List(item) => DataType::List(as_views(item)),
        DataType::LargeList(item) => DataType::LargeList(as_views(item)),
        DataType::ListView(item) => DataType::ListView(as_views(item)),
        DataType::LargeListView(item) => DataType::LargeListView(as_views(item)),
        DataType::FixedSizeList(item, len) => DataType::FixedSizeList(as_views(item), *len),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(as_views).collect()),
        DataType::Map(entries, sorted) => DataType::Map(as_views(entries), *sorted),
        other => other.clone(),
    }
}

/// The values of a column in a batch, as text.
enum ColumnTexts {
    Texts(BinaryViewArray),
    /// A type that arrow displays, such as a list. A row may have millions of values, so each row
    /// is displayed on its own.
    Displayed(ArrayRef),
}

impl ColumnTexts {
    fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        let text: ArrayRef = match column.data_type() {
            DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
                cast(&cast(column, &DataType::Binary)?, &DataType::BinaryView)?
            }
            DataType::BinaryView | DataType::Utf8View => column.clone(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Boolean | DataType::Date32 => {
                cast(column, &DataType::Utf8)?
            }
            DataType::Dictionary(_, values) => return Self::of(&cast(column, values)?),
            DataType::Date64 => cast(&cast(column, &DataType::Date32)?, &DataType::Utf8)?,
            DataType::Timestamp(_, zone) => timestamps_to_text(column, zone.is_some())?,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => floats_to_text(column)?,
            DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => decimals_to_text(column)?,
            kind if kind.is_integer() => cast(column, &DataType::Utf8)?,
            _ => return Ok(Self::Displayed(column.clone())),
        };
        Ok(Self::Texts(cast(&text, &DataType::BinaryView)?.as_binary_view().clone()))
    }

    /// Appends the text of a row; a null is empty. Returns false if the text is longer than `room`,
    /// and then appends only its beginning.
    fn push(&self, row: usize, record: &mut ByteRecord, room: usize) -> Result<bool, Refused> {
        let mut displayed = Beginning { text: String::new(), room, is_whole: true };
        let text = match self {
            Self::Texts(texts) if texts.is_null(row) => b"",
            Self::Texts(texts) => texts.value(row),
            Self::Displayed(column) if column.is_null(row) => b"",
            Self::Displayed(column) => {
                let options = FormatOptions::default();
                let formatter = ArrayFormatter::try_new(column, &options).map_err(ParquetError::from)?;
                let written = write!(displayed, "{}", formatter.value(row));
                if written.is_err() && displayed.is_whole {
                    return Err(Refused::Damaged("a value cannot be shown"));
                }
                displayed.text.as_bytes()
            }
        };
        let fits = displayed.is_whole && text.len() <= room;
        record.push_field(if fits { text } else { &text[..text.len().min(room).min(MAX_KEPT)] });
        Ok(fits)
    }
}

/// The beginning of a text, of at most `room` bytes.
struct Beginning {
    text: String,
    room: usize,
    is_whole: bool,
}

impl fmt::Write for Beginning {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = part.len().min(self.room - self.text.len());
        let kept = (0..=room).rfind(|at| part.is_char_boundary(*at)).unwrap_or(0);
        self.text.push_str(&part[..kept]);
        self.is_whole &= kept == part.len();
        if self.is_whole { Ok(()) } else { Err(fmt::Error) }
    }
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
