//! What the reader of a run should know of the files of receipts.

use std::fmt;

use super::collect::ReadReceipts;
use super::files::SkippedFiles;
use super::invalid::Examples;
use crate::words::{self, plural};
use reconcile_core::checked_receipts::CheckedReceipts;
use reconcile_core::receipt::{MOST_DIFFERING_PERCENT, ReceiptProblem};

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
    /// The given paths hold no receipt at all.
    NoReceipts,
    /// Files of a folder that hold no receipts.
    Skipped(SkippedFiles),
    /// The sample shows that the receipts cannot be trusted.
    Refuted {
        /// The account whose calls they answer; `None` if the run has only one.
        account: Option<String>,
        /// What the sample says.
        checked: CheckedReceipts,
    },
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
        let none = (read.receipts == 0).then_some(Self::NoReceipts);
        let skipped = Some(&read.skipped).filter(|skipped| skipped.count > 0);
        invalid.chain(none).chain(skipped.cloned().map(Self::Skipped)).collect()
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
            Self::NoReceipts => {
                f.write_str("the given paths hold no receipt, so calls that the ledger lacks cannot be seen")
            }
            Self::Skipped(SkippedFiles { count, first }) => {
                let hold = if *count == 1 { "holds" } else { "hold" };
                write!(f, "{} {hold} no receipts: {}", plural(*count, "file"), first.join(", "))?;
                more(f, count - first.len() as u64)
            }
            Self::Refuted { account, checked: CheckedReceipts { checked, differing, unchecked } } => {
                let of = account.as_ref().map(|name| format!(" of the account {name}")).unwrap_or_default();
                let (checked, differing) = (plural(*checked, "checked call"), words::count(*differing));
                write!(
                    f,
                    "the receipts{of} are not trusted: {differing} of {checked} differ from the provider's records, \
                     which shows that more than {MOST_DIFFERING_PERCENT}% of all differ; "
                )?;
                match unchecked {
                    0 => write!(f, "all calls with receipts were asked for"),
                    1 => write!(f, "1 call still has only its receipt"),
                    n => write!(f, "{} still have only their receipts", plural(*n, "call")),
                }
            }
        }
    }
}

fn more(f: &mut fmt::Formatter<'_>, others: u64) -> fmt::Result {
    if others > 0 { write!(f, " and {others} more") } else { Ok(()) }
}
