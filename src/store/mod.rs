//! The durable store: every request is on disk before it is sent, every answer before it counts.
//!
//! Owns the verbs that the passes use and the rule what is asked again ([`Scope::next_request`]). Everything that knows
//! SQL is in [`sqlite`]; the tables are documented in `schema.sql`.

mod lock;
pub mod sqlite;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::clock::Moment;
use reconcile_core::answer::StoredCall;
use reconcile_core::audit::Evidence;
use reconcile_core::call::CallKey;
use reconcile_core::lookup::Status;
use reconcile_core::rate::Rate;

pub use sqlite::{Erased, Reader, Store};

/// Whether a store's answers are the provider's or make-believe. The two never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Real answers.
    Provider,
    /// The simulated provider's.
    Sandbox,
}

impl Origin {
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
pub enum ExpectedOrigin {
    /// Of this origin alone.
    Only(Origin),
    /// Of a server over plain HTTP, which may be a sandbox: a new store is of the origin of its first answer, and what such
    /// a sandbox filled is gone on with.
    Either,
}

impl From<Origin> for ExpectedOrigin {
    fn from(origin: Origin) -> Self {
        Self::Only(origin)
    }
}

impl ExpectedOrigin {
    /// What a new store is until the first answer.
    pub(crate) fn at_first(self) -> Origin {
        match self {
            Self::Only(origin) => origin,
            Self::Either => Origin::Provider,
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
