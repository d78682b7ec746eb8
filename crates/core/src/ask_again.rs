//! What a later run asks again.

use chrono::{DateTime, NaiveDate, Utc};

use crate::answer::{AnswerKind, StoredAnswer, StoredCall};
use crate::call::CallKey;
use crate::receipt::ReceiptsTrust;
use crate::settle::kind_today;
use crate::status::{FailureKind, Lookup, Status};

/// Which stored answers count for the current run.
///
/// A session is one process. A run is one job over one ledger; it has several sessions if it was
/// killed and resumed. A chain is a run and the incomplete runs before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The run's UUID.
    pub run_id: String,
    /// The run's number in the store.
    pub run_no: i64,
    /// When the run's first session began. Days of the run are counted from here, so a killed run
    /// gives the same outputs when it is resumed on a later day.
    pub run_started_at: DateTime<Utc>,
    /// This session's number in the store.
    pub session_no: i64,
    /// The number of the run's first session.
    pub run_from: i64,
    /// The number of the chain's first session.
    pub chain_from: i64,
    /// `--refresh`: settled calls are asked again.
    pub refresh: bool,
    /// True if an earlier session began this run.
    pub resumed: bool,
}

/// How far receipts save requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptUse {
    /// How far they are trusted.
    pub trust: ReceiptsTrust,
    /// Draws the sample.
    pub seed: u64,
}

impl ReceiptUse {
    /// Whether this answer, which a receipt gave to the call, makes a request needless.
    #[must_use]
    pub fn saves(self, key: &CallKey, receipt: &StoredAnswer) -> bool {
        let is_lasting = matches!(kind_today(receipt), AnswerKind::Final | AnswerKind::Rejected);
        is_lasting && !self.trust.asks(key.fingerprint(), self.seed)
    }

    /// Whether the call is in the sample that is asked for although a receipt answers it.
    #[must_use]
    pub fn is_in_sample(self, key: &CallKey) -> bool {
        matches!(self.trust, ReceiptsTrust::Sample(share) if share.includes(key.fingerprint(), self.seed))
    }
}

/// The next request for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRequest {
    /// No request: the stored answer counts.
    Nothing,
    /// The ledger's day, and after it a neighbouring day if the call needs one.
    Day,
    /// Only this neighbouring day; the ledger's day is already answered.
    OtherDay(NaiveDate),
}

impl Scope {
    /// The scope of the first run of a new store, which begins now.
    #[must_use]
    pub fn of_new_store(refresh: bool, now: DateTime<Utc>) -> Self {
        Self {
            run_id: String::new(),
            run_no: 1,
            run_started_at: now,
            session_no: 1,
            run_from: 1,
            chain_from: 1,
            refresh,
            resumed: false,
        }
    }

    /// The next request for a call, from what the store knows of it.
    ///
    /// - A settled answer (a final record, a permanent error) is asked again only with `--refresh`.
    /// - An open answer is asked again by the next run, never twice within one run. Open answers
    ///   are: no record, a record that may still change, unreadable `Data`, every attempt failed.
    /// - "No record" counts for the whole chain: the run that continues an incomplete run does not
    ///   ask again, because that answer is only hours old.
    ///
    /// Receipts are left to [`Self::next_of_call`].
    #[must_use]
    pub fn next_request(&self, stored: Option<&StoredCall>) -> NextRequest {
        let Some(stored) = stored.and_then(|s| s.answer.as_ref()) else { return NextRequest::Day };
        let StoredAnswer { answer, session_no, .. } = stored;
        let in_run = *session_no >= self.run_from;
        let in_chain = *session_no >= self.chain_from;
        if let Some(next) = answer.next_date {
            return if in_chain { NextRequest::OtherDay(next) } else { NextRequest::Day };
        }
        let counts = match kind_today(stored) {
            AnswerKind::Final | AnswerKind::Rejected => !self.refresh || in_chain,
            AnswerKind::NoRecord => in_chain,
            AnswerKind::Interim | AnswerKind::Malformed | AnswerKind::Exhausted => in_run,
        };
        if counts { NextRequest::Nothing } else { NextRequest::Day }
    }

