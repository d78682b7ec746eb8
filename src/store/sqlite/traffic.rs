//! Computes from the table `request` what a session sent, and whether it kept the cap.
//!
//! Requests are attributed by their own session number, not only by its range of numbers. So the
//! audit also sees two sessions that worked at the same time, as a broken lock would allow.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use reconcile_core::arrival::{Arrival, LATEST_ARRIVAL, LONGEST_TIMEOUT};
use reconcile_core::cap_audit::{Audit, Evidence, Trip};
use reconcile_core::rate::Rate;
use reconcile_core::traffic::{Sending, SendingPoint, Traffic};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::arrivals;
use crate::store::endings::timeout;
use crate::store::history::SessionEvidence;
use crate::store::request::WITHDRAWN;
use crate::store::sent_requests::{MAX_CODES, count, windows_per_point};
use crate::store::units::{count_of, duration_us, time_of};

/// Every session, and the range of its requests.
const SESSIONS: &str = "SELECT session_no, boot_id, cap_requests, cap_window_us, started_at, first_request_no,
                               coalesce(lead(first_request_no) OVER (ORDER BY session_no), 9223372036854775807),
                               timeout_us
                        FROM session";

/// A row of [`SESSIONS`].
struct SessionRow {
    session_no: i64,
    boot_id: String,
    rate: Rate,
    started_at: i64,
    first_request_no: i64,
    /// The first request of the next session.
    end_request_no: i64,
    timeout_us: i64,
}

impl SessionRow {
    fn find(c: &Connection, session_no: i64) -> rusqlite::Result<Self> {
        let sql = format!("SELECT * FROM ({SESSIONS}) WHERE session_no = ?1");
        c.query_row(&sql, [session_no], Self::read)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let requests: u32 = row.get(2)?;
        let window_us: i64 = row.get(3)?;
        Ok(Self {
            session_no: row.get(0)?,
            boot_id: row.get(1)?,
            rate: Rate {
                requests: requests.try_into().unwrap_or(NonZeroU32::MIN),
                window: Duration::from_micros(window_us.unsigned_abs()),
            },
            started_at: row.get(4)?,
            first_request_no: row.get(5)?,
            end_request_no: row.get(6)?,
            timeout_us: row.get(7)?,
        })
    }
}

/// The number of requests that a session sent, and the evidence that it kept the cap.
pub(super) fn traffic(c: &Connection, session_no: i64) -> rusqlite::Result<Traffic> {
    let session = SessionRow::find(c, session_no)?;
    read_session(c, &session, last_request(c, session_no)?)
}

/// How each session with requests kept the cap, oldest first.
pub(super) fn evidence(c: &Connection) -> rusqlite::Result<Vec<SessionEvidence>> {
    let mut sessions = c.prepare(&format!("{SESSIONS} ORDER BY session_no"))?;
    let last_requests = last_requests(c)?;
    let mut found = Vec::new();
    for session in sessions.query_map([], SessionRow::read)? {
        let session = session?;
        let Some(last) = last_requests.get(&session.session_no) else { continue };
        let traffic = read_session(c, &session, Some(*last))?;
        found.push(SessionEvidence {
            session_no: session.session_no,
            started_at: time_of(session.started_at),
            boot_id: session.boot_id,
            rate: session.rate,
            throttled: traffic.throttled,
            evidence: traffic.evidence,
        });
    }
    Ok(found)
}

/// The last request of a session; `None` if it has none.
fn last_request(c: &Connection, session_no: i64) -> rusqlite::Result<Option<i64>> {
    // Nearly always the newest request of all, so the search ends at once.
    let sql = "SELECT request_no FROM request WHERE session_no = ?1 ORDER BY request_no DESC LIMIT 1";
    c.query_row(sql, [session_no], |row| row.get(0)).optional()
}

