//! The rows of a ledger that name the explained call.

use std::path::Path;

use crate::commands::ledger_input::open_ledger;
use crate::error::Result;
use crate::ledger::{Options, ScannedLedger};
use crate::provider::credentials::Access;
use reconcile_core::ledger_row::{LedgerRow, Record};

/// The usable rows of the ledger with the call's id, in its order.
#[derive(Default)]
pub(super) struct LedgerRows {
    pub(super) rows: Vec<LedgerRow>,
    /// The names of the columns that are carried through.
    pub(super) carried: Vec<String>,
}

impl LedgerRows {
    /// Reads the ledger; without one there are no rows.
    ///
    /// # Errors
    ///
    /// Exit 2 if it cannot be read.
    pub(super) fn of_call(call_id: &str, path: Option<&Path>, options: Options) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let source = ScannedLedger::scan(open_ledger(&[path.to_owned()], &Access::default())?, options)?;
        let mut rows = Vec::new();
        for record in source.read()? {
            if let Record::Row(row) = record?
                && row.key.call_id == call_id
            {
                rows.push(row);
            }
        }
        Ok(Self { rows, carried: source.scan.carried })
    }
}
