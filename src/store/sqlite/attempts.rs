//! The record of requests: what was sent for a call, by a session, and what it says of the cap.

use chrono::DateTime;
use rusqlite::{Connection, Row, params};

use super::count;
use crate::store::{Attempt, SessionEvidence};
use reconcile_core::audit::{Audit, Evidence, Trip};
use reconcile_core::rate::Rate;
use reconcile_core::traffic::{Sending, SendingPoint, Traffic};

/// A session and its place in the record.
struct SessionRow {
    session_no: i64,
    boot_id: String,
    rate: Rate,
    started_at: i64,
    first_request_no: i64,
    /// The next session's first request.
    end: i64,
}

const SESSIONS: &str = "SELECT session_no, boot_id, cap_requests, cap_window_us, started_at, first_request_no,
                               coalesce(lead(first_request_no) OVER (ORDER BY session_no), 9223372036854775807)
                        FROM session";

fn session(c: &Connection, session_no: i64) -> rusqlite::Result<SessionRow> {
    c.query_row(&format!("SELECT * FROM ({SESSIONS}) WHERE session_no = ?1"), [session_no], session_row)
}

fn session_row(r: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let window_us: i64 = r.get(3)?;
    let requests: u32 = r.get(2)?;
    Ok(SessionRow {
        session_no: r.get(0)?,
        boot_id: r.get(1)?,
        rate: Rate {
            requests: requests.try_into().unwrap_or(std::num::NonZeroU32::MIN),
            window: std::time::Duration::from_micros(window_us.unsigned_abs()),
        },
        started_at: r.get(4)?,
        first_request_no: r.get(5)?,
        end: r.get(6)?,
    })
}

/// What a session sent, and what its record says of the cap.
pub(super) fn traffic(c: &Connection, session_no: i64) -> rusqlite::Result<Traffic> {
    let session = session(c, session_no)?;
    let (counts, evidence) = read_session(c, &session)?;
    Ok(Traffic { evidence, ..counts })
}

/// So many points a chart can show.
const POINTS_AT_MOST: i64 = 240;
/// The codes with the most tries; a provider has not many more.
const CODES_AT_MOST: i64 = 20;

/// What a session sent, window by window, and what it tried again.
pub(super) fn sending(c: &Connection, session_no: i64) -> rusqlite::Result<Sending> {
    let session = session(c, session_no)?;
    let range = (session.first_request_no, session.end);
    let (first, last): (Option<i64>, Option<i64>) = c.query_row(
        "SELECT min(sent_boot_us), max(sent_boot_us) FROM request WHERE request_no >= ?1 AND request_no < ?2",
        range,
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(Sending::default()) };
    let window = session.rate.window_us().max(1);
    let per_point = (last - first) / window / POINTS_AT_MOST + 1;
    let mut points = c.prepare(
        "SELECT w / ?5, max(requests), sum(throttled)
         FROM (SELECT (sent_boot_us - ?3) / ?4 AS w, count(*) AS requests, sum(throttled) AS throttled FROM request
               WHERE request_no >= ?1 AND request_no < ?2 GROUP BY w)
         GROUP BY 1 ORDER BY 1",
    )?;
    let points = points.query_map(params![range.0, range.1, first, window, per_point], |r| {
        Ok(SendingPoint { point: count(r.get(0)?), requests: count(r.get(1)?), throttled: count(r.get(2)?) })
    })?;
    let mut codes = c.prepare(
        "SELECT coalesce(code, ''), count(*) FROM request
         WHERE request_no >= ?1 AND request_no < ?2 AND decision = 'again' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?3",
    )?;
    let codes =
        codes.query_map(params![range.0, range.1, CODES_AT_MOST], |r| Ok((r.get(0)?, count(r.get(1)?))))?;
    Ok(Sending {
        windows_per_point: count(per_point),
        points: points.collect::<rusqlite::Result<_>>()?,
        tried_again: codes.collect::<rusqlite::Result<_>>()?,
    })
}

