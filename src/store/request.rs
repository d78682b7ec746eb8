//! One request: why it is sent, and how it ended.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use reconcile_core::call::CallKey;

use super::stored_word::Word;
use crate::clock::Moment;

/// Why a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The first try of a call.
    First,
    /// Another try on the same day.
    Retry,
    /// The first try on the neighbouring day.
    OtherDay,
}

impl Word for Purpose {
    const ALL: &'static [Self] = &[Self::First, Self::Retry, Self::OtherDay];

    fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::OtherDay => "other_day",
        }
    }
}

/// A request that will be sent next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// The call that it asks for.
    pub key: CallKey,
    /// The day that it asks for.
    pub asked_date: NaiveDate,
    /// Why it is sent.
    pub purpose: Purpose,
    /// True if it looks at a final record again.
    pub recheck: bool,
}

/// A recorded request that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunRequest {
    /// Its number: in a file among all requests, in a database among those of its session.
    pub(super) request_no: i64,
    pub(super) call_no: i64,
    pub(super) key: CallKey,
    /// True if the call had a final record when the request was recorded.
    pub(super) had_final: bool,
    /// As in [`NewRequest::recheck`].
    pub(super) recheck: bool,
}

/// What the program decided after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call has its answer.
    Answered,
    /// The call is tried again.
    Again,
    /// The call has used up its attempts.
    GaveUp,
    /// The run stops.
    Stopped,
}

impl Word for Decision {
    const ALL: &'static [Self] = &[Self::Answered, Self::Again, Self::GaveUp, Self::Stopped];

    fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Again => "again",
            Self::GaveUp => "gave_up",
            Self::Stopped => "stopped",
        }
    }
}

/// The code of a request that was on disk, but that the run decided not to send. It counts neither
/// as a request of the run nor as an attempt of its call.
pub const WITHDRAWN: &str = "withdrawn";

/// Codes of requests that were never sent: no connection, an untrusted certificate, an expired key,
/// and those withdrawn. All other requests without an HTTP status may have reached the provider.
pub const NOT_SENT: [&str; 4] = ["connect", "certificate", "expired", WITHDRAWN];

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnd {
    /// When the reply, or the failure, arrived.
    pub at: Moment,
    /// The same by the provider's clock, if it differs from this machine's.
    pub provider_at: Option<DateTime<Utc>>,
    /// HTTP status; `None` without a response.
    pub http_status: Option<u16>,
    /// The provider's code, or a word for the transport error.
    pub code: String,
    /// `RequestId` of the response; `None` without one.
    pub request_id: Option<String>,
    /// True if the provider throttled.
    pub throttled: bool,
    /// What happens to the call next.
    pub decision: Decision,
    /// The pause before the call is tried again.
    pub pause: Option<Duration>,
}

impl RequestEnd {
    /// The end of a request that is not sent after all.
    #[must_use]
    pub fn withdrawn(at: Moment) -> Self {
        Self {
            at,
            provider_at: None,
            http_status: None,
            code: WITHDRAWN.to_owned(),
            request_id: None,
            throttled: false,
            decision: Decision::Again,
            pause: None,
        }
    }
}
