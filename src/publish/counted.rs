//! All numbers that publishing counts.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use crate::failures::Failures;
use reconcile_core::checked_receipts::CheckedReceipts;
use reconcile_core::compare::Tolerances;
use reconcile_core::figures::Figures;
use reconcile_core::merge::{Merge, merge_maps};
use reconcile_core::money::MoneyFigures;
use reconcile_core::resolutions::EntryUse;
use reconcile_core::since::{Marks, SinceLast};
use reconcile_core::totals::Totals;

/// The totals of each account, by its name.
pub type AccountTotals = BTreeMap<CompactString, Totals>;

/// The calls with receipts of each account, by its name. It is empty if accounts are not counted
/// one by one. An account without receipts may be missing.
pub type CheckedByAccount = BTreeMap<CompactString, CheckedReceipts>;

/// All numbers that publishing counts.
#[derive(Debug, Default)]
pub struct Counted {
    /// The numbers of the tie-out.
    pub totals: Totals,
    /// The same of the calls of each account; none with one account.
    pub by_account: AccountTotals,
    /// The other numbers of the report.
    pub figures: Figures,
    /// What the sample says about the receipts.
    pub checked_receipts: CheckedByAccount,
    /// What the calls cost.
    pub money: MoneyFigures,
    /// Which decisions were used.
    pub entries: EntryUse,
    /// Calls, by the number of their first row, of which only a later row is unsettled.
    pub reopened: BTreeSet<u64>,
    /// What changed since the last run. Those that are resolved are counted from the marks.
    pub since_last: SinceLast,
    /// What the ledger says about the discrepancies that were open before.
    pub marks: Marks,
    /// Why calls failed.
    pub failed_calls: Failures,
    /// The same, of the calls whose every attempt failed.
    pub exhausted_calls: Failures,
}

impl Counted {
    /// Before the first row.
    pub(super) fn new(tolerances: Tolerances) -> Self {
        Self { figures: Figures::new(tolerances), ..Self::default() }
    }

    /// After the last part: a call with an unsettled later row is not settled.
    pub(super) fn reopen(&mut self) {
        let reopened = std::mem::take(&mut self.reopened).len() as u64;
        self.totals.settled_calls = self.totals.settled_calls.saturating_sub(reopened);
    }
}

/// The counts of later rows follow.
impl Merge for Counted {
    fn merge(&mut self, other: Self) {
        let Self {
            totals,
            by_account,
            figures,
            checked_receipts,
            money,
            entries,
            reopened,
            since_last,
            marks,
            failed_calls,
            exhausted_calls,
        } = other;
        self.totals.merge(totals);
        merge_maps(&mut self.by_account, by_account);
        self.figures.merge(figures);
        merge_maps(&mut self.checked_receipts, checked_receipts);
        self.money.merge(money);
        self.entries.merge(entries);
        self.reopened.extend(reopened);
        self.since_last.merge(since_last);
        self.marks.merge(marks);
        self.failed_calls.merge(failed_calls);
        self.exhausted_calls.merge(exhausted_calls);
    }
}
