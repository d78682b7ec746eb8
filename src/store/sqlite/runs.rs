//! Which run a session belongs to: one to go on with, or a new one.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::us;
use crate::clock::Moment;
use crate::store::RunIdentity;
use reconcile_core::ask_again::Scope;

/// A run is gone on with for so long after its start. What began earlier was another night: its open calls are asked
/// for anew.
const ONE_NIGHT_US: i64 = 20 * 3_600 * 1_000_000;

/// A run that a session may belong to.
struct RunRow {
    run_no: i64,
    run_id: String,
    chain_no: i64,
    open: bool,
    complete: bool,
}

/// Finds the run to go on with, or begins one.
pub(super) fn begin_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Scope> {
    let (run, resumed) = next_run(c, identity, now)?;
    if !run.open {
        c.execute(
            "INSERT INTO run (run_no, run_id, chain_no, input_sha256, refresh, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                run.run_no,
                run.run_id,
                run.chain_no,
                identity.input_sha256,
                identity.refresh,
                us(now.wall)
            ],
        )?;
    }
    scope(c, run, identity, resumed)
}

/// What [`begin_run`] would come to; writes nothing.
pub(super) fn foresee_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Scope> {
    let (run, resumed) = next_run(c, identity, now)?;
    scope(c, run, identity, resumed)
}

/// The unfinished run over this ledger, or a new one, not yet written; and whether it goes on from an earlier one.
fn next_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<(RunRow, bool)> {
    let chain_no = match newest_run(c, identity, now)? {
        Some(newest) if newest.open => return Ok((newest, true)),
        newest => newest.filter(|newest| !newest.complete).map(|newest| newest.chain_no),
    };
    let run_no = next_no(c, "run")?;
    let run_id = uuid::Uuid::new_v4().to_string();
    let new = RunRow { run_no, run_id, chain_no: chain_no.unwrap_or(run_no), open: false, complete: false };
    Ok((new, chain_no.is_some()))
}

fn scope(c: &Connection, run: RunRow, identity: &RunIdentity, resumed: bool) -> rusqlite::Result<Scope> {
    let session_no = next_no(c, "session")?;
    let first = |filter: &str, n: i64| -> rusqlite::Result<i64> {
        let sql = format!(
            "SELECT coalesce(min(session_no), ?2) FROM session JOIN run USING (run_no) WHERE {filter} = ?1"
        );
        c.query_row(&sql, params![n, session_no], |r| r.get(0))
    };
    Ok(Scope {
        run_from: first("run_no", run.run_no)?,
        chain_from: first("chain_no", run.chain_no)?,
        run_id: run.run_id,
        run_no: run.run_no,
        session_no,
        refresh: identity.refresh,
        resumed,
    })
}

fn next_no(c: &Connection, table: &str) -> rusqlite::Result<i64> {
    c.query_row(&format!("SELECT coalesce(max({table}_no), 0) + 1 FROM {table}"), [], |r| r.get(0))
}

/// The newest run over this ledger, unless it is of another night.
fn newest_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Option<RunRow>> {
    c.query_row(
        "SELECT run_no, run_id, chain_no, ended_at IS NULL, coalesce(complete, 0) FROM run
         WHERE input_sha256 = ?1 AND refresh = ?2 AND started_at > ?3 ORDER BY run_no DESC LIMIT 1",
        params![identity.input_sha256, identity.refresh, us(now.wall) - ONE_NIGHT_US],
        |r| {
            Ok(RunRow {
                run_no: r.get(0)?,
                run_id: r.get(1)?,
                chain_no: r.get(2)?,
                open: r.get(3)?,
                complete: r.get(4)?,
            })
        },
    )
    .optional()
}
