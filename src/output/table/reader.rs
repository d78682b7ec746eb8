//! Reads columns of a Parquet file back, row by row.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Date32Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::Result as ParquetResult;

use crate::error::Result;
use crate::output::schema::Cell;
use crate::staged::unreadable;
use crate::threads::Share;

/// Rows read at once.
const BATCH_ROWS: usize = 4_096;

/// Passes the cells of each row to `each`, in the order of `columns`. Holds one batch in memory.
///
/// # Errors
///
/// Exit 6 if the file cannot be read or has no such column; else the error of `each`.
pub(crate) fn read(
    file: File,
    target: &Path,
    row_groups: Share,
    columns: &[&str],
    each: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>,
) -> Result<()> {
    for batch in batches(file, row_groups, columns).map_err(|e| unreadable(target, e))? {
        let batch = batch.map_err(|e| unreadable(target, e))?;
        let values: Option<Vec<Values<'_>>> =
            columns.iter().map(|name| batch.column_by_name(name).map(Values::of)).collect();
        let values = values.ok_or_else(|| unreadable(target, "a column is missing"))?;
        let mut cells = Vec::with_capacity(values.len());
        for row in 0..batch.num_rows() {
            cells.clear();
            cells.extend(values.iter().map(|values| values.cell(row)));
            each(&cells)?;
        }
    }
    Ok(())
}

fn batches(file: File, row_groups: Share, columns: &[&str]) -> ParquetResult<ParquetRecordBatchReader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let names = builder.parquet_schema().columns().iter().map(|column| column.name().to_owned());
    let wanted: Vec<usize> =
        names.enumerate().filter(|(_, name)| columns.contains(&name.as_str())).map(|(i, _)| i).collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), wanted);
    let count = builder.metadata().num_row_groups();
    let Share { no, of } = row_groups;
    let range = count * no / of..count * (no + 1) / of;
    builder.with_projection(mask).with_row_groups(range.collect()).with_batch_size(BATCH_ROWS).build()
}

/// Values of a column, for the types that are read back.
enum Values<'a> {
    Text(&'a StringArray),
    Integer(&'a Int64Array),
    Date(&'a Date32Array),
    Other,
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            DataType::Int64 => Self::Integer(column.as_primitive()),
            DataType::Date32 => Self::Date(column.as_primitive()),
            _ => Self::Other,
        }
    }

    /// The value in this row; null for any other type.
    fn cell(&self, row: usize) -> Cell<'a> {
        match self {
            Self::Text(values) => Cell::Text(values.is_valid(row).then(|| values.value(row))),
            Self::Integer(values) => Cell::Integer(values.is_valid(row).then(|| values.value(row))),
            Self::Date(values) => {
                Cell::Date(values.is_valid(row).then(|| values.value_as_date(row)).flatten())
            }
            Self::Other => Cell::Text(None),
        }
    }
}
