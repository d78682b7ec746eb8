//! The table `open_discrepancy`: the discrepancies that were open after the last run whose ledger
//! named them.

use chrono::NaiveDate;
use reconcile_core::calendar::{day_of, midnight_ms};
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy_identity::Subject;
use reconcile_core::quick_parse;
use reconcile_core::since::{Fate, MAX_REMEMBERED, OpenBefore, OpenKey};
use rusqlite::{Connection, params};

use crate::store::open_discrepancies::{DiscrepancyChanges, forgotten_before_us};
use crate::store::units::time_of;

/// When a run began, also if it was resumed: microseconds since 1970.
fn started_at(c: &Connection, run_no: i64) -> rusqlite::Result<i64> {
    c.query_row("SELECT started_at FROM run WHERE run_no = ?1", [run_no], |row| row.get(0))
}

/// The discrepancies that were open before this run. Those that the run will forget are not among
/// them.
pub(super) fn before(c: &Connection, run_no: i64) -> rusqlite::Result<OpenBefore> {
    let started_at = time_of(started_at(c, run_no)?);
    let today = day_of(started_at);
    let mut before = OpenBefore::new(today);
    let rows: i64 = c.query_row("SELECT count(*) FROM open_discrepancy", [], |row| row.get(0))?;
    before.reserve(usize::try_from(rows).unwrap_or_default().min(MAX_REMEMBERED));
    let mut query = c.prepare(
        "SELECT subject, kind, field, since, named FROM open_discrepancy
         WHERE last_run_no NOT IN (SELECT run_no FROM run WHERE started_at < ?1)
         ORDER BY subject, kind, field LIMIT ?2",
    )?;
    let most = i64::try_from(MAX_REMEMBERED).unwrap_or(i64::MAX);
    let mut rows = query.query(params![forgotten_before_us(started_at), most])?;
    while let Some(row) = rows.next()? {
        let (kind, field) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        // A damaged day says at least that it was open.
        let since = quick_parse::day(row.get_ref(3)?.as_str()?).unwrap_or(today);
        before.push(OpenKey { subject: row.get(0)?, kind, field }, since, row.get(4)?);
    }
    Ok(before.sorted())
}

/// Writes what a run changes. It belongs into the transaction that ends the run.
pub(super) fn change(c: &Connection, run_no: i64, changes: &DiscrepancyChanges) -> rusqlite::Result<()> {
    let started_at = time_of(started_at(c, run_no)?);
    c.execute(
        "DELETE FROM open_discrepancy
         WHERE last_run_no IN (SELECT run_no FROM run WHERE started_at < ?1)",
        [forgotten_before_us(started_at)],
    )?;
    let mut delete =
        c.prepare("DELETE FROM open_discrepancy WHERE subject = ?1 AND kind = ?2 AND field = ?3")?;
    for OpenKey { subject, kind, field } in changes.with_fate(Fate::Resolved) {
        delete.execute(params![subject, kind, field])?;
    }
    let mut name = c.prepare(
        "UPDATE open_discrepancy SET last_run_no = ?4 WHERE subject = ?1 AND kind = ?2 AND field = ?3",
    )?;
    for OpenKey { subject, kind, field } in changes.with_fate(Fate::Named) {
        name.execute(params![subject, kind, field, run_no])?;
    }
    let mut add = c.prepare(
        "INSERT INTO open_discrepancy (subject, kind, field, call_date, named, since, first_run_no, last_run_no)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
         ON CONFLICT (subject, kind, field) DO UPDATE SET last_run_no = excluded.last_run_no",
    )?;
    let today = day_of(started_at).to_string();
    for new in changes.remembered() {
        for new in new.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))? {
            let (kind, field) = (new.kind.as_str(), new.field.as_str());
            let call_date = new.call_date.map(|day| day.to_string());
            add.execute(params![new.subject, kind, field, call_date, new.named, today, run_no])?;
        }
    }
    Ok(())
}

/// Deletes those of calls of days before this one, and unusable rows that no ledger has named
/// since.
pub(super) fn purge(c: &Connection, before: NaiveDate) -> rusqlite::Result<()> {
    c.execute(
        "DELETE FROM open_discrepancy WHERE call_date < ?1 OR call_date IS NULL
           AND last_run_no IN (SELECT run_no FROM run WHERE started_at < ?2)",
        params![before.to_string(), midnight_ms(before) * 1_000],
    )?;
    Ok(())
}

/// Deletes those of a call.
pub(super) fn forget_call(c: &Connection, key: &CallKey) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM open_discrepancy WHERE subject = ?1")?
        .execute([Subject::of_call(key).digest()])
        .map(drop)
}

/// Deletes those of all unusable rows, and of calls that only receipts name: nobody can tell which
/// of them contained a number.
pub(super) fn forget_rows(c: &Connection) -> rusqlite::Result<()> {
    c.execute("DELETE FROM open_discrepancy WHERE call_date IS NULL OR named IS NOT NULL", []).map(drop)
}
