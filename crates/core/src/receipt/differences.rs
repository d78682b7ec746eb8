//! Where the operation's record differs from the receipt of the same call.
//!
//! Only the fields are compared that a ledger may expect and both sides have. Two are left out:
//! `called_at`, because a receipt has no such time, and `answered`, which follows from state and
//! duration. Equality is that of the comparison with the ledger. A masked digit is equal to any.

use compact_str::CompactString;

use super::field::ReceiptField;
use super::value::Receipt;
use crate::compare::{Tolerances, duration, number, time, value};
use crate::detail::CallDetail;
use crate::discrepancy::Discrepancy;
use crate::ledger_row::LedgerTime;
use crate::phone::same_masked_number;

/// A field in which record and receipt differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptDifference {
    /// The field, as the outputs name it.
    pub field: &'static str,
    /// The receipt's value.
    pub receipt: CompactString,
    /// The record's value.
    pub record: CompactString,
    /// Record − receipt in seconds, for a field that is measured in seconds.
    pub delta: Option<i64>,
}

/// The fields in which a record differs from the receipt of its call, in the order of the outputs.
#[must_use]
pub fn differences(receipt: &Receipt, record: &CallDetail, tolerances: Tolerances) -> Vec<ReceiptDifference> {
    use ReceiptField as F;
    let text = |field: F| receipt.text(field).map(CompactString::from);
    let mut found = Vec::new();
    let mut add = |field, different: Option<Discrepancy>| found.extend(different.and_then(|d| of(field, d)));
    let numbers = [
        ("caller", F::Caller),
        ("callee", F::Callee),
        ("caller_show_number", F::CallerShowNum),
        ("callee_show_number", F::CalleeShowNum),
    ];
    for ((field, from), of_record) in numbers.into_iter().zip(record.numbers()) {
        let both = text(from).zip(of_record).filter(|(own, other)| !same_masked_number(own, other));
        add(field, both.and_then(|(own, other)| number(field, &own, other)));
    }
    let states = text(F::StatusCode).zip(record.state.as_ref());
    add("state", states.and_then(|(own, other)| value("state", &own, other)));
    let seconds = receipt.text(F::Duration).and_then(|seconds| seconds.parse().ok()).zip(record.duration_s);
    add("duration_s", seconds.and_then(|(own, other)| duration(own, other, tolerances.duration_s)));
    for (field, from, of_record) in
        [("started_at", F::StartTime, record.started_at), ("ended_at", F::EndTime, record.ended_at)]
    {
        let both = receipt.time(from).map(LedgerTime::Instant).zip(of_record);
        add(field, both.and_then(|(own, other)| time(field, own, other, tolerances.time_s)));
    }
    found
}

fn of(field: &'static str, different: Discrepancy) -> Option<ReceiptDifference> {
    let Discrepancy { expected, actual, delta, .. } = different;
    Some(ReceiptDifference { field, receipt: expected?, record: actual?, delta })
}
