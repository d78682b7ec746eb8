//! The columns of an input by their names, as values of one type.

use arrow_array::{ArrayRef, Date32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};

use crate::arrays::{self, Texts};
use crate::error::{Input, InputError};

/// The columns of an input.
pub(crate) struct Columns<'a> {
    batch: &'a RecordBatch,
    input: Input,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, input: Input) -> Self {
        Self { batch, input }
    }

    /// Whether there is a column of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// A column of texts.
    ///
    /// # Errors
    ///
    /// It is missing or has another type.
    pub(crate) fn texts(&self, name: &str) -> Result<Texts, InputError> {
        let column = self.column(name)?;
        Texts::of(&column).ok_or_else(|| self.wrong_type(name, &column, "a text"))
    }

    /// A column of whole numbers.
    ///
    /// # Errors
    ///
    /// As [`Columns::texts`].
    pub(crate) fn integers(&self, name: &str) -> Result<Int64Array, InputError> {
        let column = self.column(name)?;
        arrays::integers(&column).ok_or_else(|| self.wrong_type(name, &column, "a whole number"))
    }

    /// A column of days.
    ///
    /// # Errors
    ///
    /// As [`Columns::texts`].
    pub(crate) fn days(&self, name: &str) -> Result<Date32Array, InputError> {
        let column = self.column(name)?;
        arrays::days(&column).ok_or_else(|| self.wrong_type(name, &column, "a date"))
    }

    /// A column of times in UTC. One without a zone is in UTC: so engines write them that have no
    /// other times.
    ///
    /// # Errors
    ///
    /// As [`Columns::texts`].
    pub(crate) fn times(&self, name: &str) -> Result<TimestampMicrosecondArray, InputError> {
        let column = self.column(name)?;
        let micros = arrays::microseconds(&column);
        micros
            .map(|micros| arrays::in_utc(&micros))
            .map_err(|_| self.wrong_type(name, &column, "a timestamp"))
    }

    fn column(&self, name: &str) -> Result<ArrayRef, InputError> {
        let found = self.batch.column_by_name(name).ok_or_else(|| {
            let whose = self.input.source();
            InputError::column(
                self.input,
                name,
                format!("there is no such column; give the columns of {whose}"),
            )
        })?;
        arrays::plain(found).map_err(|error| InputError::column(self.input, name, error))
    }

    fn wrong_type(&self, name: &str, column: &ArrayRef, wanted: &str) -> InputError {
        let what = format!("it has the type {}; make it {wanted}", column.data_type());
        InputError::column(self.input, name, what)
    }
}
