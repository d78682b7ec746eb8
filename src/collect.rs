//! Pass 1: asks the provider for the calls that have no answer yet and stores the answers.
//!
//! One thread reads the ledger and the store and sends jobs over a short channel. The fetch stage
//! bounds the calls in work. Memory does not grow with the ledger.
//!
//! If the time is too short for all calls, the oldest calls come first: the calls are divided into
//! a few groups by age, and the ledger is read once for each group.

use std::collections::{BTreeMap, VecDeque};
use std::iter::Enumerate;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;

use chrono::Utc;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::error::Result;
use crate::fetch::{Ended, Fetcher, Job};
use crate::ledger::{DuplicateCalls, LedgerReader, ScannedLedger};
use crate::provider::Provider;
use crate::stop::{Reason, Stop};
use crate::store::Reader;
use crate::threads;
use reconcile_core::ask_again::{NextRequest, Scope};
use reconcile_core::calendar::{midnight_ms, neighbour_day};
use reconcile_core::call::CallKey;
use reconcile_core::ledger_row::{LedgerRow, LedgerTime, Record};

/// The distinct calls of a ledger: the first row of each call.
struct DistinctCalls<'a, R> {
    /// With the number of each record.
    ledger: Enumerate<LedgerReader<R>>,
    duplicates: &'a DuplicateCalls,
}

impl<R: std::io::Read> Iterator for DistinctCalls<'_, R> {
    type Item = Result<LedgerRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ledger.next()? {
                (_, Err(e)) => return Some(Err(e.into())),
                (number, Ok(Record::Row(row))) if !self.duplicates.is_later(number as u64) => {
                    return Some(Ok(row));
                }
                (_, Ok(_)) => {}
            }
        }
    }
}

/// Rows whose calls are looked up together.
const ROWS_PER_LOOKUP: usize = 512;

/// An hour, counted since 1970.
pub type Hour = i64;

const ANY_HOUR: RangeInclusive<Hour> = Hour::MIN..=Hour::MAX;

/// The hour in which a call was made; the first hour of the day if the ledger gives only a day.
fn hour_of(row: &LedgerRow) -> Hour {
    let called_at_ms = row.expected.called_at.and_then(LedgerTime::instant).map(|at| at.timestamp_millis());
    called_at_ms.unwrap_or_else(|| midnight_ms(row.key.day)).div_euclid(3_600_000)
}

/// The jobs for the calls made in these hours, with the hour of each, in ledger order. `None` for a
/// call that needs no request.
fn jobs<'a>(
    source: &'a ScannedLedger,
    scope: &'a Scope,
    reader: Option<&'a dyn Reader>,
    hours: RangeInclusive<Hour>,
) -> Result<impl Iterator<Item = Result<Option<(Hour, Job)>>> + 'a> {
    let (ledger, duplicates) = (source.read()?, &source.scan.duplicate_calls);
    let rows = DistinctCalls { ledger: ledger.enumerate(), duplicates };
    let rows = rows.map(|row| row.map(|row| (hour_of(&row), row)));
    let rows = rows.filter(move |row| row.as_ref().map_or(true, |(hour, _)| hours.contains(hour)));
    let mut rows = rows;
    let (mut found, mut has_failed) = (VecDeque::new(), false);
    Ok(std::iter::from_fn(move || {
        if found.is_empty() && !has_failed {
            let rows = rows.by_ref().take(ROWS_PER_LOOKUP).collect::<Result<Vec<_>>>();
            match rows.and_then(|rows| look_up(&rows, scope, reader)) {
                Ok(jobs) => found.extend(jobs.into_iter().map(Ok)),
                Err(error) => {
                    has_failed = true;
                    found.push_back(Err(error));
                }
            }
        }
        found.pop_front()
    }))
}

/// The jobs of these rows. The store is asked for their calls together.
fn look_up(
    rows: &[(Hour, LedgerRow)],
    scope: &Scope,
    reader: Option<&dyn Reader>,
) -> Result<Vec<Option<(Hour, Job)>>> {
    let keys: Vec<&CallKey> = rows.iter().map(|(_, row)| &row.key).collect();
    let stored = reader.map_or_else(|| Ok(vec![None; keys.len()]), |reader| reader.lookup_all(&keys))?;
    let jobs = rows.iter().zip(stored);
    Ok(jobs
        .map(|((hour, row), stored)| Some((*hour, job(row, scope.next_request(stored.as_ref()))?)))
        .collect())
}

/// The calls that a run has to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Calls that need a request.
    pub to_ask: u64,
    /// The calls among them near midnight: they may need a second request, for the neighbouring
    /// day.
    pub near_midnight: u64,
    /// Calls that need a request, by the hour in which they were made.
    by_hour: BTreeMap<Hour, u64>,
}

/// Number of groups, of about equal size, if the oldest calls come first. The ledger is read once
/// for each group.
const GROUPS: u64 = 8;

impl Workload {
    /// The groups of calls, in the order in which they are asked for.
    ///
    /// With `oldest_first`, several groups by the hour in which the calls were made, the oldest
    /// first. Otherwise one group, in ledger order.
    #[must_use]
    pub fn order(&self, oldest_first: bool) -> Vec<RangeInclusive<Hour>> {
        if !oldest_first {
            return vec![ANY_HOUR];
        }
        let (mut groups, mut first_hour, mut calls_in_group) = (Vec::new(), Hour::MIN, 0);
        for (hour, calls) in &self.by_hour {
            calls_in_group += calls;
            if calls_in_group * GROUPS >= self.to_ask {
                groups.push(first_hour..=*hour);
                (first_hour, calls_in_group) = (hour + 1, 0);
            }
        }
        groups.push(first_hour..=Hour::MAX);
        groups
    }
}

