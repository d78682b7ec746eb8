//! What is counted, and the tie-out.
//!
//! Owns [`Totals`], what the files say of them ([`Written`]), and the lines of the contract that must foot. Pure.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct as _;

use crate::discrepancy::Kind;
use crate::lookup::Status;

/// The ledger's and the provider's figure for the same calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BothSides {
    /// Calls for which both sides give a value.
    pub calls: u64,
    /// Sum over the ledger's values.
    pub ledger: i64,
    /// Sum over the provider's values.
    pub provider: i64,
}

/// With the difference, which is what a reader looks for.
impl serde::Serialize for BothSides {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("BothSides", 4)?;
        fields.serialize_field("calls", &self.calls)?;
        fields.serialize_field("ledger", &self.ledger)?;
        fields.serialize_field("provider", &self.provider)?;
        fields.serialize_field("difference", &self.provider.saturating_sub(self.ledger))?;
        fields.end()
    }
}

impl BothSides {
    /// Counts one call that both sides speak of.
    pub fn add(&mut self, ledger: i64, provider: i64) {
        self.calls += 1;
        self.ledger += ledger;
        self.provider += provider;
    }
}

/// What publishing counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records of the ledger.
    pub rows: u64,
    /// Rows that could not be used.
    pub invalid: u64,
    /// Later rows that name the same call.
    pub duplicates: u64,
    /// Distinct calls.
    pub calls: u64,
    /// By status.
    pub found: u64,
    /// No record on any day asked.
    pub not_found: u64,
    /// No record yet, or not final.
    pub pending: u64,
    /// Look-ups that ended in an error.
    pub failed: u64,
    /// Of those, the ones that may succeed another time and make the run incomplete.
    pub exhausted: u64,
    /// Not asked.
    pub deferred: u64,
    /// Found, and nothing to say.
    pub clean: u64,
    /// Found, with discrepancies.
    pub with_discrepancies: u64,
    /// Discrepancies by kind.
    pub discrepancies: BTreeMap<Kind, u64>,
    /// Calls whose answer was in the store before this process began.
    pub from_store: u64,
}

impl Totals {
    /// Counts one call.
    pub fn add_call(&mut self, status: Status, discrepancies: u64) {
        self.calls += 1;
        match status {
            Status::Found => self.found += 1,
            Status::NotFound => self.not_found += 1,
            Status::Pending => self.pending += 1,
            Status::Failed => self.failed += 1,
            Status::Deferred => self.deferred += 1,
        }
        if status == Status::Found {
            if discrepancies == 0 {
                self.clean += 1;
            } else {
                self.with_discrepancies += 1;
            }
        }
    }

    /// Counts one row of the discrepancy file.
    pub fn add_discrepancy(&mut self, kind: Kind) {
        *self.discrepancies.entry(kind).or_default() += 1;
    }

    /// All rows of the discrepancy file.
    #[must_use]
    pub fn discrepancies_total(&self) -> u64 {
        self.discrepancies.values().sum()
    }
}
