//! `reconcile`: one run from its settings to its exit code.
//!
//! The order is a promise. The paths of all files are checked first. Then the run takes the store,
//! and only from there on it changes files, the metrics file among them: a start that is refused
//! changes none of a running job's. The store is open before the first request, and the files are
//! renamed to their paths before the run counts as ended.

mod account_caps;
pub(crate) mod beside;
mod collecting;
mod connect;
mod context;
pub(crate) mod decisions;
mod night;
pub(crate) mod notes;
pub(crate) mod output_paths;
mod publishing;
pub(crate) mod receipts;
mod remembering;
mod sandbox;
mod upload;
mod waiting;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::cli::{Answers, Settings};
use crate::commands::ledger_input::open_ledger;
use crate::console::{Console, log};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::ledger::{self, ScannedLedger};
use crate::output::OldRejects;
use crate::provider::credentials::CredentialCache;
use crate::provider::http::HttpProvider;
use crate::signals;
use crate::stop::Stop;
use crate::store::{AccountCap, Destination, Origin, RunIdentity, Store};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::notify::{Files, WrittenRun};
use crate::threads;
use account_caps::account_caps;
use connect::Connected;
use context::{ActiveAccount, RunContext};
use receipts::RunReceipts;
use reconcile_core::money::MoneyRules;
use reconcile_core::resolutions::Resolutions;
use upload::Upload;
use waiting::{OpenStore, open_store, unless_stopped, while_store_returns};

/// Runs the job and reports its result to metrics file and notification. The work runs on other
/// threads, so that signals are always handled.
///
/// # Errors
///
/// Exit 2, 3, 5 and 6, and exit 4 when no credentials can be obtained or when a signal comes before
/// the store is open.
pub async fn run(settings: Settings, console: Console) -> Result<Exit> {
    let (settings, console) = (Arc::new(settings), Arc::new(console));
    let signals = signals::install()?;
    // Time limits count from here, however often the run begins again.
    let at = (Instant::now(), Utc::now());
    let steps = async |stop| run_steps(settings.clone(), console.clone(), at, stop).await;
    let ended = while_store_returns(&settings, &signals, steps).await;
    if let Some(target) = &settings.notify {
        let files = Files { ledger: &settings.inputs, ca_file: settings.access.ca_file.as_deref() };
        target.post(&ended, files).await;
    }
    ended.map(|run| run.exit)
}

/// The steps in their order: ledger, paths, receipts, key, store. They change no file until this
/// run holds the store.
async fn run_steps(
    settings: Arc<Settings>,
    console: Arc<Console>,
    (started, started_at): (Instant, DateTime<Utc>),
    stop: Stop,
) -> Result<WrittenRun> {
    let of_ledger = settings.clone();
    let read = move || {
        let decisions = (decisions::read(&of_ledger, started_at)?, decisions::money(&of_ledger)?);
        let (source, old_rejects) = read_ledger(&of_ledger)?;
        let receipts = RunReceipts::read(&of_ledger, &source)?;
        Ok((source, old_rejects, receipts, decisions))
    };
    let (source, old_rejects, receipts, (resolutions, money)) =
        unless_stopped(&stop, threads::run("ledger", read)).await?;
    let connected = unless_stopped(&stop, connect::connect(&settings)).await?;
    let start =
        Start { started, started_at, source, old_rejects, receipts, resolutions, money, connected, stop };
    threads::run("run", move || hold_store(&settings, &console, start)).await
}

/// The ledger after its first reading, and what is at the path of the rejects.
///
/// # Errors
///
/// Exit 2 when it cannot be read, has too few usable rows, or is one of the outputs.
pub(crate) fn read_ledger(settings: &Settings) -> Result<(ScannedLedger, OldRejects)> {
    let input = open_ledger(&settings.inputs, &settings.access)?;
    output_paths::check(settings, &input)?;
    let options = ledger::Options { now: Some(Utc::now()), ..settings.ledger.clone() };
    let source = ScannedLedger::scan(input, options)?;
    settings.usable_rows.check(source.input.name(), &source.scan)?;
    let old_rejects = output_paths::check_rejects(settings, &source.scan)?;
    Ok((source, old_rejects))
}

/// What a run has before it opens its store.
struct Start {
    started: Instant,
    started_at: DateTime<Utc>,
    source: ScannedLedger,
    old_rejects: OldRejects,
    receipts: Option<RunReceipts>,
    resolutions: Resolutions,
    money: MoneyRules,
    connected: Option<Vec<Connected>>,
    stop: Stop,
}

impl Start {
    /// Brings up to date what may be hours old after the run stood by: a ledger that was changed is
    /// read again, so are the receipts, and the key is looked up again. The run's start stays, so
    /// its time limits include the standing by.
    ///
    /// # Errors
    ///
    /// As the steps of [`run_steps`].
    fn after_standing_by(mut self, settings: &Settings) -> Result<Self> {
        if self.source.is_outdated() {
            (self.source, self.old_rejects) = read_ledger(settings)?;
        } else {
            output_paths::check(settings, &self.source.input)?;
            self.old_rejects = output_paths::check_rejects(settings, &self.source.scan)?;
        }
        self.receipts = RunReceipts::read(settings, &self.source)?;
        // The sandbox works on the event loop that it was started on, and its key stays.
        if matches!(settings.answers, Answers::Provider(_)) {
            let connect = unless_stopped(&self.stop, connect::connect(settings));
            self.connected = threads::event_loop()?.block_on(connect)?;
        }
        Ok(self)
    }
}

