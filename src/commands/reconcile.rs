//! One night's job from settings to exit: open, collect, publish, put in place.
//!
//! The order is the promise: the outputs' places are checked before anything is sent, the store is open before the
//! first request, and the four files are put in place before the run counts as ended.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Local, NaiveTime, Utc};
use tokio::task::JoinHandle;

use crate::cli::{Answers, Settings, ShowProgress, missing_defaults_notes};
use crate::clock::SystemClock;
use crate::collect::{Workload, collect, workload};
use crate::console::log;
use crate::console::messages::{self, Closing, Opening};
use crate::console::progress::{Form, Progress};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::fetch::cap::Cap;
use crate::fetch::retry::Policy;
use crate::fetch::{Anomalies, Fetcher};
use crate::ledger::{Input, ScannedLedger};
use crate::output::{Outputs, Provenance, Summary};
use crate::provider::credentials::{self, CredentialCache, Credentials, Environment};
use crate::provider::http::{Connection, HttpProvider};
use crate::publish::{Counted, publish};
use crate::recording::Recorder;
use crate::sandbox::{self, Sandbox};
use crate::stop::{Reason, Stop};
use crate::store::{self, OpenItems, Origin, RunIdentity, Store};
use crate::telemetry::metrics::MetricsFile;
use reconcile_core::ask_again::Scope;
use reconcile_core::tie_out::{TieOutLine, Written, tie_out};
use reconcile_core::totals::Totals;
use reconcile_core::traffic::{Slowdown, Traffic};

/// Open calls are noted in the store so many at a time.
const OPEN_AT_ONCE: usize = 1_000;

/// How a run speaks to whoever started it.
#[derive(Debug, Clone)]
pub struct Console {
    /// Nothing unless something is wrong.
    pub quiet: bool,
    /// Lines rather than a bar: debug messages would tear it.
    pub no_bar: bool,
    /// The command line as typed, to go on with.
    pub command: String,
}

/// What stays the same all through a run.
struct Run<'a> {
    settings: &'a Settings,
    console: &'a Console,
    source: Arc<ScannedLedger>,
    store: Arc<dyn Store>,
    scope: Scope,
    stop: Stop,
    /// The key that is signed with; none with `--offline`.
    keys: Option<Arc<CredentialCache>>,
    started: Instant,
    started_at: DateTime<Utc>,
    metrics: Option<Arc<MetricsFile>>,
}

/// Does the job, and tells its end to whoever watches. `stop` is where signals arrive.
///
/// # Errors
///
/// Every way to end but exit 0, 1 and 4, as the contract lists them.
pub async fn run(settings: &Settings, console: &Console, stop: Stop) -> Result<Exit> {
    let ended = match settings.metrics_file.as_deref().map(MetricsFile::open).transpose() {
        Ok(None) => night(settings, console, stop, None).await,
        Ok(Some(metrics)) => {
            let metrics = Arc::new(metrics);
            let ended = night(settings, console, stop, Some(metrics.clone())).await;
            metrics.end(ended.as_ref().map_or_else(|error| error.exit, |exit| *exit));
            ended
        }
        Err(error) => Err(error),
    };
    if let Some(target) = &settings.notify {
        target.post(&ended, &settings.outputs.summary, settings.access.ca_file.as_deref()).await;
    }
    ended
}

async fn night(
    settings: &Settings,
    console: &Console,
    stop: Stop,
    metrics: Option<Arc<MetricsFile>>,
) -> Result<Exit> {
    let (started, started_at) = (Instant::now(), Utc::now());
    let input = Input::open(&settings.input)?;
    check_places(settings, &input)?;
    let source = Arc::new(ScannedLedger::scan(input, settings.ledger.clone())?);
    let (provider, keys) = connect(settings).await?.unzip();
    let store = store::open(&settings.store, settings.expects(), Arc::new(SystemClock::new()))?;
    let provider = match (&settings.record, provider) {
        (Some(path), Some(provider)) => Some(provider.recorded(Recorder::open(path, &store.secret()?)?)),
        (_, provider) => provider,
    };
    let identity = RunIdentity { input_sha256: source.scan.sha256.clone(), refresh: settings.refresh };
    let scope = store.begin_session(&identity, settings.rate, settings.timeout)?;
    log::of_run(&scope.run_id);
    if let Some(metrics) = &metrics {
        metrics.begin(started_at, settings.rate, store.origin() == Origin::Sandbox);
    }
    let run = Run { settings, console, source, store, scope, stop, keys, started, started_at, metrics };
    let result = run.session(provider);
    if result.is_err() {
        // The run is left open: the same command goes on with it. The first error is the one to tell.
        let _ = run.store.end_session(&run.scope, None);
    }
    result
}

