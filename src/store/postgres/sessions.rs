//! The tables `run` and `session`: which run a session works on, and the sessions of a process.

use postgres::{GenericClient, Transaction};
use reconcile_core::ask_again::Scope;
use reconcile_core::rate::Rate;

use super::errors::{Done, Failure};
use super::meta::{self, Copies};
use super::{lease, places};
use crate::clock::Moment;
use crate::store::lease::{Claim, Holder};
use crate::store::next_run::{NextRun, RunRow, resumable_since_us};
use crate::store::run_identity::{AccountCap, Destination, RunIdentity};
use crate::store::units::{duration_us, rate_of, time_of, time_us};

/// Lets sessions begin and end one after the other until the transaction ends: so their numbers
/// have no gaps, and an end knows which session was the newest.
pub(super) fn one_after_the_other(c: &mut impl GenericClient) -> Done<()> {
    Ok(c.batch_execute("SELECT FROM meta WHERE key = 'schema_version' FOR UPDATE")?)
}

/// The values of new sessions.
#[derive(Clone)]
pub(super) struct NewSessions {
    pub(super) identity: RunIdentity,
    pub(super) destination: Destination,
    pub(super) caps: Vec<AccountCap>,
    pub(super) host: String,
    pub(super) boot_id: String,
    pub(super) now: Moment,
    /// The beat of their rows, drawn at random. A failover may lose a session's row, and a later
    /// session gets its number. The beat tells the two apart.
    pub(super) first_beat: i64,
}

/// The result of an attempt to begin.
pub(super) enum Begun {
    /// The scopes of the new sessions.
    Sessions(Vec<Scope>),
    /// The store was copied elsewhere, or is an unfinished copy.
    Copied(Copies),
    /// Live sessions are in the way. They may be dead.
    InTheWay(Vec<InTheWay>),
}

/// A live session that keeps others from beginning.
pub(super) struct InTheWay {
    pub(super) holder: Holder,
    /// Its account, and the cap that it sends under; `None` if it is in the way by its ledger.
    pub(super) other_cap: Option<(String, Rate)>,
}

/// Ends the requests of dead sessions, then begins a session for each cap, in one run.
pub(super) fn begin(t: &mut Transaction<'_>, new: &NewSessions) -> Done<Begun> {
    one_after_the_other(t)?;
    let copies = meta::copies(t)?;
    if copies.forbid_use() {
        return Ok(Begun::Copied(copies));
    }
    let in_the_way = in_the_way(t, new)?;
    if !in_the_way.is_empty() {
        return Ok(Begun::InTheWay(in_the_way));
    }
    places::end_lost_requests(t, &new.boot_id, new.now)?;
    let first = begin_run(t, &new.identity, new.now)?;
    let scopes = (first.session_no..).map(|session_no| Scope { session_no, ..first.clone() });
    let scopes = scopes.zip(&new.caps).map(|(scope, cap)| insert(t, new, scope, cap));
    Ok(Begun::Sessions(scopes.collect::<Done<_>>()?))
}

/// The live sessions over the same ledger, and those with another cap for one of the accounts.
fn in_the_way(t: &mut Transaction<'_>, new: &NewSessions) -> Done<Vec<InTheWay>> {
    let accounts: Vec<&str> = new.caps.iter().map(account_of).collect();
    let requests: Vec<i64> = new.caps.iter().map(|cap| cap.rate.requests.get().into()).collect();
    let windows: Vec<i64> = new.caps.iter().map(|cap| cap.rate.window_us()).collect();
    let rows = t.query(
        "SELECT session_no, beat, host, pid, s.started_at, input_sha256 = $1, account, s.cap_requests, s.cap_window_us
         FROM session AS s JOIN run USING (run_no)
           LEFT JOIN unnest($2::text[], $3::bigint[], $4::bigint[]) AS n (account, requests, window_us) USING (account)
         WHERE s.ended_at IS NULL AND fence = 0
           AND (input_sha256 = $1 OR (n.requests, n.window_us) <> (s.cap_requests, s.cap_window_us))
         ORDER BY session_no",
        &[&new.identity.input_sha256, &accounts, &requests, &windows],
    )?;
    let read = |row: postgres::Row| -> Result<InTheWay, postgres::Error> {
        let (is_ledger, rate): (bool, Rate) = (row.try_get(5)?, rate_of(row.try_get(7)?, row.try_get(8)?));
        let account = row.try_get(6)?;
        Ok(InTheWay { holder: holder(&row)?, other_cap: (!is_ledger).then_some((account, rate)) })
    };
    Ok(rows.into_iter().map(read).collect::<Result<_, _>>()?)
}

/// The account of a cap, as the tables keep it.
fn account_of(cap: &AccountCap) -> &str {
    cap.account.as_deref().unwrap_or_default()
}

