//! A row of a unit, with what it is among the rows of its call.

use std::sync::Arc;

use crate::ledger::Repeat;
use reconcile_core::call::CallKey;
use reconcile_core::ledger_row::{InvalidRow, LedgerRow, Record};

/// A row of a unit.
pub(super) enum UnitRow<'a> {
    Invalid(InvalidRow),
    /// The first row of a call, which has this number and this many later rows.
    First {
        row: LedgerRow,
        number: u64,
        later_rows: u64,
    },
    /// A later row of the call whose first row has this number.
    Later {
        row: LedgerRow,
        first: &'a LedgerRow,
        number: u64,
    },
}

impl<'a> UnitRow<'a> {
    /// `None` if the row is not what the first reading found.
    pub(super) fn new(
        record: Option<Record>,
        repeat: Option<Repeat>,
        number: u64,
        first_rows: &mut std::slice::Iter<'a, Arc<LedgerRow>>,
    ) -> Option<Self> {
        match (record?, repeat) {
            (Record::Invalid(row), None) => Some(Self::Invalid(row)),
            (Record::Row(row), None) => Some(Self::First { row, number, later_rows: 0 }),
            (Record::Row(row), Some(Repeat::First { later_rows })) => {
                Some(Self::First { row, number, later_rows })
            }
            (Record::Row(row), Some(Repeat::Later { first: number })) => {
                Some(Self::Later { row, first: first_rows.next()?, number })
            }
            (Record::Invalid(_), Some(_)) => None,
        }
    }

    /// The call that the row names.
    pub(super) fn key(&self) -> Option<&CallKey> {
        match self {
            Self::Invalid(_) => None,
            Self::First { row, .. } => Some(&row.key),
            Self::Later { first, .. } => Some(&first.key),
        }
    }
}
