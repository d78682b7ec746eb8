//! The sessions of this process: begins them when nobody else is in the way, keeps their leases,
//! and ends them.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use reconcile_core::ask_again::Scope;

use super::connection::LONGEST_ANSWER;
use super::database::{Database, check_live};
use super::errors::{Failure, busy, failed};
use super::lease::{self, LeaseTable};
use super::sessions::{self, Begun, InTheWay, NewSessions};
use super::settings::Settings;
use super::{open_discrepancies, other_answers};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::locked::lock;
use crate::shown::shown;
use crate::stop::Stop;
use crate::store::lease::{Candidate, Claim, Holder, Judgement, Keeper, KeeperThread, Lease, WATCH};
use crate::store::open_discrepancies::{DiscrepancyChanges, RunEnd};
use crate::store::places::Places;
use crate::store::wait::{Wait, pause};

/// The longest time that a server may take to write a discrepancy.
const LONGEST_ROW: Duration = Duration::from_millis(1);

/// The sessions of this process, and the thread that keeps their leases.
pub(super) struct Leases {
    database: Arc<Database>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    wait: Option<Wait>,
    /// Ends the waiting for another run.
    stop: Stop,
    lease: Arc<Lease>,
    keeper: Arc<Mutex<Option<KeeperThread>>>,
}

impl Leases {
    pub(super) fn new(
        database: Arc<Database>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        wait: Option<Wait>,
        stop: Stop,
    ) -> Self {
        let lease = Arc::new(Lease::new(clock.clone()));
        Self { database, settings, clock, wait, stop, lease, keeper: Arc::default() }
    }

    /// The lease of all sessions.
    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Begins sessions, in place of those that this process has. Stands by as asked while another
    /// run is in the way; a dead one is taken over.
    ///
    /// # Errors
    ///
    /// Exit 5 if another run works on this ledger; exit 2 if another run sends under another cap
    /// for the account; exit 4 if the run is stopped meanwhile; exit 6 if the database
    /// fails.
    pub(super) fn begin(&self, new: &NewSessions) -> Result<Vec<Scope>> {
        self.resign()?;
        let (began, mut candidate, mut has_told) = (Instant::now(), Candidate::default(), false);
        loop {
            let attempt = NewSessions { now: self.clock.now(), ..new.clone() };
            let in_the_way = match self.database.write(move |t| sessions::begin(t, &attempt))? {
                Begun::Sessions(scopes) => return self.keep(new, scopes),
                Begun::Copied(copies) => return Err(copies.refusal(self.database.store())),
                Begun::InTheWay(in_the_way) => in_the_way,
            };
            let holders: Vec<Holder> = in_the_way.iter().map(|other| other.holder.clone()).collect();
            let judged = candidate.look(&holders, self.clock.now().boot_us);
            if let Judgement::Overdue(holder) = judged {
                self.take_over(holder)?;
                continue;
            }
            let alive = match judged {
                Judgement::Alive(holder) => Some(holder.session_no),
                _ => None,
            };
            let is_over = |limit: Option<Duration>| limit.is_some_and(|limit| began.elapsed() >= limit);
            match &self.wait {
                None if alive.is_some() || is_over(Some(WATCH * 2)) => {
                    return Err(self.busy(&in_the_way, alive));
                }
                Some(wait) if is_over(wait.limit) => return Err(wait.over(self.busy(&in_the_way, alive))),
                Some(wait) if !std::mem::replace(&mut has_told, true) => {
                    wait.tell(&self.busy(&in_the_way, alive));
                }
                _ => {}
            }
            pause(Candidate::LOOK_EVERY, &self.stop)?;
        }
    }

    fn take_over(&self, holder: &Holder) -> Result<()> {
        let (session_no, beat, now) = (holder.session_no, holder.beat, self.clock.now());
        let is_taken = self.database.write(move |t| lease::take_over(t, session_no, beat, now))?;
        if is_taken {
            tracing::info!("{holder} has not renewed its lease: taken over");
        }
        Ok(())
    }

    /// The error for the live session that is in the way, or else for the first one.
    fn busy(&self, in_the_way: &[InTheWay], alive: Option<i64>) -> Error {
        let store = self.database.store();
        let is_alive = |other: &&InTheWay| Some(other.holder.session_no) == alive;
        let Some(other) = in_the_way.iter().find(is_alive).or(in_the_way.first()) else {
            return Error::bug("another run is in the way, and no session is");
        };
        let holder = &other.holder;
        match &other.other_cap {
            None => Error::new(
                Exit::Busy,
                format!("another run works on this ledger in the store {store}: {holder}"),
            )
            .hint("wait until it ends, or stop it; then run the same command again"),
            Some((account, rate)) => {
                let account = if account.is_empty() { String::new() } else { format!(" {}", shown(account)) };
                let what = format!(
                    "the cap of the account{account} is {rate}, set by {holder} in the store {store}"
                );
                Error::usage(what).hint("set rate to the same cap, or wait until the other run ends")
            }
        }
    }

