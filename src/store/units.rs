//! Converts times and counts to the units of the tables. Times are microseconds.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reconcile_core::rate::Rate;

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

/// The cap in two columns: its requests, and its window in microseconds. A damaged value becomes
/// the lowest cap.
pub(super) fn rate_of(requests: i64, window_us: i64) -> Rate {
    let requests = u32::try_from(requests).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    Rate { requests, window: Duration::from_micros(window_us.unsigned_abs()) }
}
