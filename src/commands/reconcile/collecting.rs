//! Pass 1 of a run, which asks for the calls: caps, deadlines and progress around [`collect`].

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::context::{ActiveAccount, RunContext};
use crate::cli::ShowProgress;
use crate::collect::{AskedAccount, Beside, CallSource, JobSource, Refutable, Workload, collect, workloads};
use crate::console::progress::{AccountProgress, Form, Progress};
use crate::error::Result;
use crate::failures::Failures;
use crate::fetch::cap::Cap;
use crate::fetch::deadline::Deadline;
use crate::fetch::outage::{Outage, OutagePolicy, PROBING_ACCOUNTS};
use crate::fetch::retry::Policy;
use crate::fetch::{Anomalies, CallLimits, Fetcher, FirstContact, Monitor, Slots};
use crate::note::Note;
use crate::provider::http::HttpProvider;
use crate::threads;
use crate::words::plural;
use reconcile_core::merge::Merge as _;
use reconcile_core::traffic::Slowdown;

/// The result of pass 1.
#[derive(Default)]
pub(super) struct Collected {
    /// Of each account: whether every call was asked for; `false` when it was stopped first.
    pub(super) all_asked: Vec<bool>,
    /// Of each account: how far a throttling provider slowed it down.
    pub(super) slowdowns: Vec<Slowdown>,
    /// Notes on the answers as a whole.
    pub(super) notes: Vec<Note>,
    /// Why requests failed.
    pub(super) failed_requests: Failures,
    /// Calls that failed on every attempt, and keep the record of an earlier run.
    pub(super) kept_records: u64,
}

impl Collected {
    /// The result of a run that sends nothing.
    pub(super) fn offline(accounts: usize) -> Self {
        let (all_asked, slowdowns) = (vec![true; accounts], vec![Slowdown::default(); accounts]);
        Self { all_asked, slowdowns, ..Self::default() }
    }

    /// Adds what the answers to an account say. Accounts may say the same.
    fn add(&mut self, fetcher: &Fetcher<HttpProvider>) {
        self.slowdowns.push(fetcher.cap.slowdown());
        self.failed_requests.merge(fetcher.anomalies.failures());
        self.kept_records += fetcher.anomalies.kept_records();
        let answers = fetcher.anomalies.notes().into_iter().map(Note::Answers);
        let beside = fetcher.stop.reason_beside().map(|reason| Note::Beside { reason });
        for note in answers.chain(fetcher.outage.note().map(Note::Outage)).chain(beside) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}

/// Pass 1 on an event loop that ends with it, so that the memory of up to 1,024 connections is free
/// before publishing needs its own. It has one thread: requests and connections that wake each
/// other across threads cost more than they gain.
pub(super) fn collect_on_own_event_loop(
    run: &mut RunContext<'_>,
    providers: Vec<HttpProvider>,
) -> Result<Collected> {
    threads::event_loop()?.block_on(collect_calls(run, providers))
}

/// What one account has to do.
struct Task {
    workload: Workload,
    /// Its second round, in ledger order; `None` if none can follow.
    refutable: Option<Refutable>,
    /// Calls that may follow beside its own.
    beside: u64,
    cap: Arc<Cap>,
    /// The shortest time in which the cap allows its requests.
    ready_in: Duration,
}

impl Task {
    /// Calls to ask for, with those of a second round that is certain.
    fn to_ask(&self) -> u64 {
        let certain = self.refutable.as_ref().is_some_and(|refutable| refutable.is_refuted);
        self.workload.to_ask + if certain { self.refutable_calls() } else { 0 }
    }

