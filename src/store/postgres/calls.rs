//! Reads calls: by their keys, by their CallId, and whole sessions for the export.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use postgres::{Row, Transaction};
use reconcile_core::answer::StoredCall;
use reconcile_core::call::CallKey;

use super::call_row::{COLUMNS, read};
use super::connection::Link;
use super::errors::Done;
use super::values::{self, Day, stored};
use super::{other_answers, receipts};
use crate::store::answered::{AnswerGroup, AnsweredCall, EndedSession, Sessions};
use crate::store::call_row::CallRow;
use crate::store::history::{Attempt, KnownCall};
use crate::store::receipts::call_with;
use crate::store::stored_word::StoredWord;
use crate::store::units::{count_of, time_of};

/// One exchange for all keys. Each key is searched in the index.
const LOOKUP: &str = "
  SELECT c.*, no, r.* FROM unnest($1::text[], $2::bigint[], $3::date[]) WITH ORDINALITY AS k (id, product, day, no)
  LEFT JOIN LATERAL (
    SELECT call_no, call_id, prod_id, call_date, attempts, answer, session_no, fetched_at, found_date, next_date,
           request_id, code, message, data, checksum
    FROM call WHERE call_id = k.id AND prod_id = k.product AND call_date = k.day LIMIT 1) AS c ON true
  LEFT JOIN LATERAL (
    SELECT session_no, read_at, data, checksum
    FROM receipt WHERE call_id = k.id AND prod_id = k.product AND call_date = k.day LIMIT 1) AS r ON true
  WHERE c.call_no IS NOT NULL OR r.session_no IS NOT NULL";

/// The calls with these keys, in their order.
pub(super) fn lookup(link: &mut Link, keys: &[CallKey]) -> Done<Vec<Option<CallRow>>> {
    let statement = link.prepared(LOOKUP)?;
    let ids: Vec<_> = keys.iter().map(|key| stored(&key.call_id)).collect();
    let products: Vec<i64> = keys.iter().map(|key| key.prod_id.0).collect();
    let days: Vec<_> = keys.iter().map(|key| Day(key.day)).collect();
    let rows = link.client.query(&statement, &[&ids, &products, &days])?;
    let mut found: Vec<Option<CallRow>> = keys.iter().map(|_| None).collect();
    for row in &rows {
        let no: i64 = row.try_get(15)?;
        let Some(place) = usize::try_from(no - 1).ok().filter(|place| *place < found.len()) else { continue };
        let receipt = receipts::of_call(row, 16, &keys[place])?;
        found[place] = match row.try_get::<_, Option<i64>>(0)? {
            Some(_) => {
                let call = read(row)?;
                Some(CallRow { stored: StoredCall { receipt: receipt.map(Box::new), ..call.stored }, ..call })
            }
            None => receipt.map(|receipt| CallRow {
                call_no: 0,
                key: Some(keys[place].clone()),
                stored: call_with(receipt),
                is_whole: true,
            }),
        };
    }
    Ok(found)
}

/// Everything about the calls with this CallId, oldest first.
pub(super) fn named(t: &mut Transaction<'_>, call_id: &str) -> Done<Vec<KnownCall>> {
    // No index finds the requests of a call.
    t.batch_execute("SET LOCAL enable_seqscan = on")?;
    let sql = format!("SELECT {COLUMNS} FROM call WHERE call_id = $1 ORDER BY call_no");
    let mut calls = Vec::new();
    for row in t.query(&sql, &[&stored(call_id)])? {
        let CallRow { call_no, key, stored, is_whole } = read(&row)?;
        let Some(key) = key else { continue };
        calls.push(KnownCall {
            key,
            stored,
            is_whole,
            attempts: attempts(t, call_no)?,
            others: other_answers::beside(t, call_no)?,
        });
    }
    KnownCall::add_receipts(&mut calls, receipts::named(t, call_id)?);
    Ok(calls)
}

/// The requests of a call, in the order in which they were sent.
fn attempts(t: &mut Transaction<'_>, call_no: i64) -> Done<Vec<Attempt>> {
    let rows = t.query(
        "SELECT session_no, asked_date, purpose, sent_at, replied_at, replied_boot_us - sent_boot_us, http_status, code,
                throttled, decision, pause_us, nullif(account, ''), endpoint, request_id, recheck
         FROM request JOIN session USING (session_no) WHERE call_no = $1 ORDER BY session_no, request_no",
        &[&call_no],
    )?;
    Ok(rows.iter().map(attempt).collect::<Result<_, postgres::Error>>()?)
}

fn attempt(row: &Row) -> Result<Attempt, postgres::Error> {
    let status: Option<i32> = row.try_get(6)?;
    let text = |column: usize| -> Result<Option<String>, postgres::Error> {
        let text: Option<&str> = row.try_get(column)?;
        Ok(text.map(|text| values::read(text).into_owned()))
    };
    Ok(Attempt {
        session_no: row.try_get(0)?,
        asked_date: row.try_get::<_, Day>(1)?.0.to_string(),
        purpose: StoredWord::parse(row.try_get(2)?),
        sent_at: time_of(row.try_get(3)?),
        replied: row.try_get::<_, Option<i64>>(4)?.is_some(),
        took_us: row.try_get(5)?,
        http_status: status.and_then(|status| u16::try_from(status).ok()),
        code: text(7)?,
        throttled: row.try_get(8)?,
        decision: row.try_get::<_, Option<&str>>(9)?.map(StoredWord::parse),
        pause_us: row.try_get(10)?,
        account: row.try_get(11)?,
        endpoint: row.try_get(12)?,
        request_id: text(13)?,
        recheck: row.try_get(14)?,
    })
}

