//! Keeps the leases of all sessions of this process: renews them, watches the sessions of other
//! processes, and moves places. Call [`Keeper::step`] every [`RENEW_EVERY`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::deadline::Lease;
use super::holding::{Holding, Wish};
use super::table::{Claim, Renewed, RowState, SessionRow, Table};
use super::terms::RENEW_EVERY;
use super::watch::{Sign, Watch};
use crate::clock::Clock;
use crate::error::Error;
use crate::store::places::Places;
use reconcile_core::arrival::micros;
use reconcile_core::rate::Rate;

/// Keeps the leases of this process.
pub struct Keeper {
    clock: Arc<dyn Clock>,
    lease: Arc<Lease>,
    holdings: Vec<Holding>,
    watch: Watch,
    /// The live sessions of others, as last read.
    known: BTreeMap<i64, Known>,
    /// The database's timeline at the first renewal.
    timeline: Option<String>,
    /// True if the outcome of a change is unknown.
    is_unsure: bool,
}

/// A session of another process.
struct Known {
    account: String,
    timeout: Duration,
}

/// The result of a step.
#[derive(Debug)]
pub enum Step {
    /// The leases are renewed.
    Done,
    /// The database could not be asked. The next step tries again; the lease ends at its deadline.
    Away(Error),
    /// Another process may have the places of this session. Nothing may be sent any more.
    Lost(Loss),
}

/// How a session was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Another process has taken over from it.
    TakenOver(i64),
    /// Its row is gone or went backwards: the database has lost commits.
    WentBack(i64),
    /// Another server has become the database's primary. It may have lost commits: a take-over of
    /// this session, or its requests.
    FailedOver(i64),
}

impl From<Error> for Step {
    fn from(error: Error) -> Self {
        Self::Away(error)
    }
}

