//! Writes a table as a Parquet file.
//!
//! Rows are gathered into batches and written as they come. At most one row group is in memory,
//! compressed. A single table is encoded on its own thread ([`Table::on_own_thread`]).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::{
    ArrayBuilder as _, ArrayRef, BooleanBuilder, Date32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::errors::{ParquetError, Result as ParquetResult};

use super::properties::writer_properties;
use crate::error::{Error, Result};
use crate::output::schema::{Cell, Column, ColumnType};
use crate::staged::unwritable;
use crate::threads;

/// Rows passed to the encoder at once: about 500 KiB, which fits a processor's cache.
const BATCH_ROWS: usize = 1_024;
/// A batch with this many bytes of text is passed on earlier.
const BATCH_BYTES: usize = 1 << 24;
/// Batches that may wait for the encoding thread.
const WAITING_BATCHES: usize = 3;
const UTC: &str = "UTC";

enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    /// An empty builder, which needs no memory yet.
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Self::Text(StringBuilder::with_capacity(0, 0)),
            ColumnType::Integer => Self::Integer(Int64Builder::with_capacity(0)),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(0)),
            ColumnType::Date => Self::Date(Date32Builder::with_capacity(0)),
            ColumnType::Timestamp => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(0).with_timezone(UTC))
            }
        }
    }

    /// Appends the cell; false if its type is not the column's.
    fn append(&mut self, cell: Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Text(b), Cell::Text(v)) => b.append_option(v),
            (Self::Integer(b), Cell::Integer(v)) => b.append_option(v),
            (Self::Boolean(b), Cell::Boolean(v)) => b.append_option(v),
            (Self::Date(b), Cell::Date(v)) => b.append_option(v.map(Date32Type::from_naive_date)),
            (Self::Timestamp(b), Cell::Timestamp(v)) => b.append_option(v.map(|t| t.timestamp_micros())),
            _ => return false,
        }
        true
    }

    /// Bytes of text; 0 for a column of another type.
    fn text_bytes(&self) -> usize {
        if let Self::Text(b) = self { b.values_slice().len() } else { 0 }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => {
                // The next batch will have about the same length. A builder that has to grow would
                // copy what it holds.
                let next = StringBuilder::with_capacity(b.len(), b.values_slice().len());
                Arc::new(std::mem::replace(b, next).finish())
            }
            Self::Integer(b) => Arc::new(b.finish()),
            Self::Boolean(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Timestamp(b) => Arc::new(b.finish()),
        }
    }
}

/// Encodes the batches.
enum Encoder {
    SameThread(Box<ArrowWriter<File>>),
    OwnThread(EncodingThread),
}

struct EncodingThread {
    /// `None` ends the file. If the channel is closed without it, the thread leaves the file
    /// unfinished.
    batches: SyncSender<Option<RecordBatch>>,
    thread: Option<JoinHandle<ParquetResult<()>>>,
}

impl Encoder {
    fn write(&mut self, batch: RecordBatch) -> ParquetResult<()> {
        match self {
            Self::SameThread(writer) => writer.write(&batch),
            Self::OwnThread(thread) => thread.write(batch),
        }
    }

    fn finish(self) -> ParquetResult<()> {
        match self {
            Self::SameThread(writer) => writer.close().map(drop),
            Self::OwnThread(thread) => thread.finish(),
        }
    }
}

impl EncodingThread {
    fn start(mut writer: ArrowWriter<File>) -> std::io::Result<Self> {
        let (batches, received): (_, Receiver<Option<RecordBatch>>) = sync_channel(WAITING_BATCHES);
        let encode = move || {
            for batch in received {
                match batch {
                    Some(batch) => writer.write(&batch)?,
                    None => return writer.close().map(drop),
                }
            }
            Ok(())
        };
        let thread = threads::start("parquet", encode)?;
        Ok(Self { batches, thread: Some(thread) })
    }

    fn write(&mut self, batch: RecordBatch) -> ParquetResult<()> {
        if self.batches.send(Some(batch)).is_ok() {
            return Ok(());
        }
        self.join().and_then(|()| stopped())
    }

