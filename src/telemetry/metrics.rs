//! The metrics of a run: a Prometheus textfile for node_exporter's textfile collector, and pushes
//! to a Pushgateway.
//!
//! Promises: readers never see half a file. The file is written every minute and on every change of
//! state, so it is at most a minute old. If it cannot be written, the run continues with a warning.
//! Metrics that are only known at the end of a run keep the values of the last run until then. Only
//! the run that holds the store writes the file: a start that is refused leaves it unchanged. If
//! two runs with different stores name the same file, only the first one writes it. The same text
//! is pushed at the same moments (`push.rs`).

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::metrics_text::{
    CALLS, DISCREPANCIES, HEADLINE, KeptSamples, LAST_EXIT_CODE, LAST_RUN_DURATION, LAST_RUN_ENDED,
    LAST_SUCCESS, MARK, RECEIPTS, RESOLUTIONS, SINCE_LAST, State, labelled_sample, sample,
};
pub use super::metrics_text::{ProgressOfAccount, RunProgress};
use super::push::{PushTarget, Pusher};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::locked::lock;
use crate::output::ReceiptsSummary;
use crate::place::folder_of;
use crate::regular_file;
use crate::staged::Staged;
use reconcile_core::discrepancy::Kind;
use reconcile_core::rate::Rate;
use reconcile_core::resolutions::LeftOver;
use reconcile_core::since::SinceLast;
use reconcile_core::status::Status;
use reconcile_core::totals::Totals;

/// Bytes that are read of a file; a metrics file has a few thousand.
const LONGEST: u64 = 1 << 20;

/// Where metrics go to.
#[derive(Debug, Clone, Copy, Default)]
pub struct MetricsTargets<'a> {
    /// The Prometheus text file.
    pub file: Option<&'a Path>,
    /// The group at a Pushgateway.
    pub push: Option<&'a PushTarget>,
    /// PEM file of certificates to trust besides the platform's.
    pub ca_file: Option<&'a Path>,
}

/// What the metrics show of new outputs.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// Counts of rows and calls.
    pub totals: &'a Totals,
    /// What changed since the last run.
    pub since_last: SinceLast,
    /// Entries of the file of resolutions that decided nothing.
    pub left_over: &'a LeftOver,
    /// The provider's receipts; `None` if none were given.
    pub receipts: Option<ReceiptsSummary<'a>>,
    /// Whether the answers are simulated.
    pub sandbox: bool,
}

/// The metrics of a run.
#[derive(Debug)]
pub struct Metrics {
    state: Arc<Mutex<State>>,
    file: Option<TextFile>,
    pusher: Option<Pusher>,
}

/// The metrics file.
#[derive(Debug)]
struct TextFile {
    path: PathBuf,
    /// The file that will replace it, still empty. Its lock keeps other runs away.
    next: Mutex<Option<Staged>>,
    /// Set by the first warning that the file cannot be written; there is no second one.
    has_warned: AtomicBool,
}

/// Checks that a metrics file can be at this path. Returns its text, which is empty if there is no
/// file. Changes nothing.
///
/// # Errors
///
/// Exit 2 if there can be no file at this path, or if the file is not a metrics file.
pub fn read_file(path: &Path) -> Result<String> {
    let refused = |problem: &str| {
        Error::usage(format!("the metrics file {} {problem}", path.display()))
            .hint("name a file that ends with .prom, in the folder of node_exporter's textfile collector")
    };
    if !folder_of(path).is_dir() {
        return Err(refused("is in a folder that does not exist"));
    }
    let old = match path.metadata().map(|metadata| regular_file::other_kind(metadata.file_type())) {
        Ok(Some(problem)) => return Err(refused(problem)),
        Ok(None) => read(path).map_err(|e| refused("cannot be read").because(e))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(refused("cannot be read").because(e)),
    };
    if !old.trim().is_empty() && !old.contains(MARK) {
        return Err(refused("is another kind of file; it was not changed"));
    }
    Ok(old)
}

