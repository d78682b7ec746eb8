//! Erases old calls, and answers that contain a phone number. Afterwards no page of the file
//! contains the erased data.

use chrono::NaiveDate;
use reconcile_core::phone::contains_number;
use rusqlite::{Connection, Row, params};

use super::call_row::{COLUMNS, answer_of, key_of};
use super::database::Database;
use super::{open_discrepancies, other_answers, receipts};
use crate::clock::Moment;
use crate::error::Result;
use crate::store::checksum::checksum;
use crate::store::erased::Erased;
use crate::store::erasing::{FORGOTTEN, KEPT_FOR_THE_CAP, forgotten};
use crate::store::units::time_us;

/// The CallId's position in [`COLUMNS`].
const CALL_ID: usize = 1;
/// The positions of the provider's texts in [`COLUMNS`]: request id, code, message and `Data`.
const ANSWER_TEXTS: [usize; 4] = [10, 11, 12, 13];

/// The number of erased rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ErasedRows {
    calls: usize,
    requests: usize,
}

/// Erases rows in one transaction, then shrinks the file.
///
/// # Errors
///
/// Exit 6 if the store cannot be written.
pub(super) fn erase(
    database: &Database,
    work: impl FnOnce(&Connection) -> rusqlite::Result<ErasedRows>,
) -> Result<Erased> {
    let size = || std::fs::metadata(database.path()).map_or(0, |file| file.len());
    let bytes_before = size();
    let ErasedRows { calls, requests } = database.write(work)?;
    database.shrink()?;
    Ok(Erased { calls: calls as u64, requests: requests as u64, bytes_before, bytes_after: size() })
}

/// Deletes the calls of days before this one, their receipts, and the requests of sessions that
/// are older.
///
/// The requests of sessions that began together are deleted together. So each session is recorded
/// whole or not at all, and the audit can tell a purged session from a damaged one.
pub(super) fn purge(
    c: &Connection,
    before: NaiveDate,
    boot_id: &str,
    now: Moment,
) -> rusqlite::Result<ErasedRows> {
    let day = before.to_string();
    // SQLite can give the number of a deleted call to a later call. So kept requests no longer
    // refer to their call.
    c.execute(
        "UPDATE request SET call_no = 0 WHERE call_no IN (SELECT call_no FROM call WHERE call_date < ?1)",
        [&day],
    )?;
    c.execute(
        "DELETE FROM other_answer WHERE call_no IN (SELECT call_no FROM call WHERE call_date < ?1)",
        [&day],
    )?;
    let receipts = receipts::purge(c, before)?;
    let calls = receipts + c.execute("DELETE FROM call WHERE call_date < ?1", [&day])?;
    c.execute("DELETE FROM open_item WHERE call_date < ?1", [&day])?;
    open_discrepancies::purge(c, before)?;
    // The newest requests stay: the cap of the next session counts them, and the next request must
    // not get the number of a deleted one. A window of a session never held more than its cap.
    let requests = c.execute(
        "DELETE FROM request WHERE session_no IN (
           SELECT session_no FROM session WHERE (run_no, first_request_no) IN (
             SELECT run_no, first_request_no FROM request JOIN session USING (session_no)
             GROUP BY run_no, first_request_no
             HAVING max(call_no) = 0
                AND max(sent_at) < ?1
                AND coalesce(max(CASE WHEN boot_id = ?2 THEN sent_boot_us END) < ?3, true)
                AND max(request_no) <= (SELECT max(request_no) FROM request)
                                       - 2 * (SELECT max(caps) FROM (
                                           SELECT sum(cap_requests) AS caps FROM session
                                           GROUP BY run_no, first_request_no))))",
        params![
            time_us(now.wall - KEPT_FOR_THE_CAP),
            boot_id,
            now.boot_us - KEPT_FOR_THE_CAP.num_microseconds().unwrap_or(i64::MAX)
        ],
    )?;
    Ok(ErasedRows { calls, requests })
}

