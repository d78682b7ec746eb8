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

/// Adds the discrepancies of a record whose duration contradicts its times or its state.
pub(crate) fn add_contradictions(detail: &CallDetail, found: &mut Vec<Discrepancy>) {
    let Some(duration) = detail.duration_s else { return };
    if let (Some(started_at), Some(ended_at)) = (detail.started_at, detail.ended_at) {
        let span = (ended_at - started_at).num_seconds();
        if span != duration {
            let (expected, actual) = (span.to_compact_string(), duration.to_compact_string());
            let what = broken(Contradiction::DurationVsSpan, expected, actual);
            found.push(what.delta(Some(duration - span)));
        }
    }
    match (detail.answered, duration) {
        (Some(true), 0) => found.push(broken(Contradiction::AnsweredWithoutTalk, ">0".into(), "0".into())),
        (Some(false), 1..) => {
            found.push(broken(Contradiction::TalkWithoutAnswer, "0".into(), duration.to_compact_string()));
        }
        _ => {}
    }
}