impl Metrics {
    /// The metrics of a run that holds the store, with the values that the last run left in the
    /// file. Writes nothing. `None` if they go nowhere.
    ///
    /// # Errors
    ///
    /// As [`read_file`]. That nothing can be pushed causes only a warning.
    pub fn open(targets: MetricsTargets<'_>) -> Result<Option<Self>> {
        let old = targets.file.map(read_file).transpose()?.unwrap_or_default();
        let state = Arc::new(Mutex::new(State { kept: KeptSamples::read(&old), ..State::default() }));
        let push = |target: &PushTarget| Pusher::start(target.clone(), targets.ca_file, state.clone());
        let pusher = targets.push.and_then(|target| {
            let started = push(target);
            started.map_err(|error| tracing::warn!(to_do = error.hint, "no metrics are pushed: {error}")).ok()
        });
        let file = targets.file.and_then(TextFile::open);
        Ok((file.is_some() || pusher.is_some()).then_some(Self { state, file, pusher }))
    }

    /// Shows that a run has started and holds the store.
    ///
    /// `caps` are those of the accounts, which may have names.
    pub fn begin(&self, started_at: DateTime<Utc>, caps: Vec<(Option<String>, Rate)>, sandbox: bool) {
        let mut state = lock(&self.state);
        state.started_at = Some(started_at);
        state.active = true;
        state.sandbox = sandbox;
        state.caps = caps;
        drop(state);
        self.write();
    }

    /// Shows how far the run is.
    pub fn update(&self, progress: RunProgress) {
        lock(&self.state).progress = progress;
        self.write();
    }

    /// Sets the counts of the new outputs. Only now is it certain whether the answers are
    /// simulated. [`Metrics::end`], which follows at once, writes them.
    pub fn published(&self, published: &Published<'_>) {
        let Published { totals, since_last, left_over, receipts, sandbox } = *published;
        let calls =
            Status::ALL.map(|status| labelled_sample("status", status.as_str(), totals.with_status(status)));
        let discrepancies =
            Kind::ALL.map(|kind| labelled_sample("kind", kind.as_str(), totals.of_kind(kind)));
        let headline = totals.headline().categories();
        let headline = headline.map(|(category, n)| labelled_sample("category", category, n));
        let LeftOver { stale, unused, expired } = left_over;
        let entries = [("stale", stale), ("unused", unused), ("expired", expired)];
        let entries = entries.map(|(word, lines)| (word, lines.len() as u64));
        let decisions = totals.decisions.by_word().into_iter().chain(entries);
        let decisions = decisions.map(|(word, n)| labelled_sample("decision", word, n));
        let receipts = receipts.map(|receipts| receipts.numbers()).into_iter().flatten();
        let receipts = receipts.map(|(word, n)| labelled_sample("result", word, n));
        let SinceLast { new, recurring, resolved } = since_last;
        let changes = [("new", new), ("recurring", recurring), ("resolved", resolved)];
        let changes = changes.map(|(word, n)| labelled_sample("change", word, n));
        let mut state = lock(&self.state);
        state.sandbox = sandbox;
        state.kept.set(SINCE_LAST, changes);
        state.kept.set(RESOLUTIONS, decisions);
        state.kept.set(RECEIPTS, receipts);
        state.kept.set(CALLS, calls);
        state.kept.set(HEADLINE, headline);
        state.kept.set(DISCREPANCIES, discrepancies);
    }

    /// Shows that the run has ended. Waits some seconds for the last push.
    pub fn end(&self, exit: Exit) {
        let now = Utc::now();
        let mut state = lock(&self.state);
        state.active = false;
        for account in &mut state.progress.accounts {
            (account.taken, account.in_flight, account.left_s) = (0, 0, 0);
        }
        if let Some(started_at) = state.started_at {
            let seconds = (now - started_at).to_std().unwrap_or_default().as_secs_f64();
            state.kept.set(LAST_RUN_DURATION, [sample(format!("{seconds:.3}"))]);
        }
        state.kept.set(LAST_RUN_ENDED, [sample(now.timestamp())]);
        state.kept.set(LAST_EXIT_CODE, [sample(exit.code())]);
        if matches!(exit, Exit::Success | Exit::Discrepancies) {
            state.kept.set(LAST_SUCCESS, [sample(now.timestamp())]);
        }
        drop(state);
        self.write_file(true);
        self.pusher.iter().for_each(Pusher::push_last);
    }

