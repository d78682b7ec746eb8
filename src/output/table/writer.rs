//! Writes a table as a Parquet file, one row group after the other.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::errors::Result as ParquetResult;
use parquet::file::writer::SerializedFileWriter;

use super::properties::writer_properties;
use super::row_group::{RowGroup, RowGroupEncoder, TableForm};
use super::schema::table_schema;
use crate::error::Result;
use crate::output::schema::{Cell, Column, ColumnType};
use crate::staged::unwritable;

/// A Parquet file while it is written. At most one row group is in memory, encoded.
pub(crate) struct Table {
    form: Arc<TableForm>,
    file: SerializedFileWriter<File>,
    /// Of the rows that come one by one.
    encoder: RowGroupEncoder,
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
        let types = types.chain(carried.iter().map(|_| ColumnType::Text)).collect();
        let (file, factory) = writer_properties(&schema, metadata)
            .and_then(|properties| ArrowWriter::try_new(file, schema.clone(), Some(properties)))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|e| unwritable(target, e))?;
        let form = Arc::new(TableForm::new(target, schema, types, factory));
        Ok(Self { encoder: RowGroupEncoder::new(form.clone()), form, file })
    }

    /// What an encoder of its row groups needs.
    pub(crate) fn form(&self) -> Arc<TableForm> {
        self.form.clone()
    }

    /// Adds a row: the cells of the columns, then the carried ones.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) -> Result<()> {
        if self.encoder.push(cells)? { self.end_row_group() } else { Ok(()) }
    }

    /// Writes all rows in memory as a row group, and frees their memory.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn end_row_group(&mut self) -> Result<()> {
        let row_group = self.encoder.finish()?;
        row_group.map_or(Ok(()), |row_group| self.append(row_group))
    }

    /// Writes a row group of this table's form after the rows so far.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn append(&mut self, row_group: RowGroup) -> Result<()> {
        let write = || -> ParquetResult<()> {
            let mut writer = self.file.next_row_group()?;
            row_group.0.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut writer))?;
            writer.close().map(drop)
        };
        write().map_err(|e| unwritable(self.form.target(), e))
    }

    /// Writes the remaining rows and the footer.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.end_row_group()?;
        self.file.close().map(drop).map_err(|e| unwritable(self.form.target(), e))
    }
}
