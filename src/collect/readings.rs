//! The readings of the ledger that fill the queues of all accounts.
//!
//! One reading serves all accounts, each from the record at which it stopped. A job that finds its
//! queue full waits: then the reading is as fast as the account. But if another account is nearly
//! out of jobs, the reading leaves the full one behind, at this record, and goes on. The next
//! reading begins when an account that was left behind is nearly out of jobs. So one account needs
//! one reading for each of its groups, and a ledger in which the accounts follow each other makes
//! none of them wait.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::jobs::{CallPlace, CallSource, Hour, for_each_job};
use super::queues::Queues;
use crate::error::Result;
use crate::fetch::Job;
use crate::stop::Stop;

/// An account that gets jobs.
pub(super) struct Reached {
    /// The groups of its calls, in the order in which they are asked for.
    pub(super) order: Vec<RangeInclusive<Hour>>,
    /// Stops the account.
    pub(super) stop: Stop,
    /// The group that is asked for.
    group: usize,
    /// The first record of the group that was not put into the queue.
    record: u64,
    /// True if this reading has left it behind.
    is_left: bool,
}

impl Reached {
    pub(super) fn new(order: Vec<RangeInclusive<Hour>>, stop: Stop) -> Self {
        Self { order, stop, group: 0, record: 0, is_left: false }
    }

    /// True if all its calls were put into the queue.
    fn is_done(&self) -> bool {
        self.group >= self.order.len()
    }

    fn wants(&self, place: CallPlace) -> bool {
        let hours = self.order.get(self.group);
        !self.is_left && place.record >= self.record && hours.is_some_and(|hours| hours.contains(&place.hour))
    }
}

/// All accounts, and their queues.
struct Readings {
    accounts: Vec<Reached>,
    queues: Queues,
    /// Accounts that this reading serves.
    served: usize,
    /// Readings so far.
    readings: u64,
}

/// Puts all jobs into the queues. Returns for each account whether all of its jobs were put there.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, exit 6 if the store cannot be read.
pub(super) fn send_jobs(source: CallSource<'_>, accounts: Vec<Reached>, queues: Queues) -> Result<Vec<bool>> {
    let readings = RefCell::new(Readings { accounts, queues, served: 0, readings: 0 });
    readings.borrow_mut().close_ended();
    while readings.borrow_mut().begin() {
        for_each_job(
            source,
            &|place| readings.borrow().accounts[place.account].wants(place),
            &mut |place, job| readings.borrow_mut().put(place, job),
        )?;
        readings.borrow_mut().end();
    }
    let Readings { accounts, readings, .. } = readings.into_inner();
    tracing::debug!(readings, "readings of the ledger for its jobs");
    Ok(accounts.iter().map(Reached::is_done).collect())
}

impl Readings {
    /// Waits until a reading is needed, and begins it. Returns false if none is.
    fn begin(&mut self) -> bool {
        // An account that was not left behind begins its next group at once.
        self.queues.wait_until(|queues| {
            let mut open = self.open().peekable();
            open.peek().is_none() || open.any(|at| !self.accounts[at].is_left || queues.is_hungry(at))
        });
        self.close_ended();
        let open: Vec<usize> = self.open().collect();
        self.accounts.iter_mut().for_each(|account| account.is_left = true);
        open.iter().for_each(|at| self.accounts[*at].is_left = false);
        self.served = open.len();
        self.readings += u64::from(self.served > 0);
        self.served > 0
    }

    /// The accounts that get more jobs.
    fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.accounts.len()).filter(|at| !self.accounts[*at].is_done() && !self.has_stopped(*at))
    }

    fn has_stopped(&self, account: usize) -> bool {
        self.accounts[account].stop.is_stopped() || self.queues.is_abandoned(account)
    }

    /// Puts a job into the queue of its account, or leaves the account behind. Returns false if this
    /// reading serves nobody any more.
    fn put(&mut self, place: CallPlace, job: Job) -> bool {
        let CallPlace { account, record, .. } = place;
        let mut job = Some(job);
        while self.accounts[account].wants(place) {
            if self.has_stopped(account) {
                self.leave(account, record);
            } else if self.queues.put(account, &mut job) {
                self.accounts[account].record = record + 1;
            } else if self.is_another_hungry(account) {
                self.leave(account, record);
            } else {
                self.queues.wait_until(|queues| {
                    !queues.is_full(account) || self.is_another_hungry(account) || self.has_stopped(account)
                });
            }
        }
        self.served > 0
    }

    fn leave(&mut self, account: usize, record: u64) {
        let left = &mut self.accounts[account];
        (left.is_left, left.record) = (true, record);
        self.served -= 1;
    }

    fn is_another_hungry(&self, account: usize) -> bool {
        self.open().any(|at| at != account && self.queues.is_hungry(at))
    }

    /// The reading has ended. An account that was not left behind has all jobs of its group.
    fn end(&mut self) {
        for account in self.accounts.iter_mut().filter(|account| !account.is_left) {
            account.group += 1;
            account.record = 0;
        }
        self.close_ended();
    }

    /// Closes the queues of accounts that get no more jobs.
    fn close_ended(&mut self) {
        for at in 0..self.accounts.len() {
            if self.accounts[at].is_done() || self.has_stopped(at) {
                self.queues.close(at);
            }
        }
    }
}
