//! The readings of the ledger that fill the queues of all accounts.
//!
//! One reading serves all accounts, each from the record at which it stopped. A job that finds its
//! queue full waits: then the reading is as fast as the account. But if another account is nearly
//! out of jobs, the reading leaves the full one behind, at this record, and goes on. The next
//! reading begins when an account that was left behind is nearly out of jobs. So one account needs
//! one reading for each of its groups, and a ledger in which the accounts follow each other makes
//! none of them wait.
//!
//! The calls whose requests receipts save follow in a second round, if the sample refutes the
//! receipts. An account learns this for itself, as soon as all jobs of its first round have ended:
//! another one may need hours more.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::jobs::{CallPlace, CallSource, Hour, for_each_call};
use super::queues::Queues;
use super::refuted::{Refutable, check_sample};
use crate::error::Result;
use crate::fetch::Job;
use crate::stop::Stop;

/// Which calls are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Those that need a request.
    First,
    /// Those whose request a receipt saves.
    Second,
}

/// An account that gets jobs, and how far its calls were put into its queue.
pub(super) struct Reached {
    /// The groups of its calls, in the order in which they are asked for.
    groups: Vec<(Round, RangeInclusive<Hour>)>,
    /// The second round, until the sample decides on it.
    undecided: Option<Refutable>,
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
    pub(super) fn new(order: Vec<RangeInclusive<Hour>>, refutable: Option<Refutable>, stop: Stop) -> Self {
        let groups = order.into_iter().map(|hours| (Round::First, hours)).collect();
        let is_refuted = refutable.as_ref().is_some_and(|refutable| refutable.is_refuted);
        let mut reached = Self { groups, undecided: refutable, stop, group: 0, record: 0, is_left: false };
        if is_refuted {
            reached.decide(true);
        }
        reached
    }

    /// The second round follows if the receipts are refuted.
    fn decide(&mut self, is_refuted: bool) {
        let second = self.undecided.take().filter(|_| is_refuted);
        let groups = second.into_iter().flat_map(|refutable| refutable.order);
        self.groups.extend(groups.map(|hours| (Round::Second, hours)));
    }

    /// True if all calls that are decided on were put into the queue.
    fn is_sent(&self) -> bool {
        self.group >= self.groups.len()
    }

    /// True if all its calls were put into the queue.
    fn is_done(&self) -> bool {
        self.is_sent() && self.undecided.is_none()
    }

    /// The round in which it wants the call; `None` if it does not want it now.
    fn wants(&self, place: CallPlace) -> Option<Round> {
        let (round, hours) = self.groups.get(self.group)?;
        let is_wanted = !self.is_left && place.record >= self.record && hours.contains(&place.hour);
        is_wanted.then_some(*round)
    }
}

/// What was put into the queues.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Of each account: whether all of its jobs were.
    pub(super) all: Vec<bool>,
    /// How often the ledger was read for jobs.
    pub(super) readings: u64,
}

/// All accounts, and their queues.
struct Readings {
    accounts: Vec<Reached>,
    queues: Queues,
    /// How many accounts this reading serves.
    served: usize,
    /// Readings so far.
    readings: u64,
}

/// The next step.
enum Step {
    /// A reading of the ledger for jobs.
    Read,
    /// The samples of these accounts have their answers.
    Check(Vec<usize>),
    /// No account gets more jobs.
    End,
}

/// Puts all jobs into the queues. Calls `on_refuted` with each account whose second round begins.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, exit 6 if the store cannot be read.
pub(super) fn send_jobs(
    source: CallSource<'_>,
    accounts: Vec<Reached>,
    queues: Queues,
    on_refuted: &dyn Fn(usize),
) -> Result<Sent> {
    let readings = RefCell::new(Readings { accounts, queues, served: 0, readings: 0 });
    readings.borrow_mut().close_ended();
    loop {
        let step = readings.borrow_mut().next();
        match step {
            Step::End => break,
            Step::Read => read(source, &readings)?,
            Step::Check(accounts) => {
                let checked = check_sample(source, &accounts)?;
                for (account, checked) in accounts.into_iter().zip(checked) {
                    tracing::debug!(account, ?checked, "the sample of receipts");
                    if checked.is_refuted() {
                        on_refuted(account);
                    }
                    readings.borrow_mut().accounts[account].decide(checked.is_refuted());
                }
                readings.borrow_mut().close_ended();
            }
        }
    }
    let Readings { accounts, readings, .. } = readings.into_inner();
    tracing::debug!(readings, "readings of the ledger for its jobs");
    Ok(Sent { all: accounts.iter().map(Reached::is_done).collect(), readings })
}

