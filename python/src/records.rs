//! The records of a batch of answers.

use std::sync::Arc;

use arrow_array::RecordBatch;
use chrono::TimeDelta;
use reconcile_core::columns::{self, Column, DETAILS};
use reconcile_core::ledger_row::{Expected, LedgerRow};
use reconcile_core::status::look_up;

use crate::answers::{Answers, call_key};
use crate::error::{Input, InputError};
use crate::tables::{self, TableBuilder};

/// Columns of the details that depend on the ledger.
const OF_LEDGER: [&str; 3] = ["status", "discrepancies", "ledger_line"];

/// Columns of the result.
pub(crate) fn columns() -> impl Iterator<Item = Column> {
    DETAILS.into_iter().filter(|column| !OF_LEDGER.contains(&column.name))
}

/// One row for each answer. Columns that are the same in both are not copied.
///
/// # Errors
///
/// An answer has no key or no time, or a kind that is unknown.
pub(crate) fn normalize(batch: &RecordBatch) -> Result<RecordBatch, InputError> {
    let answers = Answers::open(batch)?;
    let mut table = OF_LEDGER
        .into_iter()
        .fold(TableBuilder::new(&DETAILS, answers.rows), TableBuilder::without)
        .taking("call_id", answers.call_id.array())
        .taking("prod_id", Arc::new(answers.prod_id.clone()))
        .taking("request_id", answers.request_id.array())
        .taking("attempts", Arc::new(answers.attempts.clone()))
        .taking("fetched_at", Arc::new(answers.fetched_at.clone()))
        .taking("raw", answers.data.array());
    for row in 0..answers.rows {
        let Some((key, day)) = answers.key(row)? else {
            table.push_nulls();
            continue;
        };
        // The status needs the ledger's time, and nothing else does.
        let call = LedgerRow {
            line: 0,
            key: call_key(key, day),
            expected: Expected::default(),
            query_date: None,
            carried: Vec::new(),
        };
        let lookup = look_up(&call, Some(answers.stored(row, day)?), TimeDelta::zero(), 0);
        table.push(columns::of_call(&call, &lookup, 0));
    }
    tables::batch(table.finish(), answers.rows).map_err(|error| InputError::damaged(Input::Answers, &error))
}