/// The last request of each session, by the session's number.
fn last_requests(c: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    let mut query = c.prepare("SELECT session_no, max(request_no) FROM request GROUP BY session_no")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Audits a session in one pass over its requests.
///
/// Requests of other sessions fill the windows: those before it, if they can have arrived in one of
/// its windows, and those between its own. They count only if they are of the same boot: times of
/// other boots are on another clock.
fn read_session(c: &Connection, session: &SessionRow, last: Option<i64>) -> rusqlite::Result<Traffic> {
    let mut traffic = Traffic::default();
    let Some(last) = last else { return Ok(traffic) };
    let mut audit = Audit::new(session.rate);
    let mut query = c.prepare_cached(&format!(
        "SELECT {}, sent_boot_us, purpose, throttled, session_no, timeout_us, boot_id
         FROM request JOIN session USING (session_no)
         WHERE request_no >= ?1 AND request_no <= ?2 ORDER BY request_no",
        arrivals::COLUMNS
    ))?;
    let mut rows = query.query([session.first_request_no, last])?;
    let (mut recorded, mut missing, mut is_first) = (0, 0, true);
    while let Some(row) = rows.next()? {
        recorded += 1;
        let counted = row.get::<_, i64>(6)? == session.session_no;
        if !counted && row.get_ref(8)?.as_str()? != session.boot_id {
            continue;
        }
        let sent_us: i64 = row.get(3)?;
        if counted && std::mem::take(&mut is_first) {
            earlier_trips(c, session, sent_us)?.into_iter().for_each(|trip| audit.push(trip));
            missing += missing_before(c, session, sent_us)?;
        }
        if let Some(arrival) = arrivals::arrival(row, 0, row.get(7)?)? {
            audit.push(Trip { sent_us, arrival, counted });
        }
        if counted && !arrivals::is_withdrawn(row, 0)? {
            count(&mut traffic, row.get_ref(4)?.as_str()?, row.get(5)?);
        }
    }
    // The next session's first number is known, so a missing end of this one shows too.
    let end =
        if session.end_request_no == i64::MAX { last + 1 } else { session.end_request_no.max(last + 1) };
    missing += end - session.first_request_no - recorded;
    traffic.evidence = Evidence { missing: count_of(missing), ..audit.finish() };
    Ok(traffic)
}

/// Requests of earlier sessions that can have arrived less than one window before this session's
/// first request, in the order in which they were sent. Without a reply, they count for an hour.
fn earlier_trips(c: &Connection, session: &SessionRow, first_sent: i64) -> rusqlite::Result<Vec<Trip>> {
    let window_start = first_sent.saturating_sub(session.rate.window_us());
    let mut query = c.prepare_cached(&format!(
        "SELECT {}, sent_boot_us, timeout_us FROM request JOIN session USING (session_no)
         WHERE (replied_boot_us > ?1 OR replied_boot_us IS NULL) AND request_no < ?2 AND boot_id = ?3
         ORDER BY sent_boot_us",
        arrivals::COLUMNS
    ))?;
    let latest = window_start.saturating_sub(duration_us(LATEST_ARRIVAL));
    let mut rows = query.query(params![
        latest.saturating_sub(duration_us(LONGEST_TIMEOUT)),
        session.first_request_no,
        session.boot_id
    ])?;
    let mut trips = Vec::new();
    while let Some(row) = rows.next()? {
        let arrival = arrivals::arrival(row, 0, row.get(4)?)?;
        let counts_from = |arrival: &Arrival| if arrival.is_proven { window_start } else { latest };
        if let Some(arrival) = arrival.filter(|arrival| arrival.latest_us > counts_from(arrival)) {
            trips.push(Trip { sent_us: row.get(3)?, arrival, counted: false });
        }
    }
    Ok(trips)
}

/// How many request numbers are missing before this session, among requests that were sent recently
/// enough to count in its first window.
fn missing_before(c: &Connection, session: &SessionRow, first_sent: i64) -> rusqlite::Result<i64> {
    let rest = timeout(session.timeout_us).min(LONGEST_TIMEOUT);
    let recently = first_sent - session.rate.window_us() - 2 * duration_us(rest);
    let mut query = c.prepare_cached(
        "SELECT request_no, sent_boot_us, boot_id FROM request JOIN session USING (session_no)
         WHERE request_no < ?1 ORDER BY request_no DESC",
    )?;
    let mut rows = query.query([session.first_request_no])?;
    let mut above: Option<i64> = None;
    while let Some(row) = rows.next()? {
        let (no, sent): (i64, i64) = (row.get(0)?, row.get(1)?);
        let missing = above.map_or(0, |above| above - no - 1);
        if missing > 0 {
            return Ok(missing);
        }
        if row.get_ref(2)?.as_str()? != session.boot_id || sent < recently {
            return Ok(0);
        }
        above = Some(no);
    }
    // The oldest request of the store is recent, and it is not the first one that was ever sent.
    Ok(above.map_or(0, |oldest| oldest - 1))
}

/// The requests of a session, window by window, and the codes that led to another try.
pub(super) fn sending(c: &Connection, session_no: i64) -> rusqlite::Result<Sending> {
    let session = SessionRow::find(c, session_no)?;
    let (first, last): (Option<i64>, Option<i64>) = c.query_row(
        "SELECT min(sent_boot_us), max(sent_boot_us) FROM request WHERE request_no >= ?1 AND session_no = ?2",
        [session.first_request_no, session_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(Sending::default()) };
    let window_us = session.rate.window_us().max(1);
    let windows_per_point = windows_per_point(first, last, window_us);
    Ok(Sending {
        windows_per_point: count_of(windows_per_point),
        points: points(c, &session, first, windows_per_point)?,
        tried_again: tried_again(c, &session)?,
    })
}

/// The points of the chart, from `first_us` on: the requests of each point's fullest window, and
/// the throttled requests of all its windows.
fn points(
    c: &Connection,
    session: &SessionRow,
    first_us: i64,
    windows_per_point: i64,
) -> rusqlite::Result<Vec<SendingPoint>> {
    let mut query = c.prepare(
        "SELECT w / ?5, max(requests), sum(throttled)
         FROM (SELECT (sent_boot_us - ?3) / ?4 AS w, count(*) AS requests, sum(throttled) AS throttled FROM request
               WHERE request_no >= ?1 AND session_no = ?2 AND code IS NOT ?6 GROUP BY w)
         GROUP BY 1 ORDER BY 1",
    )?;
    let window_us = session.rate.window_us().max(1);
    let range = (session.first_request_no, session.session_no);
    let points = query.query_map(
        params![range.0, range.1, first_us, window_us, windows_per_point, WITHDRAWN],
        |row| {
            Ok(SendingPoint {
                point: count_of(row.get(0)?),
                requests: count_of(row.get(1)?),
                throttled: count_of(row.get(2)?),
            })
        },
    )?;
    points.collect()
}

/// The most frequent codes that led to another try, each with its number of requests.
fn tried_again(c: &Connection, session: &SessionRow) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut query = c.prepare(
        "SELECT coalesce(code, ''), count(*) FROM request
         WHERE request_no >= ?1 AND session_no = ?2 AND decision = 'again' AND code IS NOT ?4
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?3",
    )?;
    let range = (session.first_request_no, session.session_no);
    let codes = query.query_map((range.0, range.1, MAX_CODES, WITHDRAWN), |row| {
        Ok((row.get(0)?, count_of(row.get(1)?)))
    })?;
    codes.collect()
}
