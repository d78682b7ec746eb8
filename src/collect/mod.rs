//! Pass 1: asks the provider for the calls that have no answer yet and stores the answers.
//!
//! One thread reads the ledger and the store, and puts jobs into a short queue for each account
//! (`readings.rs`). Each account's fetch stage bounds the calls in work. Memory does not grow with
//! the ledger.
//!
//! If the time is too short for all calls of an account, its oldest calls come first: the calls are
//! divided into a few groups by age, and the ledger is read once for each group.
//!
//! An account has two rounds. In the first, it asks for the calls without a trusted receipt, and
//! for a sample of the others. If the sample refutes the receipts, it asks in the second for all
//! the others (`refuted.rs`).
//!
//! An account that has the answers to all its own calls goes on with calls beside them
//! (`beside.rs`), as long as the cap leaves room before the run is stopped.

mod beside;
mod beside_wanted;
mod jobs;
mod queues;
mod readings;
mod refuted;
mod workload;

use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use compact_str::CompactString;
use futures::StreamExt as _;
use futures::future::join_all;

use crate::error::Result;
use crate::fetch::{Ended, Fetcher, InWork, Job, Monitor};
use crate::ledger::ScannedLedger;
use crate::provider::Provider;
use crate::stop::{Reason, Stop};
use crate::store::Reader;
use crate::threads;
use queues::JobQueue;
use readings::Reached;
use reconcile_core::answer::AnswerKind;
use reconcile_core::ask_again::{ReceiptUse, Scope};
use reconcile_core::call_result::Rules;

pub use beside::Beside;
pub use beside_wanted::{BesideCounts, BesideWanted};
pub use jobs::{CallSource, Hour};
pub use refuted::Refutable;
pub use workload::{Workload, workloads, workloads_after};

/// Maximum number of calls that the fetch stage of an account has taken: those in work, at most
/// three for each of 1,024 slots, and as many more that wait for their own limits.
const MAX_TAKEN: usize = 4_096;

/// What the thread that finds the jobs needs.
pub struct JobSource {
    /// The ledger.
    pub ledger: Arc<ScannedLedger>,
    /// The run.
    pub scope: Scope,
    /// The store.
    pub reader: Box<dyn Reader>,
    /// As in [`CallSource::receipts`].
    pub receipts: ReceiptUse,
    /// As in [`CallSource::rules`].
    pub rules: Rules,
    /// As in [`CallSource::accounts`].
    pub accounts: Vec<CompactString>,
    /// The calls beside those of the ledger.
    pub beside: Arc<Beside>,
    /// Stops the run.
    pub stop: Stop,
}

/// An account that is asked.
pub struct AskedAccount<'a, P> {
    /// Asks for its calls.
    pub fetcher: &'a Fetcher<P>,
    /// The order of its calls, by [`Workload::order`]; empty without a call.
    pub order: Vec<RangeInclusive<Hour>>,
    /// Its second round, by [`Workload::refutable`].
    pub refutable: Option<Refutable>,
}

