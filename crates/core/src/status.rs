//! Which status follows from a stored answer.
//!
//! [`look_up`] is the rule. It returns a [`Lookup`] with a [`Status`] and perhaps a [`Failure`].

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compact_str::CompactString;

use crate::answer::{AnswerKind, MALFORMED, StoredAnswer, StoredCall};
use crate::detail::CallDetail;
use crate::ledger_row::LedgerRow;
use crate::normalize::normalize;
use crate::settle::{is_old_enough, may_change};
use crate::source::Source;

/// The status of a call in the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The provider has a record in a final or an unknown state.
    Found,
    /// The provider has no record on any day asked, and the call is old enough to have one.
    NotFound,
    /// No record yet, or a record that may still change.
    Pending,
    /// The lookup ended in an error.
    Failed,
    /// The call has no answer yet.
    Deferred,
}

impl Status {
    /// Every status, in the order of the tie-out.
    pub const ALL: [Self; 5] = [Self::Found, Self::NotFound, Self::Pending, Self::Failed, Self::Deferred];

    /// The word in the outputs.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Deferred => "deferred",
        }
    }
}

/// What a failed lookup means for this run and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A permanent error for this one call.
    Rejected,
    /// `Data` cannot be read. The next run asks again; this run still counts as complete.
    Malformed,
    /// A transient error on every attempt. The next run asks again, and this run is incomplete.
    Exhausted,
}

/// Why a lookup failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the failure means for this run and the next.
    pub kind: FailureKind,
    /// The provider's code, `MalformedData`, or one word for the last transport error.
    pub code: CompactString,
    /// The message that came with the code.
    pub message: CompactString,
}

/// What the store knows of a call, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The call's status.
    pub status: Status,
    /// The record of a `found` call, or of a `pending` call whose record may still change.
    pub detail: Option<CallDetail>,
    /// Where the answer that counts comes from; `None` if there is none.
    pub source: Option<Source>,
    /// Why the lookup failed, for `failed`.
    pub failure: Option<Failure>,
    /// The day of the record; without one, the day in the ledger.
    pub found_on: NaiveDate,
    /// The provider's `Data`, byte for byte; `None` for a receipt.
    pub raw: Option<String>,
    /// `RequestId` of the answer that counts.
    pub request_id: Option<String>,
    /// When that answer came.
    pub fetched_at: Option<DateTime<Utc>>,
    /// Requests sent for this call so far, over all runs.
    pub attempts: i64,
    /// True if the answer was stored before this session began.
    pub from_store: bool,
}

impl Lookup {
    /// A call without an answer.
    #[must_use]
    pub fn deferred(day: NaiveDate, attempts: i64) -> Self {
        Self {
            status: Status::Deferred,
            detail: None,
            source: None,
            failure: None,
            found_on: day,
            raw: None,
            request_id: None,
            fetched_at: None,
            attempts,
            from_store: false,
        }
    }

    fn fail(&mut self, kind: FailureKind, code: CompactString, message: CompactString) {
        self.status = Status::Failed;
        self.failure = Some(Failure { kind, code, message });
    }

    /// Normalizes `data`, the record of the day `found_on`, which came at `fetched_at`.
    fn read_record(&mut self, data: &str, found_on: NaiveDate, fetched_at: DateTime<Utc>) {
        match normalize(data) {
            Ok(detail) => {
                let may_change = may_change(&detail, found_on, fetched_at);
                self.status = if may_change { Status::Pending } else { Status::Found };
                self.found_on = found_on;
                self.detail = Some(detail);
            }
            Err(why) => self.fail(FailureKind::Malformed, MALFORMED.into(), why.to_string().into()),
        }
    }
}

