//! Computes from the table `request` what a session sent, and whether it kept the cap.
//!
//! Requests are attributed by their own session number, not only by its range of numbers. So the
//! audit also sees two sessions that worked at the same time, as a broken lock would allow.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use reconcile_core::arrival::{Arrival, LATEST_ARRIVAL, LONGEST_TIMEOUT};
use reconcile_core::ask_again::Scope;
use reconcile_core::cap_audit::{Audit, Evidence, Trip};
use reconcile_core::rate::Rate;
use reconcile_core::traffic::{Sending, SendingPoint, Traffic};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::arrivals;
use super::places::OF_ACCOUNT;
use crate::store::endings::timeout;
use crate::store::history::SessionEvidence;
use crate::store::request::WITHDRAWN;
use crate::store::sent_requests::{MAX_CODES, count, windows_per_point};
use crate::store::units::{count_of, duration_us, rate_of, time_of};

/// Every session, and the range of its requests. Sessions that begin together share one.
const SESSIONS: &str =
    "SELECT session_no, boot_id, cap_requests, cap_window_us, started_at, first_request_no,
                               min(first_request_no) OVER (ORDER BY first_request_no
                                                           GROUPS BETWEEN 1 FOLLOWING AND 1 FOLLOWING),
                               timeout_us, account
                        FROM session";

/// A row of [`SESSIONS`].
struct SessionRow {
    session_no: i64,
    boot_id: String,
    rate: Rate,
    started_at: i64,
    first_request_no: i64,
    /// The first request of the sessions that begin later; `None` if there are none.
    end_request_no: Option<i64>,
    timeout_us: i64,
    account: Option<String>,
}

impl SessionRow {
    fn find(c: &Connection, session_no: i64) -> rusqlite::Result<Self> {
        let sql = format!("SELECT * FROM ({SESSIONS}) WHERE session_no = ?1");
        c.query_row(&sql, [session_no], Self::read)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            session_no: row.get(0)?,
            boot_id: row.get(1)?,
            rate: rate_of(row.get(2)?, row.get(3)?),
            started_at: row.get(4)?,
            first_request_no: row.get(5)?,
            end_request_no: row.get(6)?,
            timeout_us: row.get(7)?,
            account: row.get(8)?,
        })
    }
}

/// The number of requests that each of these sessions sent, and the evidence that it kept the cap.
/// The sessions began together.
pub(super) fn traffic(c: &Connection, scopes: &[Scope]) -> rusqlite::Result<Vec<Traffic>> {
    let find = |scope: &Scope| {
        let session = SessionRow::find(c, scope.session_no)?;
        let last = last_request(c, &session)?;
        Ok((session, last))
    };
    read_sessions(c, &scopes.iter().map(find).collect::<rusqlite::Result<Vec<_>>>()?)
}

/// How each session with requests kept the cap, oldest first.
pub(super) fn evidence(c: &Connection) -> rusqlite::Result<Vec<SessionEvidence>> {
    let mut query = c.prepare(&format!("{SESSIONS} ORDER BY session_no"))?;
    let last_requests = last_requests(c)?;
    let sessions: Vec<SessionRow> =
        query.query_map([], SessionRow::read)?.collect::<rusqlite::Result<_>>()?;
    let with_requests = sessions.into_iter().filter_map(|session| {
        let last = last_requests.get(&session.session_no).copied();
        last.map(|last| (session, Some(last)))
    });
    let sessions: Vec<_> = with_requests.collect();
    let mut found = Vec::new();
    for together in sessions.chunk_by(|(one, _), (next, _)| one.first_request_no == next.first_request_no) {
        let traffic = read_sessions(c, together)?;
        found.extend(together.iter().zip(traffic).map(|((session, _), traffic)| SessionEvidence {
            session_no: session.session_no,
            started_at: time_of(session.started_at),
            boot_id: session.boot_id.clone(),
            account: session.account.clone(),
            rate: session.rate,
            throttled: traffic.throttled,
            evidence: traffic.evidence,
        }));
    }
    Ok(found)
}