/// Reads the ledger once, for the accounts that this reading serves.
fn read(source: CallSource<'_>, readings: &RefCell<Readings>) -> Result<()> {
    for_each_call(
        source,
        &|place, _| readings.borrow().accounts[place.account].wants(place).is_some(),
        &mut |call| {
            let round = readings.borrow().accounts[call.place.account].wants(call.place);
            let job = match round {
                Some(Round::First) => call.job(source),
                Some(Round::Second) => call.saved_job(source),
                None => None,
            };
            job.is_none_or(|job| readings.borrow_mut().put(call.place, job))
        },
    )?;
    readings.borrow_mut().end();
    Ok(())
}

impl Readings {
    /// Waits for the next step. Begins it if it is a reading.
    fn next(&mut self) -> Step {
        // An account that was not left behind begins its next group at once.
        self.queues.wait_until(|queues| {
            let is_next = |at: usize| !self.accounts[at].is_left || queues.is_hungry(at);
            let has_none = self.open().next().is_none() && self.undecided().next().is_none();
            has_none || self.answered().next().is_some() || self.open().any(is_next)
        });
        self.close_ended();
        let answered: Vec<usize> = self.answered().collect();
        if !answered.is_empty() {
            return Step::Check(answered);
        }
        let open: Vec<usize> = self.open().collect();
        self.accounts.iter_mut().for_each(|account| account.is_left = true);
        open.iter().for_each(|at| self.accounts[*at].is_left = false);
        self.served = open.len();
        self.readings += u64::from(self.served > 0);
        if self.served > 0 { Step::Read } else { Step::End }
    }