/// Opens the store for the run. Blocks the thread.
fn hold_store(settings: &Settings, console: &Console, mut start: Start) -> Result<WrittenRun> {
    let OpenStore { store, has_waited } = open_store(settings, &start.stop)?;
    if has_waited {
        start = start.after_standing_by(settings)?;
    }
    let ended = run_with_store(settings, console, start, &store);
    // All files of the run are its own as long as it holds the store.
    drop(store);
    ended
}

/// Begins the sessions, and ends them if the run fails. In a database, only a run with sessions
/// holds the store: until then it stands by or is refused, and touches no file of a running job.
fn run_with_store(
    settings: &Settings,
    console: &Console,
    mut start: Start,
    store: &Arc<dyn Store>,
) -> Result<WrittenRun> {
    let connected = start.connected.take().map(|connected| connected.into_iter().unzip::<_, _, Vec<_>, _>());
    let (providers, keys) = connected.unzip();
    let identity = RunIdentity { input_sha256: start.source.scan.sha256.clone(), refresh: settings.refresh };
    let endpoint = providers.iter().flatten().next().map(HttpProvider::address);
    let destination = Destination { endpoint, timeout: settings.timeout };
    let accounts = begin_sessions(settings, store.as_ref(), (&identity, &destination), keys, &start.stop)?;
    let scope = accounts[0].scope.clone();
    log::set_run_id(&scope.run_id);
    run_with_sessions(settings, console, start, store, accounts, providers).inspect_err(|_| {
        // The run stays open, so the same command resumes it. If this fails too, only the first
        // error is reported.
        let _ = store.end_session(&scope, None);
    })
}

/// The steps of the run that holds the store, and their metrics.
fn run_with_sessions(
    settings: &Settings,
    console: &Console,
    start: Start,
    store: &Arc<dyn Store>,
    accounts: Vec<ActiveAccount<'_>>,
    providers: Option<Vec<HttpProvider>>,
) -> Result<WrittenRun> {
    let metrics = Metrics::open(settings.metrics())?.map(Arc::new);
    if let Some(metrics) = &metrics {
        let caps = accounts.iter().map(|account| (account.account.name.clone(), account.account.rate));
        metrics.begin(start.started_at, caps.collect(), store.origin() == Origin::Sandbox);
    }
    let run = prepare(settings, console, start, store, accounts, metrics.clone());
    let ended = run.and_then(|mut run| {
        let ended = collect_and_publish(&mut run, providers);
        ended.map_err(|error| Error { after_requests: run.has_sent_requests(), ..error })
    });
    if let Some(metrics) = metrics {
        metrics.end(ended.as_ref().map_or_else(|error| error.exit, |run| run.exit));
    }
    ended
}

/// Checks that all outputs can be written.
fn prepare<'a>(
    settings: &'a Settings,
    console: &'a Console,
    start: Start,
    store: &Arc<dyn Store>,
    accounts: Vec<ActiveAccount<'a>>,
    metrics: Option<Arc<Metrics>>,
) -> Result<RunContext<'a>> {
    let upload = Upload::prepare(settings)?;
    settings.outputs.try_to_create()?;
    let Start { started, started_at, source, old_rejects, receipts, resolutions, money, stop, .. } = start;
    let resolutions = decisions::of_run(settings, resolutions, accounts[0].scope.run_started_at)?;
    Ok(RunContext {
        settings,
        console,
        source: Arc::new(source),
        store: store.clone(),
        accounts,
        stop,
        old_rejects,
        resolutions,
        money,
        receipts,
        receipt_use: receipts::receipt_use(settings, store.as_ref())?,
        started,
        started_at,
        metrics,
        upload,
    })
}

/// Begins a session for each account.
fn begin_sessions<'a>(
    settings: &'a Settings,
    store: &dyn Store,
    (identity, destination): (&RunIdentity, &Destination),
    keys: Option<Vec<Arc<CredentialCache>>>,
    stop: &Stop,
) -> Result<Vec<ActiveAccount<'a>>> {
    let list = &settings.accounts.list;
    let caps = account_caps(settings, keys.as_deref())?;
    let scopes = store.begin_sessions(identity, destination, &caps)?;
    if scopes.len() != list.len() || scopes.is_empty() {
        return Err(Error::bug("the store did not begin a session for each account"));
    }
    let (mut keys, stops) = (keys.into_iter().flatten(), stop.for_accounts(list.len(), 0));
    let active = |(((account, scope), AccountCap { account: name_in_store, .. }), stop)| ActiveAccount {
        account,
        scope,
        name_in_store,
        stop,
        keys: keys.next(),
    };
    Ok(list.iter().zip(scopes).zip(caps).zip(stops).map(active).collect())
}

/// Pass 1, then pass 2; without a provider (offline) only pass 2.
fn collect_and_publish(run: &mut RunContext<'_>, providers: Option<Vec<HttpProvider>>) -> Result<WrittenRun> {
    let providers = providers
        .map(|providers| connect::recorded(providers, run.settings, run.store.as_ref()))
        .transpose()?;
    if let Some(upload) = &mut run.upload {
        upload.start(&run.accounts[0].scope.run_id)?;
    }
    if let Some(receipts) = &run.receipts {
        receipts.keep(run.store.as_ref(), run.scope(), run.settings.receipts_trust)?;
    }
    let collected = match providers {
        Some(providers) => collecting::collect_on_own_event_loop(run, providers)?,
        None => {
            run.announce((0, 0), None, &[]);
            collecting::Collected::offline(run.accounts.len())
        }
    };
    run.check_stop()?;
    run.leave_half_row()?;
    publishing::publish(run, &collected)
}