/// The last request of a session; `None` if it has none.
fn last_request(c: &Connection, session: &SessionRow) -> rusqlite::Result<Option<i64>> {
    // Nearly always the newest request of all, so the search ends at once. A session without
    // requests does not search in those of all earlier ones.
    let sql = "SELECT request_no FROM request WHERE session_no = ?1 AND request_no >= ?2
               ORDER BY request_no DESC LIMIT 1";
    c.query_row(sql, [session.session_no, session.first_request_no], |row| row.get(0)).optional()
}

/// The last request of each session, by the session's number.
fn last_requests(c: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    let mut query = c.prepare("SELECT session_no, max(request_no) FROM request GROUP BY session_no")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The audit of one session, while the requests are read.
struct Reading<'a> {
    session: &'a SessionRow,
    /// Its last request; `None` if it has none.
    last: Option<i64>,
    audit: Audit,
    traffic: Traffic,
    /// Requests whose record is missing before its first request.
    missing_before: i64,
    is_first: bool,
}

impl<'a> Reading<'a> {
    fn new((session, last): &'a (SessionRow, Option<i64>)) -> Self {
        let (audit, traffic) = (Audit::new(session.rate), Traffic::default());
        Self { session, last: *last, audit, traffic, missing_before: 0, is_first: true }
    }

    /// True if requests of this session fill the windows of the other one. Sessions of two accounts
    /// with different names have nothing to do with each other.
    fn concerns(&self, account: Option<&str>) -> bool {
        let own = self.session.account.as_deref();
        own.is_none() || account.is_none() || own == account
    }

    /// Adds a request that [`read_sessions`] has selected.
    fn add(&mut self, c: &Connection, row: &Row<'_>, request: &RecordedRequest<'_>) -> rusqlite::Result<()> {
        let counted = request.session_no == self.session.session_no;
        let is_of_boot = counted || request.boot_id == self.session.boot_id;
        if !is_of_boot || self.last.is_none_or(|last| request.request_no > last) {
            return Ok(());
        }
        if counted && std::mem::take(&mut self.is_first) {
            let earlier = earlier_trips(c, self.session, request.sent_us)?;
            earlier.into_iter().for_each(|trip| self.audit.push(trip));
            self.missing_before = missing_before(c, self.session, request.sent_us)?;
        }
        if let Some(arrival) = request.arrival {
            self.audit.push(Trip { sent_us: request.sent_us, arrival, counted });
        }
        if counted && !arrivals::is_withdrawn(row, 0)? {
            count(&mut self.traffic, row.get_ref(4)?.as_str()?, row.get(5)?);
        }
        Ok(())
    }

    /// `missing` is the number of requests whose record is missing since the session began.
    fn finish(self, missing: i64) -> Traffic {
        if self.last.is_none() {
            return self.traffic;
        }
        let missing = count_of(missing + self.missing_before);
        Traffic { evidence: Evidence { missing, ..self.audit.finish() }, ..self.traffic }
    }
}

/// A request, as [`read_sessions`] selects it.
struct RecordedRequest<'a> {
    request_no: i64,
    session_no: i64,
    sent_us: i64,
    /// `None` if it was never sent.
    arrival: Option<Arrival>,
    boot_id: &'a str,
}

/// Audits sessions that began together in one pass over their requests. Each has its last request.
///
/// Requests of other sessions of the same account fill the windows: those before it, if they can
/// have arrived in one of its windows, and those between its own. They count only if they are of
/// the same boot: times of other boots are on another clock. Requests of other accounts count only
/// as recorded.
///
/// A request whose purpose is an unknown word counts only in `requests`. Then the tie-out fails, so
/// the damage is not hidden.
fn read_sessions(c: &Connection, sessions: &[(SessionRow, Option<i64>)]) -> rusqlite::Result<Vec<Traffic>> {
    let mut readings: Vec<Reading<'_>> = sessions.iter().map(Reading::new).collect();
    let last = readings.iter().filter_map(|reading| reading.last).max();
    let (Some((session, _)), Some(last)) = (sessions.first(), last) else {
        return Ok(readings.into_iter().map(|reading| reading.finish(0)).collect());
    };
    // The first number of the next sessions is known, so a missing end of these shows too.
    let end = session.end_request_no.map_or_else(|| next_request(c), Ok)?.max(last + 1);
    let mut query = c.prepare_cached(&format!(
        "SELECT {}, sent_boot_us, purpose, throttled, session_no, timeout_us, boot_id, account, request_no
         FROM request JOIN session USING (session_no)
         WHERE request_no >= ?1 AND request_no < ?2 ORDER BY request_no",
        arrivals::COLUMNS
    ))?;
    let mut rows = query.query([session.first_request_no, end])?;
    let (mut recorded, mut concerned) = (0, HashMap::<i64, Vec<usize>>::new());
    while let Some(row) = rows.next()? {
        recorded += 1;
        let session_no = row.get(6)?;
        let account = row.get_ref(9)?.as_str_or_null()?;
        let concerned = concerned
            .entry(session_no)
            .or_insert_with(|| (0..readings.len()).filter(|at| readings[*at].concerns(account)).collect());
        if concerned.is_empty() {
            continue;
        }
        let request = RecordedRequest {
            request_no: row.get(10)?,
            session_no,
            sent_us: row.get(3)?,
            arrival: arrivals::arrival(row, 0, row.get(7)?)?,
            boot_id: row.get_ref(8)?.as_str()?,
        };
        concerned.iter().try_for_each(|at| readings[*at].add(c, row, &request))?;
    }
    let missing = end - session.first_request_no - recorded;
    Ok(readings.into_iter().map(|reading| reading.finish(missing)).collect())
}

