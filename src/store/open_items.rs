//! Open items, carried from run to run: calls that have no lasting answer yet.

use chrono::{DateTime, NaiveDate, Utc};
use reconcile_core::calendar::day_of;
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
    /// Talk seconds at stake in its unsettled discrepancies.
    pub seconds: u64,
    /// The account that is asked; `None` if it has no name.
    pub account: Option<String>,
}

/// More seconds of one call are stored as this number, so that no sum in the store overflows.
const MOST_SECONDS: u64 = 1 << 32;

impl OpenItem {
    /// The seconds at stake, as they are stored.
    pub(super) fn stored_seconds(&self) -> i64 {
        self.seconds.min(MOST_SECONDS).cast_signed()
    }
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
    /// Their talk seconds at stake.
    pub seconds: u64,
}

impl OpenAge {
    /// The age of calls whose first one was seen at this time: microseconds since 1970.
    pub(super) fn new(
        first_seen_us: i64,
        status: StoredWord<Status>,
        (calls, seconds): (u64, u64),
        now: DateTime<Utc>,
    ) -> Self {
        let first_seen = day_of(DateTime::from_timestamp_micros(first_seen_us).unwrap_or(now));
        let nights = (day_of(now) - first_seen).num_days().max(0);
        Self { first_seen, nights, status, calls, seconds }
    }
}

/// Open calls of earlier ledgers that the run's ledger does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct EarlierCalls {
    /// Those that were open before the run: `asked` and `not_asked`.
    pub open: u64,
    /// Those that the run has asked: `settled` and `still_open`.
    pub asked: u64,
    /// Those that have a lasting answer now.
    pub settled: u64,
    /// Those that were asked and are still open.
    pub still_open: u64,
    /// Those that the run has not asked: time or cap left no room, or their account is unknown.
    pub not_asked: u64,
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
