//! What an export reads: sessions that have ended, and the answers that each of them brought.

use chrono::{DateTime, NaiveDate, Utc};
use reconcile_core::answer::StoredAnswer;
use reconcile_core::call::CallKey;

/// A session that has ended. It brings no more answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSession {
    /// Its number in this store. Another store may have the same number.
    pub session_no: i64,
    /// The UUID of its run.
    pub run_id: String,
    /// When it began. No other session of its run began then.
    pub started_at: DateTime<Utc>,
}

/// The sessions of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Those that have ended, by number.
    pub ended: Vec<EndedSession>,
    /// The numbers of those whose process works, or was killed. A file has at most one.
    pub open: Vec<i64>,
}

/// The answers of one session for one day, and where they are in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerGroup {
    /// The session that brought them.
    pub session_no: i64,
    /// The day of their calls, as in the ledger.
    pub day: NaiveDate,
    /// The number of the first call.
    pub first_no: i64,
    /// The number of the last call. Calls of other groups may be between the two.
    pub last_no: i64,
    /// How many calls it has.
    pub calls: u64,
}

/// A call with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredCall {
    /// The call.
    pub key: CallKey,
    /// The session that brought the answer.
    pub session_no: i64,
    /// Requests sent for this call so far.
    pub attempts: i64,
    /// The answer; `None` if it is damaged.
    pub answer: Option<StoredAnswer>,
}
