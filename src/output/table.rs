//! A table as Parquet, written and read back. Owns arrow and parquet.
//!
//! Rows are gathered into batches and written as they come; what is held is at most one row group, compressed. A table that
//! is written alone is encoded and compressed by a thread of its own ([`Table::beside`]).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::{
    Array as _, ArrayBuilder as _, ArrayRef, AsArray as _, BooleanBuilder, Date32Array, Date32Builder,
    Int64Array, Int64Builder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};
use crate::output::schema::{Cell, Column, Presence, Type};
use crate::output::staged::{unreadable, unwritable};

/// DuckDB's own row-group size, so that its threads share a file well.
const ROW_GROUP: usize = 122_880;
/// Rows handed to the writer at once: some 500 KiB, which a processor's cache holds...
const BATCH: usize = 1_024;
/// ... unless they have so many bytes already.
const BATCH_BYTES: usize = 1 << 24;
/// Rows read back at once.
const READ_AT_ONCE: usize = 4_096;
/// Batches that may wait for the thread that encodes them.
const WAITING: usize = 3;
const UTC: &str = "UTC";

/// Long texts that hardly ever repeat: a dictionary of them only costs memory.
const WITHOUT_DICTIONARY: [&str; 3] = ["call_id", "request_id", "raw"];
/// In bytes. A column whose dictionary grows beyond it, such as the numbers that were called, goes on without one: it was of
/// no use, and looking each value up in it is dear.
const DICTIONARY: usize = 1 << 17;
/// In bytes, before compression. Pages of the usual MiB outgrow the processor's cache, and their memory goes back to the system and
/// comes again all the time; smaller ones compress better as well. Much smaller ones are slow to read.
const PAGE: usize = 1 << 17;
/// Calls are looked up by their id: of the row groups without it, one in a hundred is read in vain.
const LOOKED_UP: &str = "call_id";
const IN_VAIN: f64 = 0.01;
/// Both tables are in this order.
const SORTED_BY: &str = "ledger_line";

enum Builder {
    Text(StringBuilder),
    Whole(Int64Builder),
    Flag(BooleanBuilder),
    Day(Date32Builder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Type) -> Self {
        match kind {
            Type::Text => Self::Text(StringBuilder::new()),
            Type::Whole => Self::Whole(Int64Builder::new()),
            Type::Flag => Self::Flag(BooleanBuilder::new()),
            Type::Day => Self::Day(Date32Builder::new()),
            Type::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone(UTC)),
        }
    }

    /// False when the cell is of another type than the column.
    fn append(&mut self, cell: Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Text(b), Cell::Text(v)) => b.append_option(v),
            (Self::Whole(b), Cell::Whole(v)) => b.append_option(v),
            (Self::Flag(b), Cell::Flag(v)) => b.append_option(v),
            (Self::Day(b), Cell::Day(v)) => b.append_option(v.map(Date32Type::from_naive_date)),
            (Self::Time(b), Cell::Time(v)) => b.append_option(v.map(|t| t.timestamp_micros())),
            _ => return false,
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => {
                // The next batch will be about as long: a builder that has to grow copies what it holds.
                let next = StringBuilder::with_capacity(b.len(), b.values_slice().len());
                Arc::new(std::mem::replace(b, next).finish())
            }
            Self::Whole(b) => Arc::new(b.finish()),
            Self::Flag(b) => Arc::new(b.finish()),
            Self::Day(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
        }
    }
}

/// Who encodes the batches.
enum Encoder {
    Here(Box<ArrowWriter<File>>),
    /// A thread; `None` ends the file. One that finds nobody at the other end leaves it as it is.
    Beside {
        batches: SyncSender<Option<RecordBatch>>,
        thread: Option<JoinHandle<ParquetResult<()>>>,
    },
}

impl Encoder {
    fn beside(mut writer: ArrowWriter<File>) -> std::io::Result<Self> {
        let (batches, received): (_, Receiver<Option<RecordBatch>>) = sync_channel(WAITING);
        let encode = move || {
            for batch in received {
                match batch {
                    Some(batch) => writer.write(&batch)?,
                    None => return writer.close().map(drop),
                }
            }
            Ok(())
        };
        let thread = std::thread::Builder::new().name("parquet".into()).spawn(encode)?;
        Ok(Self::Beside { batches, thread: Some(thread) })
    }