/// Counts the calls that need a request; sends nothing. `reader` is `None` without a store.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, exit 6 if the store cannot be read.
pub fn workload(source: &ScannedLedger, scope: &Scope, reader: Option<&dyn Reader>) -> Result<Workload> {
    let mut workload = Workload::default();
    for job in jobs(source, scope, reader, ANY_HOUR)? {
        if let Some((hour, job)) = job? {
            workload.to_ask += 1;
            workload.near_midnight += u64::from(job.other_day.is_some());
            *workload.by_hour.entry(hour).or_default() += 1;
        }
    }
    Ok(workload)
}

/// The job of a call; `None` if it needs no request.
fn job(row: &LedgerRow, next: NextRequest) -> Option<Job> {
    let key = row.key.clone();
    match next {
        NextRequest::Nothing => None,
        NextRequest::OtherDay(day) => Some(Job { key, first_day: day, other_day: None }),
        NextRequest::Day => {
            let called_at = row.expected.called_at.and_then(LedgerTime::instant);
            // The provider has no record on a day that has not begun.
            let has_begun = |day: &chrono::NaiveDate| midnight_ms(*day) <= Utc::now().timestamp_millis();
            let other_day = called_at.and_then(neighbour_day).filter(has_begun);
            Some(Job { first_day: key.day, other_day, key })
        }
    }
}

/// Jobs that wait between the thread that finds them and the fetch stage.
const JOBS_AHEAD: usize = 256;
/// Maximum number of calls that the fetch stage has taken: those in work, at most three for each of
/// 1,024 slots, and as many more that wait for their own limits.
const MAX_TAKEN: usize = 4_096;

/// Asks for all calls that need a request, in the order of [`Workload::order`].
///
/// Returns true if every call was answered, false if the run was stopped first. An error of the
/// ledger or the store stops the run through [`Stop`], which keeps the error.
pub async fn collect<P: Provider>(
    source: Arc<ScannedLedger>,
    fetcher: &Fetcher<P>,
    reader: Box<dyn Reader>,
    order: Vec<RangeInclusive<Hour>>,
) -> bool {
    let (sender, mut receiver) = mpsc::channel(JOBS_AHEAD);
    let (scope, stop) = (fetcher.scope.clone(), fetcher.stop.clone());
    let send = async {
        let send_jobs = move || send_jobs(&source, &scope, reader.as_ref(), order, &stop, &sender);
        threads::run("jobs", send_jobs).await.unwrap_or_else(|error| {
            fetcher.stop.stop(Reason::Failed(Arc::new(error)));
            false
        })
    };
    let jobs = futures::stream::unfold(&mut receiver, async |receiver| {
        let job = receiver.recv().await?;
        let call = fetcher.slots.enter().await;
        Some(((job, call), receiver))
    });
    let mut ended = pin!(jobs.map(|(job, call)| fetcher.fetch(job, call)).buffer_unordered(MAX_TAKEN));
    let fetch = async {
        let mut all_answered = true;
        while let Some(ended) = ended.next().await {
            match ended {
                Ended::Answered(kind) => fetcher.monitor.ended(kind),
                Ended::Deferred => all_answered = false,
            }
        }
        all_answered
    };
    let (sent_all, all_answered) = futures::join!(send, fetch);
    sent_all && all_answered
}

/// Sends the jobs to the fetch stage. Returns false if the run was stopped before the last job.
fn send_jobs(
    source: &ScannedLedger,
    scope: &Scope,
    reader: &dyn Reader,
    order: Vec<RangeInclusive<Hour>>,
    stop: &Stop,
    out: &mpsc::Sender<Job>,
) -> Result<bool> {
    for hours in order {
        for job in jobs(source, scope, Some(reader), hours)? {
            let Some((_, job)) = job? else { continue };
            if stop.reason().is_some() || out.blocking_send(job).is_err() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(by_hour: &[(Hour, u64)]) -> Workload {
        let to_ask = by_hour.iter().map(|(_, calls)| calls).sum();
        Workload { to_ask, near_midnight: 0, by_hour: by_hour.iter().copied().collect() }
    }

    #[test]
    fn with_enough_time_the_calls_stay_in_ledger_order() {
        assert_eq!(workload(&[(1, 5), (2, 5)]).order(false), [ANY_HOUR]);
    }

    #[test]
    fn the_oldest_calls_come_first_and_each_hour_is_in_one_group() {
        let spread: Vec<(Hour, u64)> = (0..48).map(|hour| (hour, 10)).collect();
        let groups = workload(&spread).order(true);
        assert!((8..=9).contains(&groups.len()), "{groups:?}");
        for hour in -1..=60 {
            assert_eq!(groups.iter().filter(|group| group.contains(&hour)).count(), 1, "hour {hour}");
        }
        assert!(groups.is_sorted_by_key(|group| *group.start()));
        // A busy hour ends its group.
        let groups = workload(&[(1, 1), (2, 1_000), (3, 1)]).order(true);
        assert_eq!(groups, [Hour::MIN..=2, 3..=Hour::MAX]);
    }
}
