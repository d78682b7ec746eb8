//! The table `session`: one row per process.

use std::time::Duration;

use reconcile_core::ask_again::Scope;
use reconcile_core::rate::Rate;
use rusqlite::{Connection, params};

use super::units::{duration_us, time_us};
use super::{places, runs};
use crate::clock::Moment;
use crate::store::run_identity::RunIdentity;

/// The values of a new session.
pub(super) struct NewSession<'a> {
    pub(super) identity: &'a RunIdentity,
    pub(super) rate: Rate,
    pub(super) timeout: Duration,
    pub(super) boot_id: &'a str,
    pub(super) now: Moment,
}

/// Ends the requests of killed sessions, then begins a session in its run.
pub(super) fn begin(c: &Connection, new: &NewSession<'_>) -> rusqlite::Result<Scope> {
    places::end_lost_requests(c, new.boot_id, new.now)?;
    let scope = runs::begin_run(c, new.identity, new.now)?;
    c.execute(
        "INSERT INTO session (session_no, run_no, version, pid, boot_id, started_at, cap_requests,
                              cap_window_us, timeout_us, first_request_no)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT coalesce(max(request_no), 0) + 1 FROM request))",
        params![
            scope.session_no,
            scope.run_no,
            env!("CARGO_PKG_VERSION"),
            std::process::id(),
            new.boot_id,
            time_us(new.now.wall),
            new.rate.requests.get(),
            new.rate.window_us(),
            duration_us(new.timeout)
        ],
    )?;
    Ok(scope)
}

/// Ends a session, and with `complete` its run.
pub(super) fn end(
    c: &Connection,
    scope: &Scope,
    complete: Option<bool>,
    now: Moment,
) -> rusqlite::Result<()> {
    let now = time_us(now.wall);
    c.execute("UPDATE session SET ended_at = ?2 WHERE session_no = ?1", params![scope.session_no, now])?;
    if let Some(complete) = complete {
        c.execute(
            "UPDATE run SET ended_at = ?2, complete = ?3 WHERE run_no = ?1",
            params![scope.run_no, now, complete],
        )?;
    }
    Ok(())
}
