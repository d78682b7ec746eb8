//! Encodes the rows of a row group. Each thread encodes its own row groups; the file takes them as
//! they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder as _, ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Date32Type, Schema};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::Result as ParquetResult;

use super::properties::ROW_GROUP;
use super::schema::{PLACES, UTC};
use crate::error::{Error, Result};
use crate::output::schema::{Cell, ColumnType};
use crate::staged::unwritable;
use reconcile_core::decimal::{Decimal, PRECISION};

/// Rows passed to the encoder at once: about 250 KiB. They stay in a core's cache.
const BATCH_ROWS: usize = 512;
/// A batch with this many bytes of text is passed on earlier.
const BATCH_BYTES: usize = 1 << 24;
/// A row group with this many encoded bytes is full, even with fewer rows.
const ROW_GROUP_BYTES: usize = 1 << 25;

/// What all row groups of a table have in common. Threads share it.
pub(crate) struct TableForm {
    target: PathBuf,
    schema: Arc<Schema>,
    column_types: Vec<ColumnType>,
    factory: ArrowRowGroupWriterFactory,
}

impl TableForm {
    pub(super) fn new(
        target: &Path,
        schema: Arc<Schema>,
        column_types: Vec<ColumnType>,
        factory: ArrowRowGroupWriterFactory,
    ) -> Self {
        Self { target: target.to_owned(), schema, column_types, factory }
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    fn builders(&self) -> Vec<ColumnBuilder> {
        self.column_types.iter().copied().map(ColumnBuilder::new).collect()
    }
}

enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder),
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
            ColumnType::Decimal => Self::Decimal(
                Decimal128Builder::with_capacity(0).with_data_type(DataType::Decimal128(PRECISION, PLACES)),
            ),
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
            (Self::Decimal(b), Cell::Decimal(v)) => {
                b.append_option(v.and_then(Decimal::in_column).map(i128::from))
            }
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
            Self::Decimal(b) => Arc::new(b.finish()),
        }
    }
}

/// An encoded row group: a chunk for each column.
pub(crate) struct RowGroup(pub(super) Vec<ArrowColumnChunk>);

/// The row group of a thread while its rows are encoded.
pub(crate) struct RowGroupEncoder {
    form: Arc<TableForm>,
    builders: Vec<ColumnBuilder>,
    /// Rows in the builders.
    waiting: usize,
    /// An encoder for each column; empty before the first batch.
    columns: Vec<ArrowColumnWriter>,
    /// Rows of the row group.
    rows: usize,
}

impl RowGroupEncoder {
    /// An encoder of a table, which needs no memory yet.
    pub(crate) fn new(form: Arc<TableForm>) -> Self {
        Self { builders: form.builders(), form, waiting: 0, columns: Vec::new(), rows: 0 }
    }

    /// Adds a row: the cells of the columns, then the carried ones. Returns true if the row group
    /// is now full, which depends only on its rows.
    ///
    /// # Errors
    ///
    /// Exit 6 if the rows cannot be encoded.
    pub(crate) fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) -> Result<bool> {
        let (mut fitting, mut builders) = (0, self.builders.iter_mut());
        // `for_each` rather than a `for` loop: pulling single cells through the chain of iterators
        // costs more than the cells themselves.
        cells.for_each(|cell| {
            fitting += builders.next().map_or(0, |builder| usize::from(builder.append(cell)));
        });
        if fitting != self.builders.len() {
            let what = format!("a row of {} does not fit its columns", self.form.target.display());
            return Err(Error::bug(what));
        }
        self.waiting += 1;
        self.rows += 1;
        if self.waiting == BATCH_ROWS || self.text_bytes() >= BATCH_BYTES {
            self.encode().map_err(|e| unwritable(&self.form.target, e))?;
        }
        Ok(self.rows == ROW_GROUP || (self.waiting == 0 && self.encoded_bytes() >= ROW_GROUP_BYTES))
    }

    fn text_bytes(&self) -> usize {
        self.builders.iter().map(ColumnBuilder::text_bytes).sum()
    }

    fn encoded_bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    /// Encodes the rows in the builders.
    fn encode(&mut self) -> ParquetResult<()> {
        if self.columns.is_empty() {
            self.columns = self.form.factory.create_column_writers(0)?;
        }
        let mut columns = self.columns.iter_mut();
        for (builder, field) in self.builders.iter_mut().zip(self.form.schema.fields()) {
            for leaf in compute_leaves(field, &builder.finish())? {
                columns.next().map_or(Ok(()), |column| column.write(&leaf))?;
            }
        }
        self.waiting = 0;
        Ok(())
    }

    /// Ends the row group and returns it; `None` without rows. Frees its memory.
    ///
    /// # Errors
    ///
    /// Exit 6 if the rows cannot be encoded.
    pub(crate) fn finish(&mut self) -> Result<Option<RowGroup>> {
        let mut finish = || -> ParquetResult<Vec<ArrowColumnChunk>> {
            if self.waiting > 0 {
                self.encode()?;
            }
            std::mem::take(&mut self.columns).into_iter().map(ArrowColumnWriter::close).collect()
        };
        let chunks = finish().map_err(|e| unwritable(&self.form.target, e))?;
        self.builders = self.form.builders();
        let rows = std::mem::take(&mut self.rows);
        Ok((rows > 0).then_some(RowGroup(chunks)))
    }
}
