//! The table `session`: one row per process and account.

use reconcile_core::ask_again::Scope;
use rusqlite::{Connection, params};

use super::{open_discrepancies, other_answers, places, runs};
use crate::clock::Moment;
use crate::store::open_discrepancies::RunEnd;
use crate::store::run_identity::{AccountCap, Destination, RunIdentity};
use crate::store::units::{count_of, duration_us, time_us};

/// The values of new sessions.
pub(super) struct NewSessions<'a> {
    pub(super) identity: &'a RunIdentity,
    pub(super) destination: &'a Destination,
    pub(super) caps: &'a [AccountCap],
    pub(super) boot_id: &'a str,
    pub(super) now: Moment,
    /// The last session that the lock file names. The store may lack it, if it was restored.
    pub(super) after: i64,
}

/// Ends the requests without a recorded end, then begins a session for each cap, in one run.
pub(super) fn begin(c: &Connection, new: &NewSessions<'_>) -> rusqlite::Result<Vec<Scope>> {
    places::end_lost_requests(c, new.boot_id, new.now)?;
    let first = runs::begin_run(c, new.identity, new.now, new.after)?;
    let scopes = (first.session_no..).map(|session_no| Scope { session_no, ..first.clone() });
    // No two sessions of a run begin at the same time: an export names its files by it.
    let times = (time_us(new.now.wall)..).zip(scopes).zip(new.caps);
    times.map(|((started_at, scope), cap)| insert(c, new, started_at, scope, cap)).collect()
}

fn insert(
    c: &Connection,
    new: &NewSessions<'_>,
    started_at: i64,
    scope: Scope,
    cap: &AccountCap,
) -> rusqlite::Result<Scope> {
    c.execute(
        "INSERT INTO session (session_no, run_no, version, pid, boot_id, started_at, cap_requests,
                              cap_window_us, timeout_us, account, endpoint, first_request_no)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                 (SELECT coalesce(max(request_no), 0) + 1 FROM request))",
        params![
            scope.session_no,
            scope.run_no,
            env!("CARGO_PKG_VERSION"),
            std::process::id(),
            new.boot_id,
            started_at,
            cap.rate.requests.get(),
            cap.rate.window_us(),
            duration_us(new.destination.timeout),
            cap.account,
            new.destination.endpoint
        ],
    )?;
    Ok(scope)
}

/// The newest session; 0 if there is none.
pub(super) fn newest(c: &Connection) -> rusqlite::Result<i64> {
    c.query_row("SELECT coalesce(max(session_no), 0) FROM session", [], |row| row.get(0))
}

/// The account of a session; `None` if it has no name.
pub(super) fn account(c: &Connection, session_no: i64) -> rusqlite::Result<Option<String>> {
    c.query_row("SELECT account FROM session WHERE session_no = ?1", [session_no], |row| row.get(0))
}

/// How many session numbers are missing.
pub(super) fn missing(c: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(session_no), 0) - count(*) FROM session";
    c.query_row(sql, [], |row| row.get(0)).map(count_of)
}

/// Ends the sessions of a run, and with `run` the run itself.
pub(super) fn end(c: &Connection, run_no: i64, run: Option<&RunEnd>, now: Moment) -> rusqlite::Result<()> {
    let now = time_us(now.wall);
    c.execute(
        "UPDATE session SET ended_at = ?2 WHERE run_no = ?1 AND ended_at IS NULL",
        params![run_no, now],
    )?;
    if let Some(RunEnd { complete, discrepancies }) = run {
        if let Some(changes) = discrepancies {
            open_discrepancies::change(c, run_no, changes)?;
            other_answers::tell(c, run_no, &changes.told)?;
        }
        c.execute(
            "UPDATE run SET ended_at = ?2, complete = ?3 WHERE run_no = ?1",
            params![run_no, now, complete],
        )?;
    }
    Ok(())
}