/// No output may overwrite the ledger or the store.
pub(crate) fn check_places(settings: &Settings, input: &Input) -> Result<()> {
    let mut others: Vec<(&str, &Path)> = vec![("--store", &settings.store)];
    others.extend(input.path().map(|path| ("--input", path)));
    others.extend(settings.metrics_file.as_deref().map(|path| ("--metrics-file", path)));
    others.extend(settings.record.as_deref().map(|path| ("--record", path)));
    settings.outputs.check(&others)
}

/// Who is asked, and the key for it; nobody with `--offline`.
async fn connect(settings: &Settings) -> Result<Option<(HttpProvider, Arc<CredentialCache>)>> {
    if settings.offline {
        return Ok(None);
    }
    let (endpoint, keys) = match &settings.answers {
        Answers::Provider(endpoint) => {
            (endpoint.clone(), credentials::find(&settings.access, &Environment::of_process()).await?)
        }
        Answers::Sandbox => start_sandbox(settings).await?,
    };
    let connection = Connection {
        endpoint,
        timeout: settings.timeout,
        wire_format: settings.wire_format,
        ca_file: settings.access.ca_file.clone(),
        insecure_http: settings.access.insecure_http,
    };
    let keys = Arc::new(keys);
    Ok(Some((HttpProvider::new(&connection, keys.clone())?, keys)))
}

/// Starts the simulated provider inside this process; it allows exactly what the cap says.
async fn start_sandbox(settings: &Settings) -> Result<(String, CredentialCache)> {
    let rate = settings.rate;
    let options = sandbox::Options {
        cap_requests: rate.requests.get(),
        cap_window: rate.window,
        ..sandbox::Options::default()
    };
    let (id, secret) = sandbox::TEST_ACCOUNT;
    let server = Sandbox::bind(options).await?;
    let url = server.url();
    tokio::spawn(server.serve());
    Ok((url, CredentialCache::of_static_key(Credentials::new(id.into(), secret.into(), None), "the sandbox")))
}

/// Does this to its end on a runtime that ends with it, so that the memory of up to 1,024 connections goes back before publishing
/// needs its own. One thread: requests and connections that wake each other across threads cost more than they gain.
fn on_a_runtime_of_its_own<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(runtime.map_err(Error::no_more_threads)?.block_on(work))
    })
}

/// What pass 1 came to.
#[derive(Default)]
struct Collected {
    all_asked: bool,
    slowdown: Slowdown,
    notes: Vec<String>,
}

