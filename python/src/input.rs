//! Arrow data from Python: any object with the Arrow PyCapsule interface.

use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_array::{Array as _, RecordBatch, RecordBatchReader as _};
use arrow_pyarrow::FromPyArrow as _;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::error::{Input, InputError};

/// Reads an object as one batch. Nothing is copied, unless a table of several chunks is joined.
///
/// # Errors
///
/// The object offers no Arrow data, or its data is damaged.
pub(crate) fn read(value: &Bound<'_, PyAny>, input: Input) -> PyResult<RecordBatch> {
    // A pyarrow.Table, a polars.DataFrame and a DuckDB relation are streams.
    if value.hasattr("__arrow_c_array__")? {
        let damaged = |error: PyErr| InputError::damaged(input, &error.value(value.py()));
        return RecordBatch::from_pyarrow_bound(value).map_err(|error| damaged(error).into());
    }
    if !value.hasattr("__arrow_c_stream__")? {
        return Err(PyTypeError::new_err(format!(
            "{} needs Arrow data, such as a pyarrow.RecordBatch or a polars.DataFrame; {} has neither \
             __arrow_c_array__ nor __arrow_c_stream__",
            input.name(),
            value.get_type().name()?
        )));
    }
    let reader = RecordBatchStreamReader::from_pyarrow_bound(value)?;
    join(reader).map_err(|error| InputError::damaged(input, &error).into())
}

fn join(reader: RecordBatchStreamReader) -> Result<RecordBatch, ArrowError> {
    let schema = reader.schema();
    let mut batches = reader.collect::<Result<Vec<_>, _>>()?;
    // The interface promises nothing about the values. Arrays of one batch were checked already.
    for column in batches.iter().flat_map(RecordBatch::columns) {
        column.to_data().validate_full()?;
    }
    match batches.pop() {
        Some(only) if batches.is_empty() => Ok(only),
        last => concat_batches(&schema, batches.iter().chain(&last)),
    }
}
