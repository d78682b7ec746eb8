//! The durable store: every request is on disk before it is sent, every answer before it counts.
//!
//! Owns the verbs that the passes use and the rule what is asked again ([`Scope::ask`]). Everything that knows
//! SQL is in [`sqlite`]; the tables are documented in `schema.sql`.

mod lock;
pub mod sqlite;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::audit::Evidence;
use crate::call::{CallKey, CompactString};
use crate::clock::Moment;
use crate::detail::Status;
use crate::rate::Rate;

pub use sqlite::{Erased, Reader, Store};

/// Whether a store's answers are the provider's or make-believe. The two never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Real answers.
    Provider,
    /// The simulated provider's.
    Sandbox,
}

impl Nature {
    pub(crate) const ALL: [Self; 2] = [Self::Provider, Self::Sandbox];

    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Sandbox => "sandbox",
        }
    }
}

/// Whose answers a run expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Of this nature alone.
    Only(Nature),
    /// Of a server over plain HTTP, which may be a sandbox: a new store is of the nature of its first answer, and what such
    /// a sandbox filled is gone on with.
    Either,
}

impl From<Nature> for Expect {
    fn from(nature: Nature) -> Self {
        Self::Only(nature)
    }
}

impl Expect {
    /// What a new store is until the first answer.
    pub(crate) fn at_first(self) -> Nature {
        match self {
            Self::Only(nature) => nature,
            Self::Either => Nature::Provider,
        }
    }
}

/// What makes the next process go on with an unfinished run rather than begin a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    /// SHA-256 of the ledger, hex.
    pub input_sha256: String,
    /// Asked for again even what is settled.
    pub refresh: bool,
}

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

/// Why a request is sent; every request is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The first try of a call.
    First,
    /// A further try of the same question.
    Retry,
    /// The first try on the neighbouring day.
    OtherDay,
}

impl Purpose {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::OtherDay => "other_day",
        }
    }
}

/// A request about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// The call it is about.
    pub key: CallKey,
    /// The day asked for.
    pub asked_date: NaiveDate,
    /// Why.
    pub purpose: Purpose,
}

/// What was made of what came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call has its answer.
    Answered,
    /// It is tried again.
    Again,
    /// Its attempts are used up.
    GaveUp,
    /// The run was stopped.
    Stopped,
}

impl Decision {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Again => "again",
            Self::GaveUp => "gave_up",
            Self::Stopped => "stopped",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnd {
    /// When the reply, or the failure, was there.
    pub at: Moment,
    /// HTTP status, when there was a response.
    pub http_status: Option<u16>,
    /// The provider's code, or a word for the transport error.
    pub code: String,
    /// The provider throttled.
    pub throttled: bool,
    /// What was made of it.
    pub decision: Decision,
    /// How long this call waits before it is tried again.
    pub pause: Option<Duration>,
}

/// A request on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunRequest {
    request_no: i64,
    call_no: i64,
    key: CallKey,
}

/// A request as it is on disk, for whoever asks what happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The process that sent it.
    pub session_no: i64,
    /// The day asked for.
    pub asked_date: String,
    /// Why: `first`, `retry` or `other_day`.
    pub purpose: String,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
    /// It has ended.
    pub replied: bool,
    /// How long that took, in microseconds of the machine's own clock.
    pub took_us: Option<i64>,
    /// HTTP status, when there was a response.
    pub http_status: Option<u16>,
    /// The provider's code, or a word for the transport error.
    pub code: Option<String>,
    /// The provider throttled.
    pub throttled: bool,
    /// What was made of it.
    pub decision: Option<String>,
    /// How long the call was to wait, in microseconds.
    pub pause_us: Option<i64>,
}

/// All that is known of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCall {
    /// Which.
    pub key: CallKey,
    /// Its answer.
    pub stored: StoredCall,
    /// Its checksum is right.
    pub whole: bool,
    /// Every request.
    pub attempts: Vec<Attempt>,
}

/// What the record of one process says of the cap.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionEvidence {
    /// Which.
    pub session_no: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The start of the machine whose clock it was measured by.
    pub boot_id: String,
    /// Its cap.
    pub rate: Rate,
    /// Requests that the provider throttled.
    pub throttled: u64,
    /// What was found.
    pub evidence: Evidence,
}

/// A call of the ledger that has no lasting answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItem {
    /// Which.
    pub key: CallKey,
    /// How it stands.
    pub status: Status,
}

/// Open calls first seen on the same day, with the same status.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OpenAge {
    /// That day, in UTC+8.
    pub first_seen: NaiveDate,
    /// Days since.
    pub nights: i64,
    /// How they stand.
    pub status: String,
    /// How many.
    pub calls: u64,
}

/// What nights leave to one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct OpenItems {
    /// Open calls of this ledger, the oldest first.
    pub by_age: Vec<OpenAge>,
    /// Calls that were open and were settled by this run.
    pub cleared: u64,
    /// Open calls of other ledgers that this one does not name.
    pub elsewhere: u64,
}

