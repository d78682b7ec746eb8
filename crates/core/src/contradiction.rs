//! The discrepancies of the kind `inconsistent`: the provider contradicts itself.

use compact_str::{CompactString, ToCompactString};

use crate::call::CallKey;
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};
use crate::message::{Contradiction, Message};

fn broken(rule: Contradiction, expected: CompactString, actual: CompactString) -> Discrepancy {
    Discrepancy::new(Kind::Inconsistent, Message::Contradiction(rule))
        .field(rule.field())
        .values(Some(expected), Some(actual))
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
    Some(broken(Contradiction::OtherCall, key.call_id.as_str().into(), actual.clone()))
}

/// The discrepancies of a record whose duration contradicts its times or its state.
pub(crate) fn contradictions(detail: &CallDetail) -> impl Iterator<Item = Discrepancy> {
    let duration_vs_span = detail.duration_s.and_then(|duration| {
        let span = (detail.ended_at? - detail.started_at?).num_seconds();
        (span != duration).then(|| {
            broken(Contradiction::DurationVsSpan, span.to_compact_string(), duration.to_compact_string())
                .delta(Some(duration - span))
        })
    });
    let talk_vs_answer = match (detail.answered, detail.duration_s) {
        (Some(true), Some(0)) => Some(broken(Contradiction::AnsweredWithoutTalk, ">0".into(), "0".into())),
        (Some(false), Some(duration @ 1..)) => {
            Some(broken(Contradiction::TalkWithoutAnswer, "0".into(), duration.to_compact_string()))
        }
        _ => None,
    };
    duration_vs_span.into_iter().chain(talk_vs_answer)
}
