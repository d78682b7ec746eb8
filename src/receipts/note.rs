//! What the reader of a run should know of the files of receipts.

use std::fmt;

use super::collect::ReadReceipts;
use super::files::SkippedFiles;
use super::invalid::Examples;
use crate::words::plural;
use reconcile_core::receipt::ReceiptProblem;

/// A note on the receipts. The names of files in it may hold a phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptNote {
    /// Receipts that cannot be read for one reason.
    Invalid {
        /// The reason.
        problem: ReceiptProblem,
        /// Their number, and the first of them.
        examples: Examples,
    },
    /// Files of a folder that hold no receipts.
    Skipped(SkippedFiles),
}

impl ReceiptNote {
    /// The notes on what was read.
    #[must_use]
    pub fn of(read: &ReadReceipts) -> Vec<Self> {
        let invalid = read
            .invalid
            .reasons
            .iter()
            .map(|(problem, examples)| Self::Invalid { problem: *problem, examples: examples.clone() });
        let skipped = Some(&read.skipped).filter(|skipped| skipped.count > 0);
        invalid.chain(skipped.cloned().map(Self::Skipped)).collect()
    }
}

impl Examples {
    /// The places of the first ones, each as `file:line`.
    #[must_use]
    pub fn places(&self, separator: &str) -> String {
        let places: Vec<String> =
            self.first.iter().map(|place| format!("{}:{}", place.file, place.line)).collect();
        places.join(separator)
    }

    /// How many are not among the first ones.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.count - self.first.len() as u64
    }
}

impl fmt::Display for ReceiptNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { problem, examples } => {
                let receipts = plural(examples.count, "receipt");
                write!(f, "{receipts} cannot be read: {problem}; {}", examples.places(", "))?;
                more(f, examples.others())
            }
            Self::Skipped(SkippedFiles { count, first }) => {
                let hold = if *count == 1 { "holds" } else { "hold" };
                write!(f, "{} {hold} no receipts: {}", plural(*count, "file"), first.join(", "))?;
                more(f, count - first.len() as u64)
            }
        }
    }
}

fn more(f: &mut fmt::Formatter<'_>, others: u64) -> fmt::Result {
    if others > 0 { write!(f, " and {others} more") } else { Ok(()) }
}
