//! Spells: faults that refuse every request for a while, from one request to another or from one
//! time to another.

use std::time::Duration;

use crate::sandbox::history::RequestContext;
use crate::sandbox::refusal::Refusal;

/// A fault that refuses every request within a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spell {
    /// The condition's name.
    pub(super) name: &'static str,
    /// The reply while the spell lasts.
    pub(super) refusal: Refusal,
    /// When it lasts.
    pub(super) span: Span,
}

/// A range; the end is excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Request numbers, counted from 1.
    Requests { from: u64, to: u64 },
    /// Times since the sandbox started.
    Time { from: Duration, to: Duration },
}

impl Span {
    /// Reads a span such as `500..520`, `10m..12m` or `500..`; `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once("..")?;
        if let Ok(from) = from.parse() {
            let to = if to.is_empty() { u64::MAX } else { to.parse().ok()? };
            return (from < to).then_some(Self::Requests { from, to });
        }
        let from = humantime::parse_duration(from).ok()?;
        let to = if to.is_empty() { Duration::MAX } else { humantime::parse_duration(to).ok()? };
        (from < to).then_some(Self::Time { from, to })
    }

    /// Whether a request falls into the span.
    pub(super) fn contains(self, request: &RequestContext) -> bool {
        match self {
            Self::Requests { from, to } => (from..to).contains(&request.request_no),
            Self::Time { from, to } => (from..to).contains(&request.since_start),
        }
    }
}
