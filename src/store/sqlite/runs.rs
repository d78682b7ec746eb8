//! Finds the run of a session: an unfinished run, or a new one.

use reconcile_core::ask_again::Scope;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::units::time_us;
use crate::clock::Moment;
use crate::store::run_identity::RunIdentity;

/// A run can be resumed for 20 hours after its start. After that the next night has begun, and a
/// new run asks for the open calls again.
const RESUMED_WITHIN_US: i64 = 20 * 3_600 * 1_000_000;

/// A stored run.
struct RunRow {
    run_no: i64,
    run_id: String,
    chain_no: i64,
    is_open: bool,
    is_complete: bool,
}

/// The run of the next session.
struct NextRun {
    run_no: i64,
    run_id: String,
    chain_no: i64,
    /// True if the run is not in the table yet.
    is_new: bool,
    /// True if it continues an earlier session or an incomplete run.
    resumed: bool,
}

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
    let newest = newest_run(c, identity, now)?;
    if let Some(RunRow { run_no, run_id, chain_no, is_open: true, .. }) = newest {
        return Ok(NextRun { run_no, run_id, chain_no, is_new: false, resumed: true });
    }
    let incomplete = newest.filter(|newest| !newest.is_complete);
    let run_no = next_number(c, "run")?;
    Ok(NextRun {
        run_no,
        run_id: uuid::Uuid::new_v4().to_string(),
        resumed: incomplete.is_some(),
        chain_no: incomplete.map_or(run_no, |newest| newest.chain_no),
        is_new: true,
    })
}

fn scope(c: &Connection, run: NextRun, identity: &RunIdentity, after: i64) -> rusqlite::Result<Scope> {
    let session_no = next_number(c, "session")?.max(after.saturating_add(1));
    let first_session = |column: &str, number: i64| -> rusqlite::Result<i64> {
        let sql = format!(
            "SELECT coalesce(min(session_no), ?2) FROM session JOIN run USING (run_no) WHERE {column} = ?1"
        );
        c.query_row(&sql, params![number, session_no], |row| row.get(0))
    };
    Ok(Scope {
        run_from: first_session("run_no", run.run_no)?,
        chain_from: first_session("chain_no", run.chain_no)?,
        run_id: run.run_id,
        run_no: run.run_no,
        session_no,
        refresh: identity.refresh,
        resumed: run.resumed,
    })
}

fn next_number(c: &Connection, table: &str) -> rusqlite::Result<i64> {
    c.query_row(&format!("SELECT coalesce(max({table}_no), 0) + 1 FROM {table}"), [], |row| row.get(0))
}

/// The newest run with this identity that can still be resumed.
fn newest_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Option<RunRow>> {
    c.query_row(
        "SELECT run_no, run_id, chain_no, ended_at IS NULL, coalesce(complete, 0) FROM run
         WHERE input_sha256 = ?1 AND refresh = ?2 AND started_at > ?3 ORDER BY run_no DESC LIMIT 1",
        params![identity.input_sha256, identity.refresh, time_us(now.wall) - RESUMED_WITHIN_US],
        |row| {
            Ok(RunRow {
                run_no: row.get(0)?,
                run_id: row.get(1)?,
                chain_no: row.get(2)?,
                is_open: row.get(3)?,
                is_complete: row.get(4)?,
            })
        },
    )
    .optional()
}
