//! Places under the cap that earlier sessions still take.

use std::time::Duration;

use reconcile_core::arrival::{Ending, rest_after_no_reply};
use reconcile_core::rate::Rate;
use rusqlite::{Connection, Row, params};

use super::arrivals::{self, ending};
use super::units::{duration_us, time_us};
use crate::clock::{Clock, Moment};
use crate::store::run_identity::AccountCap;

/// The assumed maximum difference between the wall clocks of two boots, or of two machines.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(86_400);

/// Ends the requests without a recorded end, whatever ended their session: a kill, a failed write,
/// or an error of the run.
///
/// Nobody knows when their process stopped. So a request of this boot counts as failed now, and one
/// of another boot one time limit after it was sent.
pub(super) fn end_lost_requests(c: &Connection, boot_id: &str, now: Moment) -> rusqlite::Result<()> {
    c.execute(
        "UPDATE request SET code = 'lost', replied_at = ?1,
                replied_boot_us = CASE WHEN s.boot_id = ?3 THEN ?2 ELSE sent_boot_us + min(timeout_us, ?4) END
         FROM session AS s WHERE s.session_no = request.session_no AND request.replied_boot_us IS NULL",
        params![time_us(now.wall), now.boot_us, boot_id, duration_us(rest_after_no_reply(Duration::MAX))],
    )?;
    c.execute("UPDATE session SET ended_at = started_at WHERE ended_at IS NULL", [])?;
    Ok(())
}

/// True for a session whose requests count for the account that is the third parameter of the
/// query.
pub(super) const OF_ACCOUNT: &str = "coalesce(account = ?3, true)";

/// How long each place of the account is still taken.
pub(super) fn taken(
    c: &Connection,
    clock: &dyn Clock,
    now: Moment,
    cap: &AccountCap,
) -> rusqlite::Result<Vec<Duration>> {
    let mut taken = by_this_boot(c, clock.boot_id(), now, cap)?;
    taken.extend(by_other_boots(c, clock, now, cap)?);
    Ok(taken)
}

/// The longest time that a request can still count after its end: the longest rest of these
/// sessions, and a cooldown.
fn longest_us(c: &Connection, boot_id: &str, rate: Rate) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(timeout_us), 0) FROM session WHERE boot_id = ?1";
    let timeout = arrivals::timeout(c.query_row(sql, [boot_id], |row| row.get(0))?);
    Ok(duration_us(rest_after_no_reply(timeout) + rate.cooldown()))
}

/// The places taken by requests of this boot. The time since their arrival is exact: steps of the
/// wall clock do not matter.
fn by_this_boot(
    c: &Connection,
    boot_id: &str,
    now: Moment,
    cap: &AccountCap,
) -> rusqlite::Result<Vec<Duration>> {
    let AccountCap { account, rate } = cap;
    let mut query = c.prepare(&format!(
        "SELECT {}, timeout_us FROM request JOIN session USING (session_no)
         WHERE (replied_boot_us > ?1 OR replied_boot_us IS NULL) AND boot_id = ?2 AND {OF_ACCOUNT}",
        arrivals::COLUMNS
    ))?;
    let mut rows = query.query(params![now.boot_us - longest_us(c, boot_id, *rate)?, boot_id, account])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        taken.extend(left(row, now, *rate)?);
    }
    Ok(taken)
}

/// How long a request of this boot still takes its place; `None` if it takes none.
fn left(row: &Row<'_>, now: Moment, rate: Rate) -> rusqlite::Result<Option<Duration>> {
    let ending = match ending(row, 0)? {
        // Nobody knows when its process stopped: at the latest now.
        Ending::Unknown => Ending::NoReply(now.boot_us),
        // Nothing ends later than now. A later value is damaged, or version 0.1 wrote it.
        Ending::NoReply(at_us) => Ending::NoReply(at_us.min(now.boot_us)),
        Ending::Reply(at_us) => Ending::Reply(at_us.min(now.boot_us)),
        Ending::NotSent => return Ok(None),
    };
    let Some(arrival) = ending.arrival(arrivals::timeout(row.get(3)?)) else { return Ok(None) };
    let left_us = arrival.latest_us.saturating_add(duration_us(rate.cooldown())) - now.boot_us;
    Ok(u64::try_from(left_us).ok().filter(|left_us| *left_us > 0).map(Duration::from_micros))
}

/// The places taken by requests of other boots. Only the wall clock can be compared across boots,
/// and it may have stepped. So a request counts as arriving now, unless it is at least a day old,
/// or this boot has sent requests long enough after it. This costs one cooldown after a restart of
/// the machine.
///
/// If the machine has been up for less than a cooldown, its earlier requests count in any case.
fn by_other_boots(
    c: &Connection,
    clock: &dyn Clock,
    now: Moment,
    cap: &AccountCap,
) -> rusqlite::Result<Vec<Duration>> {
    let AccountCap { account, rate } = cap;
    let Some(end_request_no) = end_of_other_boots(c, clock.boot_id(), now, *rate)? else {
        return Ok(Vec::new());
    };
    let just_started = clock.boot_us_is_uptime() && now.boot_us <= duration_us(rate.cooldown());
    let doubt = duration_us(MAX_CLOCK_DIFFERENCE.max(rate.window * 2));
    let mut query = c.prepare(&format!(
        "SELECT {}, timeout_us, replied_at FROM request JOIN session USING (session_no)
         WHERE request_no < ?1 AND boot_id <> ?2 AND {OF_ACCOUNT} ORDER BY request_no DESC",
        arrivals::COLUMNS
    ))?;
    let mut rows = query.query(params![end_request_no, clock.boot_id(), account])?;
    let (mut taken, mut sent) = (Vec::new(), 0);
    // The newest sent requests are enough: a window never holds more than the cap.
    while sent < rate.requests.get() {
        let Some(row) = rows.next()? else { break };
        let rest = match ending(row, 0)? {
            Ending::NotSent => continue,
            Ending::Reply(_) => Duration::ZERO,
            Ending::NoReply(_) | Ending::Unknown => rest_after_no_reply(arrivals::timeout(row.get(3)?)),
        };
        sent += 1;
        let replied_at: Option<i64> = row.get(4)?;
        if just_started || replied_at.is_none_or(|at| at > time_us(now.wall) - doubt) {
            taken.push(rest + rate.cooldown());
        }
    }
    Ok(taken)
}

/// The first request after the newest session of another boot; `None` if no request of another boot
/// can still count.
fn end_of_other_boots(
    c: &Connection,
    boot_id: &str,
    now: Moment,
    rate: Rate,
) -> rusqlite::Result<Option<i64>> {
    let newest: Option<i64> =
        c.query_row("SELECT max(session_no) FROM session WHERE boot_id <> ?1", [boot_id], |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(None) };
    let end: Option<i64> =
        c.query_row("SELECT min(first_request_no) FROM session WHERE session_no > ?1", [newest], |row| {
            row.get(0)
        })?;
    let Some(end) = end else { return Ok(Some(i64::MAX)) };
    let sql = "SELECT min(sent_boot_us) FROM (SELECT sent_boot_us FROM request WHERE request_no >= ?1
                                              ORDER BY request_no LIMIT 1)";
    let first_sent: Option<i64> = c.query_row(sql, [end], |row| row.get(0))?;
    let long_ago = now.boot_us - longest_us(c, boot_id, rate)?;
    Ok(Some(end).filter(|_| first_sent.is_none_or(|sent| sent >= long_ago)))
}
