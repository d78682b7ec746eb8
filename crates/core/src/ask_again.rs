//! What is asked again, and when.

use chrono::NaiveDate;

use crate::answer::{AnswerKind, StoredAnswer, StoredCall};

/// Which answers count for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The run's UUID.
    pub run_id: String,
    /// The run's number.
    pub run_no: i64,
    /// This process.
    pub session_no: i64,
    /// The first process of this run.
    pub run_from: i64,
    /// The first process of the chain of incomplete runs that this one goes on from.
    pub chain_from: i64,
    /// NextRequest for settled calls again.
    pub refresh: bool,
    /// It goes on where an earlier process stopped.
    pub resumed: bool,
}

/// What there is to ask about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRequest {
    /// Nothing.
    Nothing,
    /// The ledger's day, first.
    Day,
    /// Only this neighbouring day; the ledger's own has answered in this run.
    OtherDay(NaiveDate),
}

impl Scope {
    /// Of a store that is not there yet.
    #[must_use]
    pub fn first(refresh: bool) -> Self {
        Self {
            run_id: String::new(),
            run_no: 1,
            session_no: 1,
            run_from: 1,
            chain_from: 1,
            refresh,
            resumed: false,
        }
    }

    /// What is asked again and when.
    ///
    /// Settled answers (a final record, a permanent error) never, unless `--refresh`. Open ones (no record, a
    /// state that is not final, unreadable `Data`, used-up attempts) by the next run. Within a run nothing is asked
    /// twice, however often it was killed; and a run that goes on from an incomplete one does not ask again what
    /// that one did not find.
    #[must_use]
    pub fn ask(&self, stored: Option<&StoredCall>) -> NextRequest {
        let Some(StoredAnswer { answer, session_no, .. }) = stored.and_then(|s| s.answer.as_ref()) else {
            return NextRequest::Day;
        };
        let in_run = *session_no >= self.run_from;
        let in_chain = *session_no >= self.chain_from;
        if let Some(next) = answer.next_date {
            return if in_chain { NextRequest::OtherDay(next) } else { NextRequest::Day };
        }
        let stands = match answer.kind {
            AnswerKind::Final | AnswerKind::Rejected => !self.refresh || in_chain,
            AnswerKind::NoRecord => in_chain,
            AnswerKind::Interim | AnswerKind::Malformed | AnswerKind::Exhausted => in_run,
        };
        if stands { NextRequest::Nothing } else { NextRequest::Day }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::Utc;
    use compact_str::CompactString;

    use super::*;
    use crate::answer::NewAnswer;

    fn stored(kind: AnswerKind, session_no: i64) -> StoredCall {
        let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
        let answer = NewAnswer {
            kind,
            found_date: day,
            next_date: None,
            request_id: None,
            code: "OK".into(),
            message: CompactString::default(),
            data: None,
        };
        StoredCall { attempts: 1, answer: Some(StoredAnswer { answer, fetched_at: Utc::now(), session_no }) }
    }

    /// Session 5 of a run that began with session 4, in a chain that began with session 3.
    fn scope(refresh: bool) -> Scope {
        Scope {
            run_id: String::new(),
            run_no: 2,
            session_no: 5,
            run_from: 4,
            chain_from: 3,
            refresh,
            resumed: true,
        }
    }

    #[test]
    fn settled_answers_are_asked_again_only_with_refresh_and_then_once() {
        for kind in [AnswerKind::Final, AnswerKind::Rejected] {
            assert_eq!(scope(false).ask(Some(&stored(kind, 1))), NextRequest::Nothing);
            assert_eq!(scope(true).ask(Some(&stored(kind, 1))), NextRequest::Day);
            assert_eq!(scope(true).ask(Some(&stored(kind, 4))), NextRequest::Nothing);
        }
    }

    #[test]
    fn open_answers_are_asked_again_by_the_next_run_and_not_within_one() {
        for kind in [AnswerKind::Interim, AnswerKind::NoRecord, AnswerKind::Malformed, AnswerKind::Exhausted]
        {
            assert_eq!(scope(false).ask(Some(&stored(kind, 2))), NextRequest::Day);
            assert_eq!(scope(false).ask(Some(&stored(kind, 4))), NextRequest::Nothing);
        }
        assert_eq!(scope(false).ask(Some(&stored(AnswerKind::NoRecord, 3))), NextRequest::Nothing);
        assert_eq!(scope(false).ask(Some(&stored(AnswerKind::Exhausted, 3))), NextRequest::Day);
        assert_eq!(scope(false).ask(None), NextRequest::Day);
    }

    #[test]
    fn a_neighbouring_day_still_to_be_asked_is_asked_alone() {
        let mut call = stored(AnswerKind::NoRecord, 4);
        let next = NaiveDate::from_ymd_opt(2026, 11, 17).unwrap();
        call.answer.as_mut().unwrap().answer.next_date = Some(next);
        assert_eq!(scope(false).ask(Some(&call)), NextRequest::OtherDay(next));
        call.answer.as_mut().unwrap().session_no = 1;
        assert_eq!(scope(false).ask(Some(&call)), NextRequest::Day);
    }
}
