//! Pass 1: the ledger's calls that have no answer yet, through the fetch stage, into the store.
//!
//! A thread reads the ledger and the store and hands jobs over a short channel; the fetch stage keeps at most
//! `concurrency` of them in flight. Memory does not grow with the ledger. When the time will not suffice, the oldest
//! calls come first: the ledger is read once for each of a few groups of age.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;

use chrono::Utc;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::error::Result;
use crate::fetch::{Ended, Fetcher, Job};
use crate::ledger::{DuplicateCalls, Ledger, Source};
use crate::provider::Provider;
use crate::stop::{Reason, Stop};
use crate::store::Reader;
use reconcile_core::ask_again::{NextRequest, Scope};
use reconcile_core::calendar::{midnight_ms, neighbour_day};
use reconcile_core::ledger_row::{LedgerRow, LedgerTime, Record};

/// The distinct calls of a ledger, each as its first row.
struct Calls<'a, R> {
    ledger: Ledger<R>,
    duplicates: &'a DuplicateCalls,
    seen: HashSet<u128>,
}

impl<R: std::io::Read> Iterator for Calls<'_, R> {
    type Item = Result<LedgerRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ledger.next()? {
                Err(e) => return Some(Err(e)),
                Ok(Record::Invalid(_)) => {}
                Ok(Record::Row(row)) => {
                    let fingerprint = row.key.fingerprint();
                    // Only calls that are named again have to be remembered.
                    let repeated = self.duplicates.later_rows(fingerprint) > 0;
                    if !repeated || self.seen.insert(fingerprint) {
                        return Some(Ok(row));
                    }
                }
            }
        }
    }
}

/// The hour, since 1970, in which a call was made; of a call with only a day, that day's first.
type Hour = i64;

fn hour_of(row: &LedgerRow) -> Hour {
    let made = row.expected.called_at.and_then(LedgerTime::instant).map(|at| at.timestamp_millis());
    made.unwrap_or_else(|| midnight_ms(row.key.day)).div_euclid(3_600_000)
}

/// What a run has to ask of the calls made in these hours, in ledger order, each with its hour; `None` for a call
/// that has its answer.
fn jobs<'a>(
    source: &'a Source,
    scope: &'a Scope,
    reader: Option<&'a dyn Reader>,
    hours: RangeInclusive<Hour>,
) -> Result<impl Iterator<Item = Result<Option<(Hour, Job)>>> + 'a> {
    let calls =
        Calls { ledger: source.read()?, duplicates: &source.scan.duplicate_calls, seen: HashSet::new() };
    let wanted = calls.map(|row| row.map(|row| (hour_of(&row), row)));
    let wanted = wanted.filter(move |row| row.as_ref().map_or(true, |(hour, _)| hours.contains(hour)));
    Ok(wanted.map(move |row| {
        let (hour, row) = row?;
        let stored = reader.map_or(Ok(None), |reader| reader.lookup(&row.key))?;
        Ok(job(&row, scope.ask(stored.as_ref())).map(|job| (hour, job)))
    }))
}

const ANY_HOUR: RangeInclusive<Hour> = Hour::MIN..=Hour::MAX;

/// What a run has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Calls to be asked for.
    pub to_ask: u64,
    /// Of those, the ones near midnight, which may need a second request for the neighbouring day.
    pub near_midnight: u64,
    by_hour: BTreeMap<Hour, u64>,
}

/// The ledger is read at most so often when the oldest calls come first.
const GROUPS_AT_MOST: u64 = 8;

impl Workload {
    /// In which order it is done: `oldest_first` makes groups of about the same size by the hour in which the calls
    /// were made, the oldest first; otherwise there is one.
    #[must_use]
    pub fn order(&self, oldest_first: bool) -> Vec<RangeInclusive<i64>> {
        if !oldest_first {
            return vec![ANY_HOUR];
        }
        let (mut groups, mut from, mut calls) = (Vec::new(), Hour::MIN, 0);
        for (hour, more) in &self.by_hour {
            calls += more;
            if calls * GROUPS_AT_MOST >= self.to_ask {
                groups.push(from..=*hour);
                (from, calls) = (hour + 1, 0);
            }
        }
        groups.push(from..=Hour::MAX);
        groups
    }
}

/// Counts the calls to be asked for; sends nothing. Without a reader nothing is stored yet.
///
/// # Errors
///
/// Exit 2 when the ledger cannot be read, exit 6 when the store cannot.
pub fn workload(source: &Source, scope: &Scope, reader: Option<&dyn Reader>) -> Result<Workload> {
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

/// What to ask about a call, if anything.
fn job(row: &LedgerRow, ask: NextRequest) -> Option<Job> {
    let key = row.key.clone();
    match ask {
        NextRequest::Nothing => None,
        NextRequest::OtherDay(day) => Some(Job { key, first_day: day, other_day: None }),
        NextRequest::Day => {
            let called_at = row.expected.called_at.and_then(LedgerTime::instant);
            // A day that has not begun cannot hold the record.
            let begun = |day: &chrono::NaiveDate| midnight_ms(*day) <= Utc::now().timestamp_millis();
            let other_day = called_at.and_then(neighbour_day).filter(begun);
            Some(Job { first_day: key.day, other_day, key })
        }
    }
}

/// Asks for all that is to be asked, in this order, until done or stopped; false when it was stopped first. Failures of ledger or
/// store stop the run through [`Stop`] and are found there.
pub async fn collect<P: Provider>(
    source: Arc<Source>,
    fetcher: &Fetcher<P>,
    reader: Box<dyn Reader>,
    concurrency: NonZeroUsize,
    order: Vec<RangeInclusive<i64>>,
) -> bool {
    let (sender, mut receiver) = mpsc::channel(concurrency.get());
    let (scope, stop) = (fetcher.scope.clone(), fetcher.stop.clone());
    let producer = tokio::task::spawn_blocking(move || {
        let produce = || produce(&source, &scope, reader.as_ref(), order, &stop, &sender);
        produce().unwrap_or_else(|error| {
            stop.stop(Reason::Failed(Arc::new(error)));
            false
        })
    });
    let jobs = futures::stream::poll_fn(|context| receiver.poll_recv(context));
    let mut ended = pin!(jobs.map(|job| fetcher.fetch(job)).buffer_unordered(concurrency.get()));
    let mut all_answered = true;
    while let Some(ended) = ended.next().await {
        match ended {
            Ended::Answered(kind) => fetcher.monitor.ended(kind),
            Ended::Deferred => all_answered = false,
        }
    }
    producer.await.unwrap_or(false) && all_answered
}

/// Hands over the jobs; false when the run was stopped before the last one.
fn produce(
    source: &Source,
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
    fn with_time_enough_the_ledger_s_order_stays() {
        assert_eq!(workload(&[(1, 5), (2, 5)]).order(false), [ANY_HOUR]);
    }

    #[test]
    fn the_oldest_come_first_and_every_hour_is_in_one_group() {
        let spread: Vec<(Hour, u64)> = (0..48).map(|hour| (hour, 10)).collect();
        let groups = workload(&spread).order(true);
        assert!((8..=9).contains(&groups.len()), "{groups:?}");
        for hour in -1..=60 {
            assert_eq!(groups.iter().filter(|group| group.contains(&hour)).count(), 1, "hour {hour}");
        }
        assert!(groups.is_sorted_by_key(|group| *group.start()));
        // One busy hour is a group of its own.
        let groups = workload(&[(1, 1), (2, 1_000), (3, 1)]).order(true);
        assert_eq!(groups, [Hour::MIN..=2, 3..=Hour::MAX]);
    }
}
