//! The table of sessions for the lease's protocol: renewals, changes of places, take-overs.
//!
//! Every change of places locks the row of its account first. So the changes of an account have an
//! order, which the table `share` keeps for the audit.

use std::sync::Arc;
use std::time::Duration;

use postgres::Transaction;
use reconcile_core::rate::Rate;

use super::connection::Connection;
use super::errors::{Done, InStore as _};
use super::places::{self, Counted};
use super::settings::Settings;
use crate::clock::{Clock, Moment};
use crate::error::{Error, Result};
use crate::store::endings::timeout;
use crate::store::lease::{Change, Claim, LEASE, Loss, Raised, Renewed, RowState, SessionRow, Table};
use crate::store::units::{duration_us, time_us};

/// The server's timeline. Another server that becomes the primary begins the next one. Fails on a
/// standby.
pub(super) const TIMELINE: &str = "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
/// After this time, by the wall clock, a session that was taken over cannot count any more.
const DAY_US: i64 = 86_400_000_000;
/// Columns of [`SessionRow`].
const COLUMNS: &str = "session_no, account, beat, places, wants, ended_at IS NULL, fence, timeout_us";
/// The row of a session if it is as claimed.
const AS_CLAIMED: &str = "session_no = $1 AND beat = $2 AND places = $3 AND fence = 0 AND ended_at IS NULL";

/// Renews sessions that are as claimed. Returns their numbers.
const RENEW: &str = "UPDATE session AS s SET beat = s.beat + 1
     FROM unnest($1::bigint[], $2::bigint[], $3::int[]) AS c (session_no, beat, places)
     WHERE s.session_no = c.session_no AND s.beat = c.beat AND s.places = c.places AND s.fence = 0
       AND s.ended_at IS NULL
     RETURNING s.session_no";

/// The table, over a connection that is opened again when it is lost.
pub(super) struct LeaseTable {
    settings: Settings,
    clock: Arc<dyn Clock>,
    connection: Option<Connection>,
}

