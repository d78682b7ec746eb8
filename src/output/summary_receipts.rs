//! The part of the summary on the provider's receipts.

use serde::Serialize;

use crate::receipts::ReadReceipts;
use reconcile_core::checked_receipts::CheckedReceipts;
use reconcile_core::receipt::{JoinCounts, ReceiptsTrust};

/// The receipts of a run, for summary and report.
#[derive(Debug, Clone, Copy)]
pub struct ReceiptsSummary<'a> {
    /// What was read.
    pub read: &'a ReadReceipts,
    /// What they are to the ledger.
    pub counts: &'a JoinCounts,
    /// How far they are trusted.
    pub trust: ReceiptsTrust,
    /// What the sample says, over all accounts.
    pub checked: CheckedReceipts,
    /// Whether it refutes the receipts of an account.
    pub is_refuted: bool,
    /// Calls of the ledger that a receipt answered, as in the details' column `source`.
    pub answered: u64,
}

impl ReceiptsSummary<'_> {
    /// The numbers that metrics and workbook show, by their words: receipts that were read or
    /// cannot be read, calls that they answered, and calls that the ledger lacks.
    #[must_use]
    pub fn numbers(&self) -> [(&'static str, u64); 4] {
        [
            ("read", self.counts.receipts),
            ("unreadable", self.read.invalid.count),
            ("answered", self.answered),
            ("missing_in_ledger", self.counts.missing),
        ]
    }
}

/// The key `receipts`.
#[derive(Serialize)]
pub(super) struct ReceiptsJson<'a> {
    files: u64,
    skipped_files: u64,
    invalid: u64,
    #[serde(flatten)]
    counts: &'a JoinCounts,
    trust: String,
    answered: u64,
    sample: SampleJson,
}

/// The calls with receipts that were asked all the same.
#[derive(Serialize)]
struct SampleJson {
    checked: u64,
    differing: u64,
    refuted: bool,
}

impl<'a> ReceiptsJson<'a> {
    pub(super) fn new(receipts: &ReceiptsSummary<'a>) -> Self {
        let ReceiptsSummary { read, counts, trust, checked, is_refuted, answered } = *receipts;
        Self {
            files: read.files,
            skipped_files: read.skipped.count,
            invalid: read.invalid.count,
            counts,
            trust: trust.to_string(),
            answered,
            sample: SampleJson {
                checked: checked.checked,
                differing: checked.differing,
                refuted: is_refuted,
            },
        }
    }
}
