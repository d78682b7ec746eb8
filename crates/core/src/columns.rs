//! Columns of the details and of the discrepancies, and the values of their cells.
//!
//! Each table has one list. Parquet schema, CSV header and the order of the cells follow it.

use ColumnType::{Boolean, Date, Decimal as DecimalType, Integer, Text, Timestamp};
use chrono::{DateTime, NaiveDate, Utc};

use crate::call::CallKey;
use crate::decimal::Decimal;
use crate::detail::CallDetail;
use crate::discrepancy::DiscrepancyRow;
use crate::ledger_row::LedgerRow;
use crate::money::CallMoney;
use crate::product::ProductId;
use crate::resolution::Decision;
use crate::source::Source;
use crate::status::{Lookup, Status};
use crate::tariff::Charge;

/// Version of both tables' columns, written to the files' metadata. It grows when a column changes
/// its meaning.
pub const SCHEMA_VERSION: &str = "1";

/// Type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// VARCHAR.
    Text,
    /// BIGINT.
    Integer,
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// TIMESTAMP WITH TIME ZONE, microseconds, UTC.
    Timestamp,
    /// DECIMAL(18,6).
    Decimal,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// The type of its values.
    pub column_type: ColumnType,
    /// True if a value may be null.
    pub nullable: bool,
}

/// A column in which every row has a value.
#[must_use]
pub const fn required(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, nullable: false }
}

/// A column in which a value may be null.
#[must_use]
pub const fn optional(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, nullable: true }
}

/// Columns of the details. The columns carried through from the ledger follow them.
pub const DETAILS: [Column; 33] = [
    required("call_id", Text),
    required("prod_id", Integer),
    optional("product", Text),
    required("call_date", Date),
    required("status", Text),
    optional("caller", Text),
    optional("callee", Text),
    optional("caller_show_number", Text),
    optional("callee_show_number", Text),
    optional("created_at", Timestamp),
    optional("started_at", Timestamp),
    optional("ended_at", Timestamp),
    optional("a_ring_at", Timestamp),
    optional("a_end_at", Timestamp),
    optional("b_ring_at", Timestamp),
    optional("b_start_at", Timestamp),
    optional("b_end_at", Timestamp),
    optional("duration_s", Integer),
    optional("billable_minutes", Integer),
    optional("state", Text),
    optional("outcome", Text),
    optional("answered", Boolean),
    optional("state_desc", Text),
    optional("hangup_by", Text),
    optional("error_code", Text),
    optional("error_message", Text),
    optional("request_id", Text),
    required("attempts", Integer),
    optional("fetched_at", Timestamp),
    required("discrepancies", Integer),
    required("ledger_line", Integer),
    optional("raw", Text),
    optional("source", Text),
];

/// Columns of the details that follow the others where there is a tariff.
pub const MONEY: [Column; 3] = [
    optional("billed_units", DecimalType),
    optional("amount", DecimalType),
    optional("expected_amount", DecimalType),
];

/// Columns of the discrepancies. The columns carried through from the ledger follow them.
pub const DISCREPANCIES: [Column; 18] = [
    optional("call_id", Text),
    optional("ledger_line", Integer),
    required("kind", Text),
    optional("field", Text),
    optional("expected", Text),
    optional("actual", Text),
    optional("delta", Integer),
    required("message", Text),
    optional("call_date", Date),
    optional("prod_id", Integer),
    optional("status", Text),
    optional("product", Text),
    optional("callee", Text),
    optional("called_at", Timestamp),
    required("seconds_at_stake", Integer),
    optional("since", Date),
    optional("resolution", Text),
    optional("reason", Text),
];

/// One value of a row; `None` is null.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Cell<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Date(Option<NaiveDate>),
    Timestamp(Option<DateTime<Utc>>),
    /// A number beyond DECIMAL(18,6) is written as null.
    Decimal(Option<Decimal>),
}

