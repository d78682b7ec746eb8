//! The table `other_answer`: answers beside those that count.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_core::answer::{AnswerKind, NewAnswer};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::call_row::{COLUMNS, read};
use crate::store::amendments::{Amendment, AmendmentNo, OtherAnswer, changes};
use crate::store::call_row::CallRow;
use crate::store::checksum::checksum;
use crate::store::request::BegunRequest;
use crate::store::second_look::Effect;

/// Does what an answer to a call with a final record needs besides being written. Returns whether
/// it is written.
pub(super) fn look_again(
    c: &Connection,
    session_no: i64,
    begun: &BegunRequest,
    answer: &NewAnswer,
    fetched_at_us: i64,
) -> rusqlite::Result<bool> {
    let call_no = begun.call_no;
    let sql = format!("SELECT {COLUMNS} FROM call WHERE call_no = ?1");
    let row = c.prepare_cached(&sql)?.query_row([call_no], read)?;
    let stored = row.stored.answer.filter(|_| row.is_whole);
    let newest = beside(c, call_no)?.last().map(|other| other.stored.answer.kind);
    let effect = Effect::new(stored.as_ref(), answer, newest, begun.recheck);
    match effect {
        Effect::Write => return Ok(true),
        Effect::Check => {}
        Effect::Replace => keep_record(c, call_no, session_no)?,
        Effect::KeepBeside => keep_no_record(c, session_no, begun, answer, fetched_at_us)?,
    }
    c.prepare_cached("UPDATE call SET checked_session_no = ?2 WHERE call_no = ?1")?
        .execute([call_no, session_no])?;
    Ok(effect.writes_answer())
}

/// Keeps the record that counts beside the one that will.
fn keep_record(c: &Connection, call_no: i64, session_no: i64) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO other_answer (call_no, noted_session_no, answer, session_no, fetched_at, found_date, request_id,
                                   code, message, data, checksum)
         SELECT call_no, ?2, answer, session_no, fetched_at, found_date, request_id, code, message, data, checksum
         FROM call WHERE call_no = ?1
         ON CONFLICT DO NOTHING",
    )?
    .execute([call_no, session_no])
    .map(drop)
}

fn keep_no_record(
    c: &Connection,
    session_no: i64,
    BegunRequest { call_no, key, .. }: &BegunRequest,
    answer: &NewAnswer,
    fetched_at_us: i64,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO other_answer (call_no, noted_session_no, answer, session_no, fetched_at, found_date, request_id,
                                   code, message, data, checksum)
         VALUES (?1, ?2, ?3, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        call_no,
        session_no,
        AnswerKind::NoRecord.as_str(),
        fetched_at_us,
        answer.found_date.to_string(),
        answer.request_id,
        answer.code.as_str(),
        answer.message.as_str(),
        answer.data,
        checksum(key, answer, session_no, fetched_at_us)
    ])
    .map(drop)
}

/// The whole answers beside that of a call, in the order in which they were noted.
pub(super) fn beside(c: &Connection, call_no: i64) -> rusqlite::Result<Vec<OtherAnswer>> {
    let mut query = c.prepare_cached(
        "SELECT c.call_no, c.call_id, c.prod_id, c.call_date, c.attempts, o.answer, o.session_no, o.fetched_at,
                o.found_date, NULL, o.request_id, o.code, o.message, o.data, o.checksum, o.noted_session_no
         FROM other_answer AS o JOIN call AS c USING (call_no) WHERE call_no = ?1 ORDER BY noted_session_no",
    )?;
    let others = query.query_map([call_no], |row| {
        let CallRow { stored, is_whole, .. } = read(row)?;
        let answer = stored.answer.filter(|_| is_whole);
        let noted_session_no = row.get(15)?;
        Ok(answer.map(|stored| OtherAnswer { noted_session_no, stored }))
    })?;
    others.filter_map(Result::transpose).collect()
}

/// Passes the changes that a run has to tell to `each`, by the number of their call. Stops when
/// `each` returns false.
pub(super) fn amended(
    c: &Connection,
    run_no: i64,
    mut each: impl FnMut(Amendment) -> bool,
) -> rusqlite::Result<()> {
    for (call_no, noted) in untold(c, run_no)? {
        let sql = format!("SELECT {COLUMNS} FROM call WHERE call_no = ?1");
        let row = c.prepare_cached(&sql)?.query_row([call_no], read).optional()?;
        let Some(CallRow { key: Some(key), stored, is_whole, .. }) = row else { continue };
        let (others, current) = (beside(c, call_no)?, stored.answer.filter(|_| is_whole));
        for (noted_session_no, before, after) in changes(&others, current.as_ref()) {
            let new = |account| Amendment {
                no: AmendmentNo { call_no, noted_session_no },
                key: key.clone(),
                account,
                before: before.clone(),
                after: after.cloned(),
            };
            if noted.contains(&noted_session_no) && !each(new(account(c, noted_session_no)?)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The changes that a run has to tell: by call, the sessions that noted them.
fn untold(c: &Connection, run_no: i64) -> rusqlite::Result<BTreeMap<i64, BTreeSet<i64>>> {
    let mut query = c.prepare(
        "SELECT call_no, noted_session_no FROM other_answer
         WHERE told_run_no IS NULL OR told_run_no IN
           (SELECT r.run_no FROM run AS r JOIN run AS this USING (input_sha256)
            WHERE this.run_no = ?1 AND (r.chain_no = this.chain_no OR
              (r.started_at + 28800000000) / 86400000000 = (this.started_at + 28800000000) / 86400000000))",
    )?;
    let mut untold: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    let mut rows = query.query([run_no])?;
    while let Some(row) = rows.next()? {
        untold.entry(row.get(0)?).or_default().insert(row.get(1)?);
    }
    Ok(untold)
}

/// Notes that the outputs of a run tell these changes.
pub(super) fn tell(c: &Connection, run_no: i64, told: &[AmendmentNo]) -> rusqlite::Result<()> {
    let mut tell =
        c.prepare("UPDATE other_answer SET told_run_no = ?3 WHERE call_no = ?1 AND noted_session_no = ?2")?;
    told.iter().try_for_each(|no| tell.execute([no.call_no, no.noted_session_no, run_no]).map(drop))
}

fn account(c: &Connection, session_no: i64) -> rusqlite::Result<Option<String>> {
    c.prepare_cached("SELECT account FROM session WHERE session_no = ?1")?
        .query_row([session_no], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

/// Deletes the answers beside that of a call.
pub(super) fn delete(c: &Connection, call_no: i64) -> rusqlite::Result<()> {
    c.prepare_cached("DELETE FROM other_answer WHERE call_no = ?1")?.execute([call_no]).map(drop)
}

/// The texts of the answers beside that of a call, also of damaged ones.
pub(super) fn texts(c: &Connection, call_no: i64) -> rusqlite::Result<Vec<String>> {
    let mut query =
        c.prepare_cached("SELECT request_id, code, message, data FROM other_answer WHERE call_no = ?1")?;
    let mut rows = query.query([call_no])?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            let bytes = row.get_ref(column)?.as_bytes_or_null().ok().flatten();
            texts.extend(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
    }
    Ok(texts)
}
