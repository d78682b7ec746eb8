//! Calls that a run may ask beside those of its ledger: open calls of earlier ledgers, and final
//! records.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};
use reconcile_core::call::CallKey;

/// Calls that one statement reads.
pub(super) const OPEN_CALLS_AT_ONCE: i64 = 1_000;

/// An open call that an earlier ledger named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    /// The call.
    pub key: CallKey,
    /// The account that is asked: that of its open item, else that of the session that asked for
    /// it first; `None` if neither has one.
    pub account: Option<String>,
}

/// The final records that a run has asked for again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecheckedCalls {
    /// Those that it has looked at.
    pub seen: u64,
    /// Those without a usable answer.
    pub failed: u64,
}

/// Which open calls are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCallsOf {
    /// The run. Calls that its ledger is known to name are left out, and those that it has cleared
    /// are not.
    pub run_no: i64,
    /// The day of the calls.
    pub day: NaiveDate,
    /// Only calls after this one, by CallId and product.
    pub after: Option<CallKey>,
}

/// A call with a final record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalCall {
    /// Its number.
    pub call_no: i64,
    /// The call.
    pub key: CallKey,
    /// The day on which it was found.
    pub found_date: NaiveDate,
    /// When its record was fetched.
    pub fetched_at: DateTime<Utc>,
    /// The session that looked at it last.
    pub looked_at_by: i64,
    /// The account that was asked; `None` if its session has none.
    pub account: Option<String>,
}

/// The numbers of some calls.
pub type CallNumbers = RangeInclusive<i64>;
