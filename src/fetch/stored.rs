//! What the store keeps of an attempt: the decision, and the answer if it counts. Pure.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::retry::Verdict;
use crate::provider::wire::{Answer, Body};
use crate::store::Decision;
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::normalize::normalize;
use reconcile_core::settle::may_change;

/// The decision and the pause that the store records for a verdict.
pub(super) fn decision(verdict: &Verdict) -> (Decision, Option<Duration>) {
    match verdict {
        Verdict::Done => (Decision::Answered, None),
        Verdict::Again { after, .. } => (Decision::Again, Some(*after)),
        Verdict::Exhausted => (Decision::GaveUp, None),
        Verdict::Stop(_) => (Decision::Stopped, None),
    }
}

/// The answer to store, which came at `came_at`; `None` if the call is tried again, or if the run
/// stops. The days are the one that was asked, and the one to ask next.
pub(super) fn answer_to_keep(
    answer: &Answer,
    verdict: &Verdict,
    (day, other_day): (NaiveDate, Option<NaiveDate>),
    came_at: DateTime<Utc>,
) -> Option<NewAnswer> {
    let (kind, data) = match (&answer.body, verdict) {
        (Body::Data(data), Verdict::Done) => (kind_of(data, day, came_at), Some(data.clone())),
        (Body::NoRecord, Verdict::Done) => (AnswerKind::NoRecord, None),
        (Body::Malformed { text, .. }, Verdict::Done) => (AnswerKind::Malformed, Some(text.clone())),
        (Body::Error(_), Verdict::Done) => (AnswerKind::Rejected, None),
        (_, Verdict::Exhausted) => (AnswerKind::Exhausted, None),
        _ => return None,
    };
    Some(NewAnswer {
        kind,
        found_date: day,
        next_date: other_day.filter(|_| kind == AnswerKind::NoRecord),
        request_id: answer.request_id.clone(),
        code: answer.code.as_str().into(),
        message: answer.message.as_str().into(),
        data,
    })
}

fn kind_of(data: &str, day: NaiveDate, came_at: DateTime<Utc>) -> AnswerKind {
    match normalize(data) {
        Ok(detail) if may_change(&detail, day, came_at) => AnswerKind::Interim,
        Ok(_) => AnswerKind::Final,
        Err(_) => AnswerKind::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use crate::provider::LostReason;
    use crate::store::NOT_SENT;

    #[test]
    fn provider_and_store_agree_on_what_was_never_sent() {
        for reason in LostReason::ALL {
            assert_eq!(reason.never_sent(), NOT_SENT.contains(&reason.as_str()), "{reason:?}");
        }
    }
}
