//! The calls that a run asks beside those of its ledger, with what the cap leaves over: open calls
//! of earlier ledgers, then final records that it looks at again.
//!
//! An account takes them in small parts, once all its own calls have their answer. From part to
//! part it keeps a position, so memory does not grow with the store. A call that the run asks is
//! left out, so none is asked twice. The store shows which these are, however often the run is
//! resumed; the few that it does not show are kept as fingerprints.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use chrono::NaiveDate;
use reconcile_core::answer::StoredCall;
use reconcile_core::call::CallKey;

use super::beside_wanted::{BesideCounts, BesideWanted};
use super::workload::Workload;
use crate::error::Result;
use crate::fetch::Job;
use crate::locked::lock;
use crate::store::{FinalCall, OpenCall, OpenCallsOf, Reader};

/// Final records of one part.
const RECORDS_AT_ONCE: usize = 256;
/// Numbers of calls that are searched at a time.
const NUMBERS_AT_ONCE: i64 = 8_192;

/// Finds the calls. All accounts share it.
pub struct Beside {
    state: Mutex<State>,
    left_out: LeftOut,
}

/// Fingerprints of calls that the run asks, or has asked, which the store does not show.
type LeftOut = Arc<Mutex<HashSet<u128>>>;

struct State {
    reader: Box<dyn Reader>,
    wanted: BesideWanted,
    /// `None` until they are needed. What this run looks at since is left out by its session.
    records: Option<Records>,
    positions: Vec<Position>,
    /// `None` until the first account goes on with calls beside its own.
    counts: Option<Vec<BesideCounts>>,
    left_out: LeftOut,
}

/// The final records that may be looked at again.
#[derive(Default)]
struct Records {
    /// The young ones, by the session that looked at them last, and by account.
    young: BTreeMap<(i64, usize), Found>,
    /// The others in the sample, by account.
    sampled: BTreeMap<usize, Found>,
}

/// Some records: their number, and the numbers of the first and the last.
#[derive(Clone, Copy)]
struct Found {
    records: u64,
    first: i64,
    last: i64,
}

/// How far the calls of an account were found.
enum Position {
    Start,
    /// On these days, the next one last.
    Open {
        days: Vec<NaiveDate>,
        after: Option<CallKey>,
    },
    /// By these searches, the next one last.
    Records(Vec<Search>),
}

/// Numbers of calls in which records are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Search {
    numbers: RangeInclusive<i64>,
    /// The session that looked at them last; `None` searches the sample.
    looked_at_by: Option<i64>,
}

impl Beside {
    /// Nothing is found yet.
    #[must_use]
    pub fn new(reader: Box<dyn Reader>, wanted: BesideWanted) -> Self {
        let positions = wanted.accounts.iter().map(|_| Position::Start).collect();
        let left_out = LeftOut::default();
        let of_state = left_out.clone();
        let (records, counts) = (None, None);
        let state = State { reader, wanted, records, positions, counts, left_out: of_state };
        Self { state: Mutex::new(state), left_out }
    }

    /// The next jobs of an account; none after the last ones. May read much of the store.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    pub fn next(&self, account: usize) -> Result<Vec<Job>> {
        lock(&self.state).next(account)
    }

    /// Leaves out a call: the run has asked it, and the store does not show that.
    pub(super) fn leave_out(&self, key: &CallKey) {
        lock(&self.left_out).insert(key.fingerprint());
    }

    /// Leaves out the calls that an account asks as its own.
    pub fn leave_out_own(&self, workload: &Workload) {
        lock(&self.left_out).extend(&workload.own);
    }

    /// How many calls each account would ask now.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    pub fn counts(&self) -> Result<Vec<BesideCounts>> {
        lock(&self.state).counts()
    }

    /// The same, as it was at the first call.
    ///
    /// # Errors
    ///
    /// Exit 6 if the store cannot be read.
    pub fn counts_once(&self) -> Result<Vec<BesideCounts>> {
        let mut state = lock(&self.state);
        if let Some(counts) = &state.counts {
            return Ok(counts.clone());
        }
        let counts = state.counts()?;
        state.counts = Some(counts.clone());
        Ok(counts)
    }
}

