//! The content of summary and report.

use std::time::Duration;

use super::lang::Lang;
use super::provenance::Provenance;
use super::summary_receipts::ReceiptsSummary;
use crate::failures::Cause;
use crate::incomplete::Incomplete;
use crate::note::Note;
use crate::shown::shown;
use crate::store::{EarlierCalls, OpenItems};
use reconcile_core::accounts::AccountFigures;
use reconcile_core::bill_check::BillCheck;
use reconcile_core::figures::Figures;
use reconcile_core::materiality::Measured;
use reconcile_core::money::{MoneyFigures, MoneyRules};
use reconcile_core::resolutions::LeftOver;
use reconcile_core::since::SinceLast;
use reconcile_core::tie_out::TieOutLine;
use reconcile_core::totals::Totals;
use reconcile_core::traffic::{Sending, Traffic};
use reconcile_core::trend::Trend;

/// An account of the run.
#[derive(Debug, Clone)]
pub struct AccountSummary {
    /// Its name.
    pub name: String,
    /// Its calls and requests.
    pub figures: AccountFigures,
    /// Why it was stopped before all its calls were asked for; `None` if it was not, or if the
    /// whole run was.
    pub stopped_because: Option<String>,
}

/// The money of summary and report.
#[derive(Debug, Clone, Copy)]
pub struct MoneySummary<'a> {
    /// The sums.
    pub figures: &'a MoneyFigures,
    /// The bill against the calls; `None` without a bill.
    pub check: Option<&'a BillCheck<'a>>,
}

impl<'a> MoneySummary<'a> {
    /// The money of a run with these rules; `None` without any.
    #[must_use]
    pub fn new(
        rules: &MoneyRules,
        figures: &'a MoneyFigures,
        check: Option<&'a BillCheck<'a>>,
    ) -> Option<Self> {
        (!rules.is_empty()).then_some(Self { figures, check })
    }
}

/// Final records that were looked at again, and calls whose record the run found amended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rechecked {
    /// Records that were looked at again for the sake of it.
    pub asked: u64,
    /// Further records that were asked for, without a usable answer.
    pub failed: u64,
    /// Calls whose record changed, also those that were asked again as the ledger's own.
    pub changed: u64,
    /// Calls whose record the provider lost.
    pub lost: u64,
}

/// The content of summary and report.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The run that the numbers come from.
    pub provenance: &'a Provenance,
    /// Counts of rows and calls.
    pub totals: &'a Totals,
    /// Further counts for the report: by product, day, hour, outcome.
    pub figures: &'a Figures,
    /// Counts of requests.
    pub traffic: &'a Traffic,
    /// The accounts, if they have names.
    pub accounts: &'a [AccountSummary],
    /// Requests by window of the cap; the codes as [`with_shown_codes`] gives them.
    pub sending: &'a Sending,
    /// Language of the report.
    pub lang: Lang,
    /// Lines that must add up.
    pub tie_out: &'a [TieOutLine],
    /// How long this process took.
    pub elapsed: Duration,
    /// Why some calls have no answer; `None` if all have one.
    pub incomplete_because: Option<&'a Incomplete>,
    /// Command line that resumes the run; `None` if the same command would not.
    pub go_on: Option<&'a str>,
    /// The most frequent reason of failures; `None` if nothing failed.
    pub cause: Option<&'a Cause>,
    /// Entries of the file of resolutions that decided nothing; `None` without a file.
    pub left_over: Option<&'a LeftOver>,
    /// The limits of the run, and what was measured.
    pub limits: &'a [Measured],
    /// The nights before this one, and what is usual.
    pub trend: &'a Trend,
    /// What changed since the last run.
    pub since_last: SinceLast,
    /// The provider's receipts; `None` if none were given.
    pub receipts: Option<ReceiptsSummary<'a>>,
    /// What the calls cost; `None` without tariffs and bill.
    pub money: Option<MoneySummary<'a>>,
    /// Open items carried from run to run.
    pub open_items: &'a OpenItems,
    /// Open calls of earlier ledgers.
    pub earlier_calls: &'a EarlierCalls,
    /// Final records that were looked at again.
    pub rechecked: Rechecked,
    /// Notes on the ledger and the run.
    pub notes: &'a [Note],
}

impl Summary<'_> {
    /// How long this process took, in seconds, rounded to milliseconds.
    #[must_use]
    pub fn elapsed_s(&self) -> f64 {
        rounded_seconds(self.elapsed)
    }

    /// Whether there are limits, and all are kept.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        !self.limits.is_empty() && !self.limits.iter().any(Measured::is_above)
    }

    /// Whether every call has its answer.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.incomplete_because.is_none()
    }
}

/// Seconds, rounded to milliseconds.
pub(super) fn rounded_seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// The requests with the provider's codes as people see them.
#[must_use]
pub fn with_shown_codes(mut sending: Sending) -> Sending {
    sending.tried_again.iter_mut().for_each(|(code, _)| *code = shown(code));
    sending
}
