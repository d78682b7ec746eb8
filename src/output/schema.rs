//! Columns of the details and of the discrepancies, and the values that a cell can hold. Pure.
//!
//! Each table has one list. Parquet schema, CSV header and the order of the cells follow it.

use ColumnType::{Boolean, Date, Integer, Text, Timestamp};
use chrono::{DateTime, NaiveDate, Utc};

use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

/// Version of both tables' columns, written to the files' metadata. It grows when a column changes
/// its meaning.
pub(crate) const SCHEMA_VERSION: &str = "1";

/// Type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
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
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) column_type: ColumnType,
    pub(crate) nullable: bool,
}

const fn required(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, nullable: false }
}

const fn optional(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, nullable: true }
}

/// Columns of the details. The columns carried through from the ledger follow them.
pub(crate) const DETAILS: [Column; 32] = [
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
];

/// Columns of the discrepancies. The columns carried through from the ledger follow them.
pub(crate) const DISCREPANCIES: [Column; 15] = [
    optional("call_id", Text),
    required("ledger_line", Integer),
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
];

/// One value of a row; `None` is null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Date(Option<NaiveDate>),
    Timestamp(Option<DateTime<Utc>>),
}

/// A count or a line number. Values beyond the largest BIGINT become that one.
#[must_use]
pub(crate) fn count_cell(n: u64) -> Cell<'static> {
    Cell::Integer(Some(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// The call that a row names. Its first three cells are `call_id`, `prod_id` and `call_date`.
#[must_use]
pub(crate) fn call_key(row: &[Cell<'_>]) -> Option<CallKey> {
    match row {
        [Cell::Text(Some(id)), Cell::Integer(Some(prod_id)), Cell::Date(Some(day)), ..] => {
            Some(CallKey { call_id: (*id).to_owned(), prod_id: ProductId(*prod_id), day: *day })
        }
        _ => None,
    }
}