    /// One more batch, or with `None` the end.
    fn write(&mut self, batch: Option<RecordBatch>) -> ParquetResult<()> {
        match (self, batch) {
            (Self::Here(writer), Some(batch)) => writer.write(&batch),
            (Self::Here(writer), None) => writer.finish().map(drop),
            (Self::Beside { batches, thread }, batch) => {
                let ends = batch.is_none();
                if batches.send(batch).is_ok() && !ends {
                    return Ok(());
                }
                let stopped = || Err(ParquetError::General("its writer has stopped".into()));
                let result = thread.take().map_or_else(stopped, |thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                });
                if ends { result } else { result.and_then(|()| stopped()) }
            }
        }
    }
}

/// A Parquet file being written.
pub(super) struct Table {
    target: PathBuf,
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    rows: usize,
    encoder: Encoder,
}

impl Table {
    /// Begins a table with these columns and, behind them, one of text for each name in `carried`.
    ///
    /// # Errors
    ///
    /// Exit 6 when the file cannot be written.
    pub(super) fn create(
        file: File,
        target: &Path,
        columns: &[Column],
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let fixed = columns.iter().map(|(name, kind, presence)| {
            Field::new(*name, data_type(*kind), *presence == Presence::Optional)
        });
        let carried_fields = carried.iter().map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fixed.chain(carried_fields).collect::<Vec<_>>()));
        let kinds = columns.iter().map(|(_, kind, _)| *kind).chain(carried.iter().map(|_| Type::Text));
        let builders = kinds.map(Builder::new).collect();
        let writer = writer(file, &schema, metadata).map_err(|e| unwritable(target, e))?;
        let encoder = Encoder::Here(Box::new(writer));
        Ok(Self { target: target.to_owned(), schema, builders, rows: 0, encoder })
    }

    /// The same, encoded and compressed by a thread of its own: nearly half of what writing a table costs.
    ///
    /// # Errors
    ///
    /// Exit 6 when there can be no such thread.
    pub(super) fn beside(self) -> Result<Self> {
        let Encoder::Here(writer) = self.encoder else { return Ok(self) };
        let encoder = Encoder::beside(*writer).map_err(|e| unwritable(&self.target, e))?;
        Ok(Self { encoder, ..self })
    }

    /// Adds a row: the columns' cells, then the carried ones.
    ///
    /// # Errors
    ///
    /// Exit 6 when the file cannot be written.
    pub(super) fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) -> Result<()> {
        let (mut fits, mut builders) = (0, self.builders.iter_mut());
        // From the inside: a chain of iterators that is asked for cell after cell costs more than the cells.
        cells.for_each(|cell| fits += builders.next().map_or(0, |builder| usize::from(builder.append(cell))));
        if fits != self.builders.len() {
            return Err(Error::output(format!(
                "a row of {} does not fit its columns; this is a bug",
                self.target.display()
            )));
        }
        self.rows += 1;
        if self.rows == BATCH || self.text_len() >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn text_len(&self) -> usize {
        let len = |builder: &Builder| if let Builder::Text(b) = builder { b.values_slice().len() } else { 0 };
        self.builders.iter().map(len).sum()
    }

    fn flush(&mut self) -> Result<()> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(ParquetError::from);
        let write = batch.and_then(|batch| self.encoder.write(Some(batch)));
        write.map_err(|e| unwritable(&self.target, e))?;
        self.rows = 0;
        Ok(())
    }

    /// What it holds in memory, in bytes, roughly: rows not yet handed to the writer are taken at 1 KiB each. What a thread
    /// beside holds is not known here.
    pub(super) fn held(&self) -> usize {
        let encoded = if let Encoder::Here(writer) = &self.encoder { writer.memory_size() } else { 0 };
        self.rows * 1_024 + encoded
    }

    /// Writes what it holds as a row group, if it is encoded here.
    ///
    /// # Errors
    ///
    /// Exit 6 when the file cannot be written.
    pub(super) fn end_group(&mut self) -> Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        let Encoder::Here(writer) = &mut self.encoder else { return Ok(()) };
        writer.flush().map_err(|e| unwritable(&self.target, e))
    }

    /// Writes what is left, and the footer.
    ///
    /// # Errors
    ///
    /// Exit 6 when the file cannot be written.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.encoder.write(None).map_err(|e| unwritable(&self.target, e))
    }
}

