//! What the published rows are made of.

use chrono::TimeDelta;

use crate::ledger::ScannedLedger;
use crate::store::Store;
use reconcile_core::compare::Tolerances;

/// The options that decide the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A call younger than this and without a record is `pending`.
    pub settle: TimeDelta,
    /// How far two values may differ and still match.
    pub tolerances: Tolerances,
}

/// What the rows are made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The ledger.
    pub ledger: &'a ScannedLedger,
    /// The answers.
    pub store: &'a dyn Store,
    /// The options that decide the rows.
    pub rules: Rules,
    /// The running session: answers of earlier ones come from the store.
    pub session_no: i64,
}