impl LeaseTable {
    /// Uses a connection of its own.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`].
    pub(super) fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let connection = Some(connect(&settings)?);
        Ok(Self { settings, clock, connection })
    }

    /// Runs `work` in one transaction.
    fn transact<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.settings)?,
        };
        let done = connection.run_within(LEASE, move |link| {
            let mut transaction = link.client.transaction()?;
            let result = work(&mut transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        let done = done.in_store(connection.store(), "write")?;
        // After an error the next operation opens another connection.
        self.connection = Some(connection);
        Ok(done)
    }
}

/// Opens a connection whose statements wait for a shorter time than a lease lasts.
fn connect(settings: &Settings) -> Result<Connection> {
    let connection = Connection::open(settings)?;
    let limit = "SET statement_timeout = '10s'";
    connection.read(move |link| Ok(link.client.batch_execute(limit)?))?;
    Ok(connection)
}

impl Table for LeaseTable {
    async fn renew(&mut self, claims: &[Claim]) -> Result<Renewed> {
        let claims = claims.to_vec();
        self.transact(move |t| {
            let numbers: Vec<i64> = claims.iter().map(|claim| claim.session_no).collect();
            let beats: Vec<i64> = claims.iter().map(|claim| claim.beat).collect();
            let places: Vec<i32> = claims.iter().map(|claim| number(claim.places)).collect();
            let sql = format!(
                "WITH renewed AS ({RENEW})
                 SELECT coalesce(array_agg(session_no), '{{}}'), {TIMELINE} FROM renewed"
            );
            let row = t.query_one(&sql, &[&numbers, &beats, &places])?;
            Ok(Renewed { session_nos: row.try_get(0)?, timeline: row.try_get(1)? })
        })
    }

    async fn read(&mut self, mine: &[i64], known: &[i64]) -> Result<Vec<SessionRow>> {
        let (mine, all) = (mine.to_vec(), [mine, known].concat());
        self.transact(move |t| {
            let sql = format!(
                "SELECT {COLUMNS} FROM session WHERE session_no = ANY ($2)
                 UNION
                 SELECT {COLUMNS} FROM session WHERE ended_at IS NULL AND fence = 0
                   AND account = ANY (SELECT account FROM session WHERE session_no = ANY ($1))"
            );
            let rows = t.query(&sql, &[&mine, &all])?;
            Ok(rows.iter().map(session_row).collect::<Result<_, postgres::Error>>()?)
        })
    }

    async fn lower(&mut self, change: &Change) -> Result<bool> {
        let (change, now) = (*change, self.clock.now());
        self.transact(move |t| {
            let Some((account, _)) = lock_account(t, change.from.session_no)? else { return Ok(false) };
            let is_changed = set(t, &change)?;
            if is_changed && change.places != change.from.places {
                note_share(t, &account, &change, now, &[])?;
            }
            Ok(is_changed)
        })
    }

    async fn raise(&mut self, change: &Change, cap: u32) -> Result<Option<Raised>> {
        let (change, clock) = (*change, self.clock.clone());
        self.transact(move |t| raise(t, change, cap, clock.as_ref()))
    }

    async fn settle(&mut self, session_no: i64, timeline: &str) -> Result<()> {
        let timeline = timeline.to_owned();
        self.transact(move |t| {
            let sql = "UPDATE account SET timeline = $2
                       WHERE account = (SELECT account FROM session WHERE session_no = $1)";
            t.execute(sql, &[&session_no, &timeline])?;
            Ok(())
        })
    }

    async fn take_over(&mut self, session_no: i64, beat: i64) -> Result<bool> {
        let now = self.clock.now();
        self.transact(move |t| take_over(t, session_no, beat, now))
    }
}

/// A number of places, as the table keeps it.
fn number(places: u32) -> i32 {
    i32::try_from(places).unwrap_or(i32::MAX)
}

fn session_row(row: &postgres::Row) -> Result<SessionRow, postgres::Error> {
    let (is_open, fence): (bool, i32) = (row.try_get(5)?, row.try_get(6)?);
    let state = match (fence, is_open) {
        (0, true) => RowState::Live,
        (0, false) => RowState::Ended,
        _ => RowState::Fenced,
    };
    Ok(SessionRow {
        session_no: row.try_get(0)?,
        account: row.try_get(1)?,
        beat: row.try_get(2)?,
        places: u32::try_from(row.try_get::<_, i32>(3)?).unwrap_or(0),
        wants: row.try_get(4)?,
        state,
        timeout: timeout(row.try_get(7)?),
    })
}

/// Locks the account of a session against other changes. Returns it, and the timeline on which it
/// is settled.
fn lock_account(t: &mut Transaction<'_>, session_no: i64) -> Done<Option<(String, String)>> {
    let row = t.query_opt(
        "SELECT account, timeline FROM account
         WHERE account = (SELECT account FROM session WHERE session_no = $1) FOR NO KEY UPDATE",
        &[&session_no],
    )?;
    Ok(row.map(|row| Ok::<_, postgres::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
}

/// Changes a row that is as claimed.
fn set(t: &mut Transaction<'_>, change: &Change) -> Done<bool> {
    let Change { from, places, wants } = change;
    let changed = t.execute(
        &format!("UPDATE session SET beat = beat + 1, places = $4, wants = $5 WHERE {AS_CLAIMED}"),
        &[&from.session_no, &from.beat, &number(from.places), &number(*places), wants],
    )?;
    Ok(changed == 1)
}

/// Adds a change to the history.
fn note_share(
    t: &mut Transaction<'_>,
    account: &str,
    change: &Change,
    now: Moment,
    taken: &[Duration],
) -> Done<()> {
    let added = change.places.saturating_sub(change.from.places) as usize;
    let mut resting: Vec<&Duration> = taken.iter().collect();
    resting.sort_unstable_by(|a, b| b.cmp(a));
    resting.truncate(added);
    let first_us = resting.last().map_or(0, |rest| duration_us(**rest));
    insert_share(
        t,
        account,
        (change.from.session_no, change.places),
        Some(now.boot_us),
        (i32::try_from(resting.len()).unwrap_or(i32::MAX), first_us),
    )
}

fn insert_share(
    t: &mut Transaction<'_>,
    account: &str,
    (session_no, places): (i64, u32),
    at_boot_us: Option<i64>,
    (resting, rest_us): (i32, i64),
) -> Done<()> {
    t.execute(
        "INSERT INTO share (account, change_no, session_no, places, at_boot_us, resting, rest_us)
         SELECT $1, coalesce(max(change_no), 0) + 1, $2, $3, $4, $5, $6 FROM share WHERE account = $1",
        &[&account, &session_no, &number(places), &at_boot_us, &resting, &rest_us],
    )?;
    Ok(())
}

fn raise(t: &mut Transaction<'_>, change: Change, cap: u32, clock: &dyn Clock) -> Done<Option<Raised>> {
    let now = clock.now();
    let from = change.from;
    let Some((account, timeline)) = lock_account(t, from.session_no)? else { return Ok(None) };
    let row = t.query_opt(
        &format!("SELECT cap_requests, cap_window_us, {TIMELINE} FROM session WHERE {AS_CLAIMED}"),
        &[&from.session_no, &from.beat, &number(from.places)],
    )?;
    let Some(row) = row else { return Ok(None) };
    let window_us: i64 = row.try_get(1)?;
    let requests = std::num::NonZeroU32::new(cap).unwrap_or(std::num::NonZeroU32::MIN);
    let rate = Rate { requests, window: Duration::from_micros(window_us.unsigned_abs()) };
    let present: String = row.try_get(2)?;
    let others =
        live(t, &account)?.iter().filter(|row| row.session_no != from.session_no).map(|row| row.places).sum();
    let places = change.places.min(cap.saturating_sub(others)).max(from.places);
    let change = Change { places, ..change };
    if !set(t, &change)? {
        return Ok(None);
    }
    let taken = places::taken(t, clock, rate, &Counted::OfEnded(from.session_no))?;
    if places > from.places {
        note_share(t, &account, &change, now, &taken)?;
    }
    let fences = t.query_one(
        "SELECT count(*), max(timeout_us) FILTER (WHERE coalesce(ended_at, $2) > $2 - $3)
         FROM session WHERE account = $1 AND fence > 0",
        &[&account, &time_us(now.wall), &DAY_US],
    )?;
    Ok(Some(Raised {
        live: live(t, &account)?,
        taken,
        fenced: fences.try_get(0)?,
        fenced_lately: fences.try_get::<_, Option<i64>>(1)?.map(timeout),
        unsettled: (present != timeline).then_some(present),
    }))
}

/// The live sessions of an account.
fn live(t: &mut Transaction<'_>, account: &str) -> Done<Vec<SessionRow>> {
    let sql = format!("SELECT {COLUMNS} FROM session WHERE account = $1 AND ended_at IS NULL AND fence = 0");
    let rows = t.query(&sql, &[&account])?;
    Ok(rows.iter().map(session_row).collect::<Result<_, postgres::Error>>()?)
}

/// Raises the fence of a live session with this beat. An open write of the session is waited for:
/// it is committed before.
pub(super) fn take_over(t: &mut Transaction<'_>, session_no: i64, beat: i64, now: Moment) -> Done<bool> {
    let Some((account, _)) = lock_account(t, session_no)? else { return Ok(false) };
    let row = t.query_opt(
        "UPDATE session SET fence = fence + 1, ended_at = $3
         WHERE session_no = $1 AND beat = $2 AND fence = 0 AND ended_at IS NULL RETURNING places",
        &[&session_no, &beat, &time_us(now.wall)],
    )?;
    let Some(row) = row else { return Ok(false) };
    if row.try_get::<_, i32>(0)? > 0 {
        insert_share(t, &account, (session_no, 0), None, (0, 0))?;
    }
    Ok(true)
}

/// Ends sessions whose rows are as claimed. Returns how many.
pub(super) fn end(t: &mut Transaction<'_>, claims: &[Claim], now: Moment) -> Done<usize> {
    let mut ended = 0;
    for claim in claims {
        let Some((account, _)) = lock_account(t, claim.session_no)? else { continue };
        let is_ended = t.execute(
            &format!(
                "UPDATE session SET ended_at = $4, newest_at_end = (SELECT max(session_no) FROM session)
                 WHERE {AS_CLAIMED}"
            ),
            &[&claim.session_no, &claim.beat, &number(claim.places), &time_us(now.wall)],
        )?;
        if is_ended == 1 {
            ended += 1;
            if claim.places > 0 {
                insert_share(t, &account, (claim.session_no, 0), None, (0, 0))?;
            }
        }
    }
    Ok(ended)
}

/// The error of a lost session.
pub(super) fn lost(store: &str, loss: Loss) -> Error {
    match loss {
        Loss::TakenOver(session_no) => Error::output(format!(
            "another process has taken over session {session_no} in the store {store}: this one could not renew its \
             lease in time"
        ))
        .hint(
            "check whether this machine was frozen or cut off from the database, then run the same command again; \
             nothing stored is asked twice",
        ),
        Loss::WentBack(session_no) => {
            Error::output(format!("the store {store} has lost commits: session {session_no} is not as it was"))
                .hint(
                    "check the database's failover: commits must wait for a standby (synchronous_standby_names); then \
                     run the same command again",
                )
        }
        Loss::FailedOver(session_no) => Error::output(format!(
            "another server has become the primary of the store {store}: it may not know what session {session_no} \
             has sent"
        ))
        .hint("run the same command again; nothing stored is asked twice")
        .of_store_away(),
    }
}
