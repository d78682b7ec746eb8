//! What becomes of an answer to a call that has a final record. Pure.
//!
//! The record before a change, and "no record" after there was one, stay in the table
//! `other_answer`, beside the answer that counts.

use reconcile_core::amended::SecondLook;
use reconcile_core::answer::{AnswerKind, NewAnswer, StoredAnswer};

/// What a store does with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It writes it as any other answer, if it replaces the stored one.
    Write,
    /// It notes that the record was looked at.
    Check,
    /// It keeps the stored record beside the answer, and writes the answer.
    Replace,
    /// It keeps the answer beside the stored record.
    KeepBeside,
}

impl Effect {
    /// What becomes of `answer`. `stored` is the answer that counts; `None` if it is damaged.
    /// `newest` is the kind of the newest answer beside it. `recheck` is true if the request was
    /// sent to look at the record again: then a record that is the same keeps its time.
    pub(super) fn new(
        stored: Option<&StoredAnswer>,
        answer: &NewAnswer,
        newest: Option<AnswerKind>,
        recheck: bool,
    ) -> Self {
        match stored.map_or(SecondLook::Nothing, |stored| SecondLook::new(stored, answer)) {
            SecondLook::Same if recheck => Self::Check,
            SecondLook::Same | SecondLook::Nothing => Self::Write,
            SecondLook::Changed => Self::Replace,
            // A loss that was noted is not noted again.
            SecondLook::Lost if newest == Some(AnswerKind::NoRecord) => Self::Check,
            SecondLook::Lost => Self::KeepBeside,
        }
    }

    /// True if the store writes the answer as the one that counts.
    pub(super) fn writes_answer(self) -> bool {
        matches!(self, Self::Write | Self::Replace)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};

    use super::*;

    fn answer(kind: AnswerKind, duration: u32) -> NewAnswer {
        NewAnswer {
            kind,
            found_date: NaiveDate::default(),
            next_date: None,
            request_id: None,
            code: "OK".into(),
            message: "OK".into(),
            data: Some(format!(r#"{{"state":"200000","duration":{duration}}}"#)),
        }
    }

    #[test]
    fn a_loss_is_noted_once_and_an_equal_record_keeps_its_time() {
        let answer_at = |answer| StoredAnswer { answer, fetched_at: DateTime::UNIX_EPOCH, session_no: 1 };
        let stored = answer_at(answer(AnswerKind::Final, 3));
        let effect = |kind, duration, newest, recheck| {
            Effect::new(Some(&stored), &answer(kind, duration), newest, recheck)
        };
        let lost = Some(AnswerKind::NoRecord);
        assert_eq!(effect(AnswerKind::Final, 3, None, true), Effect::Check);
        assert_eq!(effect(AnswerKind::Final, 3, None, false), Effect::Write);
        assert_eq!(effect(AnswerKind::Final, 4, lost, true), Effect::Replace);
        assert_eq!(effect(AnswerKind::NoRecord, 0, None, true), Effect::KeepBeside);
        assert_eq!(effect(AnswerKind::NoRecord, 0, Some(AnswerKind::Final), false), Effect::KeepBeside);
        assert_eq!(effect(AnswerKind::NoRecord, 0, lost, true), Effect::Check);
        assert_eq!(effect(AnswerKind::Exhausted, 0, None, true), Effect::Write);
        assert_eq!(Effect::new(None, &answer(AnswerKind::Final, 4), None, true), Effect::Write);
    }
}
