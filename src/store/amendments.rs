//! Answers beside those that count, and the changes that they prove.

use reconcile_core::answer::StoredAnswer;
use reconcile_core::call::CallKey;

/// An answer beside the one that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAnswer {
    /// The session that saw the difference.
    pub noted_session_no: i64,
    /// The answer.
    pub stored: StoredAnswer,
}

impl OtherAnswer {
    fn is_record(&self) -> bool {
        is_record(&self.stored)
    }
}

fn is_record(stored: &StoredAnswer) -> bool {
    stored.answer.kind.is_record()
}

/// Which answer beside that of a call proves a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AmendmentNo {
    /// The number of the call.
    pub call_no: i64,
    /// The session that noted it.
    pub noted_session_no: i64,
}

/// A final record that the provider changed or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// Its number, to note that it was told.
    pub no: AmendmentNo,
    /// The call.
    pub key: CallKey,
    /// The account that was asked; `None` if the store knows only one account.
    pub account: Option<String>,
    /// The record before.
    pub before: StoredAnswer,
    /// The record after; `None` if the provider has none.
    pub after: Option<StoredAnswer>,
}

/// The record before and after each of these answers, which are beside the answer `current`, by the
/// session that noted them. An answer is left out if what stood before or after it is damaged.
pub fn changes<'a>(
    others: &'a [OtherAnswer],
    current: Option<&'a StoredAnswer>,
) -> Vec<(i64, &'a StoredAnswer, Option<&'a StoredAnswer>)> {
    let current = current.filter(|current| is_record(current));
    let next = |at: usize| {
        let later = others[at + 1..].iter().find(|other| other.is_record());
        later.map(|other| &other.stored).or(current)
    };
    let change = |(at, other): (usize, &'a OtherAnswer)| {
        let (noted, record) = (other.noted_session_no, next(at)?);
        Some(if other.is_record() { (noted, &other.stored, Some(record)) } else { (noted, record, None) })
    };
    others.iter().enumerate().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use reconcile_core::answer::{AnswerKind, NewAnswer};

    use super::*;

    fn stored(kind: AnswerKind, session_no: i64) -> StoredAnswer {
        let answer = NewAnswer {
            kind,
            found_date: NaiveDate::default(),
            next_date: None,
            request_id: None,
            code: "OK".into(),
            message: "OK".into(),
            data: None,
        };
        StoredAnswer { answer, fetched_at: DateTime::UNIX_EPOCH, session_no }
    }

    #[test]
    fn each_answer_is_followed_by_the_next_record() {
        let other = |noted_session_no, kind, session_no| OtherAnswer {
            noted_session_no,
            stored: stored(kind, session_no),
        };
        // The record of session 1 changed in session 3, was lost in session 5, and changed in 7.
        let others = [
            other(3, AnswerKind::Final, 1),
            other(5, AnswerKind::NoRecord, 5),
            other(7, AnswerKind::Final, 3),
        ];
        let current = stored(AnswerKind::Interim, 7);
        let seen: Vec<_> = changes(&others, Some(&current))
            .into_iter()
            .map(|(noted, before, after)| (noted, before.session_no, after.map(|after| after.session_no)))
            .collect();
        assert_eq!(seen, [(3, 1, Some(3)), (5, 3, None), (7, 3, Some(7))]);
        assert_eq!(changes(&others[1..2], None), []);
    }
}
