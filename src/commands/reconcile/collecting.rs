//! Pass 1 of a run, which asks for the calls: cap, deadlines and progress around [`collect`].

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::context::RunContext;
use crate::cli::ShowProgress;
use crate::collect::{Workload, collect, workload};
use crate::console::progress::{Form, Progress};
use crate::error::Result;
use crate::failures::Failures;
use crate::fetch::cap::Cap;
use crate::fetch::deadline::Deadline;
use crate::fetch::outage::{Outage, OutagePolicy};
use crate::fetch::retry::Policy;
use crate::fetch::{Anomalies, CallLimits, Fetcher, Slots};
use crate::note::Note;
use crate::provider::http::HttpProvider;
use crate::threads;
use crate::words::plural;
use reconcile_core::traffic::Slowdown;

/// The result of pass 1.
#[derive(Default)]
pub(super) struct Collected {
    /// Whether every call was asked for; `false` when the run was stopped first.
    pub(super) all_asked: bool,
    /// How far a throttling provider slowed the run down.
    pub(super) slowdown: Slowdown,
    /// Notes on the answers as a whole.
    pub(super) notes: Vec<Note>,
    /// Why requests failed.
    pub(super) failed_requests: Failures,
}

impl Collected {
    /// The result of a run that sends nothing.
    pub(super) fn offline() -> Self {
        Self { all_asked: true, ..Self::default() }
    }
}

/// Pass 1 on an event loop that ends with it, so that the memory of up to 1,024 connections is free
/// before publishing needs its own. It has one thread: requests and connections that wake each
/// other across threads cost more than they gain.
pub(super) fn collect_on_own_event_loop(run: &RunContext<'_>, provider: HttpProvider) -> Result<Collected> {
    threads::event_loop()?.block_on(collect_calls(run, provider))
}

async fn collect_calls(run: &RunContext<'_>, provider: HttpProvider) -> Result<Collected> {
    let settings = run.settings;
    let workload = open_calls(run)?;
    let cap = Arc::new(Cap::without_places(settings.rate, settings.burst));
    if workload.to_ask > 0 {
        run.store.hold_places(&run.scope, settings.rate, cap.clone(), &run.stop)?;
    }
    let ready_in = cap.forecast(workload.to_ask).all_sent_in;
    let deadlines =
        Deadline::all(settings.deadline, settings.max_duration, run.started_at, settings.timezone)?;
    run.announce(workload.to_ask, Some(ready_in), &deadlines);
    let order = workload.order(!in_time(run, &deadlines, ready_in));
    let (stop, metrics) = (run.stop.clone(), run.metrics.clone());
    let progress = Progress::start(form(run), workload.to_ask, settings.rate, cap.clone(), stop, metrics);
    let fetcher = Fetcher {
        provider,
        cap: cap.clone(),
        slots: Slots::new(settings.concurrency, settings.rate),
        policy: Policy {
            max_attempts: settings.max_attempts,
            timeout: settings.timeout,
            ..Policy::default()
        },
        outage: Outage::new(outage_policy(!deadlines.is_empty())),
        call_limits: CallLimits::default(),
        store: run.store.clone(),
        scope: run.scope.clone(),
        monitor: progress.monitor(),
        anomalies: Anomalies::default(),
        stop: run.stop.clone(),
    };
    let deadlines: Vec<_> =
        deadlines.into_iter().map(|deadline| deadline.start(run.started, run.stop.clone())).collect();
    let (source, reader) = (run.source.clone(), run.store.reader()?);
    // With no call to ask for, the ledger is not read again.
    let all_asked = workload.to_ask == 0 || collect(source, &fetcher, reader, order).await;
    deadlines.iter().for_each(JoinHandle::abort);
    tracing::debug!(slots = fetcher.slots.number(), "requests that may be in flight at once, at the end");
    run.store.release_writer();
    progress.finish();
    let answers = fetcher.anomalies.notes().into_iter().map(Note::Answers);
    let notes = answers.chain(fetcher.outage.note().map(Note::Outage)).collect();
    let failed_requests = fetcher.anomalies.failures();
    Ok(Collected { all_asked, slowdown: cap.slowdown(), notes, failed_requests })
}

/// With a deadline, the run waits for the provider until then.
fn outage_policy(has_deadline: bool) -> OutagePolicy {
    let usual = OutagePolicy::default();
    OutagePolicy { gives_up_after: usual.gives_up_after.filter(|_| !has_deadline), ..usual }
}

/// The calls to ask for. Damaged answers are discarded, so that they are asked for again.
fn open_calls(run: &RunContext<'_>) -> Result<Workload> {
    let reader = run.store.reader()?;
    let workload = workload(&run.source, &run.scope, Some(reader.as_ref()))?;
    let damaged = reader.take_damaged();
    if !damaged.is_empty() {
        let answers = plural(damaged.len() as u64, "stored answer");
        let are = if damaged.len() == 1 { "is" } else { "are" };
        tracing::warn!("{answers} {are} damaged and will be asked for again");
        run.store.discard(&damaged)?;
    }
    Ok(workload)
}

/// Whether all calls can be sent before the first deadline; says so if not.
fn in_time(run: &RunContext<'_>, deadlines: &[Deadline], ready_in: Duration) -> bool {
    let elapsed = run.started.elapsed();
    let first = Deadline::first(deadlines);
    let Some(deadline) = first.filter(|d| elapsed.saturating_add(ready_in) > d.after_start) else {
        return true;
    };
    let name = &deadline.name;
    run.console
        .note(&format!("{name} leaves too little time for all calls; the oldest calls are asked first"));
    false
}

fn form(run: &RunContext<'_>) -> Form {
    match run.settings.progress {
        ShowProgress::Never => Form::Silent,
        ShowProgress::Auto if run.console.quiet => Form::Silent,
        _ if run.console.lines_only => Form::Lines,
        _ => Form::automatic(),
    }
}
