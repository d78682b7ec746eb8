//! What makes a discrepancy of one night the same as one of another night.

use arrow_array::{Array as _, RecordBatch};
use reconcile_core::columns::{Cell, Column, ColumnType, optional};
use reconcile_core::discrepancy::Kind;
use reconcile_core::discrepancy_identity::{Subject, discrepancy_identity};

use crate::arrays::{self, Texts};
use crate::columns::Columns;
use crate::error::{Input, InputError};
use crate::tables::{self, TableBuilder};

/// Columns of the result.
pub(crate) const COLUMNS: [Column; 2] =
    [optional("identity", ColumnType::Text), optional("subject", ColumnType::Integer)];

/// One row for each discrepancy, in their order; null for a row that names neither kind nor call.
///
/// # Errors
///
/// A column is missing or has another type.
pub(crate) fn identities(batch: &RecordBatch) -> Result<RecordBatch, InputError> {
    let columns = Columns::new(batch, Input::Discrepancies);
    let [call_id, kind, field, actual] =
        ["call_id", "kind", "field", "actual"].map(|name| columns.texts(name));
    let (call_id, kind, field, actual) = (call_id?, kind?, field?, actual?);
    let (prod_id, call_date) = (columns.integers("prod_id")?, columns.days("call_date")?);
    let carried = carried(batch)?;
    let mut table = TableBuilder::new(&COLUMNS, batch.num_rows());
    for row in 0..batch.num_rows() {
        let text = |texts: &'_ Texts| texts.get(row).unwrap_or_default().to_owned();
        let (kind, call_id, value) = (text(&kind), text(&call_id), text(&actual));
        let of_row: Vec<(&str, &str)> =
            carried.iter().map(|(name, texts)| (name.as_str(), texts.get(row).unwrap_or_default())).collect();
        let prod_id = prod_id.is_valid(row).then(|| prod_id.value(row));
        let subject = if kind == Kind::InvalidRow.as_str() {
            Some(Subject::Row { call_id: &call_id, value: &value, carried: &of_row })
        } else {
            Subject::of_named_call(&kind, &call_id, prod_id, arrays::day(&call_date, row))
        };
        let identity =
            subject.map(|subject| format!("{:032x}", discrepancy_identity(subject, &kind, &text(&field))));
        table.push([Cell::Text(identity.as_deref()), Cell::Integer(subject.map(Subject::digest))]);
    }
    let damaged = |error| InputError::damaged(Input::Discrepancies, &error);
    tables::batch(table.finish(), batch.num_rows()).map_err(damaged)
}

/// The columns that the ledger's rows carried through, as texts.
fn carried(batch: &RecordBatch) -> Result<Vec<(String, Texts)>, InputError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let carried = columns
        .filter(|(field, _)| field.name().starts_with("ledger_") && field.name() != "ledger_line")
        .map(|(field, array)| {
            let name = field.name().clone();
            let texts = arrays::shown(array);
            let texts = texts.map_err(|error| InputError::column(Input::Discrepancies, &name, error))?;
            Ok((name, texts))
        });
    carried.collect()
}
