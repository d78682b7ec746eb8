//! The rows of the discrepancy file: a discrepancy with the call that it concerns.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::{CompactString, ToCompactString as _};

use crate::call::CallKey;
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use crate::duplicate::duplicate_of;
use crate::ledger_row::{InvalidRow, LedgerRow, LedgerTime};
use crate::message::Message;
use crate::product::ProductId;
use crate::receipt::Receipt;
use crate::seconds_at_stake::seconds_at_stake;
use crate::status::{Lookup, Status};

/// The row of a discrepancy that a comparison found.
#[must_use]
pub fn of_call(row: &LedgerRow, lookup: &Lookup, what: Discrepancy) -> DiscrepancyRow {
    of_row(row, lookup.detail.as_ref(), (lookup.found_on, lookup.status), what)
}

/// The row of a later row that names the same call as `first`. `call_date` and `status` are the
/// call's in the details, `carried` the names of the columns carried through.
#[must_use]
pub fn of_later_row(
    first: &LedgerRow,
    later: &LedgerRow,
    (call_date, status): (NaiveDate, Status),
    carried: &[String],
) -> DiscrepancyRow {
    let mut row = of_row(later, None, (call_date, status), duplicate_of(first, later, carried));
    row.callee = row.callee.or_else(|| first.expected.callee.clone());
    row
}

/// The row of an unusable row.
#[must_use]
pub fn of_invalid_row(row: InvalidRow) -> DiscrepancyRow {
    let what = Discrepancy::new(Kind::InvalidRow, Message::Unusable(Box::new(row.message())))
        .field(row.field)
        .values(row.expected, Some(row.found));
    DiscrepancyRow {
        call_id: row.call_id,
        ledger_line: Some(row.line),
        what,
        call_date: None,
        prod_id: None,
        status: None,
        callee: None,
        called_at: None,
        at_stake_s: 0,
        since: None,
        resolution: None,
        carried: row.carried,
        own_numbers: Vec::new(),
    }
}

/// A call that the ledger does not name: what its rows say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherCall {
    key: CallKey,
    found_on: NaiveDate,
    callee: Option<CompactString>,
    called_at: Option<DateTime<Utc>>,
    duration_s: Option<i64>,
}

impl OtherCall {
    /// The call with this key. `record` is the one that counts now, which was found on this day.
    #[must_use]
    pub fn new(key: CallKey, found_on: NaiveDate, record: &CallDetail) -> Self {
        let (callee, called_at) = (record.callee.clone(), record.created_at);
        Self { key, found_on, callee, called_at, duration_s: record.duration_s }
    }

    /// What the rows of such calls are sorted by: day, CallId and product.
    #[must_use]
    pub fn order(&self) -> (NaiveDate, &str, i64) {
        (self.found_on, &self.key.call_id, self.key.prod_id.0)
    }
}

/// The row of an amendment of a call that the ledger does not name.
#[must_use]
pub fn of_other_call(call: &OtherCall, what: Discrepancy) -> DiscrepancyRow {
    DiscrepancyRow {
        at_stake_s: seconds_at_stake(None, call.duration_s, &what),
        since: None,
        resolution: None,
        own_numbers: Vec::new(),
        call_id: Some(call.key.call_id.clone()),
        ledger_line: None,
        what,
        call_date: Some(call.found_on),
        prod_id: Some(call.key.prod_id.0),
        status: None,
        callee: call.callee.clone(),
        called_at: call.called_at,
        carried: Vec::new(),
    }
}

/// The row of a call that the ledger lacks, by its receipt. A receipt names no product, so
/// `prod_id` is that of the run. `detail` is what the receipt says of the call.
#[must_use]
pub fn of_missing_call(receipt: &Receipt, detail: &CallDetail, prod_id: Option<ProductId>) -> DiscrepancyRow {
    // A decision on it holds as long as the talk time stays the same.
    let talk_s = detail.duration_s.map(|seconds| seconds.to_compact_string());
    let what = Discrepancy::new(Kind::MissingInLedger, Message::MissingInLedger)
        .field("duration_s")
        .values(None, talk_s);
    DiscrepancyRow {
        at_stake_s: seconds_at_stake(None, detail.duration_s, &what),
        since: None,
        resolution: None,
        own_numbers: Vec::new(),
        call_id: Some(receipt.call_id().to_owned()),
        ledger_line: None,
        what,
        call_date: receipt.day(),
        prod_id: prod_id.map(|product| product.0),
        status: None,
        callee: detail.callee.clone(),
        called_at: receipt.sent_at(),
        carried: Vec::new(),
    }
}

fn of_row(
    row: &LedgerRow,
    detail: Option<&CallDetail>,
    (call_date, status): (NaiveDate, Status),
    what: Discrepancy,
) -> DiscrepancyRow {
    let expected = &row.expected;
    DiscrepancyRow {
        at_stake_s: seconds_at_stake(Some(row), detail.and_then(|detail| detail.duration_s), &what),
        since: None,
        resolution: None,
        own_numbers: Vec::new(),
        call_id: Some(row.key.call_id.clone()),
        ledger_line: Some(row.line),
        what,
        call_date: Some(call_date),
        prod_id: Some(row.key.prod_id.0),
        status: Some(status),
        callee: expected.callee.clone().or_else(|| detail?.callee.clone()),
        called_at: expected.called_at.and_then(LedgerTime::instant).or_else(|| detail?.created_at),
        carried: row.carried.clone(),
    }
}
