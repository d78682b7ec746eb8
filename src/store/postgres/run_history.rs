//! The table `run_figures`, and the runs for `diff`.

use postgres::{Row, Transaction};

use super::errors::Done;
use super::values::{read, stored};
use crate::clock::Moment;
use crate::store::run_history::{KEPT_FIGURES, MOST_RUNS, RunFigures, RunHistory, StoredRun};
use crate::store::units::{time_of, time_us};

/// Notes the figures of a run in place of earlier ones. Deletes those of old runs.
pub(super) fn note(t: &mut Transaction<'_>, run_no: i64, now: Moment, noted: &RunFigures) -> Done<()> {
    t.execute(
        "INSERT INTO run_figures (run_no, series, figures) VALUES ($1, $2, $3)
         ON CONFLICT (run_no) DO UPDATE SET series = excluded.series, figures = excluded.figures",
        &[&run_no, &stored(&noted.series), &stored(&noted.figures)],
    )?;
    t.execute(
        "DELETE FROM run_figures WHERE run_no IN (SELECT run_no FROM run WHERE started_at < $1)",
        &[&time_us(now.wall - KEPT_FIGURES)],
    )?;
    Ok(())
}

/// A run, and the others of this series.
pub(super) fn history(t: &mut Transaction<'_>, run_no: i64, series: &str) -> Done<RunHistory> {
    // The connection avoids scans; the table `run` has no index for these columns.
    t.batch_execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on")?;
    let row = t.query_one(
        "SELECT started_at, (SELECT min(started_at) FROM run AS same WHERE same.input_sha256 = run.input_sha256)
         FROM run WHERE run_no = $1",
        &[&run_no],
    )?;
    let rows = t.query(
        "SELECT run_id, started_at, ended_at IS NOT NULL, complete, figures FROM run_figures JOIN run USING (run_no)
         WHERE series = $1 AND ended_at IS NOT NULL AND run_no <> $2 ORDER BY run_no DESC LIMIT $3",
        &[&stored(series), &run_no, &MOST_RUNS],
    )?;
    let others = rows.iter().map(stored_run).collect::<Result<_, _>>()?;
    Ok(RunHistory { started_at: time_of(row.try_get(0)?), ledger_since: time_of(row.try_get(1)?), others })
}

/// The runs whose id begins so, newest first; at most so many.
pub(super) fn runs_named(t: &mut Transaction<'_>, start: &str, at_most: u32) -> Done<Vec<StoredRun>> {
    t.batch_execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on")?;
    let rows = t.query(
        "SELECT run_id, started_at, ended_at IS NOT NULL, complete, figures FROM run LEFT JOIN run_figures USING (run_no)
         WHERE starts_with(run_id, $1) ORDER BY run_no DESC LIMIT $2",
        &[&start, &i64::from(at_most)],
    )?;
    Ok(rows.iter().map(stored_run).collect::<Result<_, _>>()?)
}

fn stored_run(row: &Row) -> Result<StoredRun, postgres::Error> {
    let (has_ended, complete): (bool, Option<bool>) = (row.try_get(2)?, row.try_get(3)?);
    let figures: Option<&str> = row.try_get(4)?;
    Ok(StoredRun {
        run_id: row.try_get(0)?,
        started_at: time_of(row.try_get(1)?),
        complete: has_ended.then(|| complete.unwrap_or_default()),
        figures: figures.map(|figures| read(figures).into_owned()),
    })
}
