//! What the cap of this process has to count of the processes before it.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::{duration_us, us};
use crate::clock::{Clock, Moment};
use reconcile_core::rate::Rate;

/// Different boots of the machine, or different machines, are compared by the wall clock only beyond this: no clock
/// is that wrong.
const CLOCKS_DIFFER_AT_MOST: Duration = Duration::from_secs(86_400);

/// A request whose reply was never recorded: its process was killed. It may still be under way, for one time-out of
/// that process at most; on another boot of the machine, for one time-out after it was sent.
pub(super) fn settle_lost(c: &Connection, boot_id: &str, now: Moment) -> rusqlite::Result<()> {
    let lost = "FROM session AS s WHERE s.session_no = request.session_no AND s.ended_at IS NULL
                AND request.replied_boot_us IS NULL AND s.boot_id";
    c.execute(
        &format!(
            "UPDATE request SET code = 'lost', replied_at = ?1 + timeout_us, replied_boot_us = ?2 + timeout_us
             {lost} = ?3"
        ),
        params![us(now.wall), now.boot_us, boot_id],
    )?;
    c.execute(
        &format!(
            "UPDATE request SET code = 'lost', replied_at = ?1, replied_boot_us = sent_boot_us + timeout_us
             {lost} <> ?2"
        ),
        params![us(now.wall), boot_id],
    )?;
    // From now on nothing of them is open; without this each start would look through their requests again.
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
    let mut taken = this_boot(c, clock.boot_id(), now, rate)?;
    taken.extend(other_boots(c, clock, now, rate)?);
    Ok(taken)
}

/// On the same boot the time since a reply is known exactly, whatever the wall clock did.
fn this_boot(c: &Connection, boot_id: &str, now: Moment, rate: Rate) -> rusqlite::Result<Vec<Duration>> {
    let mut query = c.prepare(
        "SELECT replied_boot_us, timeout_us FROM request JOIN session USING (session_no)
         WHERE replied_boot_us > ?1 AND boot_id = ?2",
    )?;
    let window = rate.window_us();
    let left = |r: &Row<'_>| -> rusqlite::Result<Duration> {
        let (replied, timeout): (i64, i64) = (r.get(0)?, r.get(1)?);
        // No reply comes later than its time-out; a value that says so is damaged.
        let since = (replied - now.boot_us).min(timeout);
        Ok(Duration::from_micros(u64::try_from(since + window).unwrap_or(0)))
    };
    query.query_map(params![now.boot_us - window, boot_id], left)?.collect()
}

/// Across boots only the wall clock is left, and it may have stepped: what is not long past counts as answered
/// now. That costs one window after a restart of the machine. When the machine has not been up for a whole window, what
/// it did before cannot be long past, whatever the wall clock says.
fn other_boots(
    c: &Connection,
    clock: &dyn Clock,
    now: Moment,
    rate: Rate,
) -> rusqlite::Result<Vec<Duration>> {
    let just_started = clock.boot_us_is_uptime() && now.boot_us <= rate.window_us();
    let doubt = duration_us(CLOCKS_DIFFER_AT_MOST.max(rate.window * 2));
    // The newest requests are the last ones; those of this boot are counted exactly elsewhere.
    let mut query = c.prepare(
        "SELECT replied_at FROM request JOIN session USING (session_no)
         WHERE boot_id <> ?1 ORDER BY request_no DESC LIMIT ?2",
    )?;
    let rows = query.query_map(params![clock.boot_id(), rate.requests.get()], |r| r.get(0))?;
    let mut taken = Vec::new();
    for replied_at in rows {
        let replied_at: Option<i64> = replied_at?;
        if just_started || replied_at.is_none_or(|at| at > us(now.wall) - doubt) {
            taken.push(rate.window);
        }
    }
    Ok(taken)
}
