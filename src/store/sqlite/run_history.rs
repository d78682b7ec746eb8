//! The table `run_figures`, and the runs for `diff`.

use rusqlite::{Connection, Row, params};

use crate::clock::Moment;
use crate::store::run_history::{KEPT_FIGURES, MOST_RUNS, RunFigures, RunHistory, StoredRun};
use crate::store::units::{time_of, time_us};

/// Notes the figures of a run in place of earlier ones. Deletes those of old runs.
pub(super) fn note(c: &Connection, run_no: i64, now: Moment, noted: &RunFigures) -> rusqlite::Result<()> {
    c.execute(
        "INSERT INTO run_figures (run_no, series, figures) VALUES (?1, ?2, ?3)
         ON CONFLICT (run_no) DO UPDATE SET series = excluded.series, figures = excluded.figures",
        params![run_no, noted.series, noted.figures],
    )?;
    c.execute(
        "DELETE FROM run_figures WHERE run_no IN (SELECT run_no FROM run WHERE started_at < ?1)",
        [time_us(now.wall - KEPT_FIGURES)],
    )?;
    Ok(())
}

/// A run, and the others of this series.
pub(super) fn history(c: &Connection, run_no: i64, series: &str) -> rusqlite::Result<RunHistory> {
    let (started_at, ledger_since) = c.query_row(
        "SELECT started_at, (SELECT min(started_at) FROM run AS same WHERE same.input_sha256 = run.input_sha256)
         FROM run WHERE run_no = ?1",
        [run_no],
        |row| Ok((time_of(row.get(0)?), time_of(row.get(1)?))),
    )?;
    let mut query = c.prepare(
        "SELECT run_id, started_at, ended_at IS NOT NULL, complete, figures FROM run_figures JOIN run USING (run_no)
         WHERE series = ?1 AND ended_at IS NOT NULL AND run_no <> ?2 ORDER BY run_no DESC LIMIT ?3",
    )?;
    let others = query.query_map(params![series, run_no, MOST_RUNS], stored_run)?;
    Ok(RunHistory { started_at, ledger_since, others: others.collect::<rusqlite::Result<_>>()? })
}

/// The runs whose id begins so, newest first; at most so many.
pub(super) fn runs_named(c: &Connection, start: &str, at_most: u32) -> rusqlite::Result<Vec<StoredRun>> {
    let mut query = c.prepare(
        "SELECT run_id, started_at, ended_at IS NOT NULL, complete, figures FROM run LEFT JOIN run_figures USING (run_no)
         WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY run_no DESC LIMIT ?2",
    )?;
    query.query_map(params![start, at_most], stored_run)?.collect()
}

fn stored_run(row: &Row<'_>) -> rusqlite::Result<StoredRun> {
    let has_ended: bool = row.get(2)?;
    let is_complete = row.get::<_, Option<bool>>(3)?.unwrap_or_default();
    Ok(StoredRun {
        run_id: row.get(0)?,
        started_at: time_of(row.get(1)?),
        complete: has_ended.then_some(is_complete),
        figures: row.get(4)?,
    })
}
