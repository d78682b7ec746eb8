//! Reads the answers of whole sessions, for the export.
//!
//! The calls are read in windows of their numbers, each by a statement of its own. So a reader of
//! millions of calls never keeps another process from emptying the log.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use reconcile_core::quick_parse;
use rusqlite::{Connection, Row, params};

use super::beside::numbers;
use super::call_row::{COLUMNS, read};
use crate::store::answered::{AnswerGroup, AnsweredCall, EndedSession, Sessions};
use crate::store::call_row::CallRow;
use crate::store::units::time_of;
use crate::store::windows::windows;

/// The sessions, by number.
pub(super) fn sessions(c: &Connection) -> rusqlite::Result<Sessions> {
    let mut query = c.prepare(
        "SELECT session_no, run_id, session.started_at,
                session.ended_at IS NOT NULL OR first_request_no < (SELECT max(first_request_no) FROM session)
                  OR run_no < (SELECT max(run_no) FROM session)
         FROM session JOIN run USING (run_no) ORDER BY session_no",
    )?;
    let mut rows = query.query([])?;
    let mut sessions = Sessions::default();
    while let Some(row) = rows.next()? {
        let session_no = row.get(0)?;
        if row.get(3)? {
            let (run_id, started_at) = (row.get(1)?, time_of(row.get(2)?));
            sessions.ended.push(EndedSession { session_no, run_id, started_at });
        } else {
            sessions.open.push(session_no);
        }
    }
    Ok(sessions)
}

/// The answers by session and day. Reads every call once, but not its texts.
pub(super) fn groups(c: &Connection) -> rusqlite::Result<Vec<AnswerGroup>> {
    let mut groups: BTreeMap<_, AnswerGroup> = BTreeMap::new();
    let Some(numbers) = numbers(c)? else { return Ok(Vec::new()) };
    let mut query = c.prepare(
        "SELECT call_no, session_no, call_date FROM call
         WHERE call_no BETWEEN ?1 AND ?2 AND answer IS NOT NULL AND session_no IS NOT NULL ORDER BY call_no",
    )?;
    for window in windows(numbers) {
        let mut rows = query.query(params![window.start(), window.end()])?;
        while let Some(row) = rows.next()? {
            let (call_no, session_no): (i64, i64) = (row.get(0)?, row.get(1)?);
            // A run never finds a call whose day is damaged. It asks again, as a call of its own.
            let Some(day) = day_of(row, 2)? else { continue };
            let new = AnswerGroup { session_no, day, first_no: call_no, last_no: call_no, calls: 0 };
            let group = groups.entry((session_no, day)).or_insert(new);
            (group.last_no, group.calls) = (call_no, group.calls + 1);
        }
    }
    Ok(groups.into_values().collect())
}

/// Passes the answered calls of these numbers to `each`, by number, if session and day are wanted.
/// Stops when `each` returns false.
pub(super) fn answered(
    c: &Connection,
    calls: RangeInclusive<i64>,
    is_wanted: &dyn Fn(i64, NaiveDate) -> bool,
    mut each: impl FnMut(AnsweredCall) -> bool,
) -> rusqlite::Result<()> {
    let mut query = c.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM call
         WHERE call_no BETWEEN ?1 AND ?2 AND answer IS NOT NULL AND session_no IS NOT NULL ORDER BY call_no"
    ))?;
    for window in windows(calls) {
        let mut rows = query.query(params![window.start(), window.end()])?;
        while let Some(row) = rows.next()? {
            let session_no = row.get(6)?;
            if !day_of(row, 3)?.is_some_and(|day| is_wanted(session_no, day)) {
                continue;
            }
            let CallRow { key, stored, is_whole, .. } = read(row)?;
            let Some(key) = key else { continue };
            let answer = stored.answer.filter(|_| is_whole);
            if !each(AnsweredCall { key, session_no, attempts: stored.attempts, answer }) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The day in this column; `None` if it is damaged.
fn day_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<NaiveDate>> {
    Ok(quick_parse::day(row.get_ref(column)?.as_str()?))
}
