//! When recorded requests can have reached the provider: the columns of `request`, read as the
//! core's [`Ending`].

use reconcile_core::arrival::{Arrival, Ending};
use rusqlite::Row;

use crate::store::endings;
use crate::store::request::WITHDRAWN;

/// The columns that [`ending`] reads, in its order.
pub(super) const COLUMNS: &str = "replied_boot_us, http_status, code";

/// How a request ended. [`COLUMNS`] begin at column `at` of the row.
pub(super) fn ending(row: &Row<'_>, at: usize) -> rusqlite::Result<Ending> {
    let has_status = row.get_ref(at + 1)? != rusqlite::types::ValueRef::Null;
    Ok(endings::ending(row.get(at)?, has_status, row.get_ref(at + 2)?.as_str_or_null()?))
}

/// True if the run decided not to send the request.
pub(super) fn is_withdrawn(row: &Row<'_>, at: usize) -> rusqlite::Result<bool> {
    Ok(row.get_ref(at + 2)?.as_str_or_null()? == Some(WITHDRAWN))
}

/// When a request can have arrived at the latest, by the boot clock of its session; `None` if it
/// was not sent.
pub(super) fn arrival(row: &Row<'_>, at: usize, timeout_us: i64) -> rusqlite::Result<Option<Arrival>> {
    Ok(ending(row, at)?.arrival(endings::timeout(timeout_us)))
}