/// The same for every session that sent anything, oldest first.
pub(super) fn evidence(c: &Connection) -> rusqlite::Result<Vec<SessionEvidence>> {
    let mut sessions = c.prepare(&format!("{SESSIONS} ORDER BY session_no"))?;
    let mut found = Vec::new();
    for session in sessions.query_map([], session_row)? {
        let session = session?;
        let (counts, evidence) = read_session(c, &session)?;
        if counts.requests > 0 {
            found.push(SessionEvidence {
                session_no: session.session_no,
                started_at: DateTime::from_timestamp_micros(session.started_at).unwrap_or_default(),
                boot_id: session.boot_id,
                rate: session.rate,
                throttled: counts.throttled,
                evidence,
            });
        }
    }
    Ok(found)
}

/// One pass over the session's requests, behind those of earlier sessions on the same boot of the machine whose
/// window reaches into it. Those of other boots cannot be placed on its clock.
fn read_session(c: &Connection, session: &SessionRow) -> rusqlite::Result<(Traffic, Evidence)> {
    let mut traffic = Traffic::default();
    let mut audit = Audit::new(session.rate);
    let mut query = c.prepare_cached(
        "SELECT sent_boot_us, coalesce(replied_boot_us, 9223372036854775807), purpose, throttled FROM request
         WHERE request_no >= ?1 AND request_no < ?2 ORDER BY request_no",
    )?;
    let mut rows = query.query(params![session.first_request_no, session.end])?;
    while let Some(row) = rows.next()? {
        let trip = Trip { sent_us: row.get(0)?, replied_us: row.get(1)?, counted: true };
        if traffic.requests == 0 {
            earlier(c, session, trip.sent_us)?.into_iter().for_each(|trip| audit.push(trip));
        }
        audit.push(trip);
        traffic.requests += 1;
        traffic.throttled += u64::from(row.get::<_, bool>(3)?);
        match row.get_ref(2)?.as_str()? {
            "first" => traffic.first_tries += 1,
            "retry" => traffic.retries += 1,
            "other_day" => traffic.other_day_tries += 1,
            _ => {}
        }
    }
    Ok((traffic, audit.finish()))
}

/// Requests of earlier sessions that were not yet one window past when this session's first was sent, in the order of
/// their sending.
fn earlier(c: &Connection, session: &SessionRow, first_sent: i64) -> rusqlite::Result<Vec<Trip>> {
    let mut query = c.prepare_cached(
        "SELECT sent_boot_us, replied_boot_us FROM request JOIN session USING (session_no)
         WHERE replied_boot_us > ?1 AND request_no < ?2 AND boot_id = ?3 ORDER BY sent_boot_us",
    )?;
    let rows = query.query_map(
        params![first_sent - session.rate.window_us(), session.first_request_no, session.boot_id],
        |r| Ok(Trip { sent_us: r.get(0)?, replied_us: r.get(1)?, counted: false }),
    )?;
    rows.collect()
}

/// Every request about a call, in the order of their sending.
pub(super) fn of_call(c: &Connection, call_no: i64) -> rusqlite::Result<Vec<Attempt>> {
    let mut query = c.prepare_cached(
        "SELECT session_no, asked_date, purpose, sent_at, replied_at, replied_boot_us - sent_boot_us, http_status, code,
                throttled, decision, pause_us
         FROM request WHERE call_no = ?1 ORDER BY request_no",
    )?;
    let time = |us: i64| DateTime::from_timestamp_micros(us).unwrap_or_default();
    let rows = query.query_map([call_no], |r| {
        Ok(Attempt {
            session_no: r.get(0)?,
            asked_date: r.get(1)?,
            purpose: r.get(2)?,
            sent_at: time(r.get(3)?),
            replied: r.get::<_, Option<i64>>(4)?.is_some(),
            took_us: r.get(5)?,
            http_status: r.get(6)?,
            code: r.get(7)?,
            throttled: r.get(8)?,
            decision: r.get(9)?,
            pause_us: r.get(10)?,
        })
    })?;
    rows.collect()
}
