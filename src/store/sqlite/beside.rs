//! Reads calls that a run may ask beside those of its ledger.

use std::ops::RangeInclusive;

use chrono::NaiveDate;
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;
use rusqlite::{Connection, Row, params};

use crate::store::beside::{FinalCall, OPEN_CALLS_AT_ONCE, OpenCall, OpenCallsOf, RecheckedCalls};
use crate::store::units::{count_of, time_of};

/// The days in this range that have wanted open calls, the newest first.
pub(super) fn open_days(
    c: &Connection,
    run_no: i64,
    days: &RangeInclusive<NaiveDate>,
) -> rusqlite::Result<Vec<NaiveDate>> {
    let mut query = c.prepare(
        "SELECT DISTINCT call_date FROM open_item
         WHERE call_date BETWEEN ?2 AND ?3 AND last_run_no <> ?1 AND (cleared_run_no IS NULL OR cleared_run_no = ?1)
         ORDER BY call_date DESC",
    )?;
    let (first, last) = (days.start().to_string(), days.end().to_string());
    let found = query.query_map(params![run_no, first, last], |row| day(row, 0))?;
    found.filter_map(Result::transpose).collect()
}

/// The next open calls that are wanted, by CallId and product.
pub(super) fn open_calls(c: &Connection, wanted: &OpenCallsOf) -> rusqlite::Result<Vec<OpenCall>> {
    let mut query = c.prepare_cached(
        "SELECT o.call_id, o.prod_id, coalesce(o.account, s.account)
         FROM open_item AS o LEFT JOIN call AS c USING (call_id, prod_id, call_date)
              LEFT JOIN session AS s ON s.session_no = c.first_session_no
         WHERE o.call_date = ?2 AND o.last_run_no <> ?1 AND (o.cleared_run_no IS NULL OR o.cleared_run_no = ?1)
           AND (o.call_id, o.prod_id) > (?3, ?4)
         ORDER BY o.call_id, o.prod_id LIMIT ?5",
    )?;
    let (id, product) = match &wanted.after {
        Some(key) => (key.call_id.as_str(), key.prod_id.0),
        None => ("", i64::MIN),
    };
    let found = query.query_map(
        params![wanted.run_no, wanted.day.to_string(), id, product, OPEN_CALLS_AT_ONCE],
        |row| {
            let key = CallKey { call_id: row.get(0)?, prod_id: ProductId(row.get(1)?), day: wanted.day };
            Ok(OpenCall { key, account: row.get(2)? })
        },
    )?;
    found.collect()
}

/// The numbers of the first and the last call; `None` without calls.
pub(super) fn numbers(c: &Connection) -> rusqlite::Result<Option<RangeInclusive<i64>>> {
    let all: (Option<i64>, Option<i64>) =
        c.query_row("SELECT min(call_no), max(call_no) FROM call", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(all.0.zip(all.1).map(|(first, last)| first..=last))
}

/// The calls with a final record among these numbers, by number.
pub(super) fn final_calls(c: &Connection, window: &RangeInclusive<i64>) -> rusqlite::Result<Vec<FinalCall>> {
    let mut query = c.prepare_cached(
        "SELECT call_no, call_id, prod_id, call_date, found_date, fetched_at,
                max(session_no, coalesce(checked_session_no, 0)), account
         FROM call LEFT JOIN session USING (session_no)
         WHERE call_no BETWEEN ?1 AND ?2 AND answer = 'final' AND session_no IS NOT NULL AND fetched_at IS NOT NULL
         ORDER BY call_no",
    )?;
    let found = query.query_map([window.start(), window.end()], |row| {
        let (Some(call_day), Some(found_date)) = (day(row, 3)?, day(row, 4)?) else { return Ok(None) };
        let key = CallKey { call_id: row.get(1)?, prod_id: ProductId(row.get(2)?), day: call_day };
        Ok(Some(FinalCall {
            call_no: row.get(0)?,
            key,
            found_date,
            fetched_at: time_of(row.get(5)?),
            looked_at_by: row.get(6)?,
            account: row.get(7)?,
        }))
    })?;
    found.filter_map(Result::transpose).collect()
}

/// The final records that the run has asked for again.
pub(super) fn rechecked(c: &Connection, run_no: i64) -> rusqlite::Result<RecheckedCalls> {
    c.query_row(
        "WITH own AS (SELECT session_no, first_request_no FROM session WHERE run_no = ?1)
         SELECT count(DISTINCT r.call_no), count(DISTINCT r.call_no) FILTER (
                WHERE c.session_no IN (SELECT session_no FROM own)
                   OR c.checked_session_no IN (SELECT session_no FROM own))
         FROM request AS r JOIN call AS c USING (call_no)
         WHERE r.request_no >= (SELECT min(first_request_no) FROM own)
           AND r.session_no IN (SELECT session_no FROM own) AND r.recheck = 1 AND r.replied_at IS NOT NULL",
        [run_no],
        |row| {
            let (asked, seen) = (row.get(0).map(count_of)?, row.get(1).map(count_of)?);
            Ok(RecheckedCalls { seen, failed: asked.saturating_sub(seen) })
        },
    )
}

fn day(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<NaiveDate>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.and_then(quick_parse::day))
}
