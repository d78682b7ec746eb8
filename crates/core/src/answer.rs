//! An answer as it is kept, and what the store knows of a call. Pure data.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;

/// The code of an answer whose `Data` cannot be read.
pub const MALFORMED: &str = "MalformedData";

/// How an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// A record in a final (or an unknown) state.
    Final,
    /// A record whose state will still change.
    Interim,
    /// No record on any day asked.
    NoRecord,
    /// `Data` that cannot be read.
    Malformed,
    /// An error that is permanent for this call.
    Rejected,
    /// Transient errors outlasted the attempts.
    Exhausted,
}

impl AnswerKind {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Final, "final"),
        (Self::Interim, "interim"),
        (Self::NoRecord, "no_record"),
        (Self::Malformed, "malformed"),
        (Self::Rejected, "rejected"),
        (Self::Exhausted, "exhausted"),
    ];

    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// From the word in the store.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

/// An answer to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// How it stands.
    pub kind: AnswerKind,
    /// The day asked last.
    pub found_date: NaiveDate,
    /// A neighbouring day that is still to be asked.
    pub next_date: Option<NaiveDate>,
    /// `RequestId`.
    pub request_id: Option<String>,
    /// The provider's code, or a word for the transport error.
    pub code: CompactString,
    /// What came with it.
    pub message: CompactString,
    /// `Data`, byte for byte.
    pub data: Option<String>,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The answer.
    pub answer: NewAnswer,
    /// When it came.
    pub fetched_at: DateTime<Utc>,
    /// The process that got it.
    pub session_no: i64,
}

/// What the store knows of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// Requests spent on it so far.
    pub attempts: i64,
    /// The answer that counts, if any came.
    pub answer: Option<StoredAnswer>,
}
