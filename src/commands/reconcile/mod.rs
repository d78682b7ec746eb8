//! `reconcile`: one run from its settings to its exit code.
//!
//! The order is a promise. The paths of all files are checked first. Then the run takes the store,
//! and only from there on it changes files, the metrics file among them: a start that is refused
//! changes none of a running job's. The store is open before the first request, and the files are
//! renamed to their paths before the run counts as ended.

mod collecting;
mod connect;
mod context;
mod notes;
pub(crate) mod output_paths;
mod publishing;
mod sandbox;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::cli::Settings;
use crate::clock::SystemClock;
use crate::console::{Console, log};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::ledger::{Input, ScannedLedger};
use crate::output::OldRejects;
use crate::provider::credentials::CredentialCache;
use crate::provider::http::HttpProvider;
use crate::stop::Stop;
use crate::store::{self, RunIdentity, Store};
use crate::telemetry::metrics::MetricsFile;
use context::RunContext;

/// Runs the job and reports its result to metrics file and notification. Signals stop it through
/// `stop`.
///
/// # Errors
///
/// Exit 2, 3, 5 and 6, and exit 4 when no credentials can be obtained.
pub async fn run(settings: &Settings, console: &Console, stop: Stop) -> Result<Exit> {
    let ended = run_steps(settings, console, stop).await;
    if let Some(target) = &settings.notify {
        target.post(&ended, &settings.outputs.summary, settings.access.ca_file.as_deref()).await;
    }
    ended
}

/// The steps in their order: ledger, paths, key, store. They change no file until this run holds
/// the store.
async fn run_steps(settings: &Settings, console: &Console, stop: Stop) -> Result<Exit> {
    let (started, started_at) = (Instant::now(), Utc::now());
    let input = Input::open(&settings.input)?;
    output_paths::check(settings, &input)?;
    let source = Arc::new(ScannedLedger::scan(input, settings.ledger.clone())?);
    let old_rejects = output_paths::check_rejects(settings, &source.scan)?;
    let (provider, keys) = connect::connect(settings).await?.unzip();
    let store = store::open(&settings.store, settings.expects(), Arc::new(SystemClock::new()))?;
    let metrics = settings.metrics_file.as_deref().map(MetricsFile::open).transpose()?.map(Arc::new);
    let start = Start { source, store: store.clone(), stop, keys, old_rejects, started, started_at };
    let ended = run_with_store(settings, console, start, provider, metrics.clone());
    if let Some(metrics) = metrics {
        metrics.end(ended.as_ref().map_or_else(|error| error.exit, |exit| *exit));
    }
    // The metrics file is this run's own as long as the run holds the store.
    drop(store);
    ended
}

/// What the steps before the first session give.
struct Start {
    source: Arc<ScannedLedger>,
    store: Arc<dyn Store>,
    stop: Stop,
    keys: Option<Arc<CredentialCache>>,
    old_rejects: OldRejects,
    started: Instant,
    started_at: DateTime<Utc>,
}

/// The steps of the run that holds the store: session, requests, outputs.
fn run_with_store(
    settings: &Settings,
    console: &Console,
    start: Start,
    provider: Option<HttpProvider>,
    metrics: Option<Arc<MetricsFile>>,
) -> Result<Exit> {
    let Start { source, store, stop, keys, old_rejects, started, started_at } = start;
    settings.outputs.try_to_create()?;
    let provider =
        provider.map(|provider| connect::recorded(provider, settings, store.as_ref())).transpose()?;
    let identity = RunIdentity { input_sha256: source.scan.sha256.clone(), refresh: settings.refresh };
    let scope = store.begin_session(&identity, settings.rate, settings.timeout)?;
    log::set_run_id(&scope.run_id);
    let run = RunContext {
        settings,
        console,
        source,
        store,
        scope,
        stop,
        keys,
        old_rejects,
        started,
        started_at,
        metrics,
    };
    if let Some(metrics) = &run.metrics {
        metrics.begin(started_at, settings.rate, run.is_sandbox());
    }
    collect_and_publish(&run, provider).map_err(|error| {
        // The run stays open, so the same command resumes it. If this fails too, only the first
        // error is reported.
        let _ = run.store.end_session(&run.scope, None);
        Error { after_requests: run.has_sent_requests(), ..error }
    })
}

/// Pass 1, then pass 2; without a provider (offline) only pass 2.
fn collect_and_publish(run: &RunContext<'_>, provider: Option<HttpProvider>) -> Result<Exit> {
    let collected = match provider {
        Some(provider) => collecting::collect_on_own_runtime(run, provider)?,
        None => {
            run.announce(0, None);
            collecting::Collected::offline()
        }
    };
    run.check_stop()?;
    publishing::publish(run, &collected)
}
