//! The table `open_item`: calls without a lasting answer, from the run that first saw them to the
//! run that settles them.

use chrono::{DateTime, Utc};
use reconcile_core::call::CallKey;
use rusqlite::{Connection, params};

use crate::store::open_items::{OpenAge, OpenItem, OpenItems};
use crate::store::stored_word::StoredWord;
use crate::store::units::{count_of, time_us};

/// Records calls as open in this run. A settled call that is open again counts as first seen now.
pub(super) fn note(
    c: &Connection,
    run_no: i64,
    now: DateTime<Utc>,
    items: &[OpenItem],
) -> rusqlite::Result<()> {
    let mut note = c.prepare_cached(
        "INSERT INTO open_item
           (call_id, prod_id, call_date, status, first_run_no, first_seen_at, last_run_no, seconds, account)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7, ?8)
         ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET
           status = excluded.status, seconds = excluded.seconds, last_run_no = excluded.last_run_no, cleared_run_no = NULL,
           account = coalesce(excluded.account, account),
           first_run_no = iif(cleared_run_no IS NULL, first_run_no, excluded.first_run_no),
           first_seen_at = iif(cleared_run_no IS NULL, first_seen_at, excluded.first_seen_at)",
    )?;
    let now = time_us(now);
    items.iter().try_for_each(|item| {
        let OpenItem { key, status, account, .. } = item;
        let (day, seconds) = (key.day.to_string(), item.stored_seconds());
        note.execute(params![key.call_id, key.prod_id.0, day, status.as_str(), run_no, now, seconds, account])
            .map(drop)
    })
}

/// Clears the open items whose call now has a lasting answer.
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

/// Clears the open item of a call, if it has one.
pub(super) fn clear_call(c: &Connection, run_no: i64, key: &CallKey) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE open_item SET cleared_run_no = ?1
         WHERE call_id = ?2 AND prod_id = ?3 AND call_date = ?4 AND cleared_run_no IS NULL",
    )?
    .execute(params![run_no, key.call_id, key.prod_id.0, key.day.to_string()])
    .map(drop)
}

/// The open items of this run's ledger by age, the number of cleared items, and the number of open
/// items that only other ledgers name.
pub(super) fn summarize(c: &Connection, run_no: i64, now: DateTime<Utc>) -> rusqlite::Result<OpenItems> {
    let mut query = c.prepare(
        "SELECT (first_seen_at + 28800000000) / 86400000000 AS day, min(first_seen_at), status, count(*), sum(seconds)
         FROM open_item WHERE cleared_run_no IS NULL AND last_run_no = ?1
         GROUP BY day, status ORDER BY day, status",
    )?;
    let by_age = query.query_map([run_no], |row| {
        let status = StoredWord::parse(row.get_ref(2)?.as_str()?);
        Ok(OpenAge::new(row.get(1)?, status, (count_of(row.get(3)?), count_of(row.get(4)?)), now))
    })?;
    let number = |sql: &str| c.query_row(sql, [run_no], |row| Ok(count_of(row.get(0)?)));
    Ok(OpenItems {
        by_age: by_age.collect::<rusqlite::Result<_>>()?,
        cleared: number("SELECT count(*) FROM open_item WHERE cleared_run_no = ?1")?,
        elsewhere: number(
            "SELECT count(*) FROM open_item WHERE cleared_run_no IS NULL AND last_run_no <> ?1",
        )?,
    })
}
