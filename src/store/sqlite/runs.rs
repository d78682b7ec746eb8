//! Finds the run of a session: an unfinished run, or a new one.

use reconcile_core::ask_again::Scope;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Moment;
use crate::store::next_run::{NextRun, RunRow, resumable_since_us};
use crate::store::run_identity::RunIdentity;
use crate::store::units::time_us;

/// Finds the run to resume, or begins one. Its session has a higher number than `after`.
pub(super) fn begin_run(
    c: &Connection,
    identity: &RunIdentity,
    now: Moment,
    after: i64,
) -> rusqlite::Result<Scope> {
    let run = next_run(c, identity, now)?;
    if run.is_new {
        c.execute(
            "INSERT INTO run (run_no, run_id, chain_no, input_sha256, refresh, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                run.run_no,
                run.run_id,
                run.chain_no,
                identity.input_sha256,
                identity.refresh,
                time_us(now.wall)
            ],
        )?;
    }
    scope(c, run, identity, after)
}

/// The same as [`begin_run`], without writing.
pub(super) fn preview_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Scope> {
    let run = next_run(c, identity, now)?;
    scope(c, run, identity, 0)
}

fn next_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<NextRun> {
    Ok(NextRun::after(newest_run(c, identity, now)?, next_number(c, "run")?, now))
}

fn scope(c: &Connection, run: NextRun, identity: &RunIdentity, after: i64) -> rusqlite::Result<Scope> {
    let session_no = next_number(c, "session")?.max(after.saturating_add(1));
    let first_session = |column: &str, number: i64| -> rusqlite::Result<Option<i64>> {
        let sql = format!("SELECT min(session_no) FROM session JOIN run USING (run_no) WHERE {column} = ?1");
        c.query_row(&sql, [number], |row| row.get(0))
    };
    let (run_from, chain_from) =
        (first_session("run_no", run.run_no)?, first_session("chain_no", run.chain_no)?);
    Ok(run.scope(identity, session_no, run_from, chain_from))
}

fn next_number(c: &Connection, table: &str) -> rusqlite::Result<i64> {
    c.query_row(&format!("SELECT coalesce(max({table}_no), 0) + 1 FROM {table}"), [], |row| row.get(0))
}

/// The newest run with this identity that can still be resumed.
fn newest_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Option<RunRow>> {
    c.query_row(
        "SELECT run_no, run_id, chain_no, ended_at IS NULL, coalesce(complete, 0), started_at FROM run
         WHERE input_sha256 = ?1 AND refresh = ?2 AND started_at > ?3 ORDER BY run_no DESC LIMIT 1",
        params![identity.input_sha256, identity.refresh, resumable_since_us(now)],
        |row| {
            Ok(RunRow {
                run_no: row.get(0)?,
                run_id: row.get(1)?,
                chain_no: row.get(2)?,
                is_open: row.get(3)?,
                is_complete: row.get(4)?,
                started_at_us: row.get(5)?,
            })
        },
    )
    .optional()
}