    fn write(&self) {
        self.write_file(false);
        self.pusher.iter().for_each(Pusher::push);
    }

    fn write_file(&self, is_last: bool) {
        let Some(file) = &self.file else { return };
        let text = lock(&self.state).text();
        file.write(&text, is_last);
    }
}

impl TextFile {
    /// The file at this path; `None`, with a warning, if another run writes it.
    fn open(path: &Path) -> Option<Self> {
        let next = Staged::try_create(path);
        if matches!(next, Ok(None)) {
            tracing::warn!(
                means = "this run does not write it, and monitoring does not see this run",
                to_do = "give each run a metrics file of its own",
                "another run writes the metrics file {}",
                path.display()
            );
            return None;
        }
        let file = Self { path: path.to_owned(), next: Mutex::default(), has_warned: AtomicBool::new(false) };
        match next {
            Ok(next) => *lock(&file.next) = next,
            Err(e) => file.warn(e),
        }
        Some(file)
    }

    /// Replaces the file, and keeps other runs away until the last time.
    fn write(&self, text: &str, is_last: bool) {
        let mut next = lock(&self.next);
        let staged = next.take().map_or_else(|| Staged::create(&self.path), Ok);
        let written = staged.and_then(|staged| replace(staged, text));
        let staged = if is_last { Ok(None) } else { Staged::create(&self.path).map(Some) };
        let kept = staged.map(|staged| *next = staged);
        drop(next);
        written.and(kept).unwrap_or_else(|e| self.warn(e));
    }

    /// Reports the first failure.
    fn warn(&self, e: Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                because = e.source.map_or(e.what, |source| source.to_string()),
                means = "the run continues, but monitoring does not see it",
                to_do = "check free space and the folder's permissions",
                "cannot write the metrics file {}",
                self.path.display()
            );
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    regular_file::open_to_read(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Replaces the file. The collector is another user and may read it: it contains no secret.
fn replace(mut staged: Staged, text: &str) -> Result<()> {
    staged.write_text(text)?;
    staged.make_readable_by_all()?;
    staged.sync()?;
    staged.rename()?;
    staged.sync_folder()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_results_of_a_run_stay_until_the_next_run_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reconcile.prom");
        let text = || std::fs::read_to_string(&path).unwrap();
        let open = || {
            let targets = MetricsTargets { file: Some(&path), ..MetricsTargets::default() };
            Metrics::open(targets).unwrap().unwrap()
        };
        let first = open();
        let totals = Totals { found: 7, ..Totals::default() };
        let published = Published {
            totals: &totals,
            since_last: SinceLast::default(),
            left_over: &LeftOver::default(),
            receipts: None,
            sandbox: true,
        };
        first.published(&published);
        first.end(Exit::Success);
        let success = text().lines().find(|l| l.starts_with("reconcile_last_success")).unwrap().to_owned();

        let second = open();
        second.begin(Utc::now(), vec![(None, "100/min".parse().unwrap())], false);
        assert!(text().contains("reconcile_run_active 1") && text().contains("reconcile_last_exit_code 0"));
        second.end(Exit::Fatal);
        assert!(text().contains(&success), "{}", text());
        for line in
            ["reconcile_run_active 0", "reconcile_last_exit_code 3", "reconcile_calls{status=\"found\"} 7"]
        {
            assert!(text().contains(line), "{line}: {}", text());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn other_files_and_missing_folders_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("calls.csv"), "call_id\n").unwrap();
        for name in ["calls.csv", "nowhere/r.prom", "", "/dev/zero", "/dev/null"] {
            assert_eq!(read_file(&dir.path().join(name)).unwrap_err().exit, Exit::Usage, "{name}");
        }
    }
}
