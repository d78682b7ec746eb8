//! What the published rows are made of.

use super::beside::BesideCalls;
use crate::ledger::ScannedLedger;
use crate::store::Store;
use reconcile_core::ask_again::ReceiptUse;
use reconcile_core::call_result::Rules;
use reconcile_core::money::MoneyRules;
use reconcile_core::resolutions::Resolutions;
use reconcile_core::since::OpenBefore;

/// What the rows are made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The ledger.
    pub ledger: &'a ScannedLedger,
    /// The answers.
    pub store: &'a dyn Store,
    /// The options that decide the rows.
    pub rules: Rules,
    /// How far receipts are trusted.
    pub receipts: ReceiptUse,
    /// The decisions on discrepancies.
    pub resolutions: &'a Resolutions,
    /// The discrepancies that were open before this run.
    pub open_before: &'a OpenBefore,
    /// The tariffs and the bill.
    pub money: &'a MoneyRules,
    /// The running session: answers of earlier ones come from the store.
    pub session_no: i64,
    /// What the run learned beside the ledger.
    pub beside: &'a BesideCalls,
    /// The name of the only account in the store; `None` if it has none, or if there are several.
    pub account: Option<&'a str>,
    /// True if the totals of each account are counted. Then each row names one of the accounts
    /// before its carried columns.
    pub by_account: bool,
}
