//! Converts times and counts to the units of the tables. Times are microseconds.

use chrono::{DateTime, Utc};

/// Microseconds since 1970 (UTC).
pub(super) fn time_us(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

/// The time of a column of microseconds since 1970; 1970 itself for a damaged value.
pub(super) fn time_of(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

pub(super) use reconcile_core::arrival::micros as duration_us;

/// A count from a database, which has only signed numbers. No count is negative.
pub(super) fn count_of(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
