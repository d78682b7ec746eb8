//! The totals: the rows, calls and discrepancies that publishing counts.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct as _;

use crate::discrepancy::Kind;
use crate::merge::{Merge, merge_maps};
use crate::resolution::{Decision, DecisionCounts};
use crate::status::Status;

/// The ledger's and the provider's figure for the same calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
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
        self.ledger = self.ledger.saturating_add(ledger);
        self.provider = self.provider.saturating_add(provider);
    }
}

impl Merge for BothSides {
    fn merge(&mut self, other: Self) {
        let Self { calls, ledger, provider } = other;
        self.calls.merge(calls);
        self.ledger = self.ledger.saturating_add(ledger);
        self.provider = self.provider.saturating_add(provider);
    }
}

/// Every call of the ledger in one of six categories, and the rows that name none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Headline {
    /// Ledger and provider agree.
    pub agree: u64,
    /// The call was found, and something differs.
    pub differ: u64,
    /// The call was found, but nothing could be compared.
    pub not_compared: u64,
    /// The provider has no record.
    pub missing: u64,
    /// No answer yet: too recent, not final, or not asked.
    pub waiting: u64,
    /// The lookup ended in an error.
    pub failed: u64,
    /// Unusable rows of the ledger. They are no calls.
    pub unusable_rows: u64,
}

impl Headline {
    /// Each category with its key in the outputs, in their order.
    #[must_use]
    pub fn categories(&self) -> [(&'static str, u64); 7] {
        [
            ("agree", self.agree),
            ("differ", self.differ),
            ("not_compared", self.not_compared),
            ("missing", self.missing),
            ("waiting", self.waiting),
            ("failed", self.failed),
            ("unusable_rows", self.unusable_rows),
        ]
    }
}

/// Rows, calls and discrepancies, as counted while they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// Found calls in agreement: at least one expected value was compared, and no discrepancy.
    pub clean: u64,
    /// Found calls with discrepancies.
    pub with_discrepancies: u64,
    /// Found calls without discrepancies of which no expected value could be compared.
    pub not_compared: u64,
    /// Discrepancies by kind.
    pub discrepancies: BTreeMap<Kind, u64>,
    /// Discrepancies of calls that the ledger does not name.
    #[serde(default)]
    pub of_other_calls: u64,
    /// Discrepancies by decision.
    #[serde(default)]
    pub decisions: DecisionCounts,
    /// Differing and missing calls of which every discrepancy is settled.
    #[serde(default)]
    pub settled_calls: u64,
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

    /// Counts a call. `is_compared` is true if at least one of its expected values was compared.
    pub fn add_call(&mut self, status: Status, discrepancies: u64, is_compared: bool) {
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
            match (discrepancies, is_compared) {
                (0, true) => self.clean += 1,
                (0, false) => self.not_compared += 1,
                _ => self.with_discrepancies += 1,
            }
        }
    }

    /// The calls by what their reader has to know. All but the unusable rows sum to `calls`.
    #[must_use]
    pub fn headline(&self) -> Headline {
        Headline {
            agree: self.clean,
            differ: self.with_discrepancies,
            not_compared: self.not_compared,
            missing: self.not_found,
            waiting: self.pending + self.deferred,
            failed: self.failed,
            unusable_rows: self.invalid,
        }
    }

    /// Counts a row of the discrepancy file. An open discrepancy has no decision.
    pub fn add_discrepancy(&mut self, kind: Kind, decision: Option<Decision>) {
        *self.discrepancies.entry(kind).or_default() += 1;
        self.decisions.add(decision);
    }

    /// Differing and missing calls without those that are settled.
    #[must_use]
    pub fn unsettled_calls(&self) -> u64 {
        (self.with_discrepancies + self.not_found).saturating_sub(self.settled_calls)
    }

    /// The rows of a kind in the discrepancy file.
    #[must_use]
    pub fn of_kind(&self, kind: Kind) -> u64 {
        self.discrepancies.get(&kind).copied().unwrap_or(0)
    }

    /// The number of rows in the discrepancy file.
    #[must_use]
    pub fn discrepancies_total(&self) -> u64 {
        self.discrepancies.values().sum()
    }
}

impl Merge for Totals {
    fn merge(&mut self, other: Self) {
        let Self {
            rows,
            invalid,
            duplicates,
            calls,
            found,
            not_found,
            pending,
            failed,
            exhausted,
            deferred,
            clean,
            with_discrepancies,
            not_compared,
            discrepancies,
            of_other_calls,
            decisions,
            settled_calls,
            from_store,
        } = other;
        self.rows.merge(rows);
        self.invalid.merge(invalid);
        self.duplicates.merge(duplicates);
        self.calls.merge(calls);
        self.found.merge(found);
        self.not_found.merge(not_found);
        self.pending.merge(pending);
        self.failed.merge(failed);
        self.exhausted.merge(exhausted);
        self.deferred.merge(deferred);
        self.clean.merge(clean);
        self.with_discrepancies.merge(with_discrepancies);
        self.not_compared.merge(not_compared);
        merge_maps(&mut self.discrepancies, discrepancies);
        self.of_other_calls.merge(of_other_calls);
        self.decisions.merge(decisions);
        self.settled_calls.merge(settled_calls);
        self.from_store.merge(from_store);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_in_one_category() {
        let mut t = Totals { invalid: 7, ..Totals::default() };
        for (status, discrepancies, is_compared) in [
            (Status::Found, 0, true),
            (Status::Found, 0, false),
            (Status::Found, 2, true),
            (Status::Found, 1, false),
            (Status::NotFound, 1, false),
            (Status::Pending, 1, false),
            (Status::Deferred, 1, false),
            (Status::Failed, 1, false),
        ] {
            t.add_call(status, discrepancies, is_compared);
        }
        assert_eq!(t.found, t.clean + t.with_discrepancies + t.not_compared);
        let headline = t.headline();
        let wanted = Headline {
            agree: 1,
            differ: 2,
            not_compared: 1,
            missing: 1,
            waiting: 2,
            failed: 1,
            unusable_rows: 7,
        };
        assert_eq!(headline, wanted);
        let calls: u64 = headline.categories()[..6].iter().map(|(_, n)| n).sum();
        assert_eq!(calls, t.calls);
    }
}
