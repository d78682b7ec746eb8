//! The discrepancies of the kind `inconsistent`: the provider contradicts itself.

use compact_str::{CompactString, ToCompactString};

use crate::call::CallKey;
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};

/// A rule that a record can break. The discrepancy's message begins with the rule's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// The rule's name.
    pub name: &'static str,
    /// The field concerned.
    pub field: &'static str,
    /// What is wrong with a record that breaks the rule.
    pub rule: &'static str,
}

const fn contradiction(name: &'static str, field: &'static str, rule: &'static str) -> Contradiction {
    Contradiction { name, field, rule }
}

/// The record belongs to another call.
pub const OTHER_CALL: Contradiction =
    contradiction("other_call", "call_id", "the record has another CallId than the request");
const DURATION_VS_SPAN: Contradiction =
    contradiction("duration_vs_span", "duration_s", "duration is not endDate - startDate");
const ANSWERED_WITHOUT_TALK: Contradiction =
    contradiction("answered_without_talk", "duration_s", "answered, but the talk time is 0 seconds");
const TALK_WITHOUT_ANSWER: Contradiction =
    contradiction("talk_without_answer", "duration_s", "not answered, but the talk time is not 0 seconds");

/// Every rule of the kind `inconsistent`.
pub const CONTRADICTIONS: [Contradiction; 4] =
    [OTHER_CALL, DURATION_VS_SPAN, ANSWERED_WITHOUT_TALK, TALK_WITHOUT_ANSWER];

impl Contradiction {
    fn broken(self, expected: CompactString, actual: CompactString) -> Discrepancy {
        Discrepancy::new(Kind::Inconsistent, format!("{}: {}", self.name, self.rule))
            .field(self.field)
            .values(Some(expected), Some(actual))
    }
}

/// True if the record has another CallId than the requested one. A record without a CallId has
/// none to differ.
#[must_use]
pub fn is_other_call(call_id: &str, detail: &CallDetail) -> bool {
    detail.call_id.as_ref().is_some_and(|id| *id != call_id)
}

/// The discrepancy of a record that has another CallId than the request.
pub(crate) fn other_call(key: &CallKey, detail: &CallDetail) -> Option<Discrepancy> {
    let actual = detail.call_id.as_ref().filter(|_| is_other_call(&key.call_id, detail))?;
    Some(OTHER_CALL.broken(key.call_id.as_str().into(), actual.clone()))
}

/// The discrepancies of a record whose duration contradicts its times or its state.
pub(crate) fn contradictions(detail: &CallDetail) -> impl Iterator<Item = Discrepancy> {
    let duration_vs_span = detail.duration_s.and_then(|duration| {
        let span = (detail.ended_at? - detail.started_at?).num_seconds();
        (span != duration).then(|| {
            DURATION_VS_SPAN
                .broken(span.to_compact_string(), duration.to_compact_string())
                .delta(Some(duration - span))
        })
    });
    let talk_vs_answer = match (detail.answered, detail.duration_s) {
        (Some(true), Some(0)) => Some(ANSWERED_WITHOUT_TALK.broken(">0".into(), "0".into())),
        (Some(false), Some(duration @ 1..)) => {
            Some(TALK_WITHOUT_ANSWER.broken("0".into(), duration.to_compact_string()))
        }
        _ => None,
    };
    duration_vs_span.into_iter().chain(talk_vs_answer)
}
