//! What a run waits for: reading the ledger, the key, another run that holds the store, and a
//! database that is away. A signal ends each of these waits at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::Settings;
use crate::clock::SystemClock;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::stop::Stop;
use crate::store::{self, Store, Wait};

/// The result of `step`, which needs no orderly end.
///
/// # Errors
///
/// Exit 4 when a signal comes first; else the error of `step`.
pub(super) async fn unless_stopped<T>(stop: &Stop, step: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = step => done,
        () = stop.stopped() => {
            let why = stop.reason().map(|reason| reason.to_string()).unwrap_or_default();
            Err(Error::new(Exit::Incomplete, format!("{why} before the first request; the old outputs stay"))
                .hint("run the same command again"))
        }
    }
}

/// The store of a run, open and locked.
pub(super) struct OpenStore {
    pub(super) store: Arc<dyn Store>,
    /// Whether this run stood by until another one ended. False in a database: there it stands by
    /// later, when it begins its sessions.
    pub(super) has_waited: bool,
}

/// Opens the store. While another run holds it, this run stands by if the settings say so. Blocks
/// the thread.
///
/// # Errors
///
/// As [`store::open_or_wait`].
pub(super) fn open_store(settings: &Settings, stop: &Stop) -> Result<OpenStore> {
    let open = |wait: Option<Wait>| {
        store::open_or_wait(&settings.store, settings.expects(), Arc::new(SystemClock::new()), wait, stop)
    };
    let wait = settings.stand_by.map(|stand_by| Wait { limit: stand_by.limit() });
    // In a database, a run stands by for its ledger when it begins its sessions.
    let at_once = wait.filter(|_| settings.store.file().is_none());
    match (open(at_once), wait) {
        (Err(busy), Some(wait)) if busy.exit == Exit::Busy => {
            open(Some(wait)).map(|store| OpenStore { store, has_waited: true })
        }
        (opened, _) => opened.map(|store| OpenStore { store, has_waited: false }),
    }
}

/// Time between two tries while the store's database is away.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A try that lasted longer found the database in order. The limit of `--wait` then begins anew.
const WORKED: Duration = Duration::from_secs(60);

/// Runs until the result is another one than that the store's database is away, if the settings let
/// the run stand by. Each try resumes the run. `signals` stops the try, and the standing by.
///
/// A ledger from standard input can be read only once, so there is one try.
pub(super) async fn while_store_returns<T>(
    settings: &Settings,
    signals: &Stop,
    mut attempt: impl AsyncFnMut(Stop) -> Result<T>,
) -> Result<T> {
    let stand_by = settings.stand_by.filter(|_| settings.inputs.iter().all(|input| input.as_os_str() != "-"));
    let (mut away_since, mut has_sent): (Option<Instant>, bool) = (None, false);
    loop {
        let (stop, begun) = (Stop::default(), Instant::now());
        let (stopped, of_signals) = (stop.clone(), signals.clone());
        let relay = tokio::spawn(async move {
            of_signals.stopped().await;
            of_signals.reason().into_iter().for_each(|reason| stopped.stop(reason));
        });
        let ended = attempt(stop).await;
        relay.abort();
        let (error, stand_by) = match (ended, stand_by) {
            (Err(error), Some(stand_by)) if error.is_store_away => (error, stand_by),
            (ended, _) => {
                return ended.map_err(|e| Error { after_requests: has_sent || e.after_requests, ..e });
            }
        };
        has_sent |= error.after_requests;
        let known = away_since.filter(|_| begun.elapsed() < WORKED);
        let since = known.unwrap_or_else(Instant::now);
        away_since = Some(since);
        if stand_by.limit().is_some_and(|limit| since.elapsed() >= limit) {
            return Err(Error { after_requests: has_sent, ..error });
        }
        if known.is_none() {
            tracing::warn!("{error}; this run stands by until the store answers");
        }
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
            () = signals.stopped() => return Err(stopped_while_away(signals, has_sent)),
        }
    }
}

fn stopped_while_away(signals: &Stop, after_requests: bool) -> Error {
    let why = signals.reason().map(|reason| reason.to_string()).unwrap_or_default();
    let what = format!("{why} while the store's database was away; the old outputs stay");
    let error = Error::new(Exit::Incomplete, what).hint("run the same command again");
    Error { after_requests, ..error }
}
