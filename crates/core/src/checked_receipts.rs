//! What the sample says about the receipts of a ledger's calls.

use crate::answer::{AnswerKind, StoredCall};
use crate::ask_again::ReceiptUse;
use crate::call_result::Rules;
use crate::ledger_row::LedgerRow;
use crate::merge::Merge;
use crate::receipt::refutes;
use crate::receipt_check::compare_receipt;
use crate::settle::kind_today;
use crate::source::Source;

/// The calls with receipts, of a ledger or of one of its accounts.
///
/// The numbers depend only on ledger, settings and store. So a run that was killed and resumed
/// decides as one that was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckedReceipts {
    /// Calls of the sample whose receipt was compared with the operation's answer.
    pub checked: u64,
    /// The calls among them whose answers differ.
    pub differing: u64,
    /// Calls that only a receipt answers.
    pub unchecked: u64,
}

impl CheckedReceipts {
    /// Adds a call by its first row.
    pub fn add(&mut self, row: &LedgerRow, stored: Option<&StoredCall>, receipts: ReceiptUse, rules: Rules) {
        let Some((stored, receipt)) = stored.and_then(|stored| Some((stored, stored.receipt.as_ref()?)))
        else {
            return;
        };
        if kind_today(receipt) != AnswerKind::Final {
            return;
        }
        let query = stored.answer.as_ref();
        let counts = || Source::counting(query, Some(receipt)) == Some(Source::Receipt);
        let compared = || compare_receipt(row, stored, rules.tolerances, rules.settle);
        if query.is_some() && receipts.is_in_sample(&row.key) {
            match compared() {
                Some(differences) => {
                    self.checked += 1;
                    self.differing += u64::from(!differences.is_empty());
                }
                None => self.unchecked += u64::from(counts()),
            }
        } else {
            self.unchecked += u64::from(counts() && (query.is_none() || compared().is_none()));
        }
    }

    /// True if the sample shows that the receipts cannot be trusted.
    #[must_use]
    pub fn is_refuted(self) -> bool {
        refutes(self.checked, self.differing)
    }
}