/// A count or a line number. Values beyond the largest BIGINT become that one.
#[must_use]
pub fn count_cell(n: u64) -> Cell<'static> {
    Cell::Integer(Some(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// The call that a row names. Its first three cells are `call_id`, `prod_id` and `call_date`.
#[must_use]
pub fn call_key(row: &[Cell<'_>]) -> Option<CallKey> {
    match row {
        [Cell::Text(Some(id)), Cell::Integer(Some(prod_id)), Cell::Date(Some(day)), ..] => {
            Some(CallKey { call_id: (*id).to_owned(), prod_id: ProductId(*prod_id), day: *day })
        }
        _ => None,
    }
}

/// Cells of a call in the order of [`DETAILS`]. The columns carried through follow them.
#[must_use]
pub fn of_call<'a>(row: &'a LedgerRow, lookup: &'a Lookup, discrepancies: u64) -> [Cell<'a>; DETAILS.len()] {
    let (detail, failure) = (lookup.detail.as_ref(), lookup.failure.as_ref());
    [
        Cell::Text(Some(&row.key.call_id)),
        Cell::Integer(Some(row.key.prod_id.0)),
        Cell::Text(row.key.prod_id.name()),
        Cell::Date(Some(lookup.found_on)),
        Cell::Text(Some(lookup.status.as_str())),
        Cell::Text(detail.and_then(|d| d.caller.as_deref())),
        Cell::Text(detail.and_then(|d| d.callee.as_deref())),
        Cell::Text(detail.and_then(|d| d.caller_show_number.as_deref())),
        Cell::Text(detail.and_then(|d| d.callee_show_number.as_deref())),
        Cell::Timestamp(detail.and_then(|d| d.created_at)),
        Cell::Timestamp(detail.and_then(|d| d.started_at)),
        Cell::Timestamp(detail.and_then(|d| d.ended_at)),
        Cell::Timestamp(detail.and_then(|d| d.a_ring_at)),
        Cell::Timestamp(detail.and_then(|d| d.a_end_at)),
        Cell::Timestamp(detail.and_then(|d| d.b_ring_at)),
        Cell::Timestamp(detail.and_then(|d| d.b_start_at)),
        Cell::Timestamp(detail.and_then(|d| d.b_end_at)),
        Cell::Integer(detail.and_then(|d| d.duration_s)),
        Cell::Integer(detail.and_then(CallDetail::billable_minutes)),
        Cell::Text(detail.and_then(|d| d.state.as_deref())),
        Cell::Text(detail.map(|d| d.outcome.as_str())),
        Cell::Boolean(detail.and_then(|d| d.answered)),
        Cell::Text(detail.and_then(|d| d.state_desc.as_deref())),
        Cell::Text(detail.and_then(|d| d.hangup_by.map(|party| party.as_str()))),
        Cell::Text(failure.map(|f| f.code.as_str())),
        Cell::Text(failure.map(|f| f.message.as_str())),
        Cell::Text(lookup.request_id.as_deref()),
        Cell::Integer(Some(lookup.attempts)),
        Cell::Timestamp(lookup.fetched_at),
        count_cell(discrepancies),
        count_cell(row.line),
        Cell::Text(lookup.raw.as_deref()),
        Cell::Text(lookup.source.map(Source::as_str)),
    ]
}

/// Cells of a call in the order of [`MONEY`].
#[must_use]
pub fn of_money(money: &CallMoney<'_>) -> [Cell<'static>; MONEY.len()] {
    let amount = |charge: Option<Charge>| Cell::Decimal(charge.map(|charge| charge.amount));
    let units = money.charged.map(|charge| Decimal::whole(charge.units));
    [Cell::Decimal(units), amount(money.charged), amount(money.expected)]
}

/// Cells of a discrepancy in the order of [`DISCREPANCIES`]. The columns carried through follow
/// them. `message` is the discrepancy in words.
///
/// Empty text is null, because in CSV the two look the same.
#[must_use]
pub fn of_discrepancy<'a>(row: &'a DiscrepancyRow, message: &'a str) -> [Cell<'a>; DISCREPANCIES.len()] {
    let what = &row.what;
    let text = |value: Option<_>| Cell::Text(value.filter(|value: &&str| !value.is_empty()));
    [
        text(row.call_id.as_deref()),
        row.ledger_line.map_or(Cell::Integer(None), count_cell),
        Cell::Text(Some(what.kind.as_str())),
        text(Some(&what.field)),
        text(what.expected.as_deref()),
        text(what.actual.as_deref()),
        Cell::Integer(what.delta),
        Cell::Text(Some(message)),
        Cell::Date(row.call_date),
        Cell::Integer(row.prod_id),
        Cell::Text(row.status.map(Status::as_str)),
        Cell::Text(row.product()),
        text(row.callee.as_deref()),
        Cell::Timestamp(row.called_at),
        count_cell(row.seconds_at_stake()),
        Cell::Date(row.since.map(|since| since.day)),
        Cell::Text(row.decision().map(Decision::as_str)),
        text(row.resolution.as_ref().map(|resolution| resolution.reason.as_str())),
    ]
}
