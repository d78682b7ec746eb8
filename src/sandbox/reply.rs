//! What the simulated provider replies, and what a fault does to the reply.

use std::time::Duration;

use super::refusal::Refusal;

/// The content of a reply, before it is written in a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// `OK` with this `Data`.
    Data(String),
    /// `OK` without `Data`.
    NoRecord,
    /// An error.
    Refused(Refusal),
    /// An HTML page, as a proxy sends it.
    Page {
        /// HTTP status.
        status: u16,
    },
    /// A reply from a recording.
    Recorded(RecordedReply),
    /// A temporary key, in the JSON of STS.
    Key(String),
}

/// A reply as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordedReply {
    /// HTTP status; `None` if no reply came.
    pub(super) status: Option<u16>,
    /// The recorded headers.
    pub(super) headers: Vec<(String, String)>,
    /// The body's bytes.
    pub(super) body: Vec<u8>,
}

/// What a fault does to the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// No change: the records give the reply.
    Record,
    /// `OK` without `Data`.
    NoRecord,
    /// The record, with a state that is not final.
    Interim,
    /// The record, with another talk time; of an unanswered call, with another description.
    Amended,
    /// No record on the first day asked for. On any other day, the record of that first day.
    OtherDay,
    /// The record, as text that is not JSON.
    Malformed,
    /// The record, with a state code that no table of the provider has.
    UnknownState,
    /// `OK` with this `Data`.
    Data(String),
    /// An error.
    Error(Refusal),
    /// An HTML page, as a proxy sends it.
    Page {
        /// HTTP status.
        status: u16,
    },
    /// HTTP 200 with an empty body.
    Empty,
    /// Half of the body. The stated length matches, so it looks complete.
    Truncated,
    /// The connection ends in the middle of the body.
    Cut,
    /// The connection ends before the reply.
    Dropped,
    /// No reply until the client gives up.
    Never,
}

/// An effect and its timing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The change to the reply.
    pub(super) effect: Effect,
    /// The time before the first byte.
    pub(super) delay: Duration,
    /// The time from the first byte to the last.
    pub(super) drip: Duration,
}

impl From<Effect> for Step {
    fn from(effect: Effect) -> Self {
        Self { effect, delay: Duration::ZERO, drip: Duration::ZERO }
    }
}
