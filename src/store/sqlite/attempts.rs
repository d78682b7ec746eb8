//! The requests of one call, as `reconcile explain` shows them.

use rusqlite::{Connection, Row};

use crate::store::history::Attempt;
use crate::store::stored_word::StoredWord;
use crate::store::units::time_of;

/// The requests of a call, in the order in which they were sent.
pub(super) fn of_call(c: &Connection, call_no: i64) -> rusqlite::Result<Vec<Attempt>> {
    let mut query = c.prepare_cached(
        "SELECT session_no, asked_date, purpose, sent_at, replied_at, replied_boot_us - sent_boot_us, http_status, code,
                throttled, decision, pause_us, account, endpoint, request_id, recheck
         FROM request LEFT JOIN session USING (session_no) WHERE call_no = ?1 ORDER BY request_no",
    )?;
    query.query_map([call_no], attempt)?.collect()
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        session_no: row.get(0)?,
        asked_date: row.get(1)?,
        purpose: StoredWord::parse(row.get_ref(2)?.as_str()?),
        sent_at: time_of(row.get(3)?),
        replied: row.get::<_, Option<i64>>(4)?.is_some(),
        took_us: row.get(5)?,
        http_status: row.get(6)?,
        code: row.get(7)?,
        throttled: row.get(8)?,
        decision: row.get_ref(9)?.as_str_or_null()?.map(StoredWord::parse),
        pause_us: row.get(10)?,
        account: row.get(11)?,
        endpoint: row.get(12)?,
        request_id: row.get(13)?,
        recheck: row.get(14)?,
    })
}
