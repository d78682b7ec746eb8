//! The expected values that only a later row of a call gives.
//!
//! The first row of a call is compared before its later rows are read. So a ledger with duplicates
//! is read once more before pass 2. Memory holds what the first rows of the calls expect whose
//! later rows are still to come, and the values found.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::Result;
use crate::ledger::ScannedLedger;
use reconcile_core::duplicate::LaterValues;
use reconcile_core::ledger_row::{Expected, Record};

/// The values by the fingerprint of the call. A call without such values is absent.
pub(crate) type ByCall = HashMap<u128, Box<LaterValues>>;

/// A call whose later rows are still to come.
struct OpenCall {
    first: Expected,
    later_rows_left: u64,
}

/// Reads the values of all calls. A ledger without duplicates is not read.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read.
pub(crate) fn read(source: &ScannedLedger) -> Result<ByCall> {
    let (mut found, mut open_calls) = (ByCall::new(), HashMap::new());
    let mut rows_left = source.scan.duplicates;
    if rows_left == 0 {
        return Ok(found);
    }
    for record in source.read()? {
        let Record::Row(row) = record? else { continue };
        let fingerprint = row.key.fingerprint();
        match open_calls.entry(fingerprint) {
            Entry::Vacant(place) => {
                let later_rows_left = source.scan.duplicate_calls.later_rows(fingerprint);
                if later_rows_left > 0 {
                    place.insert(OpenCall { first: row.expected, later_rows_left });
                }
            }
            Entry::Occupied(mut call) => {
                let values = found.entry(fingerprint).or_default();
                values.add(&call.get().first, &row);
                if values.is_empty() {
                    found.remove(&fingerprint);
                }
                call.get_mut().later_rows_left -= 1;
                if call.get().later_rows_left == 0 {
                    call.remove();
                }
                rows_left = rows_left.saturating_sub(1);
            }
        }
        if rows_left == 0 {
            break;
        }
    }
    Ok(found)
}