fn insert(t: &mut Transaction<'_>, new: &NewSessions, scope: Scope, cap: &AccountCap) -> Done<Scope> {
    let account = account_of(cap);
    let (requests, window_us) = (i64::from(cap.rate.requests.get()), cap.rate.window_us());
    t.execute(
        "INSERT INTO account (account, cap_requests, cap_window_us, timeline)
         VALUES ($1, $2, $3, (SELECT value FROM meta WHERE key = 'timeline'))
         ON CONFLICT (account) DO UPDATE SET cap_requests = excluded.cap_requests, cap_window_us = excluded.cap_window_us",
        &[&account, &requests, &window_us],
    )?;
    t.execute(
        "INSERT INTO session (session_no, run_no, account, version, host, pid, boot_id, started_at, cap_requests,
                              cap_window_us, timeout_us, endpoint, beat)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &[
            &scope.session_no,
            &scope.run_no,
            &account,
            &env!("CARGO_PKG_VERSION"),
            &new.host,
            &i64::from(std::process::id()),
            &new.boot_id,
            &time_us(new.now.wall),
            &requests,
            &window_us,
            &duration_us(new.destination.timeout),
            &new.destination.endpoint,
            &new.first_beat,
        ],
    )?;
    Ok(scope)
}

/// Finds the run to resume, or begins one.
fn begin_run(t: &mut Transaction<'_>, identity: &RunIdentity, now: Moment) -> Done<Scope> {
    let run = next_run(t, identity, now)?;
    if run.is_new {
        t.execute(
            "INSERT INTO run (run_no, run_id, chain_no, input_sha256, refresh, started_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &run.run_no,
                &run.run_id,
                &run.chain_no,
                &identity.input_sha256,
                &identity.refresh,
                &time_us(now.wall),
            ],
        )?;
    }
    scope(t, run, identity)
}

/// The same as [`begin_run`], without writing.
pub(super) fn preview_run(t: &mut Transaction<'_>, identity: &RunIdentity, now: Moment) -> Done<Scope> {
    let run = next_run(t, identity, now)?;
    scope(t, run, identity)
}

fn next_run(t: &mut Transaction<'_>, identity: &RunIdentity, now: Moment) -> Done<NextRun> {
    let row = t.query_opt(
        "SELECT run_no, run_id, chain_no, ended_at IS NULL, coalesce(complete, false), started_at FROM run
         WHERE input_sha256 = $1 AND refresh = $2 AND started_at > $3 ORDER BY run_no DESC LIMIT 1",
        &[&identity.input_sha256, &identity.refresh, &resumable_since_us(now)],
    )?;
    let newest = row.map(|row| -> Result<_, postgres::Error> {
        Ok(RunRow {
            run_no: row.try_get(0)?,
            run_id: row.try_get(1)?,
            chain_no: row.try_get(2)?,
            is_open: row.try_get(3)?,
            is_complete: row.try_get(4)?,
            started_at_us: row.try_get(5)?,
        })
    });
    let new_no = t.query_one("SELECT coalesce(max(run_no), 0) + 1 FROM run", &[])?.try_get(0)?;
    Ok(NextRun::after(newest.transpose()?, new_no, now))
}

fn scope(t: &mut Transaction<'_>, run: NextRun, identity: &RunIdentity) -> Done<Scope> {
    let row = t.query_one(
        "SELECT (SELECT coalesce(max(session_no), 0) + 1 FROM session),
                (SELECT min(session_no) FROM session WHERE run_no = $1),
                (SELECT min(session_no) FROM session JOIN run USING (run_no) WHERE chain_no = $2)",
        &[&run.run_no, &run.chain_no],
    )?;
    Ok(run.scope(identity, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

/// Ends these sessions of a run, and with `complete` the run.
pub(super) fn end(
    t: &mut Transaction<'_>,
    own: &[Claim],
    run_no: i64,
    complete: Option<bool>,
    now: Moment,
) -> Done<()> {
    one_after_the_other(t)?;
    if lease::end(t, own, now)? < own.len() {
        return Err(Failure::TakenOver);
    }
    if let Some(complete) = complete {
        t.execute(
            "UPDATE run SET ended_at = $2, complete = $3 WHERE run_no = $1",
            &[&run_no, &time_us(now.wall), &complete],
        )?;
    }
    Ok(())
}

/// Keeps sessions from beginning in this transaction. Returns the oldest live session that is not
/// of this process, as a message names it.
pub(super) fn first_live(t: &mut impl GenericClient, own: &[i64]) -> Done<Option<String>> {
    one_after_the_other(t)?;
    let row = t.query_opt(
        "SELECT session_no, beat, host, pid, started_at FROM session
         WHERE ended_at IS NULL AND fence = 0 AND session_no <> ALL ($1) ORDER BY session_no LIMIT 1",
        &[&own],
    )?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(holder(&row)?.to_string()))
}

/// The live sessions that are not of this process, by number.
pub(super) fn live(t: &mut Transaction<'_>, own: &[i64]) -> Done<Vec<Holder>> {
    let rows = t.query(
        "SELECT session_no, beat, host, pid, started_at FROM session
         WHERE ended_at IS NULL AND fence = 0 AND session_no <> ALL ($1) ORDER BY session_no",
        &[&own],
    )?;
    Ok(rows.iter().map(holder).collect::<Result<_, _>>()?)
}

/// The live session whose number, beat, host, process and start are the first columns of this row.
fn holder(row: &postgres::Row) -> Result<Holder, postgres::Error> {
    Ok(Holder {
        session_no: row.try_get(0)?,
        beat: row.try_get(1)?,
        host: row.try_get(2)?,
        pid: row.try_get(3)?,
        since: time_of(row.try_get(4)?),
    })
}