impl Merge for CheckedReceipts {
    fn merge(&mut self, other: Self) {
        let Self { checked, differing, unchecked } = other;
        self.checked.merge(checked);
        self.differing.merge(differing);
        self.unchecked.merge(unchecked);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answer::{NewAnswer, StoredAnswer};
    use crate::ask_again::{NextRequest, Scope};
    use crate::calendar::end_of_day;
    use crate::call::CallKey;
    use crate::compare::Tolerances;
    use crate::ledger_row::Expected;
    use crate::product::ProductId;
    use crate::quick_parse;
    use crate::receipt::{Receipt, ReceiptsTrust};
    use chrono::TimeDelta;

    const RULES: Rules =
        Rules { settle: TimeDelta::minutes(5), tolerances: Tolerances { duration_s: 0, time_s: 0 } };

    /// The operation's answer to a call.
    #[derive(Debug, Clone, Copy)]
    enum Asked {
        Not,
        Agrees,
        Differs,
        NoRecord,
        Rejected,
        Exhausted,
    }

    fn receipt_use(trust: &str) -> ReceiptUse {
        ReceiptUse { trust: ReceiptsTrust::parse(trust).unwrap(), seed: 7 }
    }

    /// A call with a receipt in this state, asked long after its day.
    fn call(number: u64, state: &str, asked: Asked) -> (LedgerRow, StoredCall) {
        let day = quick_parse::day("2026-11-16").unwrap();
        let key = CallKey { call_id: format!("{number}^1"), prod_id: ProductId(7), day };
        let row =
            LedgerRow { line: number, key, expected: Expected::default(), query_date: None, carried: vec![] };
        let stored =
            |answer| StoredAnswer { answer, fetched_at: end_of_day(day) + TimeDelta::days(1), session_no: 1 };
        let text = format!(r#"{{"call_id":"{number}^1","status_code":"{state}","duration":30}}"#);
        let receipt = Receipt::answer_of(Receipt::from_json(text.as_bytes()).unwrap().to_data(), day);
        let record = |duration| format!(r#"{{"state":"200000","duration":{duration}}}"#);
        let (kind, data) = match asked {
            Asked::Not => (None, None),
            Asked::Agrees => (Some(AnswerKind::Final), Some(record(30))),
            Asked::Differs => (Some(AnswerKind::Final), Some(record(31))),
            Asked::NoRecord => (Some(AnswerKind::NoRecord), None),
            Asked::Rejected => (Some(AnswerKind::Rejected), None),
            Asked::Exhausted => (Some(AnswerKind::Exhausted), None),
        };
        let answer = kind.map(|kind| stored(NewAnswer { kind, data, ..receipt.clone() }));
        (row, StoredCall { attempts: 1, answer, receipt: Some(Box::new(stored(receipt))) })
    }

    fn checked(trust: &str, calls: impl Iterator<Item = (LedgerRow, StoredCall)>) -> CheckedReceipts {
        let mut checked = CheckedReceipts::default();
        calls.for_each(|(row, stored)| checked.add(&row, Some(&stored), receipt_use(trust), RULES));
        checked
    }

    #[test]
    fn only_calls_that_can_be_compared_are_checked() {
        let numbers = |asked, state| {
            let CheckedReceipts { checked, differing, unchecked } =
                checked("sample=100%", [call(1, state, asked)].into_iter());
            [checked, differing, unchecked]
        };
        for (asked, expected) in [
            (Asked::Not, [0, 0, 1]),
            (Asked::Agrees, [1, 0, 0]),
            (Asked::Differs, [1, 1, 0]),
            (Asked::NoRecord, [1, 1, 0]),
            (Asked::Rejected, [0, 0, 0]),
            (Asked::Exhausted, [0, 0, 1]),
        ] {
            assert_eq!(numbers(asked, "200000"), expected, "{asked:?}");
            assert_eq!(numbers(asked, "200103"), [0; 3], "the receipt is not final: {asked:?}");
        }
        let mut none = CheckedReceipts::default();
        let (row, stored) = call(1, "200000", Asked::Agrees);
        let without_receipt = StoredCall { receipt: None, ..stored };
        none.add(&row, None, receipt_use("sample=100%"), RULES);
        none.add(&row, Some(&without_receipt), receipt_use("sample=100%"), RULES);
        assert_eq!(none, CheckedReceipts::default());
    }

    #[test]
    fn only_the_sample_refutes_and_the_rest_changes_nothing() {
        let all = |asked| (0..5_000).map(move |number| call(number, "200000", asked));
        let sample = receipt_use("sample=2%");
        let only_sample = all(Asked::Differs).map(|(row, stored)| {
            let answer = stored.answer.filter(|_| sample.is_in_sample(&row.key));
            (row, StoredCall { answer, ..stored })
        });
        let before = checked("sample=2%", only_sample);
        assert!(before.is_refuted() && (60..140).contains(&before.checked), "{before:?}");
        assert_eq!(before.unchecked, 5_000 - before.checked);
        let after = checked("sample=2%", all(Asked::Differs));
        assert_eq!(after, CheckedReceipts { unchecked: 0, ..before });
        assert!(!checked("sample=2%", all(Asked::Agrees)).is_refuted());
        for trust in ["full", "none"] {
            assert_eq!(checked(trust, all(Asked::Differs)).checked, 0, "no sample: {trust}");
        }
    }

    #[test]
    fn the_calls_of_both_rounds_are_all_calls_and_none_is_in_both() {
        let scope = Scope::of_new_store(false, end_of_day(quick_parse::day("2026-11-16").unwrap()));
        let of_both = |scope: &Scope, trust: &str, (row, stored): &(LedgerRow, StoredCall)| {
            let receipts = receipt_use(trust);
            let first = scope.next_of_call(&row.key, Some(stored), receipts);
            let second = scope.next_of_saved_call(&row.key, Some(stored), receipts);
            [first, second].map(|next| next != NextRequest::Nothing)
        };
        for state in ["200000", "200103"] {
            for call in (0..400).map(|number| call(number, state, Asked::Not)) {
                for trust in ["full", "none", "sample=20%"] {
                    let [first, second] = of_both(&scope, trust, &call);
                    assert!(first != second, "{trust}");
                    let has_first =
                        trust == "none" || state == "200103" || receipt_use(trust).is_in_sample(&call.0.key);
                    assert_eq!(first, has_first);
                    let refresh = Scope { refresh: true, ..scope.clone() };
                    assert_eq!(of_both(&refresh, trust, &call), [true, false]);
                }
            }
        }
        let answered = call(1, "200000", Asked::Agrees);
        assert_eq!(of_both(&scope, "full", &answered), [false, false]);
    }

    #[test]
    fn the_parts_of_a_ledger_add_up() {
        let mut first = CheckedReceipts { checked: 9, differing: 1, unchecked: 3 };
        assert!(!first.is_refuted());
        first.merge(CheckedReceipts { checked: 1, differing: 1, unchecked: 4 });
        assert_eq!(first, CheckedReceipts { checked: 10, differing: 2, unchecked: 7 });
        assert!(first.is_refuted());
    }
}
