//! How an effect changes a reply.

use crate::sandbox::calls::{amended, interim, malformed, with_unknown_state};
use crate::sandbox::reply::{Effect, Reply};

/// The reply after an effect.
///
/// `record_reply` is the records' reply for the day asked for. `other_day_reply` is their reply for
/// the first day asked for, if this query asks for another day.
pub(crate) fn apply(
    effect: &Effect,
    record_reply: impl FnOnce() -> Reply,
    other_day_reply: impl FnOnce() -> Option<Reply>,
) -> Reply {
    let change: fn(&str) -> String = match effect {
        Effect::NoRecord => return Reply::NoRecord,
        Effect::Data(data) => return Reply::Data(data.clone()),
        Effect::Error(refusal) => return Reply::Refused(refusal.clone()),
        Effect::Page { status } => return Reply::Page { status: *status },
        Effect::OtherDay => return other_day_reply().unwrap_or(Reply::NoRecord),
        Effect::Interim => interim,
        Effect::Amended => amended,
        Effect::Malformed => malformed,
        Effect::UnknownState => with_unknown_state,
        // These change only how the response is sent.
        Effect::Record
        | Effect::Empty
        | Effect::Truncated
        | Effect::Cut
        | Effect::Dropped
        | Effect::Never => return record_reply(),
    };
    match record_reply() {
        Reply::Data(data) => Reply::Data(change(&data)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reconcile_core::normalize::normalize;

    #[test]
    fn each_effect_changes_the_record_as_its_name_says() {
        let record =
            "{\"callId\":\"1^1\",\"state\":\"200000\",\"duration\":4,\"startDate\":\"2026-05-26 17:01:47\"}";
        let changed = |effect: Effect| {
            let reply = apply(&effect, || Reply::Data(record.into()), || Some(Reply::NoRecord));
            let Reply::Data(data) = reply else { return Err(reply) };
            Ok(normalize(&data))
        };
        assert!(changed(Effect::Malformed).unwrap().is_err());
        assert_eq!(changed(Effect::Amended).unwrap().unwrap().duration_s, Some(11));
        assert!(!changed(Effect::Interim).unwrap().unwrap().is_final);
        assert!(!changed(Effect::UnknownState).unwrap().unwrap().state_known);
        assert_eq!(changed(Effect::OtherDay), Err(Reply::NoRecord));
        assert_eq!(changed(Effect::NoRecord), Err(Reply::NoRecord));
        assert!(changed(Effect::Record).unwrap().unwrap().is_final);
    }
}
