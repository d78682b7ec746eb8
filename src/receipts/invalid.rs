//! Counts the receipts that cannot be read, and keeps examples of each reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use reconcile_core::receipt::ReceiptProblem;

/// Examples that are kept of each reason.
pub const MAX_EXAMPLES: usize = 20;

/// Where a receipt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as messages show it.
    pub file: Arc<str>,
    /// Its line, from 1; in Parquet the number of the record.
    pub line: u64,
}

/// How many receipts have one reason, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// Their number.
    pub count: u64,
    /// The first [`MAX_EXAMPLES`], in the order in which they were read.
    pub first: Vec<Place>,
}

/// The receipts that cannot be read, by reason. It holds no value of a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvalidReceipts {
    /// Their number.
    pub count: u64,
    /// The reasons.
    pub reasons: BTreeMap<ReceiptProblem, Examples>,
}

impl InvalidReceipts {
    pub(super) fn add(&mut self, problem: ReceiptProblem, file: &Arc<str>, line: u64) {
        self.count += 1;
        let examples = self.reasons.entry(problem).or_default();
        examples.count += 1;
        if examples.first.len() < MAX_EXAMPLES {
            examples.first.push(Place { file: file.clone(), line });
        }
    }
}
