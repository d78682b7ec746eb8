//! The part of the summary on the provider's receipts.

use serde::Serialize;

use crate::receipts::ReadReceipts;
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
}

impl<'a> ReceiptsJson<'a> {
    pub(super) fn new(receipts: &ReceiptsSummary<'a>) -> Self {
        let ReceiptsSummary { read, counts, trust, answered } = *receipts;
        Self {
            files: read.files,
            skipped_files: read.skipped.count,
            invalid: read.invalid.count,
            counts,
            trust: trust.to_string(),
            answered,
        }
    }
}
