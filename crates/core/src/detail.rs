//! The provider's record of a call, typed.

use chrono::{DateTime, Utc};
use compact_str::CompactString;

/// The result of a call in one word: the column `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "docs/contract.md defines the words")]
pub enum Outcome {
    Answered,
    Busy,
    NoAnswer,
    Unreachable,
    PoweredOff,
    Suspended,
    InvalidNumber,
    Restricted,
    Rejected,
    Failed,
    InProgress,
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 12] = [
        Self::Answered,
        Self::Busy,
        Self::NoAnswer,
        Self::Unreachable,
        Self::PoweredOff,
        Self::Suspended,
        Self::InvalidNumber,
        Self::Restricted,
        Self::Rejected,
        Self::Failed,
        Self::InProgress,
        Self::Unknown,
    ];

    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Unreachable => "unreachable",
            Self::PoweredOff => "powered_off",
            Self::Suspended => "suspended",
            Self::InvalidNumber => "invalid_number",
            Self::Restricted => "restricted",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::InProgress => "in_progress",
            Self::Unknown => "unknown",
        }
    }
}

/// The party that hung up: the column `hangup_by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The calling party.
    Caller,
    /// The called party.
    Callee,
}

impl Party {
    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
        }
    }
}

/// The provider's record of a call. Every field may be missing: the provider's own page calls its
/// list "for reference only".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallDetail {
    /// `callId`.
    pub call_id: Option<CompactString>,
    /// `caller`; digits as text.
    pub caller: Option<CompactString>,
    /// `callee`.
    pub callee: Option<CompactString>,
    /// `callerShowNumber`.
    pub caller_show_number: Option<CompactString>,
    /// `calleeShowNumber`.
    pub callee_show_number: Option<CompactString>,
    /// `gmtCreate`: when the provider accepted the call request.
    pub created_at: Option<DateTime<Utc>>,
    /// `startDate`: when the call was answered.
    pub started_at: Option<DateTime<Utc>>,
    /// `endDate`: when the call ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// `aRingTime`.
    pub a_ring_at: Option<DateTime<Utc>>,
    /// `aEndTime`.
    pub a_end_at: Option<DateTime<Utc>>,
    /// `bRingTime`.
    pub b_ring_at: Option<DateTime<Utc>>,
    /// `bStartTime`.
    pub b_start_at: Option<DateTime<Utc>>,
    /// `bEndTime`.
    pub b_end_at: Option<DateTime<Utc>>,
    /// `duration`: talk time in seconds.
    pub duration_s: Option<i64>,
    /// `state`, as received.
    pub state: Option<CompactString>,
    /// `stateDesc`, as received.
    pub state_desc: Option<CompactString>,
    /// The result of the call, from its state.
    pub outcome: Outcome,
    /// Whether the call was answered; `None` if the record does not say.
    pub answered: Option<bool>,
    /// True if the state will not change any more.
    pub is_final: bool,
    /// True if the state is in the provider's tables, or if the record has no state.
    pub state_known: bool,
    /// `hangupDirection`: who hung up.
    pub hangup_by: Option<Party>,
}

impl CallDetail {
    /// The four phone numbers, in the order of [`crate::phone::NUMBER_FIELDS`].
    #[must_use]
    #[inline]
    pub fn numbers(&self) -> [Option<&CompactString>; 4] {
        [&self.caller, &self.callee, &self.caller_show_number, &self.callee_show_number].map(Option::as_ref)
    }

    /// Talk time rounded up to whole minutes. An estimate: no source says how calls are billed.
    #[must_use]
    pub fn billable_minutes(&self) -> Option<i64> {
        self.duration_s.map(billable_minutes)
    }
}

/// Seconds rounded up to whole minutes.
#[must_use]
#[inline]
pub fn billable_minutes(seconds: i64) -> i64 {
    seconds.max(0) / 60 + i64::from(seconds.max(0) % 60 != 0)
}
