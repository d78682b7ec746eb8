//! The totals: the rows, calls and discrepancies that publishing counts.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct as _;

use crate::discrepancy::Kind;
use crate::status::Status;

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

/// Adds a fourth field: the difference, provider − ledger.
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
    /// Counts a call for which both sides give a value.
    #[inline]
    pub fn add(&mut self, ledger: i64, provider: i64) {
        self.calls += 1;
        self.ledger += ledger;
        self.provider += provider;
    }
}

/// Rows, calls and discrepancies, as counted while they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows of the ledger.
    pub rows: u64,
    /// Unusable rows.
    pub invalid: u64,
    /// Later rows that name the same call.
    pub duplicates: u64,
    /// Distinct calls.
    pub calls: u64,
    /// Calls with the status `found`.
    pub found: u64,
    /// Calls with the status `not_found`.
    pub not_found: u64,
    /// Calls with the status `pending`.
    pub pending: u64,
    /// Calls with the status `failed`.
    pub failed: u64,
    /// Failed calls whose every attempt failed. They make the run incomplete.
    pub exhausted: u64,
    /// Calls with the status `deferred`.
    pub deferred: u64,
    /// Found calls without discrepancies.
    pub clean: u64,
    /// Found calls with discrepancies.
    pub with_discrepancies: u64,
    /// Discrepancies by kind.
    pub discrepancies: BTreeMap<Kind, u64>,
    /// Calls whose answer was stored before this session began.
    pub from_store: u64,
}

impl Totals {
    /// Calls with this status.
    #[must_use]
    pub fn with_status(&self, status: Status) -> u64 {
        match status {
            Status::Found => self.found,
            Status::NotFound => self.not_found,
            Status::Pending => self.pending,
            Status::Failed => self.failed,
            Status::Deferred => self.deferred,
        }
    }

    /// Counts a call.
    pub fn add_call(&mut self, status: Status, discrepancies: u64) {
        self.calls += 1;
        let count = match status {
            Status::Found => &mut self.found,
            Status::NotFound => &mut self.not_found,
            Status::Pending => &mut self.pending,
            Status::Failed => &mut self.failed,
            Status::Deferred => &mut self.deferred,
        };
        *count += 1;
        if status == Status::Found {
            self.clean += u64::from(discrepancies == 0);
            self.with_discrepancies += u64::from(discrepancies > 0);
        }
    }

    /// Counts a row of the discrepancy file.
    pub fn add_discrepancy(&mut self, kind: Kind) {
        *self.discrepancies.entry(kind).or_default() += 1;
    }

    /// The number of rows in the discrepancy file.
    #[must_use]
    pub fn discrepancies_total(&self) -> u64 {
        self.discrepancies.values().sum()
    }
}