/// Up to three CallIds that begin like this one.
pub(super) fn similar(t: &mut Transaction<'_>, call_id: &str) -> Done<Vec<String>> {
    let start: String = call_id.chars().take(6).collect();
    let end = format!("{}\u{10FFFF}2", stored(&start));
    let rows = t.query(
        "SELECT call_id FROM call WHERE call_id >= $1 AND call_id < $2
         UNION SELECT call_id FROM receipt WHERE call_id >= $1 AND call_id < $2 ORDER BY 1 LIMIT 3",
        &[&stored(&start), &end],
    )?;
    let id = |row: &Row| row.try_get(0).map(|id| values::read(id).into_owned());
    Ok(rows.iter().map(id).collect::<Result<_, postgres::Error>>()?)
}

/// The sessions, by number.
pub(super) fn sessions(t: &mut Transaction<'_>) -> Done<Sessions> {
    let rows = t.query(
        "SELECT session_no, run_id, s.started_at, s.ended_at IS NOT NULL OR fence > 0
         FROM session AS s JOIN run USING (run_no) ORDER BY session_no",
        &[],
    )?;
    let mut sessions = Sessions::default();
    for row in rows {
        let session_no = row.try_get(0)?;
        if row.try_get(3)? {
            let (run_id, started_at) = (row.try_get(1)?, time_of(row.try_get(2)?));
            sessions.ended.push(EndedSession { session_no, run_id, started_at });
        } else {
            sessions.open.push(session_no);
        }
    }
    Ok(sessions)
}

/// The numbers of the first and the last call; `None` without calls.
pub(super) fn numbers(t: &mut Transaction<'_>) -> Done<Option<RangeInclusive<i64>>> {
    let row = t.query_one("SELECT min(call_no), max(call_no) FROM call", &[])?;
    let (first, last): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(first.zip(last).map(|(first, last)| first..=last))
}

/// Adds the answers of calls with these numbers to their groups, by session and day.
pub(super) fn add_groups(
    t: &mut Transaction<'_>,
    window: &RangeInclusive<i64>,
    groups: &mut BTreeMap<(i64, NaiveDate), AnswerGroup>,
) -> Done<()> {
    let rows = t.query(
        "SELECT session_no, call_date, min(call_no), max(call_no), count(*) FROM call
         WHERE call_no BETWEEN $1 AND $2 AND answer IS NOT NULL AND session_no IS NOT NULL GROUP BY 1, 2",
        &[window.start(), window.end()],
    )?;
    for row in rows {
        let (session_no, Day(day)): (i64, Day) = (row.try_get(0)?, row.try_get(1)?);
        let (first_no, last_no): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        let new = AnswerGroup { session_no, day, first_no, last_no, calls: 0 };
        let group = groups.entry((session_no, day)).or_insert(new);
        group.last_no = last_no;
        group.calls += count_of(row.try_get(4)?);
    }
    Ok(())
}

/// The answered calls of a window of numbers, by number, if their session and day are wanted. Each
/// with its session.
pub(super) fn answered(
    link: &mut Link,
    window: &RangeInclusive<i64>,
    wanted: &[(i64, NaiveDate)],
) -> Done<Vec<(i64, CallRow)>> {
    const ANSWERED: &str = "
      SELECT call_no, call_id, prod_id, call_date, attempts, answer, session_no, fetched_at, found_date, next_date,
             request_id, code, message, data, checksum
      FROM call WHERE call_no BETWEEN $1 AND $2 AND answer IS NOT NULL
        AND (session_no, call_date) IN (SELECT * FROM unnest($3::bigint[], $4::date[])) ORDER BY call_no";
    let statement = link.prepared(ANSWERED)?;
    let (sessions, days): (Vec<i64>, Vec<Day>) =
        wanted.iter().map(|(session_no, day)| (*session_no, Day(*day))).unzip();
    let rows = link.client.query(&statement, &[window.start(), window.end(), &sessions, &days])?;
    let call = |row: &Row| Ok((row.try_get(6)?, read(row)?));
    Ok(rows.iter().map(call).collect::<Result<_, postgres::Error>>()?)
}

/// The call without a damaged answer.
pub(super) fn whole(row: CallRow) -> StoredCall {
    let StoredCall { attempts, answer, receipt } = row.stored;
    StoredCall { attempts, answer: answer.filter(|_| row.is_whole), receipt }
}

/// The call with its answer; `None` if the row says no session.
pub(super) fn answered_call((session_no, row): (i64, CallRow)) -> Option<AnsweredCall> {
    let CallRow { key, stored, is_whole, .. } = row;
    let answer = stored.answer.filter(|_| is_whole);
    Some(AnsweredCall { key: key?, session_no, attempts: stored.attempts, answer })
}
