//! The rules of reconcile over Arrow, for Python. `reconcile.pyi` has the types.
//!
//! The rules are in `reconcile-core`. This crate reads Arrow columns into the rows that the rules
//! take, and writes their results as columns.

mod answers;
mod arrays;
mod columns;
mod comparison;
mod counts;
mod error;
mod identity;
mod input;
mod ledger;
mod records;
mod tables;

use arrow_array::RecordBatch;
use arrow_pyarrow::{PyArrowType, ToPyArrow as _};
use chrono::{NaiveDate, TimeDelta};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyString};
use reconcile_core::call_result::Rules;
use reconcile_core::columns::{Column, ColumnType, DETAILS, DISCREPANCIES};
use reconcile_core::compare::Tolerances;
use reconcile_core::ledger_record::Defaults;
use reconcile_core::product::ProductId;

use crate::counts::Totals;
use crate::error::Input;

/// How old a call without a record must be by default.
const SETTLE: TimeDelta = TimeDelta::minutes(5);

/// The result of compare().
#[pyclass(frozen, module = "reconcile")]
struct Comparison {
    /// One row per call, by ledger line.
    #[pyo3(get)]
    details: Py<PyAny>,
    /// One row per discrepancy, by ledger line and kind.
    #[pyo3(get)]
    discrepancies: Py<PyAny>,
    /// The counts.
    #[pyo3(get)]
    totals: Py<Totals>,
}

#[pymethods]
impl Comparison {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Comparison({})", self.totals.bind(py).repr()?))
    }
}

/// Reads the provider's records: one row for each answer, in their order.
#[pyfunction]
fn normalize<'py>(py: Python<'py>, answers: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let batch = input::read(answers, Input::Answers)?;
    let normalized: RecordBatch = py.detach(|| records::normalize(&batch))?;
    normalized.to_pyarrow(py)
}

/// Compares a ledger with the provider's answers.
///
/// All rows that name the same call must be in `ledger`, and its answers in `answers`.
#[pyfunction]
#[pyo3(signature = (
    ledger, answers, *, settle = SETTLE, duration_tolerance = 0, time_tolerance = 0, prod_id = None, call_date = None
))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments in Python")]
fn compare(
    py: Python<'_>,
    ledger: &Bound<'_, PyAny>,
    answers: &Bound<'_, PyAny>,
    settle: TimeDelta,
    duration_tolerance: i64,
    time_tolerance: i64,
    prod_id: Option<&Bound<'_, PyAny>>,
    call_date: Option<NaiveDate>,
) -> PyResult<Comparison> {
    let is_negative = settle < TimeDelta::zero() || duration_tolerance < 0 || time_tolerance < 0;
    if is_negative {
        return Err(PyValueError::new_err("settle and the tolerances must be 0 or more"));
    }
    let tolerances = Tolerances { duration_s: duration_tolerance, time_s: time_tolerance };
    let defaults = Defaults { prod_id: prod_id.map(product).transpose()?, call_date };
    let (ledger, answers) = (input::read(ledger, Input::Ledger)?, input::read(answers, Input::Answers)?);
    let compared =
        py.detach(|| comparison::compare(&ledger, &answers, defaults, Rules { settle, tolerances }))?;
    Ok(Comparison {
        details: compared.details.to_pyarrow(py)?.unbind(),
        discrepancies: compared.discrepancies.to_pyarrow(py)?.unbind(),
        totals: Py::new(py, Totals { counts: compared.counts })?,
    })
}

/// What makes each discrepancy the same as one of another night, and the digest of its subject.
#[pyfunction]
fn discrepancy_identity<'py>(
    py: Python<'py>,
    discrepancies: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let batch = input::read(discrepancies, Input::Discrepancies)?;
    let identities = py.detach(|| identity::identities(&batch))?;
    identities.to_pyarrow(py)
}

/// A product by number or name.
fn product(value: &Bound<'_, PyAny>) -> PyResult<ProductId> {
    let text: Bound<'_, PyString> = value.str()?;
    ProductId::parse(&text.to_string_lossy())
        .ok_or_else(|| PyValueError::new_err(format!("prod_id needs a product number or name, not {text}")))
}

/// The columns of the answers. The last two are used if they are there.
fn answers_columns() -> impl Iterator<Item = Column> {
    use ColumnType::{Date, Integer, Text, Timestamp};
    let columns = [
        ("call_id", Text),
        ("prod_id", Integer),
        ("call_date", Date),
        ("code", Text),
        ("message", Text),
        ("data", Text),
        ("request_id", Text),
        ("fetched_at", Timestamp),
        ("attempts", Integer),
        ("answer", Text),
        ("found_date", Date),
    ];
    columns.into_iter().map(|(name, column_type)| Column { name, column_type, nullable: true })
}

/// The columns that a ledger may have, with the type that needs no parsing.
fn ledger_columns() -> impl Iterator<Item = Column> {
    use ColumnType::{Boolean, Date, Integer, Text, Timestamp};
    let columns = [
        ("line", Integer),
        ("call_id", Text),
        ("prod_id", Integer),
        ("called_at", Timestamp),
        ("query_date", Date),
        ("caller", Text),
        ("callee", Text),
        ("caller_show_number", Text),
        ("callee_show_number", Text),
        ("state", Text),
        ("answered", Boolean),
        ("duration_s", Integer),
        ("started_at", Timestamp),
        ("ended_at", Timestamp),
    ];
    columns.into_iter().map(|(name, column_type)| Column { name, column_type, nullable: true })
}

/// The rules of reconcile over Arrow.
#[pymodule(gil_used = true)]
fn reconcile(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_function(wrap_pyfunction!(normalize, module)?)?;
    module.add_function(wrap_pyfunction!(compare, module)?)?;
    module.add_function(wrap_pyfunction!(discrepancy_identity, module)?)?;
    module.add_class::<Comparison>()?;
    module.add_class::<Totals>()?;
    module.add("InputError", py.get_type::<error::exceptions::InputError>())?;
    module.add("TieOutError", py.get_type::<error::exceptions::TieOutError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    for (name, schema) in [
        ("LEDGER_SCHEMA", tables::schema(ledger_columns())),
        ("ANSWERS_SCHEMA", tables::schema(answers_columns())),
        ("RECORDS_SCHEMA", tables::schema(records::columns())),
        ("DETAILS_SCHEMA", tables::schema(DETAILS)),
        ("DISCREPANCIES_SCHEMA", tables::schema(DISCREPANCIES)),
        ("IDENTITIES_SCHEMA", tables::schema(identity::COLUMNS)),
    ] {
        module.add(name, PyArrowType(schema.as_ref().clone()))?;
    }
    Ok(())
}
