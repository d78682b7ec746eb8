//! The table `other_answer`: answers beside those that count.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Row, Transaction};
use reconcile_core::answer::{AnswerKind, NewAnswer};

use super::call_row::{COLUMNS, read};
use super::errors::Done;
use super::values::{self, Day, stored};
use crate::store::amendments::{Amendment, AmendmentNo, OtherAnswer, changes};
use crate::store::call_row::CallRow;
use crate::store::checksum::checksum;
use crate::store::request::BegunRequest;
use crate::store::second_look::Effect;

/// Does what an answer to a call with a final record needs besides being written. Returns whether
/// it is written. If it was done before, it changes nothing.
pub(super) fn look_again(
    t: &mut Transaction<'_>,
    session_no: i64,
    begun: &BegunRequest,
    answer: &NewAnswer,
    fetched_at_us: i64,
) -> Done<bool> {
    let call_no = begun.call_no;
    let sql = format!("SELECT {COLUMNS} FROM call WHERE call_no = $1 FOR UPDATE");
    let Some(row) = t.query_opt(&sql, &[&call_no])? else { return Ok(true) };
    let row = read(&row)?;
    let stored = row.stored.answer.filter(|_| row.is_whole);
    let newest = beside(t, call_no)?.last().map(|other| other.stored.answer.kind);
    let effect = Effect::new(stored.as_ref(), answer, newest, begun.recheck);
    match effect {
        Effect::Write => return Ok(true),
        Effect::Check => {}
        Effect::Replace => keep_record(t, call_no, session_no)?,
        Effect::KeepBeside => keep_no_record(t, session_no, begun, answer, fetched_at_us)?,
    }
    t.execute("UPDATE call SET checked_session_no = $2 WHERE call_no = $1", &[&call_no, &session_no])?;
    Ok(effect.writes_answer())
}

/// Keeps the record that counts beside the one that will.
fn keep_record(t: &mut Transaction<'_>, call_no: i64, session_no: i64) -> Done<()> {
    t.execute(
        "INSERT INTO other_answer (call_no, noted_session_no, answer, session_no, fetched_at, found_date, request_id,
                                   code, message, data, checksum)
         SELECT call_no, $2, answer, session_no, fetched_at, found_date, request_id, code, message, data, checksum
         FROM call WHERE call_no = $1
         ON CONFLICT DO NOTHING",
        &[&call_no, &session_no],
    )?;
    Ok(())
}

fn keep_no_record(
    t: &mut Transaction<'_>,
    session_no: i64,
    BegunRequest { call_no, key, .. }: &BegunRequest,
    answer: &NewAnswer,
    fetched_at_us: i64,
) -> Done<()> {
    let text = |text: &Option<String>| text.as_deref().map(|text| stored(text).into_owned());
    t.execute(
        "INSERT INTO other_answer (call_no, noted_session_no, answer, session_no, fetched_at, found_date, request_id,
                                   code, message, data, checksum)
         VALUES ($1, $2, $3, $2, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT DO NOTHING",
        &[
            call_no,
            &session_no,
            &AnswerKind::NoRecord.as_str(),
            &fetched_at_us,
            &Day(answer.found_date),
            &text(&answer.request_id),
            &stored(&answer.code),
            &stored(&answer.message),
            &text(&answer.data),
            &checksum(key, answer, session_no, fetched_at_us),
        ],
    )?;
    Ok(())
}

/// The whole answers beside that of a call, in the order in which they were noted.
pub(super) fn beside(t: &mut Transaction<'_>, call_no: i64) -> Done<Vec<OtherAnswer>> {
    let rows = t.query(
        "SELECT c.call_no, c.call_id, c.prod_id, c.call_date, c.attempts, o.answer, o.session_no, o.fetched_at,
                o.found_date, NULL::date, o.request_id, o.code, o.message, o.data, o.checksum, o.noted_session_no
         FROM other_answer AS o JOIN call AS c USING (call_no) WHERE call_no = $1 ORDER BY noted_session_no",
        &[&call_no],
    )?;
    let other = |row: &Row| -> Result<Option<OtherAnswer>, postgres::Error> {
        let CallRow { stored, is_whole, .. } = read(row)?;
        let (answer, noted_session_no) = (stored.answer.filter(|_| is_whole), row.try_get(15)?);
        Ok(answer.map(|stored| OtherAnswer { noted_session_no, stored }))
    };
    Ok(rows.iter().filter_map(|row| other(row).transpose()).collect::<Result<_, _>>()?)
}

