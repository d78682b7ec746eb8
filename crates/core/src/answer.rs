//! The answer to a call, as it is stored, and what the store knows of the call.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;

/// The code of an answer whose `Data` cannot be read.
pub const MALFORMED: &str = "MalformedData";

/// The kind of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// A record that does not change any more.
    Final,
    /// A record that may still change: its state is not final, or its duration is still to come.
    Interim,
    /// No record on any day asked.
    NoRecord,
    /// `Data` that cannot be read.
    Malformed,
    /// A permanent error for this one call.
    Rejected,
    /// A transient error on every attempt.
    Exhausted,
}

impl AnswerKind {
    /// Every kind with its word in the store.
    const WORDS: [(Self, &'static str); 6] = [
        (Self::Final, "final"),
        (Self::Interim, "interim"),
        (Self::NoRecord, "no_record"),
        (Self::Malformed, "malformed"),
        (Self::Rejected, "rejected"),
        (Self::Exhausted, "exhausted"),
    ];

    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Final, Self::Interim, Self::NoRecord, Self::Malformed, Self::Rejected, Self::Exhausted];

    /// True if the provider has a record of the call.
    #[must_use]
    pub fn is_record(self) -> bool {
        matches!(self, Self::Final | Self::Interim)
    }

    /// True if it takes the place of a stored answer of this kind. Only a record takes that of a
    /// final record. A failure on every attempt says nothing of the call, so a record stays.
    #[must_use]
    pub fn replaces(self, stored: Self) -> bool {
        self.is_record() || !(stored == Self::Final || self == Self::Exhausted && stored == Self::Interim)
    }

    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// The kind with this word in the store.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

/// An answer to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// The kind of answer.
    pub kind: AnswerKind,
    /// The day that was asked last.
    pub found_date: NaiveDate,
    /// A neighbouring day that must still be asked.
    pub next_date: Option<NaiveDate>,
    /// `RequestId` of the response.
    pub request_id: Option<String>,
    /// The provider's code, or one word for the transport error.
    pub code: CompactString,
    /// The message that came with the code.
    pub message: CompactString,
    /// `Data`, byte for byte.
    pub data: Option<String>,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The answer itself.
    pub answer: NewAnswer,
    /// When it came.
    pub fetched_at: DateTime<Utc>,
    /// The number of the session (the process) that received it.
    pub session_no: i64,
}

/// What the store knows of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// Requests sent for this call so far.
    pub attempts: i64,
    /// The operation's answer; `None` if none has come.
    pub answer: Option<StoredAnswer>,
    /// What the provider pushed; `None` if no receipt was read. It is boxed because few calls have
    /// one, and calls are moved often.
    pub receipt: Option<Box<StoredAnswer>>,
}
