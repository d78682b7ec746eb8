//! Computes from the table `request` what a session sent, and whether it kept the cap.

use postgres::fallible_iterator::FallibleIterator as _;
use postgres::{Row, Transaction};
use reconcile_core::arrival::{Arrival, LATEST_ARRIVAL, LONGEST_TIMEOUT};
use reconcile_core::cap_audit::{Audit, Evidence, Trip};
use reconcile_core::rate::Rate;
use reconcile_core::traffic::{Sending, SendingPoint, Traffic};

use super::errors::Done;
use super::{shares, values};
use crate::store::endings::{ending, timeout};
use crate::store::history::SessionEvidence;
use crate::store::request::WITHDRAWN;
use crate::store::sent_requests::{MAX_CODES, count, windows_per_point};
use crate::store::units::{count_of, duration_us, rate_of, time_of};

/// A session, as far as the audit needs it.
struct SessionRow {
    session_no: i64,
    account: String,
    boot_id: String,
    rate: Rate,
    started_at: i64,
    /// True if it was copied from a file, which records no shares.
    is_copied: bool,
}

/// The columns of [`SessionRow`].
const SESSION: &str =
    "SELECT session_no, account, boot_id, cap_requests, cap_window_us, started_at, host = '' FROM session";

impl SessionRow {
    fn find(t: &mut Transaction<'_>, session_no: i64) -> Done<Self> {
        let row = t.query_one(&format!("{SESSION} WHERE session_no = $1"), &[&session_no])?;
        Ok(Self::read(&row)?)
    }

    fn read(row: &Row) -> Result<Self, postgres::Error> {
        Ok(Self {
            session_no: row.try_get(0)?,
            account: row.try_get(1)?,
            boot_id: row.try_get(2)?,
            rate: rate_of(row.try_get(3)?, row.try_get(4)?),
            started_at: row.try_get(5)?,
            is_copied: row.try_get(6)?,
        })
    }
}

/// The number of requests that a session sent, and the evidence that it kept the cap.
pub(super) fn traffic(t: &mut Transaction<'_>, session_no: i64) -> Done<Traffic> {
    let session = SessionRow::find(t, session_no)?;
    Ok(read_session(t, &session)?.unwrap_or_default())
}

/// How each session with requests kept the cap, oldest first.
pub(super) fn evidence(t: &mut Transaction<'_>) -> Done<Vec<SessionEvidence>> {
    let rows = t.query(&format!("{SESSION} ORDER BY session_no"), &[])?;
    let mut found = Vec::new();
    for row in rows {
        let session = SessionRow::read(&row)?;
        let Some(traffic) = read_session(t, &session)? else { continue };
        found.push(SessionEvidence {
            session_no: session.session_no,
            account: Some(session.account).filter(|account| !account.is_empty()),
            started_at: time_of(session.started_at),
            boot_id: session.boot_id,
            rate: session.rate,
            throttled: traffic.throttled,
            evidence: traffic.evidence,
        });
    }
    Ok(found)
}

/// How many session numbers are missing.
pub(super) fn missing_sessions(t: &mut Transaction<'_>) -> Done<u64> {
    let sql = "SELECT coalesce(max(session_no), 0) - count(*) FROM session";
    Ok(count_of(t.query_one(sql, &[])?.try_get(0)?))
}

/// The requests of a session `$1` and those of other sessions of its account `$2` and boot `$3`
/// that can have arrived in its windows: sent until `$4`, and ended after `$5`.
const IN_ITS_WINDOWS: &str = "
  SELECT r.replied_boot_us, r.http_status IS NOT NULL, r.code, r.sent_boot_us, r.purpose, r.throttled,
         s.session_no = $1, s.timeout_us
  FROM session AS s JOIN request AS r USING (session_no)
  WHERE s.session_no = $1
     OR (s.account = $2 OR '' IN (s.account, $2)) AND s.boot_id = $3 AND (s.closed_boot_us > $5 OR s.closed_boot_us IS NULL)
        AND (SELECT sent_boot_us FROM request WHERE session_no = s.session_no ORDER BY request_no LIMIT 1) <= $4
        AND r.sent_boot_us <= $4 AND (r.replied_boot_us > $5 OR r.replied_boot_us IS NULL)
  ORDER BY r.sent_boot_us, r.session_no, r.request_no";