    fn finish(mut self) -> ParquetResult<()> {
        // If the thread has stopped, its result says why.
        let _ = self.batches.send(None);
        self.join()
    }

    fn join(&mut self) -> ParquetResult<()> {
        self.thread.take().map_or_else(stopped, |thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

fn stopped() -> ParquetResult<()> {
    Err(ParquetError::General("the encoding thread has stopped".into()))
}

/// A Parquet file while it is written.
pub(crate) struct Table {
    target: PathBuf,
    schema: Arc<Schema>,
    column_types: Vec<ColumnType>,
    builders: Vec<ColumnBuilder>,
    /// Rows in the builders.
    rows: usize,
    encoder: Encoder,
}

impl Table {
    /// Starts a table with these columns, followed by one text column for each name in `carried`.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn create(
        file: File,
        target: &Path,
        columns: &[Column],
        carried: &[String],
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let schema = Arc::new(table_schema(columns, carried));
        let types = columns.iter().map(|column| column.column_type);
        let column_types: Vec<_> = types.chain(carried.iter().map(|_| ColumnType::Text)).collect();
        let builders = column_types.iter().copied().map(ColumnBuilder::new).collect();
        let writer = writer_properties(&schema, metadata)
            .and_then(|properties| ArrowWriter::try_new(file, schema.clone(), Some(properties)))
            .map_err(|e| unwritable(target, e))?;
        let encoder = Encoder::SameThread(Box::new(writer));
        Ok(Self { target: target.to_owned(), schema, column_types, builders, rows: 0, encoder })
    }

    /// Moves encoding and compression, nearly half of the work, to a thread of their own.
    ///
    /// # Errors
    ///
    /// Exit 6 if the thread cannot be started.
    pub(crate) fn on_own_thread(self) -> Result<Self> {
        let Encoder::SameThread(writer) = self.encoder else { return Ok(self) };
        let thread = EncodingThread::start(*writer).map_err(Error::no_more_threads)?;
        Ok(Self { encoder: Encoder::OwnThread(thread), ..self })
    }

    /// Adds a row: the cells of the columns, then the carried ones.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) -> Result<()> {
        let (mut fitting, mut builders) = (0, self.builders.iter_mut());
        // `for_each` rather than a `for` loop: pulling single cells through the chain of iterators
        // costs more than the cells themselves.
        cells.for_each(|cell| {
            fitting += builders.next().map_or(0, |builder| usize::from(builder.append(cell)));
        });
        if fitting != self.builders.len() {
            let what = format!("a row of {} does not fit its columns", self.target.display());
            return Err(Error::bug(what));
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS || self.text_bytes() >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn text_bytes(&self) -> usize {
        self.builders.iter().map(ColumnBuilder::text_bytes).sum()
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(ParquetError::from);
        let written = batch.and_then(|batch| self.encoder.write(batch));
        written.map_err(|e| unwritable(&self.target, e))?;
        self.rows = 0;
        Ok(())
    }

    /// Writes all rows in memory as a row group, and frees their memory. With an encoding thread,
    /// only passes the rows on.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn end_row_group(&mut self) -> Result<()> {
        self.flush()?;
        let column_types = self.column_types.iter().copied();
        self.builders = column_types.map(ColumnBuilder::new).collect();
        let Encoder::SameThread(writer) = &mut self.encoder else { return Ok(()) };
        writer.flush().map_err(|e| unwritable(&self.target, e))
    }

    /// Writes the remaining rows and the footer.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.encoder.finish().map_err(|e| unwritable(&self.target, e))
    }
}

fn table_schema(columns: &[Column], carried: &[String]) -> Schema {
    let own =
        columns.iter().map(|column| Field::new(column.name, data_type(column.column_type), column.nullable));
    let carried = carried.iter().map(|name| Field::new(name, DataType::Utf8, true));
    Schema::new(own.chain(carried).collect::<Vec<_>>())
}

fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}