impl State {
    fn next(&mut self, account: usize) -> Result<Vec<Job>> {
        loop {
            let (jobs, next) = match std::mem::replace(&mut self.positions[account], Position::Start) {
                Position::Start => {
                    let mut days = self.open_days()?;
                    days.reverse();
                    (Vec::new(), Position::Open { days, after: None })
                }
                Position::Open { days, after } => self.open_jobs(account, days, after)?,
                Position::Records(searches) if searches.is_empty() => {
                    self.positions[account] = Position::Records(searches);
                    return Ok(Vec::new());
                }
                Position::Records(searches) => self.record_jobs(account, searches)?,
            };
            self.positions[account] = next;
            if !jobs.is_empty() {
                return Ok(jobs);
            }
        }
    }

    /// The days that have open calls, the newest first: these are the likeliest to be answered now.
    fn open_days(&self) -> Result<Vec<NaiveDate>> {
        self.reader.open_days(self.wanted.scope.run_no, self.wanted.open_days.clone())
    }

    fn open_calls(&self, day: NaiveDate, after: Option<CallKey>) -> Result<Vec<OpenCall>> {
        self.reader.open_calls(&OpenCallsOf { run_no: self.wanted.scope.run_no, day, after })
    }

    fn open_jobs(
        &mut self,
        account: usize,
        mut days: Vec<NaiveDate>,
        after: Option<CallKey>,
    ) -> Result<(Vec<Job>, Position)> {
        let Some(day) = days.last().copied() else {
            return Ok((Vec::new(), Position::Records(self.searches(account)?)));
        };
        let calls = self.open_calls(day, after)?;
        let Some(last) = calls.last().map(|call| call.key.clone()) else {
            days.pop();
            return Ok((Vec::new(), Position::Open { days, after: None }));
        };
        let asked_by = |call: &&OpenCall| self.wanted.asked_by(call.account.as_deref()) == Some(account);
        let (keys, left_out) = (calls.iter().filter(asked_by).map(|call| &call.key), lock(&self.left_out));
        let keys: Vec<&CallKey> = keys.filter(|key| !left_out.contains(&key.fingerprint())).collect();
        drop(left_out);
        let jobs = self.jobs(&keys, BesideWanted::open_job)?;
        Ok((jobs, Position::Open { days, after: Some(last) }))
    }

    /// The jobs of these calls. The store is asked for them together.
    fn jobs(
        &self,
        keys: &[&CallKey],
        job: impl Fn(&BesideWanted, &CallKey, Option<&StoredCall>) -> Option<Job>,
    ) -> Result<Vec<Job>> {
        let stored = self.reader.lookup_all(keys)?;
        let jobs =
            keys.iter().zip(&stored).filter_map(|(key, stored)| job(&self.wanted, key, stored.as_ref()));
        Ok(jobs.collect())
    }

    /// The searches for the records of an account, the first one last: the young records, the least
    /// recently checked first; then the sample, from a place that differs from run to run.
    fn searches(&mut self, account: usize) -> Result<Vec<Search>> {
        let sample = self.wanted.sample();
        let records = self.records()?;
        let mut searches: Vec<Search> = Vec::new();
        if let Some(Found { first, last, .. }) = records.sampled.get(&account) {
            let length = last.abs_diff(*first) + 1;
            let start = first.saturating_add_unsigned(sample.start(length));
            for numbers in [*first..=start - 1, start..=*last] {
                searches.push(Search { numbers, looked_at_by: None });
            }
        }
        let young = records.young.iter().rev().filter(|((_, of), _)| *of == account);
        searches.extend(young.map(|((session_no, _), found)| Search {
            numbers: found.first..=found.last,
            looked_at_by: Some(*session_no),
        }));
        Ok(searches)
    }