impl Run<'_> {
    fn session(&self, provider: Option<HttpProvider>) -> Result<Exit> {
        let collected = match provider {
            Some(provider) => on_a_runtime_of_its_own(self.collect(provider))??,
            None => {
                self.open(0, None);
                Collected { all_asked: true, ..Collected::default() }
            }
        };
        if let Some(reason) = self.stop.reason() {
            refuse(reason, self.keys.as_deref())?;
        }
        self.publish(&collected)
    }

    /// Pass 1.
    async fn collect(&self, provider: HttpProvider) -> Result<Collected> {
        let settings = self.settings;
        let workload = self.workload()?;
        let taken = self.store.places_taken(&self.scope, settings.rate)?;
        let cap = Arc::new(Cap::new(settings.rate, settings.burst, &taken));
        let ready_in = cap.forecast(workload.to_ask).all_sent_in;
        self.open(workload.to_ask, Some(ready_in));
        let timers = self.timers()?;
        let fits = self.fits(&timers, ready_in);
        let (form, metrics) = (self.form(), self.metrics.clone());
        let progress =
            Progress::start(form, workload.to_ask, settings.rate, cap.clone(), self.stop.clone(), metrics);
        let fetcher = Fetcher {
            provider,
            cap: cap.clone(),
            policy: Policy { max_attempts: settings.max_attempts, ..Policy::default() },
            store: self.store.clone(),
            scope: self.scope.clone(),
            monitor: progress.monitor(),
            watch: Anomalies::default(),
            stop: self.stop.clone(),
        };
        let timers: Vec<_> = timers.into_iter().map(|timer| self.start_timer(timer)).collect();
        let (source, reader, order) = (self.source.clone(), self.store.reader()?, workload.order(!fits));
        // Where nothing is to be asked, the ledger need not be read to find that out again.
        let all_asked =
            workload.to_ask == 0 || collect(source, &fetcher, reader, settings.concurrency, order).await;
        timers.iter().for_each(JoinHandle::abort);
        self.store.release_writer();
        progress.finish();
        Ok(Collected { all_asked, slowdown: cap.slowdown(), notes: fetcher.watch.notes() })
    }

    /// What is to be asked. Answers that are found damaged are forgotten and asked for again.
    fn workload(&self) -> Result<Workload> {
        let reader = self.store.reader()?;
        let workload = workload(&self.source, &self.scope, Some(reader.as_ref()))?;
        let damaged = reader.take_damaged();
        if !damaged.is_empty() {
            let answers = if damaged.len() == 1 { "answer is" } else { "answers are" };
            tracing::warn!("{} stored {answers} damaged and will be asked for again", damaged.len());
            self.store.discard(&damaged)?;
        }
        Ok(workload)
    }

    fn open(&self, to_ask: u64, ready_in: Option<Duration>) {
        let opening = Opening {
            ledger: self.source.input.name(),
            scan: &self.source.scan,
            to_ask,
            ready_in,
            rate: self.settings.rate,
            burst: self.settings.burst,
            sandbox: self.store.origin() == Origin::Sandbox,
            resumed: self.scope.resumed,
        };
        if !self.console.quiet {
            messages::say(&opening.line());
            self.notes().iter().for_each(|note| messages::say(&format!("note: {note}")));
        }
    }

    /// Whether all can be sent before the first of the timers; says so if not.
    fn fits(&self, timers: &[Timer], ready_in: Duration) -> bool {
        let elapsed = self.started.elapsed();
        let ends = timers.iter().min_by_key(|timer| timer.after_start);
        let Some(timer) = ends.filter(|timer| elapsed + ready_in > timer.after_start) else { return true };
        if !self.console.quiet {
            messages::say(&format!(
                "note: {} comes before all is asked; the oldest calls are asked first",
                timer.what
            ));
        }
        false
    }

    fn form(&self) -> Form {
        match self.settings.progress {
            ShowProgress::Never => Form::Silent,
            ShowProgress::Auto if self.console.quiet => Form::Silent,
            _ if self.console.no_bar => Form::Lines,
            _ => Form::automatic(),
        }
    }

    fn timers(&self) -> Result<Vec<Timer>> {
        Timer::all(self.settings, self.started_at.with_timezone(&Local))
    }

    fn start_timer(&self, timer: Timer) -> JoinHandle<()> {
        let left = timer.after_start.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            // Already past: not one request may slip through before the timer's first turn.
            self.stop.stop(Reason::Time(timer.what.clone()));
        }
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(left).await;
            stop.stop(Reason::Time(timer.what));
        })
    }

    /// Pass 2, then the four files in their places.
    fn publish(&self, collected: &Collected) -> Result<Exit> {
        let settings = self.settings;
        let traffic = Traffic { slowdown: collected.slowdown, ..self.store.traffic(&self.scope)? };
        let provenance = self.provenance();
        let scan = &self.source.scan;
        let mut outputs =
            Outputs::create(&settings.outputs, &scan.carried, &scan.layout, &provenance, &traffic)?;
        let (Counted { totals, figures }, open_items) = self.write_rows(&mut outputs)?;
        let (outputs, written) = outputs.close()?;
        let tie_out = check_totals(&totals, &written, &traffic, settings)?;
        let because = self.incomplete_because(collected.all_asked, &totals);
        let summary = Summary {
            provenance: &provenance,
            totals: &totals,
            figures: &figures,
            traffic: &traffic,
            sending: &self.store.sending(&self.scope)?,
            lang: settings.lang,
            tie_out: &tie_out,
            elapsed: self.started.elapsed(),
            incomplete_because: because.as_deref(),
            go_on: &self.console.command,
            open_items: &open_items,
            notes: &[self.notes(), collected.notes.clone()].concat(),
        };
        outputs.finish(&summary)?;
        self.store.end_session(&self.scope, Some(summary.complete()))?;
        if let Some(metrics) = &self.metrics {
            metrics.published(&totals, self.store.origin() == Origin::Sandbox);
        }
        let closing = Closing { summary: &summary, paths: &settings.outputs };
        closing.say(self.console.quiet);
        Ok(exit(&totals, &summary, settings))
    }

    /// Details and discrepancies; what is open goes back into the store.
    fn write_rows(&self, outputs: &mut Outputs) -> Result<(Counted, OpenItems)> {
        let mut open = Vec::new();
        let mut on_open = |item| {
            open.push(item);
            if open.len() < OPEN_AT_ONCE {
                return Ok(());
            }
            self.store.note_open(&self.scope, &std::mem::take(&mut open))
        };
        let (rules, session_no) = (self.settings.rules, self.scope.session_no);
        let reader = self.store.reader()?;
        let counted = publish(&self.source, reader, rules, session_no, outputs, &mut on_open)?;
        self.store.note_open(&self.scope, &open)?;
        Ok((counted, self.store.open_items(&self.scope)?))
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            version: env!("CARGO_PKG_VERSION"),
            run_id: self.scope.run_id.clone(),
            input: self.source.input.name().to_owned(),
            input_sha256: self.source.scan.sha256.clone(),
            started_at: self.started_at,
            sandbox: self.store.origin() == Origin::Sandbox,
            cap: self.settings.rate,
            mask: self.settings.mask.clone(),
        }
    }

    fn incomplete_because(&self, all_asked: bool, totals: &Totals) -> Option<String> {
        if !all_asked {
            return Some(
                self.stop.reason().map_or_else(|| "the run was stopped".into(), |reason| reason.text()),
            );
        }
        if totals.exhausted > 0 {
            let calls = if totals.exhausted == 1 { "call" } else { "calls" };
            return Some(format!("transient errors of {} {calls} outlasted all attempts", totals.exhausted));
        }
        (totals.deferred > 0).then(|| "with --offline, what is not stored is deferred".into())
    }

    fn notes(&self) -> Vec<String> {
        let scan = &self.source.scan;
        let mut notes = scan.notes.clone();
        notes.extend(self.settings.mask_note.clone());
        notes.extend(self.keys.iter().flat_map(|keys| keys.warnings().iter().cloned()));
        if scan.days_from_call_id > 0 {
            let rows = if scan.days_from_call_id == 1 {
                "1 row names"
            } else {
                &format!("{} rows name", scan.days_from_call_id)
            };
            notes.push(format!("{rows} no day; it was taken from the CallId"));
        }
        notes.extend(self.rejects_note());
        notes.extend(missing_defaults_notes(scan));
        notes
    }

    fn rejects_note(&self) -> Option<String> {
        let rows = match self.source.scan.invalid {
            0 => return None,
            1 => "1 row".to_owned(),
            n => format!("{n} rows"),
        };
        if self.settings.mask.is_on() {
            return Some(format!(
                "{rows} cannot be used; the discrepancies name them (with --mask-phones no rejects are written)"
            ));
        }
        let rejects = self.settings.outputs.rejects.file_name().unwrap_or_default().to_string_lossy();
        Some(format!("{rows} cannot be used; {rejects} has them, to be mended and fed back"))
    }
}

