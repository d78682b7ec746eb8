//! Reads calls that a run may ask beside those of its ledger.

use std::ops::RangeInclusive;

use chrono::NaiveDate;
use postgres::{Row, Transaction};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

use super::errors::Done;
use super::values::{self, Day, stored};
use crate::store::beside::{FinalCall, OPEN_CALLS_AT_ONCE, OpenCall, OpenCallsOf, RecheckedCalls};
use crate::store::units::{count_of, time_of};

/// The days in this range that have wanted open calls, the newest first.
pub(super) fn open_days(
    t: &mut Transaction<'_>,
    run_no: i64,
    days: &RangeInclusive<NaiveDate>,
) -> Done<Vec<NaiveDate>> {
    // No index finds the open items of a day.
    t.batch_execute("SET LOCAL enable_seqscan = on")?;
    let rows = t.query(
        "SELECT DISTINCT call_date FROM open_item
         WHERE call_date BETWEEN $2 AND $3 AND last_run_no <> $1 AND (cleared_run_no IS NULL OR cleared_run_no = $1)
         ORDER BY call_date DESC",
        &[&run_no, &Day(*days.start()), &Day(*days.end())],
    )?;
    let day = |row: &Row| row.try_get(0).map(|Day(day)| day);
    Ok(rows.iter().map(day).collect::<Result<_, postgres::Error>>()?)
}

/// The next open calls that are wanted, by CallId and product.
pub(super) fn open_calls(t: &mut Transaction<'_>, wanted: &OpenCallsOf) -> Done<Vec<OpenCall>> {
    let (id, product) = match &wanted.after {
        Some(key) => (stored(&key.call_id).into_owned(), key.prod_id.0),
        None => (String::new(), i64::MIN),
    };
    let rows = t.query(
        "SELECT o.call_id, o.prod_id, coalesce(nullif(o.account, ''), nullif(s.account, ''))
         FROM open_item AS o LEFT JOIN call AS c USING (call_id, prod_id, call_date)
              LEFT JOIN session AS s ON s.session_no = c.first_session_no
         WHERE o.call_date = $2 AND o.last_run_no <> $1 AND (o.cleared_run_no IS NULL OR o.cleared_run_no = $1)
           AND (o.call_id, o.prod_id) > ($3, $4)
         ORDER BY o.call_id, o.prod_id LIMIT $5",
        &[&wanted.run_no, &Day(wanted.day), &id, &product, &OPEN_CALLS_AT_ONCE],
    )?;
    let call = |row: &Row| -> Result<OpenCall, postgres::Error> {
        let call_id = values::read(row.try_get(0)?).into_owned();
        let key = CallKey { call_id, prod_id: ProductId(row.try_get(1)?), day: wanted.day };
        Ok(OpenCall { key, account: row.try_get(2)? })
    };
    Ok(rows.iter().map(call).collect::<Result<_, _>>()?)
}

/// The calls with a final record among these numbers, by number.
pub(super) fn final_calls(t: &mut Transaction<'_>, window: &RangeInclusive<i64>) -> Done<Vec<FinalCall>> {
    let rows = t.query(
        "SELECT call_no, call_id, prod_id, call_date, found_date, fetched_at,
                greatest(c.session_no, checked_session_no), nullif(account, '')
         FROM call AS c LEFT JOIN session AS s ON s.session_no = c.session_no
         WHERE call_no BETWEEN $1 AND $2 AND answer = 'final' AND c.session_no IS NOT NULL AND found_date IS NOT NULL
           AND fetched_at IS NOT NULL
         ORDER BY call_no",
        &[window.start(), window.end()],
    )?;
    let call = |row: &Row| -> Result<FinalCall, postgres::Error> {
        Ok(FinalCall {
            call_no: row.try_get(0)?,
            key: super::call_row::key_of(row)?,
            found_date: row.try_get::<_, Day>(4)?.0,
            fetched_at: time_of(row.try_get(5)?),
            looked_at_by: row.try_get(6)?,
            account: row.try_get(7)?,
        })
    };
    Ok(rows.iter().map(call).collect::<Result<_, _>>()?)
}

/// The final records that the run has asked for again.
pub(super) fn rechecked(t: &mut Transaction<'_>, run_no: i64) -> Done<RecheckedCalls> {
    let row = t.query_one(
        "WITH own AS (SELECT session_no FROM session WHERE run_no = $1)
         SELECT count(DISTINCT r.call_no), count(DISTINCT r.call_no) FILTER (
                WHERE c.session_no IN (SELECT session_no FROM own)
                   OR c.checked_session_no IN (SELECT session_no FROM own))
         FROM own JOIN request AS r USING (session_no) JOIN call AS c USING (call_no)
         WHERE r.recheck AND r.replied_at IS NOT NULL",
        &[&run_no],
    )?;
    let (asked, seen) = (count_of(row.try_get(0)?), count_of(row.try_get(1)?));
    Ok(RecheckedCalls { seen, failed: asked.saturating_sub(seen) })
}
