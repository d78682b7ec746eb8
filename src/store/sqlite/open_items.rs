//! Calls without a lasting answer, from the night in which they were first seen to the one that settles them.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use super::count;
use crate::store::{OpenAge, OpenItem, OpenItems};
use reconcile_core::calendar::day_of;

/// Notes calls as open in this run. What was settled and is open again is seen anew.
pub(super) fn note(c: &Connection, run_no: i64, now: i64, items: &[OpenItem]) -> rusqlite::Result<()> {
    let mut note = c.prepare_cached(
        "INSERT INTO open_item (call_id, prod_id, call_date, status, first_run_no, first_seen_at, last_run_no)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)
         ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET
           status = excluded.status, last_run_no = excluded.last_run_no, cleared_run_no = NULL,
           first_run_no = iif(cleared_run_no IS NULL, first_run_no, excluded.first_run_no),
           first_seen_at = iif(cleared_run_no IS NULL, first_seen_at, excluded.first_seen_at)",
    )?;
    items.iter().try_for_each(|OpenItem { key, status }| {
        let day = key.day.to_string();
        note.execute(params![key.call_id, key.prod_id.0, day, status.as_str(), run_no, now]).map(drop)
    })
}

/// Settles those whose call has a lasting answer now.
pub(super) fn clear(c: &Connection, run_no: i64) -> rusqlite::Result<()> {
    c.execute(
        "UPDATE open_item SET cleared_run_no = ?1
         WHERE cleared_run_no IS NULL AND EXISTS
           (SELECT 1 FROM call WHERE call.call_id = open_item.call_id AND call.prod_id = open_item.prod_id
               AND call.call_date = open_item.call_date AND call.answer IN ('final', 'rejected'))",
        [run_no],
    )?;
    Ok(())
}

/// What this run's ledger leaves open, by age; what it settled; and what only other ledgers name.
pub(super) fn standing(c: &Connection, run_no: i64, now: DateTime<Utc>) -> rusqlite::Result<OpenItems> {
    let mut query = c.prepare(
        "SELECT (first_seen_at + 28800000000) / 86400000000 AS day, min(first_seen_at), status, count(*)
         FROM open_item WHERE cleared_run_no IS NULL AND last_run_no = ?1
         GROUP BY day, status ORDER BY day, status",
    )?;
    let today = day_of(now);
    let by_age = query.query_map([run_no], |r| {
        let first_seen = day_of(DateTime::from_timestamp_micros(r.get(1)?).unwrap_or(now));
        Ok(OpenAge {
            first_seen,
            nights: (today - first_seen).num_days().max(0),
            status: r.get(2)?,
            calls: count(r.get(3)?),
        })
    })?;
    let number = |sql: &str| c.query_row(sql, [run_no], |r| Ok(count(r.get(0)?)));
    Ok(OpenItems {
        by_age: by_age.collect::<rusqlite::Result<_>>()?,
        cleared: number("SELECT count(*) FROM open_item WHERE cleared_run_no = ?1")?,
        elsewhere: number(
            "SELECT count(*) FROM open_item WHERE cleared_run_no IS NULL AND last_run_no <> ?1",
        )?,
    })
}