/// When no more requests are sent, and what to say of it.
pub(crate) struct Timer {
    pub(crate) after_start: Duration,
    pub(crate) what: String,
}

impl Timer {
    /// `--deadline` and `--max-duration`, both counted from the run's start.
    pub(crate) fn all(settings: &Settings, started_at: DateTime<Local>) -> Result<Vec<Self>> {
        let deadline = settings.deadline.map(|deadline| -> Result<Self> {
            let what = format!("the deadline {}", deadline.format("%H:%M"));
            Ok(Self { after_start: until(deadline, started_at)?, what })
        });
        let longest = settings.max_duration.map(|longest| Self {
            after_start: longest,
            what: format!("the longest duration {}", humantime::format_duration(longest)),
        });
        deadline.into_iter().chain(longest.map(Ok)).collect()
    }
}

/// The tie-out.
fn check_totals(
    totals: &Totals,
    written: &Written,
    traffic: &Traffic,
    settings: &Settings,
) -> Result<Vec<TieOutLine>> {
    let lines = tie_out(totals, written, traffic, u64::from(settings.rate.requests.get()));
    match lines.iter().find(|line| !line.adds_up) {
        None => Ok(lines),
        Some(line) => {
            Err(Error::output(format!("the tie-out does not check_totals: {} ({})", line.rule, line.numbers))
                .hint("this is a bug; the old outputs stand, and all answers are stored. Please report it"))
        }
    }
}

