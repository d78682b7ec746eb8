//! Pass 1: the ledger's calls that have no answer yet, through the fetch stage, into the store.
//!
//! A thread reads the ledger and the store and hands jobs over a short channel; the fetch stage keeps at most
//! `concurrency` of them in flight. Memory does not grow with the ledger.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;

use chrono::Utc;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::call::{LedgerRow, LedgerTime, Record, midnight_ms, neighbour_day};
use crate::error::Result;
use crate::fetch::{Ended, Fetcher, Job};
use crate::ledger::{Ledger, Repeats, Source};
use crate::provider::Provider;
use crate::stop::{Reason, Stop};
use crate::store::{Ask, Reader, Scope};

/// The distinct calls of a ledger, each as its first row.
struct Calls<'a, R> {
    ledger: Ledger<R>,
    repeats: &'a Repeats,
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
                    let repeated = self.repeats.later_rows(fingerprint) > 0;
                    if !repeated || self.seen.insert(fingerprint) {
                        return Some(Ok(row));
                    }
                }
            }
        }
    }
}

/// What a run has to ask, in ledger order; `None` for a call that has its answer.
fn jobs<'a>(
    source: &'a Source,
    scope: &'a Scope,
    reader: &'a Reader,
) -> Result<impl Iterator<Item = Result<Option<Job>>> + 'a> {
    let calls = Calls { ledger: source.read()?, repeats: &source.scan.repeats, seen: HashSet::new() };
    Ok(calls.map(move |row| {
        let row = row?;
        let stored = reader.lookup(&row.key)?;
        Ok(job(&row, scope.ask(stored.as_ref())))
    }))
}

/// Counts the calls to be asked for; sends nothing.
///
/// # Errors
///
/// Exit 2 when the ledger cannot be read, exit 6 when the store cannot.
pub fn workload(source: &Source, scope: &Scope, reader: &Reader) -> Result<u64> {
    let mut to_ask = 0;
    for job in jobs(source, scope, reader)? {
        to_ask += u64::from(job?.is_some());
    }
    Ok(to_ask)
}

/// What to ask about a call, if anything.
fn job(row: &LedgerRow, ask: Ask) -> Option<Job> {
    let key = row.key.clone();
    match ask {
        Ask::Nothing => None,
        Ask::OtherDay(day) => Some(Job { key, first_day: day, other_day: None }),
        Ask::Day => {
            let called_at = row.expected.called_at.and_then(LedgerTime::instant);
            // A day that has not begun cannot hold the record.
            let begun = |day: &chrono::NaiveDate| midnight_ms(*day) <= Utc::now().timestamp_millis();
            let other_day = called_at.and_then(neighbour_day).filter(begun);
            Some(Job { first_day: key.day, other_day, key })
        }
    }
}

/// Asks for all that is to be asked, until done or stopped; false when it was stopped first. Failures of ledger or
/// store stop the run through [`Stop`] and are found there.
pub async fn collect<P: Provider>(
    source: Arc<Source>,
    fetcher: &Fetcher<P>,
    reader: Reader,
    concurrency: NonZeroUsize,
) -> bool {
    let (sender, mut receiver) = mpsc::channel(concurrency.get());
    let (scope, stop) = (fetcher.scope.clone(), fetcher.stop.clone());
    let producer = tokio::task::spawn_blocking(move || produce(&source, &scope, &reader, &stop, &sender));
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
fn produce(source: &Source, scope: &Scope, reader: &Reader, stop: &Stop, out: &mpsc::Sender<Job>) -> bool {
    let all = || -> Result<bool> {
        for job in jobs(source, scope, reader)? {
            let Some(job) = job? else { continue };
            if stop.reason().is_some() || out.blocking_send(job).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    all().unwrap_or_else(|error| {
        stop.stop(Reason::Failed(Arc::new(error)));
        false
    })
}