/// Of a Parquet file, which of its row groups are meant.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Whole,
    /// The first half of them, or what follows it.
    Half {
        first: bool,
    },
}

/// Reads some columns of a Parquet file, row by row, in the order in which they are named. What is held is one batch.
///
/// # Errors
///
/// Exit 6 when it cannot be read, or a column is not there.
pub(super) fn read(
    file: File,
    target: &Path,
    part: Part,
    columns: &[&str],
    each: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>,
) -> Result<()> {
    for batch in batches(file, part, columns).map_err(|e| unreadable(target, e))? {
        let batch = batch.map_err(|e| unreadable(target, e))?;
        let found: Option<Vec<Values<'_>>> =
            columns.iter().map(|name| batch.column_by_name(name).map(Values::of)).collect();
        let found = found.ok_or_else(|| unreadable(target, "a column is missing"))?;
        let mut cells = Vec::with_capacity(found.len());
        for row in 0..batch.num_rows() {
            cells.clear();
            cells.extend(found.iter().map(|values| values.cell(row)));
            each(&cells)?;
        }
    }
    Ok(())
}

fn batches(file: File, part: Part, columns: &[&str]) -> ParquetResult<ParquetRecordBatchReader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let names = builder.parquet_schema().columns().iter().map(|column| column.name().to_owned());
    let wanted: Vec<usize> =
        names.enumerate().filter(|(_, name)| columns.contains(&name.as_str())).map(|(i, _)| i).collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), wanted);
    let groups = builder.metadata().num_row_groups();
    let groups = match part {
        Part::Whole => 0..groups,
        Part::Half { first: true } => 0..groups / 2,
        Part::Half { first: false } => groups / 2..groups,
    };
    builder.with_projection(mask).with_row_groups(groups.collect()).with_batch_size(READ_AT_ONCE).build()
}

/// The values of a column, of the types that are read back.
enum Values<'a> {
    Text(&'a StringArray),
    Whole(&'a Int64Array),
    Day(&'a Date32Array),
    Other,
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            DataType::Int64 => Self::Whole(column.as_primitive()),
            DataType::Date32 => Self::Day(column.as_primitive()),
            _ => Self::Other,
        }
    }

    /// One of another type is none.
    fn cell(&self, row: usize) -> Cell<'a> {
        match self {
            Self::Text(values) => Cell::Text(values.is_valid(row).then(|| values.value(row))),
            Self::Whole(values) => Cell::Whole(values.is_valid(row).then(|| values.value(row))),
            Self::Day(values) => Cell::Day(values.is_valid(row).then(|| values.value_as_date(row)).flatten()),
            Self::Other => Cell::Text(None),
        }
    }
}

fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Text => DataType::Utf8,
        Type::Whole => DataType::Int64,
        Type::Flag => DataType::Boolean,
        Type::Day => DataType::Date32,
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}

fn writer(
    file: File,
    schema: &Arc<Schema>,
    metadata: &[(String, String)],
) -> ParquetResult<ArrowWriter<File>> {
    let pairs = metadata.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_dictionary_page_size_limit(DICTIONARY)
        .set_data_page_size_limit(PAGE)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_bloom_filter_fpp(LOOKED_UP.into(), IN_VAIN)
        .set_column_bloom_filter_max_ndv(LOOKED_UP.into(), ROW_GROUP as u64)
        .set_sorting_columns(sorted(schema))
        .set_key_value_metadata(Some(pairs));
    // Line numbers and times hardly repeat, but each is near the one before.
    for field in schema.fields() {
        if field.name() == SORTED_BY || matches!(field.data_type(), DataType::Timestamp(..)) {
            let column = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    for name in WITHOUT_DICTIONARY {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    // Nobody looks for a range of raw texts; without statistics they do not swell the footer.
    properties = properties.set_column_statistics_enabled(ColumnPath::from("raw"), EnabledStatistics::None);
    ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))
}

fn sorted(schema: &Schema) -> Option<Vec<SortingColumn>> {
    let column_idx = i32::try_from(schema.index_of(SORTED_BY).ok()?).ok()?;
    Some(vec![SortingColumn { column_idx, descending: false, nulls_first: false }])
}
