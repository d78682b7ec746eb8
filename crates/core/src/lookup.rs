//! From a stored answer to a call's status, with its evidence.
//!
//! Owns [`Status`], [`Lookup`] and [`look_up`].

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compact_str::CompactString;

use crate::answer::{AnswerKind, MALFORMED, StoredAnswer, StoredCall};
use crate::detail::CallDetail;
use crate::ledger_row::LedgerRow;
use crate::normalize::normalize;
use crate::settle::is_old_enough;

/// The status of a call in the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words are the contract's own")]
pub enum Status {
    Found,
    NotFound,
    Pending,
    Failed,
    Deferred,
}

impl Status {
    /// All statuses, in the order of the contract.
    pub const ALL: [Self; 5] = [Self::Found, Self::NotFound, Self::Pending, Self::Failed, Self::Deferred];

    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Deferred => "deferred",
        }
    }
}

/// Why a look-up failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The provider's code, `MalformedData`, or the last transport error in a word.
    pub code: CompactString,
    /// The text that came with it.
    pub message: CompactString,
    /// `Data` could not be read.
    pub malformed: bool,
    /// It may go away: asked again by the next run, and this run is incomplete.
    pub transient: bool,
}

/// What the store knows of a call, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// How it ended.
    pub status: Status,
    /// The record, for `found` and for a `pending` one with a non-final state.
    pub detail: Option<CallDetail>,
    /// Why, for `failed`.
    pub failure: Option<Failure>,
    /// The day on which it was found, or that was asked for.
    pub found_on: NaiveDate,
    /// The provider's `Data`, byte for byte.
    pub raw: Option<String>,
    /// `RequestId` of the answer that counts.
    pub request_id: Option<String>,
    /// When that answer came.
    pub fetched_at: Option<DateTime<Utc>>,
    /// Requests spent on this call so far, over all runs.
    pub attempts: i64,
    /// The answer was there before this process began.
    pub from_store: bool,
}

impl Lookup {
    /// A call that was never answered.
    #[must_use]
    pub fn deferred(day: NaiveDate, attempts: i64) -> Self {
        Self {
            status: Status::Deferred,
            detail: None,
            failure: None,
            found_on: day,
            raw: None,
            request_id: None,
            fetched_at: None,
            attempts,
            from_store: false,
        }
    }
}

/// Whether a later run asks again.
#[must_use]
pub fn is_open(lookup: &Lookup) -> bool {
    match lookup.status {
        Status::Found => false,
        Status::Failed => lookup.failure.as_ref().is_some_and(|f| f.malformed || f.transient),
        Status::NotFound | Status::Pending | Status::Deferred => true,
    }
}

/// What the store knows of a call, as a status with its evidence.
#[must_use]
pub fn look_up(row: &LedgerRow, stored: Option<StoredCall>, settle: TimeDelta, session_no: i64) -> Lookup {
    let mut lookup = Lookup::deferred(row.key.day, stored.as_ref().map_or(0, |s| s.attempts));
    let Some(StoredAnswer { answer, fetched_at, session_no: by }) = stored.and_then(|s| s.answer) else {
        return lookup;
    };
    if answer.next_date.is_some() {
        // The neighbouring day has not been asked: there is no answer yet.
        return lookup;
    }
    lookup.from_store = by < session_no;
    lookup.request_id = answer.request_id;
    lookup.fetched_at = Some(fetched_at);
    lookup.raw = answer.data;
    let (code, message) = (answer.code, answer.message);
    match answer.kind {
        AnswerKind::NoRecord => {
            let is_missing = is_old_enough(row, fetched_at, settle);
            lookup.status = if is_missing { Status::NotFound } else { Status::Pending };
        }
        AnswerKind::Rejected => {
            fail(&mut lookup, Failure { code, message, malformed: false, transient: false });
        }
        AnswerKind::Exhausted => {
            fail(&mut lookup, Failure { code, message, malformed: false, transient: true });
        }
        // Nothing could be taken out of the answer: what is kept is no Data that could be read better another time.
        AnswerKind::Malformed if code == MALFORMED => {
            fail(&mut lookup, Failure { code, message, malformed: true, transient: false });
        }
        AnswerKind::Final | AnswerKind::Interim | AnswerKind::Malformed => {
            read_record(&mut lookup, answer.found_date);
        }
    }
    lookup
}

fn fail(lookup: &mut Lookup, failure: Failure) {
    lookup.status = Status::Failed;
    lookup.failure = Some(failure);
}

fn read_record(lookup: &mut Lookup, found_on: NaiveDate) {
    match normalize(lookup.raw.as_deref().unwrap_or_default()) {
        Ok(detail) => {
            lookup.status = if detail.is_final { Status::Found } else { Status::Pending };
            lookup.found_on = found_on;
            lookup.detail = Some(detail);
        }
        Err(why) => {
            let (code, message) = (MALFORMED.into(), why.to_string().into());
            fail(lookup, Failure { code, message, malformed: true, transient: false });
        }
    }
}