impl Keeper {
    /// A keeper without sessions. It extends this lease.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, lease: Arc<Lease>) -> Self {
        Self {
            clock,
            lease,
            holdings: Vec::new(),
            watch: Watch::default(),
            known: BTreeMap::new(),
            timeline: None,
            is_unsure: false,
        }
    }

    /// Adds a session that this process has begun. Its row has this beat, and no places. `timeout`
    /// is the time limit of its requests.
    pub fn add(&mut self, (session_no, beat): (i64, i64), account: &str, cap: Rate, timeout: Duration) {
        self.holdings.push(Holding::new((session_no, beat), account.to_owned(), cap, timeout));
    }

    /// The session has requests to send, under this cap. The cap has no place yet.
    pub fn hold(&mut self, session_no: i64, places: Arc<dyn Places>) {
        if let Some(holding) = self.find(session_no) {
            holding.hold(places);
        }
    }

    /// The session has nothing to send any more: others may have its places as they become free.
    pub fn release(&mut self, session_no: i64) {
        if let Some(holding) = self.find(session_no) {
            holding.release();
        }
    }

    /// As [`Self::release`], for all sessions.
    pub fn release_all(&mut self) {
        self.holdings.iter_mut().for_each(Holding::release);
    }

    fn find(&mut self, session_no: i64) -> Option<&mut Holding> {
        self.holdings.iter_mut().find(|holding| holding.session_no == session_no)
    }

    /// What the rows of this process say.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        self.holdings.iter().map(Holding::claim).collect()
    }

    /// Renews all leases, looks at the other sessions of the accounts, and moves places.
    pub async fn step<T: Table>(&mut self, table: &mut T) -> Step {
        if self.lease.is_lost() || self.holdings.is_empty() {
            return Step::Done;
        }
        let step = self.try_step(table).await.err().unwrap_or(Step::Done);
        match &step {
            Step::Done => {}
            Step::Away(_) => self.is_unsure = true,
            Step::Lost(_) => {
                self.lease.lose();
                self.holdings.iter().for_each(Holding::lose);
            }
        }
        step
    }

    async fn try_step<T: Table>(&mut self, table: &mut T) -> Result<(), Step> {
        if self.is_unsure {
            self.resync(table).await?;
        }
        let began_us = self.now_us();
        self.renew(table, began_us).await?;
        let mut rows = self.read(table).await?;
        self.take_over_from_dead(table, &mut rows).await?;
        self.rebalance_all(table, &rows, began_us).await
    }

    fn now_us(&self) -> i64 {
        self.clock.now().boot_us
    }

    fn mine(&self) -> Vec<i64> {
        self.holdings.iter().map(|holding| holding.session_no).collect()
    }

    /// Finds out what became of a change of unknown outcome.
    async fn resync<T: Table>(&mut self, table: &mut T) -> Result<(), Step> {
        let rows = table.read(&self.mine(), &[]).await?;
        for holding in &mut self.holdings {
            let row = rows.iter().find(|row| row.session_no == holding.session_no);
            if !row.is_some_and(|row| holding.adopt(row)) {
                return Err(lost(holding.session_no, row));
            }
        }
        self.is_unsure = false;
        Ok(())
    }

    /// A row was not as claimed. Perhaps a change of unknown outcome was made late.
    async fn not_as_claimed<T: Table>(&mut self, table: &mut T) -> Step {
        match self.resync(table).await {
            Ok(()) => Step::Away(Error::output("a change of unknown outcome was made late")),
            Err(step) => step,
        }
    }

    async fn renew<T: Table>(&mut self, table: &mut T, began_us: i64) -> Result<(), Step> {
        for holding in &mut self.holdings {
            let places = holding.claim().places;
            holding.attempts(places..=places);
        }
        let Renewed { session_nos, timeline } = table.renew(&self.claims()).await?;
        let is_renewed = |holding: &&mut Holding| session_nos.contains(&holding.session_no);
        self.holdings.iter_mut().filter(is_renewed).for_each(Holding::renewed);
        if !self.mine().iter().all(|mine| session_nos.contains(mine)) {
            return Err(self.not_as_claimed(table).await);
        }
        if *self.timeline.get_or_insert_with(|| timeline.clone()) != timeline {
            return Err(Step::Lost(Loss::FailedOver(self.holdings[0].session_no)));
        }
        self.lease.renewed(began_us);
        Ok(())
    }

    /// Reads the rows of all accounts. Returns them without those that are gone.
    async fn read<T: Table>(&mut self, table: &mut T) -> Result<Vec<SessionRow>, Step> {
        let known: Vec<i64> = self.known.keys().copied().collect();
        let rows = table.read(&self.mine(), &known).await?;
        for holding in &self.holdings {
            let row = rows.iter().find(|row| row.session_no == holding.session_no);
            if !row.is_some_and(|row| holding.agrees(row)) {
                return Err(lost(holding.session_no, row));
            }
        }
        let state_of = |no: i64| rows.iter().find(|row| row.session_no == no).map(|row| row.state);
        for (session_no, Known { account, timeout }) in std::mem::take(&mut self.known) {
            if !matches!(state_of(session_no), Some(RowState::Live | RowState::Ended)) {
                self.met_a_fence(&account, timeout);
            }
        }
        self.know(&rows);
        Ok(rows)
    }

    /// Notes the live sessions of others.
    fn know(&mut self, rows: &[SessionRow]) {
        let mine = self.mine();
        let others = rows.iter().filter(|row| row.state == RowState::Live && !mine.contains(&row.session_no));
        self.known.extend(
            others.map(|row| (row.session_no, Known { account: row.account.clone(), timeout: row.timeout })),
        );
    }

    fn met_a_fence(&mut self, account: &str, timeout: Duration) {
        let now_us = self.now_us();
        for holding in self.holdings.iter_mut().filter(|holding| holding.account == account) {
            holding.met_a_fence(timeout, now_us);
            holding.count_fence();
        }
    }

    /// Takes over from sessions whose lease has ended.
    async fn take_over_from_dead<T: Table>(
        &mut self,
        table: &mut T,
        rows: &mut [SessionRow],
    ) -> Result<(), Step> {
        let mine = self.mine();
        self.watch.keep(|session_no| self.known.contains_key(&session_no));
        for row in
            rows.iter_mut().filter(|row| row.state == RowState::Live && !mine.contains(&row.session_no))
        {
            let sign = self.watch.look(row.session_no, row.beat, self.clock.now().boot_us);
            if sign == Sign::Overdue && table.take_over(row.session_no, row.beat).await? {
                row.state = RowState::Fenced;
                self.known.remove(&row.session_no);
                self.met_a_fence(&row.account, row.timeout);
            }
        }
        Ok(())
    }

    /// Moves places, session by session, until the next renewal is due.
    async fn rebalance_all<T: Table>(
        &mut self,
        table: &mut T,
        rows: &[SessionRow],
        began_us: i64,
    ) -> Result<(), Step> {
        let mut by_account: BTreeMap<&str, Vec<&SessionRow>> = BTreeMap::new();
        for row in rows {
            by_account.entry(&row.account).or_default().push(row);
        }
        let mut moved = 0;
        while moved < self.holdings.len() && self.now_us() - began_us < micros(RENEW_EVERY) {
            let of_account = by_account.get(self.holdings[moved].account.as_str());
            self.rebalance(table, moved, of_account.map_or(&[][..], Vec::as_slice)).await?;
            moved += 1;
        }
        // The next step begins with those that had no turn.
        self.holdings.rotate_left(moved);
        Ok(())
    }

    async fn rebalance<T: Table>(
        &mut self,
        table: &mut T,
        index: usize,
        rows: &[&SessionRow],
    ) -> Result<(), Step> {
        let now_us = self.now_us();
        let holding = &mut self.holdings[index];
        if let Some(timeline) = holding.settles_on(now_us) {
            table.settle(holding.session_no, &timeline).await?;
            holding.settled();
        }
        match holding.rebalance(rows, now_us) {
            Wish::Nothing => {}
            Wish::Lower(change) => {
                holding.attempts(change.places..=change.places);
                if !table.lower(&change).await? {
                    return Err(self.not_as_claimed(table).await);
                }
                self.holdings[index].lowered(&change);
            }
            Wish::Raise(change) => {
                holding.attempts(change.from.places..=holding.cap_requests());
                let cap = holding.cap_requests();
                let Some(raised) = table.raise(&change, cap).await? else {
                    return Err(self.not_as_claimed(table).await);
                };
                let now_us = self.now_us();
                self.know(&raised.live);
                self.holdings[index].raised(&raised, now_us);
            }
        }
        Ok(())
    }
}

/// The loss of a session with this row.
fn lost(session_no: i64, row: Option<&SessionRow>) -> Step {
    let is_fenced = row.is_some_and(|row| row.state != RowState::Live);
    Step::Lost(if is_fenced { Loss::TakenOver(session_no) } else { Loss::WentBack(session_no) })
}