    /// The next request for a call, which a receipt may save. `--refresh` asks all the same.
    #[must_use]
    pub fn next_of_call(
        &self,
        key: &CallKey,
        stored: Option<&StoredCall>,
        receipts: ReceiptUse,
    ) -> NextRequest {
        match self.is_saved(key, stored, receipts) {
            true => NextRequest::Nothing,
            false => self.next_request(stored),
        }
    }

    /// The request that a receipt saves, once the receipts are not trusted. So no call has both
    /// this request and that of [`Self::next_of_call`].
    #[must_use]
    pub fn next_of_saved_call(
        &self,
        key: &CallKey,
        stored: Option<&StoredCall>,
        receipts: ReceiptUse,
    ) -> NextRequest {
        match self.is_saved(key, stored, receipts) {
            true => self.next_request(stored),
            false => NextRequest::Nothing,
        }
    }

    fn is_saved(&self, key: &CallKey, stored: Option<&StoredCall>, receipts: ReceiptUse) -> bool {
        let receipt = stored.and_then(|stored| stored.receipt.as_ref()).filter(|_| !self.refresh);
        receipt.is_some_and(|receipt| receipts.saves(key, receipt))
    }
}

/// True if the call is open: it has no lasting answer, so a later run asks again.
#[must_use]
pub fn is_open(lookup: &Lookup) -> bool {
    match lookup.status {
        Status::Found => false,
        Status::NotFound | Status::Pending | Status::Deferred => true,
        Status::Failed => lookup.failure.as_ref().is_some_and(|failure| match failure.kind {
            FailureKind::Rejected => false,
            FailureKind::Malformed | FailureKind::Exhausted => true,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;
    use compact_str::CompactString;

    use super::*;
    use crate::answer::NewAnswer;
    use crate::calendar::end_of_day;

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
        let fetched_at = DateTime::UNIX_EPOCH;
        StoredCall {
            attempts: 1,
            answer: Some(StoredAnswer { answer, fetched_at, session_no }),
            receipt: None,
        }
    }

    /// Session 5 of a run that began with session 4, in a chain that began with session 3.
    fn scope(refresh: bool) -> Scope {
        Scope {
            run_id: String::new(),
            run_no: 2,
            run_started_at: DateTime::UNIX_EPOCH,
            session_no: 5,
            run_from: 4,
            chain_from: 3,
            refresh,
            resumed: true,
        }
    }

    fn next(refresh: bool, kind: AnswerKind, session_no: i64) -> NextRequest {
        scope(refresh).next_request(Some(&stored(kind, session_no)))
    }

    #[test]
    fn a_settled_call_is_asked_again_once_and_only_with_refresh() {
        for kind in [AnswerKind::Final, AnswerKind::Rejected] {
            assert_eq!(next(false, kind, 1), NextRequest::Nothing);
            assert_eq!(next(true, kind, 1), NextRequest::Day);
            assert_eq!(next(true, kind, 4), NextRequest::Nothing);
        }
    }

    #[test]
    fn an_old_final_record_without_duration_is_asked_again() {
        let next = |data: &str, days: i64, session_no| {
            let mut call = stored(AnswerKind::Final, session_no);
            let answer = call.answer.as_mut().unwrap();
            answer.answer.data = Some(data.into());
            answer.fetched_at = end_of_day(answer.answer.found_date) + chrono::TimeDelta::days(days);
            scope(false).next_request(Some(&call))
        };
        let answered = r#"{"state":"200000","startDate":"2026-11-16 10:00:08"}"#;
        assert_eq!(next(answered, 2, 1), NextRequest::Day);
        assert_eq!(next(answered, 2, 4), NextRequest::Nothing, "not twice in one run");
        assert_eq!(next(answered, 3, 1), NextRequest::Nothing, "after three days it is final");
        assert_eq!(next(r#"{"state":"200000","duration":null}"#, 0, 1), NextRequest::Day);
        assert_eq!(next(r#"{"state":"200000","duration":"" }"#, 0, 1), NextRequest::Day);
        assert_eq!(next(r#"{"statusCode":"200103","duration":0}"#, 9, 1), NextRequest::Day);
        for lasting in [
            r#"{"state":"200000","duration":4}"#,
            r#"{"duration" : "4", "state":"200000"}"#,
            r#"{"state":"200002"}"#,
            r#"{"state":"502"}"#,
        ] {
            assert_eq!(next(lasting, 0, 1), NextRequest::Nothing, "{lasting}");
        }
    }

    #[test]
    fn an_open_call_is_asked_again_by_the_next_run_only() {
        for kind in [AnswerKind::Interim, AnswerKind::NoRecord, AnswerKind::Malformed, AnswerKind::Exhausted]
        {
            assert_eq!(next(false, kind, 2), NextRequest::Day);
            assert_eq!(next(false, kind, 4), NextRequest::Nothing);
        }
        assert_eq!(next(false, AnswerKind::NoRecord, 3), NextRequest::Nothing);
        assert_eq!(next(false, AnswerKind::Exhausted, 3), NextRequest::Day);
        assert_eq!(scope(false).next_request(None), NextRequest::Day);
    }

    #[test]
    fn only_the_neighbouring_day_is_asked_if_it_is_due() {
        let mut call = stored(AnswerKind::NoRecord, 4);
        let next = NaiveDate::from_ymd_opt(2026, 11, 17).unwrap();
        call.answer.as_mut().unwrap().answer.next_date = Some(next);
        assert_eq!(scope(false).next_request(Some(&call)), NextRequest::OtherDay(next));
        call.answer.as_mut().unwrap().session_no = 1;
        assert_eq!(scope(false).next_request(Some(&call)), NextRequest::Day);
    }

    #[test]
    fn a_lasting_receipt_saves_the_request_unless_it_is_checked() {
        let call_id = "1^2".to_owned();
        let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
        let key = CallKey { call_id, prod_id: crate::product::ProductId(7), day };
        let next = |refresh, kind, trust| {
            let receipt = stored(kind, 1).answer.map(Box::new);
            let call = StoredCall { attempts: 0, answer: None, receipt };
            scope(refresh).next_of_call(&key, Some(&call), ReceiptUse { trust, seed: 1 })
        };
        assert_eq!(next(false, AnswerKind::Final, ReceiptsTrust::Full), NextRequest::Nothing);
        assert_eq!(next(false, AnswerKind::Rejected, ReceiptsTrust::Full), NextRequest::Nothing);
        assert_eq!(next(false, AnswerKind::Interim, ReceiptsTrust::Full), NextRequest::Day);
        assert_eq!(next(false, AnswerKind::Final, ReceiptsTrust::None), NextRequest::Day);
        assert_eq!(next(true, AnswerKind::Final, ReceiptsTrust::Full), NextRequest::Day);
        // Without a receipt, the answer decides.
        let trust = ReceiptUse { trust: ReceiptsTrust::Full, seed: 1 };
        let answered = stored(AnswerKind::Final, 1);
        assert_eq!(scope(false).next_of_call(&key, Some(&answered), trust), NextRequest::Nothing);
        assert_eq!(scope(false).next_of_call(&key, None, trust), NextRequest::Day);
    }

    #[test]
    fn a_failed_call_is_open_unless_it_was_rejected() {
        let failed = |kind| {
            let failure = crate::status::Failure { kind, code: "C".into(), message: "m".into() };
            let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
            Lookup { status: Status::Failed, failure: Some(failure), ..Lookup::deferred(day, 1) }
        };
        assert!(!is_open(&failed(FailureKind::Rejected)));
        assert!(is_open(&failed(FailureKind::Malformed)));
        assert!(is_open(&failed(FailureKind::Exhausted)));
    }
}