/// The changes that a run has to tell: by call, the sessions that noted them.
pub(super) fn untold(t: &mut Transaction<'_>, run_no: i64) -> Done<Vec<(i64, BTreeSet<i64>)>> {
    let rows = t.query(
        "SELECT call_no, noted_session_no
         FROM other_answer AS o JOIN session AS s ON s.session_no = o.noted_session_no
         WHERE told_run_no IN
                 (SELECT r.run_no FROM run AS r JOIN run AS this USING (input_sha256)
                  WHERE this.run_no = $1 AND (r.chain_no = this.chain_no OR
                    (r.started_at + 28800000000) / 86400000000 = (this.started_at + 28800000000) / 86400000000))
            OR told_run_no IS NULL AND (s.run_no = $1 OR s.ended_at IS NOT NULL OR s.fence <> 0)",
        &[&run_no],
    )?;
    let mut untold: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for row in rows {
        untold.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
    }
    Ok(untold.into_iter().collect())
}

/// The changes of these calls that these sessions have noted.
pub(super) fn amended(t: &mut Transaction<'_>, calls: &[(i64, BTreeSet<i64>)]) -> Done<Vec<Amendment>> {
    let mut amended = Vec::new();
    for (call_no, noted) in calls {
        let sql = format!("SELECT {COLUMNS} FROM call WHERE call_no = $1");
        let Some(row) = t.query_opt(&sql, &[call_no])? else { continue };
        let CallRow { key: Some(key), stored, is_whole, .. } = read(&row)? else { continue };
        let (others, current) = (beside(t, *call_no)?, stored.answer.filter(|_| is_whole));
        for (noted_session_no, before, after) in changes(&others, current.as_ref()) {
            if noted.contains(&noted_session_no) {
                let no = AmendmentNo { call_no: *call_no, noted_session_no };
                let (key, before, after) = (key.clone(), before.clone(), after.cloned());
                amended.push(Amendment { no, key, account: account(t, noted_session_no)?, before, after });
            }
        }
    }
    Ok(amended)
}

/// Notes that the outputs of a run tell these changes.
pub(super) fn tell(t: &mut Transaction<'_>, run_no: i64, told: &[AmendmentNo]) -> Done<()> {
    let (calls, noted): (Vec<i64>, Vec<i64>) =
        told.iter().map(|no| (no.call_no, no.noted_session_no)).unzip();
    t.execute(
        "UPDATE other_answer AS o SET told_run_no = $3 FROM unnest($1::bigint[], $2::bigint[]) AS n (call_no, noted)
         WHERE o.call_no = n.call_no AND o.noted_session_no = n.noted",
        &[&calls, &noted, &run_no],
    )?;
    Ok(())
}

fn account(t: &mut Transaction<'_>, session_no: i64) -> Done<Option<String>> {
    let row = t.query_opt("SELECT nullif(account, '') FROM session WHERE session_no = $1", &[&session_no])?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}

/// Deletes the answers beside that of a call.
pub(super) fn delete(t: &mut Transaction<'_>, call_no: i64) -> Done<()> {
    t.execute("DELETE FROM other_answer WHERE call_no = $1", &[&call_no])?;
    Ok(())
}

/// The texts of the answers beside that of a call, also of damaged ones.
pub(super) fn texts(t: &mut Transaction<'_>, call_no: i64) -> Done<Vec<String>> {
    let sql = "SELECT request_id, code, message, data FROM other_answer WHERE call_no = $1";
    let mut texts = Vec::new();
    for row in t.query(sql, &[&call_no])? {
        for column in 0..4 {
            let text: Option<&str> = row.try_get(column)?;
            texts.extend(text.map(|text| values::read(text).into_owned()));
        }
    }
    Ok(texts)
}