/// The number after the newest request.
fn next_request(c: &Connection) -> rusqlite::Result<i64> {
    c.query_row("SELECT coalesce(max(request_no), 0) + 1 FROM request", [], |row| row.get(0))
}

/// Requests of the account's earlier sessions that can have arrived less than one window before
/// this session's first request, in the order in which they were sent. Without a reply, they count
/// for an hour.
fn earlier_trips(c: &Connection, session: &SessionRow, first_sent: i64) -> rusqlite::Result<Vec<Trip>> {
    let window_start = first_sent.saturating_sub(session.rate.window_us());
    let mut query = c.prepare_cached(&format!(
        "SELECT {}, sent_boot_us, timeout_us FROM request JOIN session USING (session_no)
         WHERE (replied_boot_us > ?1 OR replied_boot_us IS NULL) AND request_no < ?2 AND boot_id = ?4
               AND {OF_ACCOUNT}
         ORDER BY sent_boot_us",
        arrivals::COLUMNS
    ))?;
    let latest = window_start.saturating_sub(duration_us(LATEST_ARRIVAL));
    let mut rows = query.query(params![
        latest.saturating_sub(duration_us(LONGEST_TIMEOUT)),
        session.first_request_no,
        session.account,
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

/// The requests of one session, window by window, and the codes that led to another try of all
/// these sessions. They began together, so their numbers follow each other.
pub(super) fn sending(c: &Connection, scopes: &[Scope], points_of: usize) -> rusqlite::Result<Sending> {
    let numbers = || scopes.iter().map(|scope| scope.session_no);
    let (Some(from), Some(to), Some(scope)) = (numbers().min(), numbers().max(), scopes.get(points_of))
    else {
        return Ok(Sending::default());
    };
    let session_no = scope.session_no;
    let session = SessionRow::find(c, session_no)?;
    let tried_again = tried_again(c, session.first_request_no, from..=to)?;
    let (first, last): (Option<i64>, Option<i64>) = c.query_row(
        "SELECT min(sent_boot_us), max(sent_boot_us) FROM request WHERE request_no >= ?1 AND session_no = ?2",
        [session.first_request_no, session_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(Sending { tried_again, ..Sending::default() });
    };
    let window_us = session.rate.window_us().max(1);
    let windows_per_point = windows_per_point(first, last, window_us);
    Ok(Sending {
        windows_per_point: count_of(windows_per_point),
        points: points(c, &session, first, windows_per_point)?,
        tried_again,
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
fn tried_again(
    c: &Connection,
    first_request_no: i64,
    sessions: RangeInclusive<i64>,
) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut query = c.prepare(
        "SELECT coalesce(code, ''), count(*) FROM request
         WHERE request_no >= ?1 AND session_no BETWEEN ?2 AND ?3 AND decision = 'again' AND code IS NOT ?5
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?4",
    )?;
    let range = (first_request_no, sessions.start(), sessions.end(), MAX_CODES, WITHDRAWN);
    let codes = query.query_map(range, |row| Ok((row.get(0)?, count_of(row.get(1)?))))?;
    codes.collect()
}
