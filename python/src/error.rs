//! What is wrong with an input.

use std::fmt;

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The arguments with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Ledger,
    Answers,
    Discrepancies,
}

impl Input {
    /// The argument's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Answers => "answers",
            Self::Discrepancies => "discrepancies",
        }
    }

    /// Whose columns it has.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Ledger => "a ledger",
            Self::Answers => "an export",
            Self::Discrepancies => "the discrepancies",
        }
    }
}

/// The exceptions of the module.
pub(crate) mod exceptions {
    use super::{PyValueError, create_exception};

    create_exception!(
        reconcile,
        InputError,
        PyValueError,
        "An input cannot be used. `input`, `row` (from 0) and `column` say where; row and column may be None."
    );
    create_exception!(reconcile, TieOutError, PyValueError, "A line of the tie-out does not add up.");
}

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct InputError {
    input: Input,
    row: Option<usize>,
    column: Option<String>,
    what: String,
}

impl InputError {
    /// The whole input cannot be used.
    pub(crate) fn damaged(input: Input, error: &dyn fmt::Display) -> Self {
        Self { input, row: None, column: None, what: error.to_string() }
    }

    /// A column cannot be used.
    pub(crate) fn column(input: Input, column: &str, what: impl Into<String>) -> Self {
        Self { input, row: None, column: Some(column.to_owned()), what: what.into() }
    }

    /// A value cannot be used.
    pub(crate) fn value(input: Input, row: usize, column: &str, what: impl Into<String>) -> Self {
        Self { row: Some(row), ..Self::column(input, column, what) }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.input.name())?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl From<InputError> for PyErr {
    fn from(error: InputError) -> Self {
        let exception = exceptions::InputError::new_err(error.to_string());
        Python::attach(|py| {
            let value = exception.value(py);
            value.setattr("input", error.input.name())?;
            value.setattr("row", error.row)?;
            value.setattr("column", error.column)
        })
        .map_or_else(|error| error, |()| exception)
    }
}