/// Which answers count for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The run's UUID.
    pub run_id: String,
    /// The run's number.
    pub run_no: i64,
    /// This process.
    pub session_no: i64,
    /// The first process of this run.
    pub run_from: i64,
    /// The first process of the chain of incomplete runs that this one goes on from.
    pub chain_from: i64,
    /// Ask for settled calls again.
    pub refresh: bool,
    /// It goes on where an earlier process stopped.
    pub resumed: bool,
}

/// What there is to ask about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// The ledger's day, first.
    Day,
    /// Only this neighbouring day; the ledger's own has answered in this run.
    OtherDay(NaiveDate),
}

impl Scope {
    /// Of a store that is not there yet.
    #[must_use]
    pub fn first(identity: &RunIdentity) -> Self {
        let refresh = identity.refresh;
        Self {
            run_id: String::new(),
            run_no: 1,
            session_no: 1,
            run_from: 1,
            chain_from: 1,
            refresh,
            resumed: false,
        }
    }

    /// What is asked again and when.
    ///
    /// Settled answers (a final record, a permanent error) never, unless `--refresh`. Open ones (no record, a
    /// state that is not final, unreadable `Data`, used-up attempts) by the next run. Within a run nothing is asked
    /// twice, however often it was killed; and a run that goes on from an incomplete one does not ask again what
    /// that one did not find.
    #[must_use]
    pub fn ask(&self, stored: Option<&StoredCall>) -> Ask {
        let Some(StoredAnswer { answer, session_no, .. }) = stored.and_then(|s| s.answer.as_ref()) else {
            return Ask::Day;
        };
        let in_run = *session_no >= self.run_from;
        let in_chain = *session_no >= self.chain_from;
        if let Some(next) = answer.next_date {
            return if in_chain { Ask::OtherDay(next) } else { Ask::Day };
        }
        let stands = match answer.kind {
            AnswerKind::Final | AnswerKind::Rejected => !self.refresh || in_chain,
            AnswerKind::NoRecord => in_chain,
            AnswerKind::Interim | AnswerKind::Malformed | AnswerKind::Exhausted => in_run,
        };
        if stands { Ask::Nothing } else { Ask::Day }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stored(kind: AnswerKind, session_no: i64) -> StoredCall {
        let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
        let answer = NewAnswer {
            kind,
            found_date: day,
            next_date: None,
            request_id: None,
            code: "OK".into(),
            message: CompactString::default(),
            data: None,
        };
        StoredCall { attempts: 1, answer: Some(StoredAnswer { answer, fetched_at: Utc::now(), session_no }) }
    }

    /// Session 5 of a run that began with session 4, in a chain that began with session 3.
    fn scope(refresh: bool) -> Scope {
        Scope {
            run_id: String::new(),
            run_no: 2,
            session_no: 5,
            run_from: 4,
            chain_from: 3,
            refresh,
            resumed: true,
        }
    }

    #[test]
    fn settled_answers_are_asked_again_only_with_refresh_and_then_once() {
        for kind in [AnswerKind::Final, AnswerKind::Rejected] {
            assert_eq!(scope(false).ask(Some(&stored(kind, 1))), Ask::Nothing);
            assert_eq!(scope(true).ask(Some(&stored(kind, 1))), Ask::Day);
            assert_eq!(scope(true).ask(Some(&stored(kind, 4))), Ask::Nothing);
        }
    }

    #[test]
    fn open_answers_are_asked_again_by_the_next_run_and_not_within_one() {
        for kind in [AnswerKind::Interim, AnswerKind::NoRecord, AnswerKind::Malformed, AnswerKind::Exhausted]
        {
            assert_eq!(scope(false).ask(Some(&stored(kind, 2))), Ask::Day);
            assert_eq!(scope(false).ask(Some(&stored(kind, 4))), Ask::Nothing);
        }
        assert_eq!(scope(false).ask(Some(&stored(AnswerKind::NoRecord, 3))), Ask::Nothing);
        assert_eq!(scope(false).ask(Some(&stored(AnswerKind::Exhausted, 3))), Ask::Day);
        assert_eq!(scope(false).ask(None), Ask::Day);
    }

    #[test]
    fn a_neighbouring_day_still_to_be_asked_is_asked_alone() {
        let mut call = stored(AnswerKind::NoRecord, 4);
        let next = NaiveDate::from_ymd_opt(2026, 11, 17).unwrap();
        call.answer.as_mut().unwrap().answer.next_date = Some(next);
        assert_eq!(scope(false).ask(Some(&call)), Ask::OtherDay(next));
        call.answer.as_mut().unwrap().session_no = 1;
        assert_eq!(scope(false).ask(Some(&call)), Ask::Day);
    }
}