/// What ends a run without outputs.
fn refuse(reason: Reason, keys: Option<&CredentialCache>) -> Result<()> {
    match reason {
        Reason::Time(_) | Reason::Signal(_) | Reason::NoKey(_) => Ok(()),
        Reason::Fatal { code, message, advice } => {
            let what = format!("the provider refuses every request: {code}: {message}");
            let key = keys.map_or_else(String::new, |keys| format!(" The key is from {}.", keys.origin()));
            Err(Error::new(Exit::Fatal, what)
                .hint(format!("{advice}.{key} What is stored is kept; the old outputs stand")))
        }
        Reason::Failed(error) => {
            // The error is shared with the task that met it; its text and its way to end are what count.
            Err(Error {
                exit: error.exit,
                what: error.what.clone(),
                hint: error.hint.clone(),
                source: error.source.as_ref().map(|source| source.to_string().into()),
            })
        }
    }
}

fn exit(totals: &Totals, summary: &Summary<'_>, settings: &Settings) -> Exit {
    if !summary.complete() {
        Exit::Incomplete
    } else if settings.exit_code && totals.discrepancies_total() > 0 {
        Exit::Discrepancies
    } else {
        Exit::Success
    }
}

/// From now to the next time the clock on the wall shows this, at most a day and a bit ahead.
fn until<Z: chrono::TimeZone>(deadline: NaiveTime, now: DateTime<Z>) -> Result<Duration> {
    let zone = now.timezone();
    let today = now.date_naive();
    let next = [Some(today), today.checked_add_days(Days::new(1)), today.checked_add_days(Days::new(2))]
        .into_iter()
        .flatten()
        // A time that the change to summer time leaves out does not come on that day.
        .filter_map(|day| zone.from_local_datetime(&day.and_time(deadline)).earliest())
        .find(|at| *at > now);
    next.and_then(|at| (at - now).to_std().ok())
        .ok_or_else(|| Error::usage("--deadline: this time does not come within two days"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeZone as _;

    #[test]
    fn a_deadline_is_the_next_time_the_clock_shows_it() {
        let now =
            reconcile_core::calendar::provider_offset().with_ymd_and_hms(2026, 11, 16, 23, 30, 0).unwrap();
        let left = |text: &str| until(NaiveTime::parse_from_str(text, "%H:%M").unwrap(), now).unwrap();
        assert_eq!(left("07:00"), Duration::from_secs(7 * 3600 + 1800));
        assert_eq!(left("23:31"), Duration::from_secs(60));
        assert_eq!(left("23:30"), Duration::from_secs(86_400));
    }
}