    /// Calls of a second round that may follow.
    fn refutable_calls(&self) -> u64 {
        self.refutable.as_ref().map_or(0, |refutable| refutable.calls)
    }
}

async fn collect_calls(run: &mut RunContext<'_>, providers: Vec<HttpProvider>) -> Result<Collected> {
    let settings = run.settings;
    let beside = Arc::new(Beside::new(run.store.reader()?, run.beside_wanted()));
    let tasks = tasks(run, &beside)?;
    stop_one_by_one(run, &tasks);
    let to_ask = tasks.iter().map(Task::to_ask).sum();
    let ready_in = tasks.iter().map(|task| task.ready_in).max().unwrap_or_default();
    let deadlines =
        Deadline::all(settings.deadline, settings.max_duration, run.started_at, settings.timezone)?;
    let beside_them = tasks.iter().map(|task| task.beside).sum::<u64>();
    run.announce((to_ask, beside_them), Some(ready_in), &deadlines);
    if !in_time(run, &deadlines, ready_in) {
        say_oldest_first(run, &deadlines);
    }
    let progress =
        Progress::start(form(run), progress_of(run, &tasks), run.stop.clone(), run.metrics.clone());
    let monitors = progress.monitors();
    let accounts = run.accounts.iter().zip(&tasks).zip(providers.into_iter().zip(monitors));
    let fetchers: Vec<Fetcher<HttpProvider>> = accounts
        .zip(outages(!deadlines.is_empty(), &tasks))
        .map(|((of_account, of_provider), outage)| fetcher(run, of_account, of_provider, outage))
        .collect();
    let asked: Vec<AskedAccount<'_, HttpProvider>> = fetchers
        .iter()
        .zip(&tasks)
        .map(|(fetcher, task)| {
            let oldest_first = !in_time(run, &deadlines, task.ready_in);
            let order = task.workload.order(oldest_first);
            let all_in = task.cap.forecast(task.workload.to_ask + task.refutable_calls()).all_sent_in;
            let refutable = task.workload.refutable(!in_time(run, &deadlines, all_in));
            AskedAccount { fetcher, order, refutable }
        })
        .collect();
    let source = JobSource {
        ledger: run.source.clone(),
        scope: run.scope().clone(),
        reader: run.store.reader()?,
        receipts: run.receipt_use,
        rules: settings.rules,
        accounts: settings.accounts.names_in_ledger(),
        beside,
        stop: run.stop.clone(),
    };
    let deadlines: Vec<_> =
        deadlines.into_iter().map(|deadline| deadline.start(run.started, run.stop.clone())).collect();
    // With no call to ask for, the ledger is not read again.
    let all_asked = match to_ask + beside_them {
        0 => vec![true; asked.len()],
        _ => collect(source, &asked).await,
    };
    deadlines.iter().for_each(JoinHandle::abort);
    let slots: usize = fetchers.iter().map(|fetcher| fetcher.slots.number()).sum();
    tracing::debug!(slots, "requests that may be in flight at once, at the end");
    run.store.release_writer();
    progress.finish();
    let mut collected = Collected { all_asked, ..Collected::default() };
    fetchers.iter().for_each(|fetcher| collected.add(fetcher));
    Ok(collected)
}

/// What each account has to do, in the order of the accounts.
fn tasks(run: &RunContext<'_>, beside: &Beside) -> Result<Vec<Task>> {
    let workloads = open_calls(run)?;
    workloads.iter().for_each(|workload| beside.leave_out_own(workload));
    let tasks = run.accounts.iter().zip(workloads).zip(beside.counts()?);
    let tasks = tasks.map(|((account, workload), beside)| {
        let (beside, refutable) = (beside.total(), workload.refutable(false));
        let may_send = workload.to_ask + beside > 0 || refutable.is_some();
        let cap = cap_of(run, account, may_send)?;
        let mut task = Task { workload, refutable, beside, cap, ready_in: Duration::ZERO };
        task.ready_in = task.cap.forecast(task.to_ask()).all_sent_in;
        Ok(task)
    });
    tasks.collect()
}

/// The cap of an account's session, with places if it may send requests.
fn cap_of(run: &RunContext<'_>, account: &ActiveAccount<'_>, may_send: bool) -> Result<Arc<Cap>> {
    let cap = Arc::new(Cap::without_places(account.account.rate, account.account.burst));
    if may_send {
        run.store.hold_places(&account.scope, account.account.rate, cap.clone(), &run.stop)?;
    }
    Ok(cap)
}

/// From now on each account with calls to ask for can be stopped by itself. If all of them are, the
/// run stops.
fn stop_one_by_one(run: &mut RunContext<'_>, tasks: &[Task]) {
    let working = tasks.iter().filter(|task| task.to_ask() > 0).count();
    let stops = run.stop.for_accounts(tasks.len(), working);
    run.accounts.iter_mut().zip(stops).for_each(|(account, stop)| account.stop = stop);
}

fn progress_of(run: &RunContext<'_>, tasks: &[Task]) -> Vec<AccountProgress> {
    let progress = |(account, task): (&ActiveAccount<'_>, &Task)| AccountProgress {
        name: account.account.name.clone(),
        to_ask: task.to_ask(),
        rate: account.account.rate,
        cap: task.cap.clone(),
        stop: account.stop.clone(),
    };
    run.accounts.iter().zip(tasks).map(progress).collect()
}

/// The fetch stage of an account.
fn fetcher(
    run: &RunContext<'_>,
    (account, task): (&ActiveAccount<'_>, &Task),
    (provider, monitor): (HttpProvider, Arc<dyn Monitor>),
    outage: Outage,
) -> Fetcher<HttpProvider> {
    let settings = run.settings;
    Fetcher {
        provider,
        cap: task.cap.clone(),
        slots: Slots::new(settings.concurrency, account.account.rate),
        policy: Policy {
            max_attempts: settings.max_attempts,
            timeout: settings.timeout,
            ..Policy::default()
        },
        outage,
        call_limits: CallLimits::default(),
        store: run.store.clone(),
        scope: account.scope.clone(),
        monitor,
        anomalies: Anomalies::default(),
        stop: account.stop.clone(),
    }
}

/// The watch of each account for outages. With a deadline, the run waits for the provider until
/// then.
fn outages(has_deadline: bool, tasks: &[Task]) -> Vec<Outage> {
    let may_ask = |task: &Task| task.to_ask() + task.refutable_calls() + task.beside > 0;
    let usual = OutagePolicy::default().for_each_of(tasks.iter().filter(|task| may_ask(task)).count());
    let policy = OutagePolicy { gives_up_after: usual.gives_up_after.filter(|_| !has_deadline), ..usual };
    let (first, mut asking) = (FirstContact::default(), 0);
    let other = first.of_waiting_account(policy.start_limit * 2);
    let outage = |task: &Task| {
        asking += usize::from(may_ask(task));
        let contact = if asking > PROBING_ACCOUNTS { other.clone() } else { first.clone() };
        Outage::of_account(policy, contact)
    };
    tasks.iter().map(outage).collect()
}

/// The calls to ask for. Damaged answers are discarded, so that they are asked for again.
fn open_calls(run: &RunContext<'_>) -> Result<Vec<Workload>> {
    let reader = run.store.reader()?;
    let workloads = workloads(CallSource {
        ledger: &run.source,
        scope: run.scope(),
        reader: Some(reader.as_ref()),
        receipts: run.receipt_use,
        rules: run.settings.rules,
        accounts: &run.settings.accounts.names_in_ledger(),
    })?;
    let damaged = reader.take_damaged();
    if !damaged.is_empty() {
        let answers = plural(damaged.len() as u64, "stored answer");
        let are = if damaged.len() == 1 { "is" } else { "are" };
        tracing::warn!("{answers} {are} damaged and will be asked for again");
        run.store.discard(&damaged)?;
    }
    Ok(workloads)
}

/// Whether all calls can be sent before the first deadline.
fn in_time(run: &RunContext<'_>, deadlines: &[Deadline], ready_in: Duration) -> bool {
    let elapsed = run.started.elapsed();
    Deadline::first(deadlines).is_none_or(|first| elapsed.saturating_add(ready_in) <= first.after_start)
}

fn say_oldest_first(run: &RunContext<'_>, deadlines: &[Deadline]) {
    if let Some(Deadline { name, .. }) = Deadline::first(deadlines) {
        let note = format!("{name} leaves too little time for all calls; the oldest calls are asked first");
        run.console.note(&note);
    }
}

fn form(run: &RunContext<'_>) -> Form {
    match run.settings.progress {
        ShowProgress::Never => Form::Silent,
        ShowProgress::Auto if run.console.quiet => Form::Silent,
        _ if run.console.lines_only => Form::Lines,
        _ => Form::automatic(),
    }
}