/// Asks for all calls that need a request, under all accounts side by side. `asked` are those of
/// the source, in their order.
///
/// Returns for each account whether every call that it had to ask for was answered; false if the
/// account was stopped first. An error of the ledger or the store stops the run through [`Stop`],
/// which keeps the error.
pub async fn collect<P: Provider>(source: JobSource, asked: &[AskedAccount<'_, P>]) -> Vec<bool> {
    let (queues, receivers) = queues::queues(asked.len());
    let reached = asked.iter().map(|account| {
        let (order, refutable) = (account.order.clone(), account.refutable.clone());
        Reached::new(order, refutable, account.fetcher.stop.clone())
    });
    let reached: Vec<Reached> = reached.collect();
    let second = asked.iter().map(|account| {
        let calls = account.refutable.as_ref().map_or(0, |refutable| refutable.calls);
        (account.fetcher.monitor.clone(), calls)
    });
    let second: Vec<SecondRound> = second.collect();
    let (stop, beside) = (source.stop.clone(), source.beside.clone());
    let send = async {
        let send_jobs = move || send_jobs(&source, reached, queues, &second);
        threads::run("jobs", send_jobs).await.unwrap_or_else(|error| {
            stop.stop(Reason::Failed(Arc::new(error)));
            vec![false; asked.len()]
        })
    };
    let fetch = asked.iter().zip(receivers).enumerate().map(async |(at, (account, queue))| {
        let is_answered = fetch_all(account.fetcher, queue, &beside).await;
        if is_answered {
            fetch_beside(account.fetcher, &beside, at).await;
        }
        is_answered
    });
    let (sent, answered) = futures::join!(send, join_all(fetch));
    sent.into_iter().zip(answered).map(|(sent, answered)| sent && answered).collect()
}

/// What shows the progress of an account, and the calls of its second round.
type SecondRound = (Arc<dyn Monitor>, u64);

fn send_jobs(
    source: &JobSource,
    reached: Vec<Reached>,
    queues: queues::Queues,
    second: &[SecondRound],
) -> Result<Vec<bool>> {
    let calls = CallSource {
        ledger: &source.ledger,
        scope: &source.scope,
        reader: Some(source.reader.as_ref()),
        receipts: source.receipts,
        rules: source.rules,
        accounts: &source.accounts,
    };
    let on_refuted = |account: usize| {
        let (monitor, calls) = &second[account];
        monitor.receipts_are_refuted(*calls);
    };
    readings::send_jobs(calls, reached, queues, &on_refuted).map(|sent| sent.all)
}

/// Asks for the calls of one account. Returns true if every call was answered.
async fn fetch_all<P: Provider>(fetcher: &Fetcher<P>, queue: JobQueue, beside: &Beside) -> bool {
    let (completeness, ended_jobs) = (queue.completeness(), queue.ended_jobs());
    let jobs = futures::stream::unfold(queue, async |mut queue| {
        let job = queue.next().await?;
        let call = fetcher.slots.enter().await;
        Some(((job, call), queue))
    });
    let fetch = |(job, call): (Job, InWork)| async {
        let known = job.has_record.then(|| job.key.clone());
        (known, fetcher.fetch(job, call).await)
    };
    let mut ended = pin!(jobs.map(fetch).buffer_unordered(MAX_TAKEN));
    let mut all_answered = true;
    while let Some((known, ended)) = ended.next().await {
        match ended {
            Ended::Answered(kind) => {
                if let Some(key) = known.filter(|_| kind == AnswerKind::Exhausted) {
                    // The store does not show that it was asked: the record is an earlier run's.
                    fetcher.anomalies.record_is_kept();
                    beside.leave_out(&key);
                }
                fetcher.monitor.ended(kind);
            }
            Ended::Deferred => all_answered = false,
        }
        ended_jobs.one_more();
    }
    all_answered && completeness.load(Ordering::SeqCst)
}

/// Asks for the calls beside those of one account, until there are no more or it is stopped.
async fn fetch_beside<P: Provider>(fetcher: &Fetcher<P>, beside: &Arc<Beside>, account: usize) {
    fetcher.own_calls_are_answered();
    let counts = beside.clone();
    let counts = threads::run("jobs", move || counts.counts_once()).await;
    // Only the display needs it.
    fetcher.monitor.begins_beside(counts.map_or(0, |counts| counts[account].total()));
    let jobs = futures::stream::unfold(Vec::new().into_iter(), async |mut found| {
        let job = match found.next() {
            Some(job) => job,
            None => {
                found = next_beside(fetcher, beside, account).await.into_iter();
                found.next()?
            }
        };
        let call = fetcher.slots.enter().await;
        Some(((job, call), found))
    });
    let mut ended = pin!(jobs.map(|(job, call)| fetcher.fetch(job, call)).buffer_unordered(MAX_TAKEN));
    while let Some(ended) = ended.next().await {
        if ended != Ended::Deferred {
            fetcher.monitor.ended_beside();
        }
    }
}

/// The next jobs beside those of an account; none if it is stopped.
async fn next_beside<P: Provider>(fetcher: &Fetcher<P>, beside: &Arc<Beside>, account: usize) -> Vec<Job> {
    if fetcher.stop.is_stopped() {
        return Vec::new();
    }
    let beside = beside.clone();
    threads::run("jobs", move || beside.next(account)).await.unwrap_or_else(|error| {
        fetcher.stop.stop(Reason::Failed(Arc::new(error)));
        Vec::new()
    })
}