/// Audits a session in one pass over its requests; `None` if it has none.
///
/// Requests of other sessions fill the windows: those before it, if they can have arrived in one of
/// its windows, and those between its own. They count only if they are of the same boot: times of
/// other boots are on another clock. Its own requests are also compared with the places that it
/// held.
fn read_session(t: &mut Transaction<'_>, session: &SessionRow) -> Done<Option<Traffic>> {
    let row = t.query_one(
        "SELECT min(sent_boot_us), max(sent_boot_us), coalesce(max(request_no), 0) - count(*)
         FROM request WHERE session_no = $1",
        &[&session.session_no],
    )?;
    let (first, last): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let missing = count_of(row.try_get(2)?);
    let windows = FirstWindow::before(first, session.rate);
    let ended_after = windows.latest_us.saturating_sub(duration_us(LONGEST_TIMEOUT));
    let mut traffic = Traffic::default();
    let mut audit = Audit::new(session.rate);
    let mut of_places = Audit::with_places(session.rate, shares::of_session(t, session.session_no)?);
    let parameters: [&(dyn postgres::types::ToSql + Sync); 5] =
        [&session.session_no, &session.account, &session.boot_id, &last, &ended_after];
    let mut rows = t.query_raw(IN_ITS_WINDOWS, parameters)?;
    while let Some(row) = rows.next()? {
        let (sent_us, counted): (i64, bool) = (row.try_get(3)?, row.try_get(6)?);
        let code: Option<&str> = row.try_get(2)?;
        let ending = ending(row.try_get(0)?, row.try_get(1)?, code);
        let arrival = ending.arrival(timeout(row.try_get(7)?));
        if let Some(arrival) = arrival.filter(|arrival| counted || sent_us >= first || windows.has(arrival)) {
            let trip = Trip { sent_us, arrival, counted };
            audit.push(trip);
            if counted && !session.is_copied {
                of_places.push(trip);
            }
        }
        if counted && code != Some(WITHDRAWN) {
            count(&mut traffic, row.try_get(4)?, row.try_get(5)?);
        }
    }
    let Evidence { over_places, over_places_if_late, .. } = of_places.finish();
    traffic.evidence = Evidence { missing, over_places, over_places_if_late, ..audit.finish() };
    Ok(Some(traffic))
}

/// The first window of a session, in which requests of earlier sessions may have arrived.
struct FirstWindow {
    start_us: i64,
    /// The start for requests without a reply. They count for an hour.
    latest_us: i64,
}

impl FirstWindow {
    /// The window that ends when the first request is sent.
    fn before(first_us: i64, rate: Rate) -> Self {
        let start_us = first_us.saturating_sub(rate.window_us());
        Self { start_us, latest_us: start_us.saturating_sub(duration_us(LATEST_ARRIVAL)) }
    }

    /// True if a request with this arrival can have arrived in it.
    fn has(&self, arrival: &Arrival) -> bool {
        arrival.latest_us > if arrival.is_proven { self.start_us } else { self.latest_us }
    }
}

/// The requests of a session, window by window, and the codes that led to another try.
pub(super) fn sending(t: &mut Transaction<'_>, session_no: i64) -> Done<Sending> {
    let session = SessionRow::find(t, session_no)?;
    let sql = "SELECT min(sent_boot_us), max(sent_boot_us) FROM request WHERE session_no = $1";
    let row = t.query_one(sql, &[&session_no])?;
    let (first, last): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let (Some(first), Some(last)) = (first, last) else { return Ok(Sending::default()) };
    let window_us = session.rate.window_us().max(1);
    let windows_per_point = windows_per_point(first, last, window_us);
    Ok(Sending {
        windows_per_point: count_of(windows_per_point),
        points: points(t, session_no, first, window_us, windows_per_point)?,
        tried_again: tried_again(t, session_no)?,
    })
}

/// The points of the chart, from `first_us` on: the requests of each point's fullest window, and
/// the throttled requests of all its windows.
fn points(
    t: &mut Transaction<'_>,
    session_no: i64,
    first_us: i64,
    window_us: i64,
    windows_per_point: i64,
) -> Done<Vec<SendingPoint>> {
    let rows = t.query(
        "SELECT w / $4, max(requests), sum(throttled)::bigint
         FROM (SELECT (sent_boot_us - $2) / $3 AS w, count(*) AS requests, count(*) FILTER (WHERE throttled) AS throttled
               FROM request WHERE session_no = $1 AND code IS DISTINCT FROM $5 GROUP BY w) AS windows
         GROUP BY 1 ORDER BY 1",
        &[&session_no, &first_us, &window_us, &windows_per_point, &WITHDRAWN],
    )?;
    let point = |row: &Row| {
        Ok(SendingPoint {
            point: count_of(row.try_get(0)?),
            requests: count_of(row.try_get(1)?),
            throttled: count_of(row.try_get(2)?),
        })
    };
    Ok(rows.iter().map(point).collect::<Result<_, postgres::Error>>()?)
}

/// The most frequent codes that led to another try, each with its number of requests.
fn tried_again(t: &mut Transaction<'_>, session_no: i64) -> Done<Vec<(String, u64)>> {
    let rows = t.query(
        r#"SELECT coalesce(code, '') COLLATE "C", count(*) FROM request
           WHERE session_no = $1 AND decision = 'again' AND code IS DISTINCT FROM $3
           GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2"#,
        &[&session_no, &MAX_CODES, &WITHDRAWN],
    )?;
    let code = |row: &Row| Ok((values::read(row.try_get(0)?).into_owned(), count_of(row.try_get(1)?)));
    Ok(rows.iter().map(code).collect::<Result<_, postgres::Error>>()?)
}