    /// Keeps the leases of new sessions.
    fn keep(&self, new: &NewSessions, scopes: Vec<Scope>) -> Result<Vec<Scope>> {
        let mut keeper = Keeper::new(self.clock.clone(), self.lease.clone());
        for (scope, cap) in scopes.iter().zip(&new.caps) {
            self.database.has_begun(scope.session_no);
            let account = cap.account.as_deref().unwrap_or_default();
            let row = (scope.session_no, new.first_beat);
            keeper.add(row, account, cap.rate, new.destination.timeout);
        }
        let table = LeaseTable::open(self.settings.clone(), self.clock.clone())?;
        let store = self.database.store().to_owned();
        let thread = KeeperThread::start(keeper, table, move |loss| lease::lost(&store, loss));
        *lock(&self.keeper) = Some(thread.map_err(Error::no_more_threads)?);
        Ok(scopes)
    }

    /// Gives a session its places, now and while it sends.
    ///
    /// # Errors
    ///
    /// Exit 6 if the session is lost.
    pub(super) fn hold(&self, session_no: i64, places: Arc<dyn Places>, stop: Stop) -> Result<()> {
        match &*lock(&self.keeper) {
            Some(keeper) => keeper.hold(session_no, places, stop),
            None => Err(Error::bug("places are held without a session")),
        }
    }

    /// Gives the places of all sessions to others as they become free.
    pub(super) fn release(&self) {
        if let Some(keeper) = &*lock(&self.keeper) {
            keeper.release();
        }
    }

    /// Ends the sessions of this process, and with `run` their run.
    ///
    /// A million discrepancies take longer than a lease. So the leases are kept until they are
    /// written.
    ///
    /// # Errors
    ///
    /// Exit 6 if a session was taken over, or the database fails.
    pub(super) fn end(&self, run_no: i64, run: Option<RunEnd>) -> Result<()> {
        let (clock, keeper, own) = (self.clock.clone(), self.keeper.clone(), self.database.own_sessions());
        let (complete, changes) = run.map_or((None, None), |run| (Some(run.complete), run.discrepancies));
        let rows = changes.as_ref().map_or(0, DiscrepancyChanges::rows);
        let limit = LONGEST_ANSWER + LONGEST_ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX));
        // The transaction may run again; the leases end once.
        let claims = OnceLock::new();
        self.database.write_within(limit, move |t| {
            if let Some(changes) = &changes {
                check_live(t, &own)?;
                open_discrepancies::change(t, run_no, changes)?;
                other_answers::tell(t, run_no, &changes.told)?;
            }
            let claims = claims.get_or_init(|| stop_keeping(&keeper)).as_ref().ok_or(Failure::Silent)?;
            sessions::end(t, claims, run_no, complete, clock.now())
        })?;
        self.database.has_ended();
        Ok(())
    }

    /// Ends the sessions of this process; their run can be resumed.
    fn resign(&self) -> Result<()> {
        let claims = stop_keeping(&self.keeper)
            .ok_or_else(|| failed(self.database.store(), "write", &Failure::Silent))?;
        let now = self.clock.now();
        if claims.is_empty() {
            return Ok(());
        }
        self.database.write(move |t| lease::end(t, &claims, now).map(drop))?;
        self.database.has_ended();
        Ok(())
    }
}

/// Stops the thread. Returns what the rows of the sessions say; `None` if the database keeps the
/// thread waiting: then nobody knows whether the sessions are still this process's.
fn stop_keeping(keeper: &Mutex<Option<KeeperThread>>) -> Option<Vec<Claim>> {
    let keeper = lock(keeper).take();
    keeper.map_or_else(|| Some(Vec::new()), KeeperThread::end)
}

/// Ends the sessions of dead processes, so that nothing is in the way of erasing or copying.
/// Watches a live one for up to 16 s: only then it is known to be dead.
///
/// # Errors
///
/// Exit 5 if a run works in the store; exit 6 if the database fails.
pub(super) fn take_over_the_dead(database: &Database, clock: &dyn Clock, own: &[i64]) -> Result<()> {
    let (mut candidate, mut has_told) = (Candidate::default(), false);
    loop {
        let own = own.to_vec();
        let holders = database.read(move |t| sessions::live(t, &own))?;
        let Some(first) = holders.first() else { return Ok(()) };
        match candidate.look(&holders, clock.now().boot_us) {
            Judgement::Alive(holder) => return Err(busy(database.store(), &holder.to_string())),
            Judgement::Overdue(holder) => {
                let (session_no, beat, now) = (holder.session_no, holder.beat, clock.now());
                database.write(move |t| lease::take_over(t, session_no, beat, now))?;
            }
            Judgement::Unknown => {
                if !std::mem::replace(&mut has_told, true) {
                    tracing::info!("note: {first} has not ended; waiting to see whether it still works");
                }
                std::thread::sleep(Candidate::LOOK_EVERY);
            }
        }
    }
}

impl Drop for Leases {
    /// A process that ends in order resigns. If it cannot, others notice after one lease.
    fn drop(&mut self) {
        let _ = self.resign();
    }
}
