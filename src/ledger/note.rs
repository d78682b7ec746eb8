//! The notes on a ledger: how it is read, and signs that another program damaged values which can
//! still be used. No note quotes a value of the ledger. `Display` is the note in English.

use std::fmt;

use super::affected::AffectedRows;
use super::form::LedgerForm;
use crate::words::plural;

/// A note on a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerNote {
    /// On one file of several.
    OfFile {
        /// The file.
        file: String,
        /// What is noted on it.
        note: Box<LedgerNote>,
    },
    /// The ledger has an unusual form.
    Form(LedgerForm),
    /// A column has another name in the outputs.
    RenamedColumn {
        /// Its position, from 1.
        column: usize,
        /// The name in the outputs.
        name: String,
    },
    /// Rows with one finding.
    Rows(AffectedRows, Finding),
    /// Numbers of a column may lack their leading 0.
    LostZeros {
        /// The field.
        field: &'static str,
        /// Rows with such a number.
        rows: AffectedRows,
        /// Rows with any number.
        of: u64,
    },
    /// Calls are ahead of this machine's clock.
    AheadOfNow {
        /// Their rows.
        rows: AffectedRows,
        /// By how much at most, in seconds.
        at_most_s: i64,
    },
    /// A program was still writing the last row at the start.
    HalfRow {
        /// The ledger.
        ledger: String,
    },
    /// The file was removed after the start.
    Removed {
        /// The ledger.
        ledger: String,
    },
    /// The file was replaced after the start.
    Replaced {
        /// The ledger.
        ledger: String,
    },
    /// The file has grown after the start.
    Appended {
        /// The ledger.
        ledger: String,
        /// By how many bytes.
        bytes: u64,
    },
}

/// What rows have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "`Display` says what they mean")]
pub enum Finding {
    BackslashEscapes,
    OnlySeparators,
    RepeatedHeader,
    LostDigits,
    OtherDay,
    SerialDay,
    Null,
    SplitCallId,
    LostCaret,
    HiddenRow,
    NoStoredResult,
}

impl fmt::Display for LedgerNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfFile { file, note } => write!(f, "{file}: {note}"),
            Self::Form(form) => write!(f, "the ledger is read as {form}"),
            Self::RenamedColumn { column, name } => {
                write!(f, "column {column} of the ledger is named `{name}` in the outputs")
            }
            Self::Rows(rows, finding) => write!(f, "{rows}: {finding}"),
            Self::LostZeros { field, rows, of } => write!(
                f,
                "`{field}`: {rows} of {of} may lack a leading 0. The value looks like a fixed-line number \
                 without it, and no value of the column begins with 0. A spreadsheet may have dropped the \
                 zeros. Nothing is changed. Export the column as text"
            ),
            Self::AheadOfNow { rows, at_most_s } => {
                let minutes = at_most_s / 60;
                let by = if minutes < 120 {
                    format!("{minutes} min")
                } else if minutes < 2 * 1_440 {
                    format!("{} h", minutes / 60)
                } else {
                    format!("{} days", minutes / 1_440)
                };
                write!(
                    f,
                    "{rows}: the call is ahead of this machine's clock, by up to {by}. The time zone is the likely \
                     cause: times without a zone are read as UTC+8"
                )
            }
            Self::HalfRow { ledger } => {
                write!(f, "the last row of {ledger} was not whole at the start; the next run reads it")
            }
            Self::Removed { ledger } => {
                write!(f, "{ledger} was removed after the start; this run used it as it was then")
            }
            Self::Replaced { ledger } => {
                write!(f, "{ledger} was replaced after the start; the next run reads the new file")
            }
            Self::Appended { ledger, bytes } => {
                let (were, them) = if *bytes == 1 { ("was", "it") } else { ("were", "them") };
                let bytes = plural(*bytes, "byte");
                write!(f, "{bytes} {were} appended to {ledger} after the start; the next run reads {them}")
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackslashEscapes => {
                "backslash escapes in quotes, as MySQL writes them. They are read as MySQL means them"
            }
            Self::OnlySeparators => {
                "only separators or spaces. Such rows are passed over, like blank lines"
            }
            Self::RepeatedHeader => "the header row again. It is passed over",
            Self::LostDigits => {
                "the CallId has only digits, and only zeros after the 15th. All such CallIds of the ledger do. A \
                 spreadsheet dropped their last digits, so the provider will not find the calls. Export the \
                 column as text from the original system"
            }
            Self::OtherDay => {
                "the CallId contains a time on another day than the row. The provider is asked for the row's day. \
                 If that is the day of the export, write the day of the call"
            }
            Self::SerialDay => {
                "a time is a spreadsheet's serial number, such as 45962.37. It is read as a time in UTC+8, as \
                 precise as it is written"
            }
            Self::Null => "a value is NULL, \\N, NaN or a similar word. It is read as empty",
            Self::SplitCallId => {
                "the CallId was split at its `^` into two columns. Join them, or the provider will not find the \
                 calls"
            }
            Self::LostCaret => {
                "the CallId has only digits. An export may have dropped its `^`. It is looked up as it is"
            }
            Self::HiddenRow => {
                "hidden in the sheet, by a filter or by hand. They are read like all others"
            }
            Self::NoStoredResult => {
                "a formula has no stored result, so its cell is read as unusable or empty. Open the workbook in a \
                 spreadsheet program and save it there"
            }
        })
    }
}
