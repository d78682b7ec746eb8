//! A call, looked up and compared.

use chrono::TimeDelta;

use crate::answer::StoredCall;
use crate::compare::{Tolerances, compare};
use crate::compared::Compared;
use crate::duplicate::LaterValues;
use crate::ledger_row::LedgerRow;
use crate::receipt_check::receipt_differs;
use crate::status::{Lookup, look_up};

/// The options that decide the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A call younger than this and without a record is `pending`.
    pub settle: TimeDelta,
    /// How far two values may differ and still match.
    pub tolerances: Tolerances,
}

/// What is known of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallResult {
    /// What the store knows of the call.
    pub lookup: Lookup,
    /// The discrepancies, and what was compared.
    pub compared: Compared,
    /// The talk seconds that the first row itself gives.
    pub own_s: Option<i64>,
}

impl CallResult {
    /// Looks up and compares a call by its first row. After that the row also expects what only
    /// later rows give. `session_no` is the running session.
    #[must_use]
    pub fn new(
        row: &mut LedgerRow,
        later: Option<&LaterValues>,
        stored: Option<StoredCall>,
        rules: Rules,
        session_no: i64,
    ) -> Self {
        let own_s = row.expected.duration_s;
        if let Some(later) = later {
            later.fill(&mut row.expected);
        }
        let differs = receipt_differs(row, stored.as_ref(), rules.tolerances, rules.settle);
        let lookup = look_up(row, stored, rules.settle, session_no);
        let mut compared = compare(row, &lookup, rules.tolerances);
        compared.discrepancies.extend(differs);
        // A stable sort: it keeps the order within each kind.
        compared.discrepancies.sort_by_key(|what| what.kind);
        if let Some(later) = later {
            later.name_lines(&mut compared.discrepancies);
        }
        Self { lookup, compared, own_s }
    }
}