/// The status of a ledger row's call, with its evidence, from what the store knows.
///
/// `session_no` is the running session. Answers of earlier sessions are marked `from_store`.
#[must_use]
pub fn look_up(row: &LedgerRow, stored: Option<StoredCall>, settle: TimeDelta, session_no: i64) -> Lookup {
    let mut lookup = Lookup::deferred(row.key.day, stored.as_ref().map_or(0, |s| s.attempts));
    let Some(StoredCall { answer, receipt, .. }) = stored else { return lookup };
    let source = Source::counting(answer.as_ref(), receipt.as_deref());
    let counting = if source == Some(Source::Receipt) { receipt.map(|receipt| *receipt) } else { answer };
    let Some(StoredAnswer { answer, fetched_at, session_no: answered_in }) = counting else { return lookup };
    if answer.next_date.is_some() {
        // The neighbouring day has not been asked yet, so there is no answer yet.
        return lookup;
    }
    lookup.from_store = answered_in < session_no;
    lookup.request_id = answer.request_id;
    lookup.fetched_at = Some(fetched_at);
    lookup.source = source;
    let data = answer.data;
    match answer.kind {
        AnswerKind::NoRecord if is_old_enough(row, fetched_at, settle) => lookup.status = Status::NotFound,
        AnswerKind::NoRecord => lookup.status = Status::Pending,
        AnswerKind::Rejected => lookup.fail(FailureKind::Rejected, answer.code, answer.message),
        AnswerKind::Exhausted => lookup.fail(FailureKind::Exhausted, answer.code, answer.message),
        // No `Data` could be taken out of this answer, so reading it again cannot help.
        AnswerKind::Malformed if answer.code == MALFORMED => {
            lookup.fail(FailureKind::Malformed, answer.code, answer.message);
        }
        AnswerKind::Final | AnswerKind::Interim | AnswerKind::Malformed => {
            lookup.read_record(data.as_deref().unwrap_or_default(), answer.found_date, fetched_at);
        }
    }
    // A receipt is no answer of the operation, so its text is not passed off as one.
    lookup.raw = data.filter(|_| source == Some(Source::Query));
    lookup
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::NewAnswer;
    use crate::calendar::end_of_day;
    use crate::call::CallKey;
    use crate::ledger_row::Expected;
    use crate::product::ProductId;

    const SETTLE: TimeDelta = TimeDelta::minutes(5);

    fn row() -> LedgerRow {
        let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(7), day: NaiveDate::default() };
        LedgerRow { line: 2, key, expected: Expected::default(), query_date: None, carried: Vec::new() }
    }

    /// An answer of session 3 that came this long after the end of the call's day.
    fn answer(kind: AnswerKind, after: TimeDelta, data: Option<&str>) -> StoredAnswer {
        let day = NaiveDate::default();
        let answer = NewAnswer {
            kind,
            found_date: day,
            next_date: None,
            request_id: Some("R".into()),
            code: "C".into(),
            message: "M".into(),
            data: data.map(str::to_owned),
        };
        StoredAnswer { answer, fetched_at: end_of_day(day) + after, session_no: 3 }
    }

    fn lookup(answer: StoredAnswer, session_no: i64) -> Lookup {
        let stored = StoredCall { attempts: 4, answer: Some(answer), receipt: None };
        look_up(&row(), Some(stored), SETTLE, session_no)
    }

    #[test]
    fn no_record_is_not_found_once_the_call_is_old_enough() {
        let status = |after| lookup(answer(AnswerKind::NoRecord, after, None), 3).status;
        assert_eq!(status(SETTLE), Status::NotFound);
        assert_eq!(status(SETTLE - TimeDelta::seconds(1)), Status::Pending);
    }

    #[test]
    fn an_error_keeps_its_code_and_says_whether_it_lasts() {
        let failed = |kind| lookup(answer(kind, SETTLE, None), 3).failure.map(|failure| failure.kind);
        assert_eq!(failed(AnswerKind::Rejected), Some(FailureKind::Rejected));
        assert_eq!(failed(AnswerKind::Exhausted), Some(FailureKind::Exhausted));
        let rejected = lookup(answer(AnswerKind::Rejected, SETTLE, None), 3);
        let failure = Failure { kind: FailureKind::Rejected, code: "C".into(), message: "M".into() };
        assert_eq!((rejected.status, rejected.failure), (Status::Failed, Some(failure)));
    }

    #[test]
    fn data_that_could_not_be_read_is_read_again() {
        let record = r#"{"state":"200000","duration":3}"#;
        let mut malformed = answer(AnswerKind::Malformed, SETTLE, Some(record));
        assert_eq!(lookup(malformed.clone(), 3).status, Status::Found);
        malformed.answer.data = Some("{".into());
        let failure = lookup(malformed.clone(), 3).failure.map(|failure| (failure.kind, failure.code));
        assert_eq!(failure, Some((FailureKind::Malformed, MALFORMED.into())));
        // This answer had no `Data` that could be taken out of it.
        malformed.answer.code = MALFORMED.into();
        malformed.answer.data = Some(record.into());
        let failure = lookup(malformed, 3).failure;
        assert_eq!(failure.map(|f| (f.kind, f.message)), Some((FailureKind::Malformed, "M".into())));
    }

    #[test]
    fn a_record_is_found_unless_it_may_still_change() {
        let record = r#"{"state":"200000","duration":3}"#;
        let found = lookup(answer(AnswerKind::Final, SETTLE, Some(record)), 3);
        assert_eq!((found.status, found.raw.as_deref()), (Status::Found, Some(record)));
        assert_eq!(found.detail.and_then(|detail| detail.duration_s), Some(3));
        assert_eq!((found.attempts, found.source), (4, Some(Source::Query)));
        let waiting = answer(AnswerKind::Final, SETTLE, Some(r#"{"state":"200000"}"#));
        assert_eq!(lookup(waiting, 3).status, Status::Pending);
    }

    #[test]
    fn only_answers_of_earlier_sessions_are_from_the_store() {
        let from_store = |session| lookup(answer(AnswerKind::NoRecord, SETTLE, None), session).from_store;
        assert_eq!([2, 3, 4].map(from_store), [false, false, true]);
    }

    #[test]
    fn a_call_whose_neighbouring_day_is_due_is_deferred() {
        let mut due = answer(AnswerKind::NoRecord, SETTLE, None);
        due.answer.next_date = due.answer.found_date.succ_opt();
        assert_eq!(lookup(due, 3), Lookup::deferred(row().key.day, 4));
        assert_eq!(look_up(&row(), None, SETTLE, 3), Lookup::deferred(row().key.day, 0));
    }

    #[test]
    fn a_receipt_that_counts_has_no_raw_answer() {
        let receipt = answer(AnswerKind::Final, SETTLE, Some(r#"{"state":"200000","duration":3}"#));
        let stored = StoredCall { attempts: 0, answer: None, receipt: Some(Box::new(receipt)) };
        let lookup = look_up(&row(), Some(stored), SETTLE, 3);
        assert_eq!((lookup.status, lookup.source), (Status::Found, Some(Source::Receipt)));
        assert_eq!(lookup.raw, None);
    }

    #[test]
    fn every_status_has_its_own_word() {
        let words = ["found", "not_found", "pending", "failed", "deferred"];
        assert_eq!(Status::ALL.map(Status::as_str), words);
    }
}
