//! The notes of a run, as values. `Display` is the note in English, as log, terminal and summary
//! have it.

use std::fmt;

use crate::cli::ledger_errors::{column_note, missing_default_note};
use crate::fetch::{AnswerNote, OutageNote};
use crate::ledger::{ColumnNote, LedgerNote, Reason, most_frequent};
use crate::money::MoneyNote;
use crate::provider::credentials::ReadableFile;
use crate::receipts::ReceiptNote;
use crate::resolutions::ResolutionNote;
use crate::stop;
use crate::store::StoreNote;
use crate::words::{count, plural};
use reconcile_core::since::MAX_REMEMBERED;

/// A note of a run. File names and headers in it may hold a phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// On the ledger.
    Ledger(LedgerNote),
    /// On a column that may be used otherwise.
    Column(ColumnNote),
    /// Rows whose day comes only from the CallId.
    DayFromCallId {
        /// Their number.
        rows: u64,
    },
    /// Rows that are unusable because they have no product.
    NoProduct {
        /// Their number.
        rows: u64,
    },
    /// Rows that are unusable because they have no day.
    NoDay {
        /// Their number.
        rows: u64,
    },
    /// Unusable rows.
    UnusableRows {
        /// Their number.
        rows: u64,
        /// The name of the file that lists them; `None` in a masked run, which writes no such file.
        rejects: Option<String>,
        /// Why they are unusable, the most frequent reason first.
        reasons: Vec<Reason>,
    },
    /// A file at the path of the rejects is left as it is.
    ForeignRejects {
        /// Its name.
        file: String,
    },
    /// A secret file can be read by others.
    ReadableFile(ReadableFile),
    /// On the place of the store.
    Store(StoreNote),
    /// On the answers as a whole.
    Answers(AnswerNote),
    /// The provider could not be reached.
    Outage(OutageNote),
    /// The store has no room for all open discrepancies.
    NotRemembered {
        /// How many it does not remember.
        discrepancies: u64,
    },
    /// The run stopped looking at calls beside its ledger.
    Beside {
        /// Why.
        reason: stop::Reason,
    },
    /// Entries of the file of resolutions decide nothing.
    Resolutions(ResolutionNote),
    /// On tariffs and bill.
    Money(MoneyNote),
    /// On the receipts.
    Receipts(ReceiptNote),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(note) => note.fmt(f),
            Self::Column(note) => f.write_str(&column_note(note)),
            Self::DayFromCallId { rows } => {
                let have = if *rows == 1 { "has" } else { "have" };
                write!(f, "{} {have} no day; the day is taken from the CallId", plural(*rows, "row"))
            }
            Self::NoProduct { rows } => f.write_str(&missing_default_note(*rows, "product", "--prod-id")),
            Self::NoDay { rows } => f.write_str(&missing_default_note(*rows, "day", "--call-date")),
            Self::UnusableRows { rows, rejects: None, reasons } => write!(
                f,
                "{} cannot be used; see the discrepancies (with masked phone numbers there is no rejects file). \
                 The most frequent reasons: {}",
                plural(*rows, "row"),
                most_frequent(reasons)
            ),
            Self::UnusableRows { rows, rejects: Some(rejects), reasons } => {
                let them = if *rows == 1 { "it" } else { "them" };
                let (rows, reasons) = (plural(*rows, "row"), most_frequent(reasons));
                write!(
                    f,
                    "{rows} cannot be used; {rejects} lists {them} for correction. The most frequent reasons: {reasons}"
                )
            }
            Self::ForeignRejects { file } => {
                write!(f, "{file} is no list of rejects, so it may be another file; it is left as it is")
            }
            Self::ReadableFile(file) => file.fmt(f),
            Self::Store(file_system) => file_system.fmt(f),
            Self::Answers(note) => note.fmt(f),
            Self::Outage(note) => note.fmt(f),
            Self::NotRemembered { discrepancies } => write!(
                f,
                "the store remembers at most {} open discrepancies; {} more {} as new in the next run as well",
                count(MAX_REMEMBERED as u64),
                count(*discrepancies),
                if *discrepancies == 1 { "counts" } else { "count" }
            ),
            Self::Beside { reason } => {
                write!(
                    f,
                    "not all earlier calls were looked at: {reason}; all calls of this ledger were asked"
                )
            }
            Self::Resolutions(note) => note.fmt(f),
            Self::Money(note) => note.fmt(f),
            Self::Receipts(note) => note.fmt(f),
        }
    }
}