    /// The final records. They are read once.
    fn records(&mut self) -> Result<&Records> {
        let records = match self.records.take() {
            Some(records) => records,
            None => self.find_records()?,
        };
        Ok(self.records.insert(records))
    }

    /// Reads all final records, without their texts.
    fn find_records(&self) -> Result<Records> {
        let mut records = Records::default();
        if !self.wanted.wants_records() {
            return Ok(records);
        }
        let sample = self.wanted.sample();
        for window in self.reader.call_windows()? {
            for call in self.reader.final_calls(&window)? {
                let Some(account) = self.wanted.asked_by(call.account.as_deref()) else { continue };
                let no = call.call_no;
                let found = if call.looked_at_by >= self.wanted.scope.run_from {
                    continue;
                } else if self.wanted.is_young(&call) {
                    records.young.entry((call.looked_at_by, account)).or_insert(Found::none_from(no))
                } else if sample.contains(no) {
                    records.sampled.entry(account).or_insert(Found::none_from(no))
                } else {
                    continue;
                };
                (found.records, found.last) = (found.records + 1, no);
            }
        }
        Ok(records)
    }

    fn record_jobs(&self, account: usize, mut searches: Vec<Search>) -> Result<(Vec<Job>, Position)> {
        let Some(Search { numbers, looked_at_by }) = searches.pop() else {
            return Ok((Vec::new(), Position::Records(searches)));
        };
        let (first, last) = numbers.into_inner();
        if first > last {
            return Ok((Vec::new(), Position::Records(searches)));
        }
        let window = first..=last.min(first.saturating_add(NUMBERS_AT_ONCE - 1));
        let sample = self.wanted.sample();
        let is_wanted = |call: &FinalCall| {
            self.wanted.asked_by(call.account.as_deref()) == Some(account)
                && match looked_at_by {
                    Some(session_no) => call.looked_at_by == session_no && self.wanted.is_young(call),
                    None => {
                        call.looked_at_by < self.wanted.scope.run_from
                            && !self.wanted.is_young(call)
                            && sample.contains(call.call_no)
                    }
                }
        };
        let mut calls = self.reader.final_calls(&window)?;
        calls.retain(is_wanted);
        let rest_from = match calls.get(RECORDS_AT_ONCE) {
            Some(next) => next.call_no,
            None => window.end().saturating_add(1),
        };
        calls.truncate(RECORDS_AT_ONCE);
        searches.push(Search { numbers: rest_from..=last, looked_at_by });
        let keys: Vec<&CallKey> = calls.iter().map(|call| &call.key).collect();
        Ok((self.jobs(&keys, BesideWanted::record_job)?, Position::Records(searches)))
    }

    fn counts(&mut self) -> Result<Vec<BesideCounts>> {
        let mut counts = vec![BesideCounts::default(); self.wanted.accounts.len()];
        for day in self.open_days()? {
            let mut after = None;
            loop {
                let calls = self.open_calls(day, after)?;
                let Some(last) = calls.last() else { break };
                after = Some(last.key.clone());
                let keys: Vec<&CallKey> = calls.iter().map(|call| &call.key).collect();
                let (stored, left_out) = (self.reader.lookup_all(&keys)?, lock(&self.left_out));
                for (call, stored) in calls.iter().zip(stored) {
                    let Some(at) = self.wanted.asked_by(call.account.as_deref()) else { continue };
                    let is_own = left_out.contains(&call.key.fingerprint());
                    let job = self.wanted.open_job(&call.key, stored.as_ref());
                    counts[at].open += u64::from(job.is_some() && !is_own);
                }
            }
        }
        let Records { young, sampled } = self.records()?;
        young.iter().for_each(|((_, account), found)| counts[*account].records += found.records);
        sampled.iter().for_each(|(account, found)| counts[*account].records += found.records);
        Ok(counts)
    }
}

impl Found {
    fn none_from(first: i64) -> Self {
        Self { records: 0, first, last: first }
    }
}
