//! Places under the cap that earlier sessions still take.

use std::time::Duration;

use reconcile_core::rate::Rate;
use rusqlite::{Connection, Row, params};

use super::units::{duration_us, time_us};
use crate::clock::{Clock, Moment};

/// The assumed maximum difference between the wall clocks of two boots, or of two machines.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(86_400);

/// Ends the requests whose reply was never recorded because their session was killed.
///
/// A request of this boot may still be in flight, for one timeout of its session from now. A
/// request of another boot ends one timeout after it was sent.
pub(super) fn end_lost_requests(c: &Connection, boot_id: &str, now: Moment) -> rusqlite::Result<()> {
    let lost = "FROM session AS s WHERE s.session_no = request.session_no AND s.ended_at IS NULL
                AND request.replied_boot_us IS NULL AND s.boot_id";
    c.execute(
        &format!(
            "UPDATE request SET code = 'lost', replied_at = ?1 + timeout_us, replied_boot_us = ?2 + timeout_us
             {lost} = ?3"
        ),
        params![time_us(now.wall), now.boot_us, boot_id],
    )?;
    c.execute(
        &format!(
            "UPDATE request SET code = 'lost', replied_at = ?1, replied_boot_us = sent_boot_us + timeout_us
             {lost} <> ?2"
        ),
        params![time_us(now.wall), boot_id],
    )?;
    // Otherwise each start would search the requests of the killed sessions again.
    c.execute("UPDATE session SET ended_at = started_at WHERE ended_at IS NULL", [])?;
    Ok(())
}

/// How long each place is still taken.
pub(super) fn taken(
    c: &Connection,
    clock: &dyn Clock,
    now: Moment,
    rate: Rate,
) -> rusqlite::Result<Vec<Duration>> {
    let mut taken = by_this_boot(c, clock.boot_id(), now, rate)?;
    taken.extend(by_other_boots(c, clock, now, rate)?);
    Ok(taken)
}

/// The places taken by requests of this boot. The time since their replies is exact: steps of the
/// wall clock do not matter.
fn by_this_boot(c: &Connection, boot_id: &str, now: Moment, rate: Rate) -> rusqlite::Result<Vec<Duration>> {
    let mut query = c.prepare(
        "SELECT replied_boot_us, timeout_us FROM request JOIN session USING (session_no)
         WHERE replied_boot_us > ?1 AND boot_id = ?2",
    )?;
    let cooldown = duration_us(rate.cooldown());
    let left = |row: &Row<'_>| -> rusqlite::Result<Duration> {
        let (replied, timeout): (i64, i64) = (row.get(0)?, row.get(1)?);
        // No reply comes later than one timeout from now. A later value is damaged.
        let since = (replied - now.boot_us).min(timeout);
        Ok(Duration::from_micros(u64::try_from(since + cooldown).unwrap_or(0)))
    };
    query.query_map(params![now.boot_us - cooldown, boot_id], left)?.collect()
}

/// The places taken by requests of other boots. Only the wall clock can be compared across boots,
/// and it may have stepped. So a request counts as answered now, unless it is at least a day old.
/// This costs one cooldown after a restart of the machine.
///
/// If the machine has been up for less than a cooldown, its earlier requests count in any case.
fn by_other_boots(
    c: &Connection,
    clock: &dyn Clock,
    now: Moment,
    rate: Rate,
) -> rusqlite::Result<Vec<Duration>> {
    let just_started = clock.boot_us_is_uptime() && now.boot_us <= duration_us(rate.cooldown());
    let doubt = duration_us(MAX_CLOCK_DIFFERENCE.max(rate.window * 2));
    // The newest requests are enough: a window never holds more than the cap.
    let mut query = c.prepare(
        "SELECT replied_at FROM request JOIN session USING (session_no)
         WHERE boot_id <> ?1 ORDER BY request_no DESC LIMIT ?2",
    )?;
    let replies = query.query_map(params![clock.boot_id(), rate.requests.get()], |row| row.get(0))?;
    let mut taken = Vec::new();
    for replied_at in replies {
        let replied_at: Option<i64> = replied_at?;
        if just_started || replied_at.is_none_or(|at| at > time_us(now.wall) - doubt) {
            taken.push(rate.cooldown());
        }
    }
    Ok(taken)
}
