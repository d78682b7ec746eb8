//! A row of the ledger: the call it names and what it expects, or why it is unusable.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::{CompactString, ToCompactString};

use crate::calendar::{day_of, provider_text};
use crate::call::CallKey;
use crate::row_problem::{RowProblem, Unusable};

/// A time in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerTime {
    /// A point in time.
    Instant(DateTime<Utc>),
    /// A calendar day (UTC+8) without a time of day.
    Day(NaiveDate),
}

impl LedgerTime {
    /// The calendar day in UTC+8.
    #[must_use]
    #[inline]
    pub fn day(self) -> NaiveDate {
        match self {
            Self::Instant(t) => day_of(t),
            Self::Day(day) => day,
        }
    }

    /// The point in time; `None` for a day without a time of day.
    #[must_use]
    #[inline]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Instant(t) => Some(t),
            Self::Day(_) => None,
        }
    }

    /// The text in the discrepancy file: local time in UTC+8 without an offset, as the provider
    /// writes it.
    #[must_use]
    pub fn provider_text(self) -> CompactString {
        match self {
            Self::Instant(t) => provider_text(t),
            Self::Day(day) => day.to_compact_string(),
        }
    }
}

/// What the ledger expects of a call. `None` is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Calling number, as written.
    pub caller: Option<CompactString>,
    /// Called number, as written.
    pub callee: Option<CompactString>,
    /// Number shown to the calling party, as written.
    pub caller_show_number: Option<CompactString>,
    /// Number shown to the called party, as written.
    pub callee_show_number: Option<CompactString>,
    /// State code.
    pub state: Option<CompactString>,
    /// Whether the call was answered.
    pub answered: Option<bool>,
    /// Talk time in seconds.
    pub duration_s: Option<i64>,
    /// When the call was made; compared only if it has a time of day.
    pub called_at: Option<LedgerTime>,
    /// When the call was answered.
    pub started_at: Option<LedgerTime>,
    /// When the call ended.
    pub ended_at: Option<LedgerTime>,
}

impl Expected {
    /// The four phone numbers, in the order of [`crate::phone::NUMBER_FIELDS`].
    #[must_use]
    #[inline]
    pub fn numbers(&self) -> [Option<&CompactString>; 4] {
        [&self.caller, &self.callee, &self.caller_show_number, &self.callee_show_number].map(Option::as_ref)
    }
}

/// A usable row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Physical line of the file on which the row begins; the header is line 1.
    pub line: u64,
    /// The call it names.
    pub key: CallKey,
    /// What it expects of the call.
    pub expected: Expected,
    /// `query_date`: the day to ask for; never compared.
    pub query_date: Option<LedgerTime>,
    /// The columns carried through, in the order of the header. Where the account is a field, it
    /// comes before them.
    pub carried: Vec<CompactString>,
}

/// An unusable row. It is never dropped: it becomes an `invalid_row` discrepancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// Physical line of the file on which the row begins.
    pub line: u64,
    /// Bytes before it in the unpacked file; `None` for Parquet and workbooks: their rows have no
    /// position.
    pub offset: Option<u64>,
    /// The column at fault, from 1; `None` if the whole row is at fault.
    pub column: Option<u64>,
    /// The CallId; `None` if the row has none.
    pub call_id: Option<String>,
    /// The ledger field at fault; empty if the whole row is at fault.
    pub field: &'static str,
    /// What was expected, if one word says it.
    pub expected: Option<CompactString>,
    /// The text in the ledger.
    pub found: CompactString,
    /// What is wrong and what to do.
    pub reason: RowProblem,
    /// Talk time in seconds, if the row gives it in readable form.
    pub duration_s: Option<i64>,
    /// The account, where it is a field, and the columns carried through, as many as the row has.
    pub carried: Vec<CompactString>,
    /// All values of the row, unchanged. A row that could not be split into values is one value.
    pub original: Vec<String>,
}

impl InvalidRow {
    /// The reason and the position.
    #[must_use]
    pub fn message(&self) -> Unusable {
        Unusable { problem: self.reason.clone(), column: self.column, offset: self.offset }
    }
}

/// One record of the ledger: a usable or an unusable row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A usable row.
    Row(LedgerRow),
    /// An unusable row.
    Invalid(InvalidRow),
}
