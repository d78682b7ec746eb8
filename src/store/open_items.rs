//! Open items, carried from run to run: calls that have no lasting answer yet.

use chrono::NaiveDate;
use reconcile_core::call::CallKey;
use reconcile_core::status::Status;

use super::stored_word::StoredWord;

/// A call of the ledger without a lasting answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItem {
    /// The call.
    pub key: CallKey,
    /// Its status in this run's details.
    pub status: Status,
}

/// The number of open calls with one status that were first seen on one day.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OpenAge {
    /// The day on which they were first seen, in UTC+8.
    pub first_seen: NaiveDate,
    /// Days since then.
    pub nights: i64,
    /// Their status.
    pub status: StoredWord<Status>,
    /// The number of calls.
    pub calls: u64,
}

/// The open items after a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct OpenItems {
    /// Open calls of this ledger, oldest first.
    pub by_age: Vec<OpenAge>,
    /// Calls that were open before and that this run settled.
    pub cleared: u64,
    /// Open calls that only other ledgers name.
    pub elsewhere: u64,
}
