//! Erases old calls, and answers that contain a phone number. Afterwards the tables are vacuumed.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::{Client, Row, Transaction};
use reconcile_core::call::CallKey;
use reconcile_core::discrepancy_identity::Subject;
use reconcile_core::phone::contains_number;
use reconcile_core::product::ProductId;

use super::call_row::{COLUMNS, answer_of, key_of};
use super::errors::Done;
use super::values::{self, Day};
use super::{open_discrepancies, other_answers, receipts};
use crate::clock::Moment;
use crate::store::checksum::checksum;
use crate::store::erasing::{FORGOTTEN, KEPT_FOR_THE_CAP, forgotten};
use crate::store::units::{count_of, time_us};

/// The CallId's position in [`COLUMNS`].
const CALL_ID: usize = 1;
/// The positions of the provider's texts in [`COLUMNS`]: request id, code, message and `Data`.
const ANSWER_TEXTS: [usize; 4] = [10, 11, 12, 13];
/// The tables that erasing makes smaller.
const TABLES: [&str; 6] = ["call", "request", "open_item", "open_discrepancy", "other_answer", "receipt"];

/// The size of the tables and their indexes in bytes.
pub(super) fn size(c: &mut Client) -> Done<u64> {
    let sql = "SELECT sum(pg_total_relation_size(name))::bigint FROM unnest($1::text[]) AS name";
    Ok(count_of(c.query_one(sql, &[&TABLES.as_slice()])?.try_get(0)?))
}

/// Makes room in the tables. Afterwards no live row and no index contains erased data. A role that
/// does not own the tables cannot do it; then autovacuum does.
pub(super) fn vacuum(c: &mut Client) -> Done<()> {
    Ok(TABLES.iter().try_for_each(|table| c.batch_execute(&format!("VACUUM {table}")))?)
}

/// Deletes the calls of days before this one with these numbers. Returns how many.
pub(super) fn purge_calls(
    t: &mut Transaction<'_>,
    window: &RangeInclusive<i64>,
    before: NaiveDate,
) -> Done<u64> {
    let sql = "DELETE FROM other_answer USING call WHERE call.call_no = other_answer.call_no
                 AND call.call_no BETWEEN $1 AND $2 AND call_date < $3";
    t.execute(sql, &[window.start(), window.end(), &Day(before)])?;
    receipts::purge_calls(t, (window.start(), window.end()), before)?;
    let sql = "DELETE FROM call WHERE call_no BETWEEN $1 AND $2 AND call_date < $3";
    Ok(t.execute(sql, &[window.start(), window.end(), &Day(before)])?)
}

/// Deletes open items, open discrepancies and the last receipts of days before this one, and the
/// requests of sessions that are older. Returns how many receipts and requests.
///
/// The requests of a session are deleted together. So each session is recorded whole or not at all,
/// and the audit can tell a purged session from a damaged one.
pub(super) fn purge_others(
    t: &mut Transaction<'_>,
    before: NaiveDate,
    boot_id: &str,
    now: Moment,
) -> Done<(u64, u64)> {
    let receipts = receipts::purge_alone(t, before)?;
    t.execute("DELETE FROM open_item WHERE call_date < $1", &[&Day(before)])?;
    open_discrepancies::purge(t, before)?;
    let mut requests = 0;
    for session_no in old_sessions(t, boot_id, now)? {
        requests += t.execute("DELETE FROM request WHERE session_no = $1", &[&session_no])?;
    }
    Ok((receipts, requests))
}

/// The sessions whose calls are all purged, and whose requests no cap counts any more.
fn old_sessions(t: &mut Transaction<'_>, boot_id: &str, now: Moment) -> Done<Vec<i64>> {
    t.batch_execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on")?;
    let rows = t.query(
        "SELECT s.session_no, account, count(*),
                NOT bool_or(c.call_no IS NOT NULL) AND max(sent_at) < $1
                  AND (boot_id <> $2 OR max(sent_boot_us) < $3) AND (ended_at IS NOT NULL OR fence > 0),
                (SELECT max(cap_requests) FROM session)
         FROM session AS s JOIN request AS r ON r.session_no = s.session_no LEFT JOIN call AS c ON c.call_no = r.call_no
         GROUP BY s.session_no ORDER BY s.session_no DESC",
        &[
            &time_us(now.wall - KEPT_FOR_THE_CAP),
            &boot_id,
            &(now.boot_us - KEPT_FOR_THE_CAP.num_microseconds().unwrap_or(i64::MAX)),
        ],
    )?;
    // The newest requests of each account stay under any wall clock: the cap of its next session
    // counts them. A window of a session never held more than its cap.
    let mut newer: HashMap<String, i64> = HashMap::new();
    let mut old = Vec::new();
    for row in rows {
        let newer = newer.entry(row.try_get(1)?).or_default();
        if row.try_get(3)? && *newer >= 2 * row.try_get::<_, i64>(4)? {
            old.push(row.try_get(0)?);
        }
        *newer += row.try_get::<_, i64>(2)?;
    }
    Ok(old)
}