    /// The accounts that are not stopped.
    fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.accounts.len()).filter(|at| !self.has_stopped(*at))
    }

    /// The accounts that get more jobs.
    fn open(&self) -> impl Iterator<Item = usize> {
        self.running().filter(|at| !self.accounts[*at].is_sent())
    }

    /// The accounts that may get a second round.
    fn undecided(&self) -> impl Iterator<Item = usize> {
        self.running().filter(|at| self.accounts[*at].is_sent() && !self.accounts[*at].is_done())
    }

    /// The accounts among them that have all answers of their first round.
    fn answered(&self) -> impl Iterator<Item = usize> {
        self.undecided().filter(|at| self.queues.is_ended(*at))
    }

    fn has_stopped(&self, account: usize) -> bool {
        self.accounts[account].stop.is_stopped() || self.queues.is_abandoned(account)
    }

    /// Puts a job into the queue of its account, or leaves the account behind. Returns false if
    /// this reading serves nobody any more.
    fn put(&mut self, place: CallPlace, job: Job) -> bool {
        let CallPlace { account, record, .. } = place;
        let mut job = Some(job);
        while self.accounts[account].wants(place).is_some() {
            if self.has_stopped(account) {
                self.leave(account, record);
            } else if self.queues.put(account, &mut job) {
                self.accounts[account].record = record + 1;
            } else if self.is_another_waiting(account) {
                self.leave(account, record);
            } else {
                self.queues.wait_until(|queues| {
                    !queues.is_full(account) || self.is_another_waiting(account) || self.has_stopped(account)
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

    /// True if another account is nearly out of jobs, or its sample has all answers.
    fn is_another_waiting(&self, account: usize) -> bool {
        self.open().any(|at| at != account && self.queues.is_hungry(at)) || self.answered().next().is_some()
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
            if self.accounts[at].is_done() {
                self.queues.complete(at);
            } else if self.has_stopped(at) {
                self.queues.close(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fmt::Write as _;
    use std::time::Duration;

    use chrono::TimeDelta;
    use compact_str::{CompactString, ToCompactString as _};
    use reconcile_core::ask_again::{ReceiptUse, Scope};
    use reconcile_core::call_result::Rules;
    use reconcile_core::compare::Tolerances;
    use reconcile_core::receipt::ReceiptsTrust;

    use super::*;
    use crate::collect::queues::{JobQueue, bound, queues};
    use crate::ledger::{Input, Options, ScannedLedger};
    use crate::stop::Reason;

    /// A ledger in which the calls of the accounts follow each other as `account_of` says.
    fn ledger(
        rows: usize,
        account_of: impl Fn(usize) -> usize,
        accounts: usize,
    ) -> (tempfile::TempPath, ScannedLedger) {
        let mut text = "call_id,prod_id,called_at,account\n".to_owned();
        for at in 0..rows {
            let hour = at % 24;
            writeln!(text, "{at}^1,7,2026-11-16 {hour:02}:00:00,a{}", account_of(at)).unwrap();
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let names = (0..accounts).map(|i| format!("a{i}").to_compact_string()).collect();
        let options = Options { accounts: names, ..Options::default() };
        let path = file.into_temp_path();
        let source = ScannedLedger::scan(Input::open(&path).unwrap(), options).unwrap();
        (path, source)
    }

    const NO_RECEIPTS: ReceiptUse = ReceiptUse { trust: ReceiptsTrust::None, seed: 0 };

    fn all() -> Vec<RangeInclusive<Hour>> {
        vec![Hour::MIN..=Hour::MAX]
    }

    /// What the receivers did, and which accounts got all their jobs.
    struct Ended {
        /// The numbers of the calls of each account, in their order.
        calls: Vec<Vec<usize>>,
        sent: Sent,
    }

    /// As [`taken_and_ended_in_turn`], without a second round.
    fn taken_in_turn(
        source: &ScannedLedger,
        orders: Vec<Vec<RangeInclusive<Hour>>>,
        stops: &[Stop],
    ) -> Ended {
        let reached = orders.into_iter().zip(stops);
        let reached = reached.map(|(order, stop)| Reached::new(order, None, stop.clone()));
        taken_and_ended_in_turn(source, reached.collect())
    }

    /// Finds the jobs on a thread, and takes one from each queue in turn, until all are empty. So
    /// an account that waits for another one would wait for ever.
    fn taken_and_ended_in_turn(source: &ScannedLedger, reached: Vec<Reached>) -> Ended {
        let accounts: Vec<CompactString> = source.options.accounts.clone();
        let (all_queues, mut receivers) = queues(reached.len());
        std::thread::scope(|scope| {
            let accounts = &accounts;
            let sent = scope.spawn(move || {
                let scope = Scope::of_new_store(false, chrono::Utc::now());
                let source = CallSource {
                    ledger: source,
                    scope: &scope,
                    reader: None,
                    receipts: NO_RECEIPTS,
                    rules: Rules { settle: TimeDelta::zero(), tolerances: Tolerances::default() },
                    accounts,
                };
                send_jobs(source, reached, all_queues, &|_| {}).unwrap()
            });
            let mut calls = vec![Vec::new(); receivers.len()];
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            while calls_are_taken(&runtime, &mut receivers, &mut calls) {}
            Ended { calls, sent: sent.join().unwrap() }
        })
    }

    /// Takes one job from each queue. Returns false once all queues have ended.
    fn calls_are_taken(
        runtime: &tokio::runtime::Runtime,
        receivers: &mut [JobQueue],
        calls: &mut [Vec<usize>],
    ) -> bool {
        let mut is_taken = false;
        for (queue, calls) in receivers.iter_mut().zip(calls) {
            let next =
                runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), queue.next()).await });
            // A timeout means that one account waits for another one.
            let Some(job) = next.unwrap() else { continue };
            calls.push(job.key.call_id.trim_end_matches("^1").parse().unwrap());
            queue.ended_jobs().one_more();
            is_taken = true;
        }
        is_taken
    }

    fn stops(accounts: usize) -> Vec<Stop> {
        Stop::default().for_accounts(accounts, accounts)
    }

    #[test]
    fn accounts_that_follow_each_other_are_served_together() {
        let calls = 2 * bound(3) + 1_000;
        let (_file, source) = ledger(3 * calls, |at| at / calls, 3);
        let ended = taken_in_turn(&source, vec![all(); 3], &stops(3));
        for (account, numbers) in ended.calls.iter().enumerate() {
            let wanted: Vec<usize> = (account * calls..(account + 1) * calls).collect();
            assert!(*numbers == wanted, "account {account} has each call once, in ledger order");
        }
        assert_eq!(ended.sent.all, [true; 3]);
        // Each reading but the last leaves an account with a full queue.
        assert!((2..=6).contains(&ended.sent.readings), "{:?}", ended.sent);
    }

    #[test]
    fn each_group_of_hours_of_each_account_is_sent_once() {
        let (_file, source) = ledger(30_000, |at| at * 7 % 3, 3);
        let first_hour = source_hour(&source);
        let halves = vec![Hour::MIN..=first_hour + 11, first_hour + 12..=Hour::MAX];
        let ended = taken_in_turn(&source, vec![halves, all(), all()], &stops(3));
        assert_eq!(ended.calls.iter().map(Vec::len).sum::<usize>(), 30_000);
        let hours: Vec<usize> = ended.calls[0].iter().map(|at| at % 24).collect();
        let middle = hours.iter().position(|hour| *hour >= 12).unwrap();
        assert!(hours[middle..].iter().all(|hour| *hour >= 12), "the older calls come first");
        for numbers in &ended.calls[1..] {
            assert!(numbers.is_sorted());
        }
    }

    /// The hour of midnight (UTC+8) of the ledger's day.
    fn source_hour(source: &ScannedLedger) -> Hour {
        let Some(Ok(reconcile_core::ledger_row::Record::Row(row))) = source.read().unwrap().next() else {
            return 0;
        };
        reconcile_core::calendar::midnight_ms(row.key.day).div_euclid(3_600_000)
    }

    #[test]
    fn a_stopped_account_gets_no_more_jobs_and_the_others_all() {
        let calls = 3 * bound(2);
        let (_file, source) = ledger(2 * calls, |at| at / calls, 2);
        let stops = stops(2);
        stops[0].stop(Reason::NoKey("no key".into()));
        let ended = taken_in_turn(&source, vec![all(); 2], &stops);
        assert_eq!((ended.calls[0].len(), ended.calls[1].len()), (0, calls));
        assert_eq!(ended.sent.all, [false, true]);
    }

    #[test]
    fn one_account_needs_one_reading_however_long_its_queue() {
        let (_file, source) = ledger(5 * bound(1), |_| 0, 1);
        let ended = taken_in_turn(&source, vec![all()], &stops(1));
        assert_eq!(ended.calls[0].len(), 5 * bound(1));
        assert_eq!(ended.sent, Sent { all: vec![true], readings: 1 });
    }

    /// A second round that follows if the sample, which has no answers here, refutes the receipts.
    fn refutable() -> Refutable {
        Refutable { calls: 1, order: all(), is_refuted: false }
    }

    #[test]
    fn an_account_that_waits_for_its_sample_delays_no_other() {
        let calls = 3 * bound(3);
        let few = calls.div_ceil(1_000);
        // The first account has a few calls, the second has none, the third has most.
        let account_of = |at| if at % 1_000 == 0 { 0 } else { 2 };
        let (_file, source) = ledger(calls, account_of, 3);
        let stops = stops(3);
        let reached = vec![
            Reached::new(all(), Some(refutable()), stops[0].clone()),
            Reached::new(Vec::new(), Some(refutable()), stops[1].clone()),
            Reached::new(all(), Some(refutable()), stops[2].clone()),
        ];
        let ended = taken_and_ended_in_turn(&source, reached);
        assert_eq!(ended.calls.iter().map(Vec::len).collect::<Vec<_>>(), [few, 0, calls - few]);
        assert_eq!(ended.sent.all, [true; 3]);
    }

    #[test]
    fn a_queue_stays_open_until_the_first_round_has_ended() {
        let (_file, source) = ledger(3, |_| 0, 1);
        let (all_queues, mut receivers) = queues(1);
        let mut queue = receivers.pop().unwrap();
        let (is_complete, ended) = (queue.completeness(), queue.ended_jobs());
        let reached = vec![Reached::new(all(), Some(refutable()), Stop::default())];
        std::thread::scope(|scope| {
            let (source, accounts) = (&source, source.options.accounts.clone());
            let sent = scope.spawn(move || {
                let scope = Scope::of_new_store(false, chrono::Utc::now());
                let source = CallSource {
                    ledger: source,
                    scope: &scope,
                    reader: None,
                    receipts: NO_RECEIPTS,
                    rules: Rules { settle: TimeDelta::zero(), tolerances: Tolerances::default() },
                    accounts: &accounts,
                };
                send_jobs(source, reached, all_queues, &|_| {}).unwrap()
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let jobs: Vec<Job> = (0..3).map_while(|_| runtime.block_on(queue.next())).collect();
            for _ in &jobs {
                assert!(!is_complete.load(std::sync::atomic::Ordering::SeqCst), "the sample is not asked");
                ended.one_more();
            }
            assert!(runtime.block_on(queue.next()).is_none());
            assert_eq!((jobs.len(), sent.join().unwrap().all), (3, vec![true]));
        });
    }

    #[test]
    fn a_stopped_account_gets_no_second_round() {
        let (_file, source) = ledger(3, |_| 0, 1);
        let stop = Stop::default();
        stop.stop(Reason::Signal("SIGTERM"));
        let ended = taken_and_ended_in_turn(&source, vec![Reached::new(all(), Some(refutable()), stop)]);
        assert_eq!(ended.sent, Sent { all: vec![false], readings: 0 });
    }
}
