//! When recorded requests can have reached the provider: the columns of `request`, read as the
//! core's [`Ending`].

use std::time::Duration;

use reconcile_core::arrival::{Arrival, Ending};
use rusqlite::Row;

use crate::store::request::{NOT_SENT, WITHDRAWN};

/// The columns that [`ending`] reads, in its order.
pub(super) const COLUMNS: &str = "replied_boot_us, http_status, code";

/// A time limit of a session, in microseconds. A damaged value is bounded by the core.
pub(super) fn timeout(us: i64) -> Duration {
    Duration::from_micros(us.unsigned_abs())
}

/// How a request ended. [`COLUMNS`] begin at column `at` of the row.
pub(super) fn ending(row: &Row<'_>, at: usize) -> rusqlite::Result<Ending> {
    let ended_us: Option<i64> = row.get(at)?;
    let has_reply = row.get_ref(at + 1)? != rusqlite::types::ValueRef::Null;
    let is_unsent = row.get_ref(at + 2)?.as_str_or_null()?.is_some_and(|code| NOT_SENT.contains(&code));
    Ok(match ended_us {
        Some(ended_us) if has_reply => Ending::Reply(ended_us),
        Some(_) if is_unsent => Ending::NotSent,
        Some(ended_us) => Ending::NoReply(ended_us),
        None => Ending::Unknown,
    })
}

/// True if the run decided not to send the request.
pub(super) fn is_withdrawn(row: &Row<'_>, at: usize) -> rusqlite::Result<bool> {
    Ok(row.get_ref(at + 2)?.as_str_or_null()? == Some(WITHDRAWN))
}

/// When a request can have arrived at the latest, by the boot clock of its session; `None` if it
/// was not sent.
pub(super) fn arrival(row: &Row<'_>, at: usize, timeout_us: i64) -> rusqlite::Result<Option<Arrival>> {
    Ok(ending(row, at)?.arrival(timeout(timeout_us)))
}
