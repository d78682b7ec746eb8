//! Places under the cap that requests of other sessions still take.

use postgres::Transaction;
use std::time::Duration;

use reconcile_core::arrival::rest_after_no_reply;
use reconcile_core::rate::Rate;

use super::errors::Done;
use crate::clock::{Clock, Moment};
use crate::store::endings::{ending, timeout};
use crate::store::places::{self, OtherBoots, left};
use crate::store::units::{duration_us, time_us};

/// Sessions that are not live: they have ended, or another process has taken them over.
const NOT_LIVE: &str = "(s.ended_at IS NOT NULL OR s.fence > 0)";
/// Requests of another boot that are read at once.
const ROWS: i64 = 1_000;

/// Whose requests count. A session without an account, copied from a file, counts for every
/// account.
#[derive(Debug, Clone)]
pub(super) enum Counted {
    /// Those of this session, and of the sessions of its account, or of none, that are not live.
    ForSession(i64),
    /// Those of the sessions of this session's account, or of none, that are not live.
    OfEnded(i64),
    /// Those of all sessions of this account, or of none; `None`: those of all sessions.
    OfAccount(Option<String>),
}

impl Counted {
    /// A condition on the session `s`, and the value of its parameter `$1`.
    fn condition(&self) -> (String, String) {
        let of_ended = || {
            format!(
                "({NOT_LIVE} AND EXISTS (
                    SELECT FROM session AS own WHERE own.session_no = $1::text::bigint
                       AND ('' IN (s.account, own.account) OR s.account = own.account)))"
            )
        };
        match self {
            Self::ForSession(no) => {
                (format!("(s.session_no = $1::text::bigint OR {})", of_ended()), no.to_string())
            }
            Self::OfAccount(account) => (
                "('' IN (s.account, $1::text) OR s.account = $1::text)".to_owned(),
                account.clone().unwrap_or_default(),
            ),
            Self::OfEnded(no) => (of_ended(), no.to_string()),
        }
    }
}

/// Ends the requests without a recorded end of sessions that are not live.
///
/// Nobody knows when their process stopped. So a request of this boot counts as failed now, and one
/// of another boot one time limit after it was sent.
pub(super) fn end_lost_requests(t: &mut Transaction<'_>, boot_id: &str, now: Moment) -> Done<()> {
    t.execute(
        &format!(
            "UPDATE request SET code = 'lost', replied_at = $1,
                    replied_boot_us = CASE WHEN s.boot_id = $3 THEN $2 ELSE sent_boot_us + least(timeout_us, $4) END
             FROM session AS s WHERE s.session_no = request.session_no AND request.replied_boot_us IS NULL
                AND s.closed_boot_us IS NULL AND {NOT_LIVE}"
        ),
        &[&time_us(now.wall), &now.boot_us, &boot_id, &duration_us(rest_after_no_reply(Duration::MAX))],
    )?;
    t.execute(
        &format!(
            "UPDATE session AS s SET closed_boot_us = CASE WHEN boot_id = $2 THEN $1 ELSE
               coalesce((SELECT max(replied_boot_us) FROM request WHERE request.session_no = s.session_no), 0) END
             WHERE closed_boot_us IS NULL AND {NOT_LIVE}"
        ),
        &[&now.boot_us, &boot_id],
    )?;
    Ok(())
}

/// How long each place is still taken.
pub(super) fn taken(
    t: &mut Transaction<'_>,
    clock: &dyn Clock,
    rate: Rate,
    counted: &Counted,
) -> Done<Vec<Duration>> {
    let now = clock.now();
    let sql = "SELECT coalesce(max(timeout_us), 0) FROM session WHERE boot_id = $1";
    let longest = timeout(t.query_one(sql, &[&clock.boot_id()])?.try_get(0)?);
    let since_us = now.boot_us - places::longest_us(longest, rate);
    let mut taken = by_this_boot(t, clock.boot_id(), now, rate, counted, since_us)?;
    taken.extend(by_other_boots(t, clock, now, rate, counted, since_us)?);
    Ok(taken)
}

/// The places taken by requests of this boot that have ended after `since_us`, or not at all.
fn by_this_boot(
    t: &mut Transaction<'_>,
    boot_id: &str,
    now: Moment,
    rate: Rate,
    counted: &Counted,
    since_us: i64,
) -> Done<Vec<Duration>> {
    let (condition, value) = counted.condition();
    let rows = t.query(
        &format!(
            "SELECT replied_boot_us, http_status IS NOT NULL, code, timeout_us
             FROM session AS s JOIN request USING (session_no)
             WHERE {condition} AND s.boot_id = $2 AND (s.closed_boot_us > $3 OR s.closed_boot_us IS NULL)
               AND (replied_boot_us > $3 OR replied_boot_us IS NULL)"
        ),
        &[&value, &boot_id, &since_us],
    )?;
    let mut taken = Vec::new();
    for row in rows {
        let ending = ending(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        taken.extend(left(ending, timeout(row.try_get(3)?), now, rate));
    }
    Ok(taken)
}

/// The places taken by requests of other boots, by the rule of [`OtherBoots`], unless a session of
/// this boot has begun after their session's end, and sent its first request before `since_us`.
fn by_other_boots(
    t: &mut Transaction<'_>,
    clock: &dyn Clock,
    now: Moment,
    rate: Rate,
    counted: &Counted,
    since_us: i64,
) -> Done<Vec<Duration>> {
    let (condition, value) = counted.condition();
    let sessions = t.query(
        &format!(
            "SELECT s.session_no, s.timeout_us FROM session AS s
             WHERE {condition} AND s.boot_id <> $2 AND coalesce(s.newest_at_end, 9223372036854775807) >= coalesce(
               (SELECT max(session_no) FROM session AS ours WHERE boot_id = $2 AND $3 >
                 (SELECT sent_boot_us FROM request WHERE session_no = ours.session_no ORDER BY request_no LIMIT 1)), 0)"
        ),
        &[&value, &clock.boot_id(), &since_us],
    )?;
    let mut taken = Vec::new();
    for session in sessions {
        let mut others = OtherBoots::new(clock, now, rate);
        count_session(t, session.try_get(0)?, timeout(session.try_get(1)?), &mut others)?;
        taken.extend(others.taken());
    }
    Ok(taken)
}

/// Counts the newest requests of a session of another boot.
fn count_session(
    t: &mut Transaction<'_>,
    session_no: i64,
    timeout: Duration,
    others: &mut OtherBoots,
) -> Done<()> {
    let mut before = i64::MAX;
    while !others.is_full() {
        let rows = t.query(
            "SELECT replied_boot_us, http_status IS NOT NULL, code, replied_at, request_no FROM request
             WHERE session_no = $1 AND request_no < $2 ORDER BY request_no DESC LIMIT $3",
            &[&session_no, &before, &ROWS],
        )?;
        let Some(last) = rows.last() else { break };
        before = last.try_get(4)?;
        for row in &rows {
            if !others.is_full() {
                let ending = ending(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                others.push(ending, timeout, row.try_get(3)?);
            }
        }
    }
    Ok(())
}
