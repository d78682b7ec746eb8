//! Writes requests and answers: the tables `request` and `call`.

use chrono::{DateTime, Utc};
use reconcile_core::answer::NewAnswer;
use rusqlite::{Connection, params};

use super::other_answers;
use crate::clock::Moment;
use crate::store::checksum::checksum;
use crate::store::group_commit::Command;
use crate::store::request::{BegunRequest, NewRequest, RequestEnd, WITHDRAWN};
use crate::store::stored_word::Word as _;
use crate::store::units::{duration_us, time_us};

/// Writes a command. Returns its request.
pub(super) fn write(c: &Connection, command: Command) -> rusqlite::Result<BegunRequest> {
    match command {
        Command::Begin { session_no, request, at } => begin_request(c, session_no, request, at),
        Command::End { session_no, begun, end, answer } => {
            end_request(c, &begun, &end)?;
            if let Some(answer) = answer {
                let fetched_at = end.provider_at.unwrap_or(end.at.wall);
                let is_written = !begun.had_final
                    || other_answers::look_again(c, session_no, &begun, &answer, time_us(fetched_at))?;
                if is_written {
                    store_answer(c, session_no, &begun, &answer, fetched_at)?;
                }
            }
            Ok(begun)
        }
    }
}

/// Inserts a request, and its call if the call is new.
fn begin_request(
    c: &Connection,
    session_no: i64,
    request: NewRequest,
    at: Moment,
) -> rusqlite::Result<BegunRequest> {
    let key = request.key;
    let (call_no, had_final) = c
        .prepare_cached(
            "INSERT INTO call (call_id, prod_id, call_date, attempts, first_session_no) VALUES (?1, ?2, ?3, 1, ?4)
             ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET attempts = attempts + 1
             RETURNING call_no, coalesce(answer = 'final', 0)",
        )?
        .query_row(params![key.call_id, key.prod_id.0, key.day.to_string(), session_no], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    c.prepare_cached(
        "INSERT INTO request (session_no, call_no, asked_date, purpose, sent_at, sent_boot_us, recheck)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        session_no,
        call_no,
        request.asked_date.to_string(),
        request.purpose.word(),
        time_us(at.wall),
        at.boot_us,
        request.recheck
    ])?;
    let recheck = request.recheck;
    Ok(BegunRequest { request_no: c.last_insert_rowid(), call_no, key, had_final, recheck })
}

/// Writes the end of a request. A withdrawn one is no attempt of its call.
fn end_request(c: &Connection, begun: &BegunRequest, end: &RequestEnd) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE request SET replied_at = ?2, replied_boot_us = ?3, http_status = ?4, code = ?5, throttled = ?6,
                decision = ?7, pause_us = ?8, request_id = ?9
         WHERE request_no = ?1",
    )?
    .execute(params![
        begun.request_no,
        time_us(end.at.wall),
        end.at.boot_us,
        end.http_status,
        end.code,
        end.throttled,
        end.decision.word(),
        end.pause.map(duration_us),
        end.request_id
    ])?;
    if end.code == WITHDRAWN {
        c.prepare_cached("UPDATE call SET attempts = attempts - 1 WHERE call_no = ?1")?
            .execute([begun.call_no])?;
    }
    Ok(())
}

/// Writes a call's answer if [`AnswerKind::replaces`] says so.
///
/// [`AnswerKind::replaces`]: reconcile_core::answer::AnswerKind::replaces
fn store_answer(
    c: &Connection,
    session_no: i64,
    begun: &BegunRequest,
    answer: &NewAnswer,
    fetched_at: DateTime<Utc>,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE call SET answer = ?2, session_no = ?3, fetched_at = ?4, found_date = ?5, next_date = ?6,
                request_id = ?7, code = ?8, message = ?9, data = ?10, checksum = ?11
         WHERE call_no = ?1 AND (?2 IN ('final', 'interim') OR answer IS NULL
                               OR NOT (answer = 'final' OR answer = 'interim' AND ?2 = 'exhausted'))",
    )?
    .execute(params![
        begun.call_no,
        answer.kind.as_str(),
        session_no,
        time_us(fetched_at),
        answer.found_date.to_string(),
        answer.next_date.map(|day| day.to_string()),
        answer.request_id,
        answer.code.as_str(),
        answer.message.as_str(),
        answer.data,
        checksum(&begun.key, answer, session_no, time_us(fetched_at))
    ])?;
    Ok(())
}

/// Deletes answers by the numbers of their calls.
pub(super) fn discard_answers(c: &Connection, call_nos: &[i64]) -> rusqlite::Result<()> {
    let mut discard = c.prepare("UPDATE call SET answer = NULL, checksum = NULL WHERE call_no = ?1")?;
    call_nos.iter().try_for_each(|call_no| discard.execute([call_no]).map(drop))
}