/// Erases every trace of a phone number.
///
/// A permanent error replaces an answer that contains it, so its call is not asked again. A call
/// whose CallId contains it is deleted with its open item; its requests stay for the cap. The open
/// discrepancies of both are deleted. The answers beside that of the call are deleted if any of
/// its answers contains it.
pub(super) fn forget(c: &Connection, number: &str) -> rusqlite::Result<ErasedRows> {
    let has_number = |text: &str| contains_number(text, number);
    let mut erased = ErasedRows::default();
    let mut rows = c.prepare(&format!("SELECT {COLUMNS} FROM call"))?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let call_no: i64 = row.get(0)?;
        // A damaged value may be of any type, or no UTF-8.
        let is_in = |column: usize| {
            let text = row.get_ref(column).ok().and_then(|value| value.as_bytes_or_null().ok().flatten());
            text.is_some_and(|bytes| has_number(&String::from_utf8_lossy(bytes)))
        };
        let (is_in_id, is_in_answer) = (is_in(CALL_ID), ANSWER_TEXTS.into_iter().any(is_in));
        // Without its answer, nothing can say any more whether its values differ.
        if let Some(key) = key_of(row).ok().flatten().filter(|_| is_in_id || is_in_answer) {
            open_discrepancies::forget_call(c, &key)?;
            if is_in_id {
                receipts::delete(c, &key)?;
            }
        }
        if is_in_id {
            delete_call(c, call_no)?;
        } else if is_in_answer {
            forget_answer(c, call_no, row)?;
        } else if !other_answers::texts(c, call_no)?.iter().any(|text| has_number(text)) {
            continue;
        }
        other_answers::delete(c, call_no)?;
        erased.calls += 1;
    }
    forget_in_requests(c, has_number)?;
    forget_open_items(c, has_number)?;
    forget_fields(c, has_number)?;
    open_discrepancies::forget_rows(c)?;
    erased.calls += receipts::forget(c, number)?;
    Ok(erased)
}

/// Deletes a call. SQLite can give its number to a later call, so its requests no longer refer to
/// it.
fn delete_call(c: &Connection, call_no: i64) -> rusqlite::Result<()> {
    c.execute("UPDATE request SET call_no = 0 WHERE call_no = ?1", [call_no])?;
    c.execute("DELETE FROM call WHERE call_no = ?1", [call_no]).map(drop)
}

/// Replaces an answer. What remains of a damaged or discarded one is emptied.
fn forget_answer(c: &Connection, call_no: i64, row: &Row<'_>) -> rusqlite::Result<()> {
    let (Some(key), Some(stored)) = (key_of(row)?, answer_of(row)?) else {
        let sql =
            "UPDATE call SET answer = NULL, next_date = NULL, request_id = NULL, code = NULL, message = NULL,
                                   data = NULL, checksum = NULL WHERE call_no = ?1";
        return c.execute(sql, [call_no]).map(drop);
    };
    let answer = forgotten(stored.answer.found_date);
    let sum = checksum(&key, &answer, stored.session_no, row.get(7)?);
    c.prepare_cached(
        "UPDATE call SET answer = ?2, next_date = NULL, request_id = NULL, code = ?3, message = ?4, data = NULL,
                         checksum = ?5 WHERE call_no = ?1",
    )?
    .execute(params![call_no, answer.kind.as_str(), answer.code.as_str(), answer.message.as_str(), sum])
    .map(drop)
}

/// Replaces the provider's codes in the record of requests, and deletes its request ids.
fn forget_in_requests(c: &Connection, has_number: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let codes = texts(c, "SELECT DISTINCT code FROM request WHERE code IS NOT NULL")?;
    codes.iter().filter(|code| has_number(code)).try_for_each(|code| {
        c.execute("UPDATE request SET code = ?2 WHERE code = ?1", [code, FORGOTTEN]).map(drop)
    })?;
    // Each request has an id of its own, so they are read one by one.
    let mut ids = c.prepare("SELECT request_no, request_id FROM request WHERE request_id IS NOT NULL")?;
    let mut rows = ids.query([])?;
    let mut erase = c.prepare("UPDATE request SET request_id = NULL WHERE request_no = ?1")?;
    while let Some(row) = rows.next()? {
        if has_number(&String::from_utf8_lossy(row.get_ref(1)?.as_bytes()?)) {
            erase.execute([row.get::<_, i64>(0)?])?;
        }
    }
    Ok(())
}

/// Deletes the open items whose CallId contains the number, also those without a call, with their
/// open discrepancies.
fn forget_open_items(c: &Connection, has_number: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let ids = texts(c, "SELECT DISTINCT call_id FROM open_item")?;
    for id in ids.iter().filter(|id| has_number(id)) {
        let mut keys =
            c.prepare_cached("SELECT 0, call_id, prod_id, call_date FROM open_item WHERE call_id = ?1")?;
        let mut keys = keys.query([id])?;
        while let Some(row) = keys.next()? {
            key_of(row)?.map_or(Ok(()), |key| open_discrepancies::forget_call(c, &key))?;
        }
        c.execute("DELETE FROM open_item WHERE call_id = ?1", [id])?;
    }
    Ok(())
}

/// Deletes the open discrepancies whose field contains the number: a column of a ledger.
fn forget_fields(c: &Connection, has_number: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let fields = texts(c, "SELECT DISTINCT field FROM open_discrepancy")?;
    fields
        .iter()
        .filter(|field| has_number(field))
        .try_for_each(|field| c.execute("DELETE FROM open_discrepancy WHERE field = ?1", [field]).map(drop))
}

/// The texts of a query with one column.
fn texts(c: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    c.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}
