//! A row of the ledger as the rules see it: which call it names and what it expects, or why it is unusable.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::{CompactString, ToCompactString};

use crate::calendar::{day_of, provider_text};
use crate::call::CallKey;

/// A time as a ledger gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerTime {
    /// A point in time.
    Instant(DateTime<Utc>),
    /// Only a calendar day (UTC+8).
    Day(NaiveDate),
}

impl LedgerTime {
    /// The calendar day in UTC+8.
    #[must_use]
    pub fn day(self) -> NaiveDate {
        match self {
            Self::Instant(t) => day_of(t),
            Self::Day(day) => day,
        }
    }

    /// The point in time, where the ledger gives one.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Instant(t) => Some(t),
            Self::Day(_) => None,
        }
    }

    /// As in the discrepancy file: UTC+8 text without an offset, like the provider's own.
    #[must_use]
    pub fn text(self) -> CompactString {
        match self {
            Self::Instant(t) => provider_text(t),
            Self::Day(day) => day.to_compact_string(),
        }
    }
}

/// What the ledger expects of a call; `None` is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Calling number, as written.
    pub caller: Option<CompactString>,
    /// Called number, as written.
    pub callee: Option<CompactString>,
    /// Number shown to the caller's side, as written.
    pub caller_show_number: Option<CompactString>,
    /// Number shown to the called party, as written.
    pub callee_show_number: Option<CompactString>,
    /// State code.
    pub state: Option<CompactString>,
    /// Whether the call was answered.
    pub answered: Option<bool>,
    /// Talk time in seconds.
    pub duration_s: Option<i64>,
    /// When the call was made; compared only when it has a time of day.
    pub called_at: Option<LedgerTime>,
    /// When it was answered.
    pub started_at: Option<LedgerTime>,
    /// When it ended.
    pub ended_at: Option<LedgerTime>,
}

/// A usable row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Physical line of the file on which the row begins; the header is line 1.
    pub line: u64,
    /// Which call it names.
    pub key: CallKey,
    /// What it expects.
    pub expected: Expected,
    /// `query_date`, which only says the day.
    pub query_date: Option<LedgerTime>,
    /// The columns carried through, in the order of the header.
    pub carried: Vec<CompactString>,
}

/// A row that cannot be used. It becomes an `invalid_row` discrepancy; it is never dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// Physical line of the file on which the row begins.
    pub line: u64,
    /// Bytes before it in the (unpacked) file; `None` where rows have no place of their own, as in Parquet.
    pub offset: Option<u64>,
    /// The column at fault, from 1; `None` when it is the row as a whole.
    pub column: Option<u64>,
    /// The CallId, if the row has one.
    pub call_id: Option<String>,
    /// The ledger field at fault; empty when the row as a whole is.
    pub field: &'static str,
    /// What was wanted, where that can be said in a word.
    pub expected: Option<CompactString>,
    /// The text found.
    pub found: CompactString,
    /// What is wrong and what to do.
    pub reason: String,
    /// The columns carried through, as far as the row has them.
    pub carried: Vec<CompactString>,
    /// All its values as found, in the ledger's own columns; a row that could not be split into values is one.
    pub original: Vec<String>,
}

impl InvalidRow {
    /// What is wrong, what to do, and where it is: `not a time; … (column 3, byte 512)`.
    #[must_use]
    pub fn message(&self) -> String {
        let column = self.column.map(|column| format!("column {column}"));
        let offset = self.offset.map(|offset| format!("byte {offset}"));
        let place: Vec<String> = column.into_iter().chain(offset).collect();
        if place.is_empty() { self.reason.clone() } else { format!("{} ({})", self.reason, place.join(", ")) }
    }
}

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// It can be used.
    Row(LedgerRow),
    /// It cannot.
    Invalid(InvalidRow),
}
