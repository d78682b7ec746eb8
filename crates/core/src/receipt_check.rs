//! Where the operation's answer to a call differs from the receipt of the same call.

use crate::amended::{LOST, record};
use crate::answer::{AnswerKind, StoredCall};
use crate::compare::Tolerances;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::LedgerRow;
use crate::message::Message;
use crate::receipt::{Receipt, differences};
use crate::settle::{is_old_enough, kind_today};
use crate::status::Status;
use chrono::TimeDelta;

/// The differences between the two answers that the store has of a call; none unless they can be
/// compared.
#[must_use]
pub fn receipt_differs(
    row: &LedgerRow,
    stored: Option<&StoredCall>,
    tolerances: Tolerances,
    settle: TimeDelta,
) -> Vec<Discrepancy> {
    stored.and_then(|stored| compare_receipt(row, stored, tolerances, settle)).unwrap_or_default()
}

/// The differences between the two answers that the store has of a call; `None` unless it has both,
/// and both are final. No record, of a call that is old enough to have one, differs as well.
#[must_use]
pub fn compare_receipt(
    row: &LedgerRow,
    stored: &StoredCall,
    tolerances: Tolerances,
    settle: TimeDelta,
) -> Option<Vec<Discrepancy>> {
    let both = stored.answer.as_ref().zip(stored.receipt.as_ref());
    let (query, receipt) = both.filter(|(query, _)| query.answer.next_date.is_none())?;
    let data = receipt.answer.data.as_deref().filter(|_| kind_today(receipt) == AnswerKind::Final)?;
    let receipt = Receipt::from_json(data.as_bytes()).ok()?;
    match kind_today(query) {
        AnswerKind::Final => {
            let record = record(&query.answer)?;
            Some(differences(&receipt, &record, tolerances).into_iter().map(of_field).collect())
        }
        AnswerKind::NoRecord if is_old_enough(row, query.fetched_at, settle) => Some(vec![no_record()]),
        _ => None,
    }
}

fn of_field(different: crate::receipt::ReceiptDifference) -> Discrepancy {
    let message = Message::ReceiptDiffers { field: different.field };
    Discrepancy::new(Kind::ReceiptDiffers, message)
        .field(different.field)
        .values(Some(different.receipt), Some(different.record))
        .delta(different.delta)
}

fn no_record() -> Discrepancy {
    let [receipt, record] = [Status::Found, Status::NotFound].map(|status| Some(status.as_str().into()));
    Discrepancy::new(Kind::ReceiptDiffers, Message::NoRecordOfReceipt).field(LOST).values(receipt, record)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::answer::{NewAnswer, StoredAnswer};
    use crate::calendar::end_of_day;
    use crate::call::CallKey;
    use crate::ledger_row::Expected;
    use crate::product::ProductId;
    use crate::quick_parse;

    const RECEIPT: &str = r#"{"call_id":"1^1","callee":"138****8000","status_code":"200000","duration":30}"#;

    /// The discrepancies of a call with this receipt, asked with this answer so long after its day.
    fn differs(receipt: &str, kind: AnswerKind, data: Option<&str>, minutes: i64) -> Vec<Discrepancy> {
        let day = quick_parse::day("2026-11-16").unwrap();
        let key = CallKey { call_id: "1^1".into(), prod_id: ProductId(7), day };
        let row =
            LedgerRow { line: 2, key, expected: Expected::default(), query_date: None, carried: vec![] };
        let stored = |answer| StoredAnswer {
            answer,
            fetched_at: end_of_day(day) + TimeDelta::minutes(minutes),
            session_no: 1,
        };
        let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
        let receipt = Receipt::answer_of(receipt.to_data(), day);
        let answer = NewAnswer { kind, data: data.map(Into::into), ..receipt.clone() };
        let stored = StoredCall {
            attempts: 1,
            answer: Some(stored(answer)),
            receipt: Some(Box::new(stored(receipt))),
        };
        receipt_differs(&row, Some(&stored), Tolerances::default(), TimeDelta::minutes(5))
    }

    #[test]
    fn record_and_receipt_are_compared_field_by_field() {
        let record = |duration| {
            let data = format!(r#"{{"callee":"13800138000","state":"200000","duration":{duration}}}"#);
            differs(RECEIPT, AnswerKind::Final, Some(&data), 9)
        };
        assert_eq!(record(30), []);
        let found = record(33);
        let [different] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((different.kind, different.field.as_str()), (Kind::ReceiptDiffers, "duration_s"));
        assert_eq!((different.expected.as_deref(), different.actual.as_deref()), (Some("30"), Some("33")));
        assert_eq!(different.delta, Some(3));
    }

    #[test]
    fn no_record_differs_once_the_call_is_old_enough() {
        let found = differs(RECEIPT, AnswerKind::NoRecord, None, 9);
        assert_eq!(found.iter().map(|found| found.field.as_str()).collect::<Vec<_>>(), ["status"]);
        assert_eq!(differs(RECEIPT, AnswerKind::NoRecord, None, 1), []);
        for kind in [AnswerKind::Rejected, AnswerKind::Exhausted, AnswerKind::Malformed] {
            assert_eq!(differs(RECEIPT, kind, None, 9), [], "it says nothing: {kind:?}");
        }
        let early = RECEIPT.replace("200000", "200103");
        assert_eq!(differs(&early, AnswerKind::NoRecord, None, 9), [], "the receipt was not final");
    }
}
