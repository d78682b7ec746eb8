//! The columns of the two tables and what may stand in them. Pure.
//!
//! One list a table: the Parquet schema, the CSV header and the order of the cells all come from it.

use Presence::{Optional, Required};
use Type::{Day, Flag, Text, Time, Whole};
use chrono::{DateTime, NaiveDate, Utc};

use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

/// Version of both tables' columns, in the files' metadata. It grows when a column changes its meaning.
pub const SCHEMA_VERSION: &str = "1";

/// What may stand in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// VARCHAR.
    Text,
    /// BIGINT.
    Whole,
    /// BOOLEAN.
    Flag,
    /// DATE.
    Day,
    /// TIMESTAMP WITH TIME ZONE, microseconds, UTC.
    Time,
}

/// A column: name, type, and whether every row has a value.
pub type Column = (&'static str, Type, Presence);

/// Whether a cell may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Never null.
    Required,
    /// May be null.
    Optional,
}

/// The details' columns; those carried through from the ledger follow.
pub const DETAILS: [Column; 32] = [
    ("call_id", Text, Required),
    ("prod_id", Whole, Required),
    ("product", Text, Optional),
    ("call_date", Day, Required),
    ("status", Text, Required),
    ("caller", Text, Optional),
    ("callee", Text, Optional),
    ("caller_show_number", Text, Optional),
    ("callee_show_number", Text, Optional),
    ("created_at", Time, Optional),
    ("started_at", Time, Optional),
    ("ended_at", Time, Optional),
    ("a_ring_at", Time, Optional),
    ("a_end_at", Time, Optional),
    ("b_ring_at", Time, Optional),
    ("b_start_at", Time, Optional),
    ("b_end_at", Time, Optional),
    ("duration_s", Whole, Optional),
    ("billable_minutes", Whole, Optional),
    ("state", Text, Optional),
    ("outcome", Text, Optional),
    ("answered", Flag, Optional),
    ("state_desc", Text, Optional),
    ("hangup_by", Text, Optional),
    ("error_code", Text, Optional),
    ("error_message", Text, Optional),
    ("request_id", Text, Optional),
    ("attempts", Whole, Required),
    ("fetched_at", Time, Optional),
    ("discrepancies", Whole, Required),
    ("ledger_line", Whole, Required),
    ("raw", Text, Optional),
];

/// The discrepancies' columns; those carried through from the ledger follow.
pub const DISCREPANCIES: [Column; 10] = [
    ("call_id", Text, Optional),
    ("ledger_line", Whole, Required),
    ("kind", Text, Required),
    ("field", Text, Optional),
    ("expected", Text, Optional),
    ("actual", Text, Optional),
    ("delta", Whole, Optional),
    ("message", Text, Required),
    ("call_date", Day, Optional),
    ("prod_id", Whole, Optional),
];

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// For [`Type::Text`].
    Text(Option<&'a str>),
    /// For [`Type::Whole`].
    Whole(Option<i64>),
    /// For [`Type::Flag`].
    Flag(Option<bool>),
    /// For [`Type::Day`].
    Day(Option<NaiveDate>),
    /// For [`Type::Time`].
    Time(Option<DateTime<Utc>>),
}

/// The call that a row names, of its cells `call_id`, `prod_id` and `call_date`, which come first.
#[must_use]
pub fn call_key(row: &[Cell<'_>]) -> Option<CallKey> {
    match row {
        [Cell::Text(Some(id)), Cell::Whole(Some(prod_id)), Cell::Day(Some(day)), ..] => {
            Some(CallKey { call_id: (*id).to_owned(), prod_id: ProductId(*prod_id), day: *day })
        }
        _ => None,
    }
}

/// A count or a line number as a BIGINT holds it.
#[must_use]
pub fn whole(n: u64) -> Cell<'static> {
    Cell::Whole(Some(i64::try_from(n).unwrap_or(i64::MAX)))
}