/// Erases every trace of a phone number in calls with these numbers. Returns how many calls.
///
/// A permanent error replaces an answer that contains it, so its call is not asked again. A call
/// whose CallId contains it is deleted; its requests stay for the cap. The open discrepancies of
/// both are deleted. The answers beside that of the call are deleted if any of its answers
/// contains it.
pub(super) fn forget_calls(t: &mut Transaction<'_>, window: &RangeInclusive<i64>, number: &str) -> Done<u64> {
    let sql = format!("SELECT {COLUMNS} FROM call WHERE call_no BETWEEN $1 AND $2");
    let mut calls = 0;
    for row in t.query(&sql, &[window.start(), window.end()])? {
        let is_in = |column: usize| -> Result<bool, postgres::Error> {
            let text: Option<&str> = row.try_get(column)?;
            Ok(text.is_some_and(|text| contains_number(&values::read(text), number)))
        };
        let call_no: i64 = row.try_get(0)?;
        let mut texts = ANSWER_TEXTS.into_iter();
        if is_in(CALL_ID)? {
            forget_discrepancies(t, &row)?;
            receipts::delete(t, &key_of(&row)?)?;
            t.execute("DELETE FROM call WHERE call_no = $1", &[&call_no])?;
        } else if texts.try_fold(false, |found, column| Ok::<_, postgres::Error>(found || is_in(column)?))? {
            forget_discrepancies(t, &row)?;
            forget_answer(t, &row)?;
        } else if !other_answers::texts(t, call_no)?.iter().any(|text| contains_number(text, number)) {
            continue;
        }
        other_answers::delete(t, call_no)?;
        calls += 1;
    }
    Ok(calls)
}

/// Deletes the open discrepancies of a call. Without its answer, nothing can say any more whether
/// its values differ.
fn forget_discrepancies(t: &mut Transaction<'_>, row: &Row) -> Done<()> {
    open_discrepancies::forget_calls(t, &[Subject::of_call(&key_of(row)?).digest()])
}

/// Replaces an answer. What remains of a discarded one is emptied.
fn forget_answer(t: &mut Transaction<'_>, row: &Row) -> Done<()> {
    let call_no: i64 = row.try_get(0)?;
    let Some(stored) = answer_of(row)? else {
        let sql =
            "UPDATE call SET answer = NULL, next_date = NULL, request_id = NULL, code = NULL, message = NULL,
                                   data = NULL, checksum = NULL WHERE call_no = $1";
        t.execute(sql, &[&call_no])?;
        return Ok(());
    };
    let answer = forgotten(stored.answer.found_date);
    let sum = checksum(&key_of(row)?, &answer, stored.session_no, row.try_get(7)?);
    t.execute(
        "UPDATE call SET answer = $2, next_date = NULL, request_id = NULL, code = $3, message = $4, data = NULL,
                         checksum = $5 WHERE call_no = $1",
        &[&call_no, &answer.kind.as_str(), &answer.code.as_str(), &answer.message.as_str(), &sum],
    )?;
    Ok(())
}

/// Replaces the provider's codes that contain the number in the record of requests, and deletes its
/// request ids that do. Deletes the open items whose CallId contains it, also those without a call,
/// with their open discrepancies. Deletes the open discrepancies whose field contains it, and those
/// of all unusable rows. Erases receipts, and returns how many.
pub(super) fn forget_others(t: &mut Transaction<'_>, number: &str) -> Done<u64> {
    t.batch_execute("SET LOCAL enable_seqscan = on")?;
    let mut with_number = |sql: &str| -> Done<Vec<String>> {
        let mut found = Vec::new();
        for row in t.query(sql, &[])? {
            let text: String = row.try_get(0)?;
            if contains_number(&values::read(&text), number) {
                found.push(text);
            }
        }
        Ok(found)
    };
    let codes = with_number("SELECT DISTINCT code FROM request WHERE code IS NOT NULL")?;
    let ids = with_number("SELECT DISTINCT call_id FROM open_item")?;
    let fields = with_number("SELECT DISTINCT field FROM open_discrepancy")?;
    if !codes.is_empty() {
        t.execute("UPDATE request SET code = $2 WHERE code = ANY ($1)", &[&codes, &FORGOTTEN])?;
    }
    let deleted = "DELETE FROM open_item WHERE call_id = ANY ($1) RETURNING call_id, prod_id, call_date";
    let subject = |row: &Row| -> Result<i64, postgres::Error> {
        let (call_id, Day(day)) = (values::read(row.try_get(0)?).into_owned(), row.try_get(2)?);
        Ok(Subject::of_call(&CallKey { call_id, prod_id: ProductId(row.try_get(1)?), day }).digest())
    };
    let subjects: Vec<i64> = t.query(deleted, &[&ids])?.iter().map(subject).collect::<Result<_, _>>()?;
    open_discrepancies::forget_calls(t, &subjects)?;
    t.execute("DELETE FROM open_discrepancy WHERE field = ANY ($1)", &[&fields])?;
    open_discrepancies::forget_rows(t)?;
    forget_request_ids(t, number)?;
    receipts::forget(t, number)
}

/// Each request has an id of its own, so they are read one by one.
fn forget_request_ids(t: &mut Transaction<'_>, number: &str) -> Done<()> {
    let (mut sessions, mut requests): (Vec<i64>, Vec<i64>) = Default::default();
    let sql = "SELECT session_no, request_no, request_id FROM request WHERE request_id IS NOT NULL";
    let mut rows = t.query_raw(sql, std::iter::empty::<&str>())?;
    while let Some(row) = rows.next()? {
        if contains_number(&values::read(row.try_get(2)?), number) {
            sessions.push(row.try_get(0)?);
            requests.push(row.try_get(1)?);
        }
    }
    drop(rows);
    t.execute(
        "UPDATE request SET request_id = NULL
         WHERE (session_no, request_no) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))",
        &[&sessions, &requests],
    )?;
    Ok(())
}
