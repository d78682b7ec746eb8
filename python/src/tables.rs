//! The tables that the functions return.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::Date32Type;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use reconcile_core::columns::{Cell, Column, ColumnType};
use reconcile_core::decimal::{Decimal, PRECISION};

use crate::arrays::UTC;

/// The type of exact numbers.
const DECIMAL: DataType = DataType::Decimal128(PRECISION, 6);

/// The values of a column so far.
enum Builder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder),
}

impl Builder {
    fn new(column: &Column, rows: usize) -> Self {
        match column.column_type {
            // Most texts are short; a builder grows if they are not.
            ColumnType::Text => Self::Text(StringBuilder::with_capacity(rows, 16 * rows)),
            ColumnType::Integer => Self::Integer(Int64Builder::with_capacity(rows)),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Date => Self::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Timestamp => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone(UTC))
            }
            ColumnType::Decimal => {
                Self::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(DECIMAL))
            }
        }
    }

    /// Appends a cell of the column's type.
    #[inline]
    fn append(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(b), Cell::Text(v)) => b.append_option(v),
            (Self::Integer(b), Cell::Integer(v)) => b.append_option(v),
            (Self::Boolean(b), Cell::Boolean(v)) => b.append_option(v),
            (Self::Date(b), Cell::Date(v)) => b.append_option(v.map(Date32Type::from_naive_date)),
            (Self::Timestamp(b), Cell::Timestamp(v)) => b.append_option(v.map(|at| at.timestamp_micros())),
            (Self::Decimal(b), Cell::Decimal(v)) => {
                b.append_option(v.and_then(Decimal::in_column).map(i128::from));
            }
            // The core lists columns and cells in one order.
            (builder, _) => builder.append_null(),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Text(b) => b.append_null(),
            Self::Integer(b) => b.append_null(),
            Self::Boolean(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Timestamp(b) => b.append_null(),
            Self::Decimal(b) => b.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut b) => Arc::new(b.finish()),
            Self::Integer(mut b) => Arc::new(b.finish()),
            Self::Boolean(mut b) => Arc::new(b.finish()),
            Self::Date(mut b) => Arc::new(b.finish()),
            Self::Timestamp(mut b) => Arc::new(b.finish()),
            Self::Decimal(mut b) => Arc::new(b.finish()),
        }
    }
}

/// A column of a table: built, or taken from an input as it is.
enum Source {
    Built(Builder),
    Taken(ArrayRef),
}

/// A table while its rows are added.
pub(crate) struct TableBuilder {
    columns: &'static [Column],
    sources: Vec<Option<Source>>,
}

impl TableBuilder {
    /// An empty table with room for this many rows.
    pub(crate) fn new(columns: &'static [Column], rows: usize) -> Self {
        let sources = columns.iter().map(|column| Some(Source::Built(Builder::new(column, rows))));
        Self { columns, sources: sources.collect() }
    }

    /// Leaves out a column.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.set(name, None);
        self
    }

    /// Takes a column from an input.
    pub(crate) fn taking(mut self, name: &str, array: ArrayRef) -> Self {
        self.set(name, Some(Source::Taken(array)));
        self
    }

    /// Makes room for this many bytes of a column of texts.
    pub(crate) fn reserving(mut self, name: &str, rows: usize, bytes: usize) -> Self {
        self.set(name, Some(Source::Built(Builder::Text(StringBuilder::with_capacity(rows, bytes)))));
        self
    }

    fn set(&mut self, name: &str, source: Option<Source>) {
        if let Some(at) = self.columns.iter().position(|column| column.name == name) {
            self.sources[at] = source;
        }
    }

    /// Adds a row.
    pub(crate) fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        for (source, cell) in self.sources.iter_mut().zip(cells) {
            if let Some(Source::Built(builder)) = source {
                builder.append(cell);
            }
        }
    }

    /// Adds a row without any value.
    pub(crate) fn push_nulls(&mut self) {
        for source in self.sources.iter_mut().flatten() {
            if let Source::Built(builder) = source {
                builder.append_null();
            }
        }
    }

    /// The columns with their values.
    pub(crate) fn finish(self) -> Vec<(FieldRef, ArrayRef)> {
        let named = self.columns.iter().zip(self.sources);
        let columns = named.filter_map(|(column, source)| {
            let array = match source? {
                Source::Built(builder) => builder.finish(),
                Source::Taken(array) => array,
            };
            Some((Arc::new(Field::new(column.name, array.data_type().clone(), true)), array))
        });
        columns.map(|(field, array): (FieldRef, _)| (field, array)).collect()
    }
}

/// A batch of these columns.
pub(crate) fn batch(
    columns: Vec<(FieldRef, ArrayRef)>,
    rows: usize,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}

/// The schema of a table.
pub(crate) fn schema(columns: impl IntoIterator<Item = Column>) -> SchemaRef {
    let fields =
        columns.into_iter().map(|column| Field::new(column.name, data_type(column.column_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        ColumnType::Decimal => DECIMAL,
    }
}
