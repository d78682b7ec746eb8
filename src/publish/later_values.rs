//! The expected values that only a later row of a call gives.
//!
//! The first row of a call is compared before its later rows are read. So a ledger with such values
//! is read once more before pass 2, up to the last of them; the first reading has noticed it. Only
//! the rows of calls with later rows are parsed. Memory holds what the first rows of the calls
//! expect whose later rows are still to come, and the values found.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::units::changed;
use crate::error::Result;
use crate::ledger::{BatchLimit, RawBatch, Repeat, ScannedLedger};
use crate::shown::shown;
use reconcile_core::duplicate::LaterValues;
use reconcile_core::ledger_row::{Expected, Record};

/// The values by the number of the call's first row. A call without such values is absent.
pub(super) type ByCall = HashMap<u64, Box<LaterValues>>;

/// Records that are split at a time.
const BATCH: BatchLimit = BatchLimit { records: 1_024, bytes: 1 << 18 };

/// A call whose later rows are still to come.
struct OpenCall {
    first: Expected,
    later_rows_left: u64,
}

/// Reads the values of all calls. A ledger without such values is not read.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, or has changed.
pub(super) fn read(ledger: &ScannedLedger) -> Result<ByCall> {
    let (mut found, mut open_calls) = (ByCall::new(), HashMap::new());
    let duplicates = &ledger.scan.duplicate_calls;
    let Some(last_row) = duplicates.last_with_new_values() else { return Ok(found) };
    let (mut records, parser) = ledger.read_in_batches()?;
    let mut batch = RawBatch::default();
    while batch.rows().end <= last_row {
        records.fill(&mut batch, BATCH)?;
        if batch.is_empty() {
            return Err(changed(ledger));
        }
        for (number, repeat) in duplicates.among(batch.rows()) {
            let at = usize::try_from(number - batch.rows().start).unwrap_or(usize::MAX);
            let Some(Record::Row(row)) = parser.record(&batch, at) else { return Err(changed(ledger)) };
            match *repeat {
                Repeat::First { later_rows } => {
                    open_calls.insert(*number, OpenCall { first: row.expected, later_rows_left: later_rows });
                }
                Repeat::Later { first } => {
                    let Entry::Occupied(mut call) = open_calls.entry(first) else {
                        return Err(changed(ledger));
                    };
                    let values = found.entry(first).or_default();
                    let file = ledger.scan.layout.file_column.and_then(|at| row.carried.get(at));
                    let file = file.map(|name| shown(name)).unwrap_or_default();
                    values.add_of_file(&call.get().first, &row, &file);
                    if values.is_empty() {
                        found.remove(&first);
                    }
                    call.get_mut().later_rows_left -= 1;
                    if call.get().later_rows_left == 0 {
                        call.remove();
                    }
                }
            }
        }
    }
    Ok(found)
}
