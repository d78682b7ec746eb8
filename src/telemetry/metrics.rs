//! The Prometheus textfile of a run, for node_exporter's textfile collector. Owns the metrics' names.
//!
//! Promises: a reader never sees half a file; it is written each minute and when something changes, so it is never more than a
//! minute behind; a file that cannot be written costs the run nothing but a warning. What a run can only know at its end
//! (`reconcile_calls`, `reconcile_last_…`) stays as the last one left it until then, read back from the file.
//!
//! The text is written here: it is three kinds of lines, and the crates for it hold numbers that live as long as a server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::exit::Exit;
use reconcile_core::discrepancy::Kind;
use reconcile_core::rate::Rate;
use reconcile_core::totals::Totals;

/// By this a file is known as one of ours.
const MARK: &str = "# HELP reconcile_";

/// How the sending stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sending {
    /// Calls to be asked for by this process.
    pub to_ask: u64,
    /// Answers, by kind.
    pub answers: BTreeMap<&'static str, u64>,
    /// Requests that came back, by the provider's code or what happened instead.
    pub requests: BTreeMap<String, u64>,
    /// Times the provider throttled.
    pub throttled: u64,
    /// Requests in the current window.
    pub taken: u64,
    /// Requests sent whose reply has not come back.
    pub in_flight: u64,
    /// Seconds until all can have been sent under the cap.
    pub left_s: u64,
}

/// What is known now.
#[derive(Debug, Default)]
struct State {
    started_at: Option<DateTime<Utc>>,
    active: bool,
    sandbox: bool,
    cap: Option<Rate>,
    sending: Sending,
    /// Lines of what only an end can know, by the metric's name.
    lasting: BTreeMap<String, Vec<String>>,
}

/// The file.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    state: Mutex<State>,
    /// That it cannot be written was said once.
    told: AtomicBool,
}

/// Name, type and meaning. The order is the file's.
const FAMILIES: [(&str, &str, &str); 18] = [
    (
        "reconcile_info",
        "gauge",
        "Always 1; the version is its label, and whether the answers are the sandbox's.",
    ),
    ("reconcile_run_active", "gauge", "1 while a run works, else 0."),
    ("reconcile_run_started_timestamp_seconds", "gauge", "When the current or last run began."),
    ("reconcile_calls_to_ask", "gauge", "Calls that this run has to ask for."),
    ("reconcile_answers_total", "counter", "Calls that this run has an answer for, by its kind."),
    ("reconcile_requests_total", "counter", "Requests of this run that came back, by the provider's code."),
    ("reconcile_throttles_total", "counter", "Requests of this run that the provider throttled."),
    ("reconcile_cap_requests", "gauge", "Requests that the cap allows in a window."),
    ("reconcile_cap_window_seconds", "gauge", "Length of the cap's window."),
    ("reconcile_window_requests", "gauge", "Requests in the current window; the allowance used."),
    ("reconcile_requests_in_flight", "gauge", "Requests whose reply has not come back."),
    ("reconcile_eta_seconds", "gauge", "Time until all calls can have been asked for under the cap."),
    ("reconcile_calls", "gauge", "Calls of the last outputs, by status."),
    ("reconcile_discrepancies", "gauge", "Discrepancies of the last outputs, by kind."),
    ("reconcile_last_run_duration_seconds", "gauge", "How long the last run took that ended."),
    ("reconcile_last_run_ended_timestamp_seconds", "gauge", "When the last run ended, however."),
    ("reconcile_last_exit_code", "gauge", "Exit code of the last run that ended."),
    (
        "reconcile_last_success_timestamp_seconds",
        "gauge",
        "When a run last ended with every call answered (exit 0 or 1).",
    ),
];

impl MetricsFile {
    /// The file at this place, and what an earlier run has left in it.
    ///
    /// # Errors
    ///
    /// Exit 2 when it cannot be a file there, or is one of another kind, which is left alone.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!("--metrics-file {} {why}", path.display()))
                .hint("name a file that ends with .prom, in the folder of node_exporter's textfile collector")
        };
        if path.is_dir() || path.file_name().is_none() {
            return Err(wrong("is a folder"));
        }
        if !folder(path).is_dir() {
            return Err(wrong("is in a folder that is not there"));
        }
        let old = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(wrong("cannot be read").because(e)),
        };
        if !old.trim().is_empty() && !old.contains(MARK) {
            return Err(wrong("is a file of another kind, and is left alone"));
        }
        let state = State { lasting: lasting(&old), ..State::default() };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state), told: AtomicBool::new(false) })
    }

    /// A run has begun: it holds the store.
    pub fn begin(&self, started_at: DateTime<Utc>, cap: Rate, sandbox: bool) {
        let mut state = self.lock();
        (state.started_at, state.active, state.sandbox, state.cap) =
            (Some(started_at), true, sandbox, Some(cap));
        drop(state);
        self.write();
    }

    /// How the sending stands.
    pub fn sending(&self, sending: Sending) {
        self.lock().sending = sending;
        self.write();
    }

    /// The outputs stand, and whether they are a sandbox's is known for good. Written with the run's end, which follows at
    /// once.
    pub fn published(&self, totals: &Totals, sandbox: bool) {
        let statuses = [
            ("found", totals.found),
            ("not_found", totals.not_found),
            ("pending", totals.pending),
            ("failed", totals.failed),
            ("deferred", totals.deferred),
        ];
        let kinds =
            Kind::ALL.map(|kind| (kind.as_str(), totals.discrepancies.get(&kind).copied().unwrap_or(0)));
        let mut state = self.lock();
        state.sandbox = sandbox;
        state.keep("reconcile_calls", statuses.map(|(status, n)| (labelled("status", status), n)));
        state.keep("reconcile_discrepancies", kinds.map(|(kind, n)| (labelled("kind", kind), n)));
    }

    /// The run has ended so. One that another run kept from beginning leaves that one's file alone.
    pub fn end(&self, exit: Exit) {
        if exit == Exit::Busy {
            return;
        }
        let now = Utc::now();
        let mut state = self.lock();
        let took = state.started_at.map(|at| (now - at).to_std().unwrap_or_default());
        state.active = false;
        (state.sending.taken, state.sending.in_flight, state.sending.left_s) = (0, 0, 0);
        if let Some(took) = took {
            let seconds = format!("{:.3}", took.as_secs_f64());
            state.keep("reconcile_last_run_duration_seconds", [(String::new(), seconds)]);
        }
        state.keep("reconcile_last_run_ended_timestamp_seconds", [(String::new(), now.timestamp())]);
        state.keep("reconcile_last_exit_code", [(String::new(), exit.code())]);
        if matches!(exit, Exit::Success | Exit::Discrepancies) {
            state.keep("reconcile_last_success_timestamp_seconds", [(String::new(), now.timestamp())]);
        }
        drop(state);
        self.write();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) {
        let text = self.lock().text();
        if let Err(e) = replace(&self.path, text.as_bytes())
            && !self.told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                because = %e,
                means = "whoever watches it does not see this run; the run goes on",
                to_do = "check the folder's permissions and free space",
                "--metrics-file {} cannot be written",
                self.path.display()
            );
        }
    }
}

impl State {
    fn keep<N: ToString>(&mut self, name: &str, samples: impl IntoIterator<Item = (String, N)>) {
        let line = |(labels, n): (String, N)| format!("{name}{labels} {}", n.to_string());
        self.lasting.insert(name.to_owned(), samples.into_iter().map(line).collect());
    }

    /// The whole file. A metric that nothing is known of has no lines.
    fn text(&self) -> String {
        let mut text = String::new();
        for (name, kind, help) in FAMILIES {
            let lines = self.lasting.get(name).cloned().unwrap_or_else(|| self.lines(name));
            if !lines.is_empty() {
                // A text may be written; writing to one cannot fail.
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{}", lines.join("\n"));
            }
        }
        text
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let s = &self.sending;
        let by = |label: &str, counts: Vec<(&str, u64)>| -> Vec<String> {
            counts.iter().map(|(value, n)| format!("{name}{} {n}", labelled(label, value))).collect()
        };
        let one = |n: u64| vec![format!("{name} {n}")];
        match name {
            "reconcile_info" => {
                let (version, sandbox) = (env!("CARGO_PKG_VERSION"), self.sandbox);
                vec![format!("{name}{{version=\"{version}\",sandbox=\"{sandbox}\"}} 1")]
            }
            "reconcile_run_active" => one(self.active.into()),
            "reconcile_run_started_timestamp_seconds" => {
                self.started_at.iter().map(|at| format!("{name} {}", at.timestamp())).collect()
            }
            "reconcile_calls_to_ask" => one(s.to_ask),
            "reconcile_answers_total" => by("kind", s.answers.iter().map(|(kind, n)| (*kind, *n)).collect()),
            "reconcile_requests_total" => {
                by("code", s.requests.iter().map(|(code, n)| (code.as_str(), *n)).collect())
            }
            "reconcile_throttles_total" => one(s.throttled),
            "reconcile_cap_requests" => {
                self.cap.iter().map(|cap| format!("{name} {}", cap.requests)).collect()
            }
            "reconcile_cap_window_seconds" => {
                self.cap.iter().map(|cap| format!("{name} {}", cap.window.as_secs_f64())).collect()
            }
            "reconcile_window_requests" => one(s.taken),
            "reconcile_requests_in_flight" => one(s.in_flight),
            "reconcile_eta_seconds" => one(s.left_s),
            _ => Vec::new(),
        }
    }
}

/// `{label="value"}`.
fn labelled(label: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("{{{label}=\"{value}\"}}")
}

/// What an older file has of the metrics that only an end can know.
fn lasting(old: &str) -> BTreeMap<String, Vec<String>> {
    let lasts = |name: &str| {
        let known = FAMILIES.iter().any(|(known, ..)| *known == name);
        known
            && (name.starts_with("reconcile_last_")
                || matches!(name, "reconcile_calls" | "reconcile_discrepancies"))
    };
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in old.lines() {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let is_number = line.rsplit(' ').next().is_some_and(|n| n.parse::<f64>().is_ok());
        if lasts(name) && is_number {
            found.entry(name.to_owned()).or_default().push(line.to_owned());
        }
    }
    found
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Written beside it, synced, then renamed. The name beside it does not end like one that the collector reads.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".unfinished");
    let beside = path.with_file_name(name);
    let mut file = File::create(&beside)?;
    file.write_all(text)?;
    readable_by_all(&file)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// The collector is another user, and nothing in the file is anybody's secret.
#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Elsewhere permissions are not in a mode.
#[cfg(not(unix))]
fn readable_by_all(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_only_an_end_can_know_survives_until_the_next_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reconcile.prom");
        let text = || std::fs::read_to_string(&path).unwrap();
        let first = MetricsFile::open(&path).unwrap();
        first.published(&Totals { found: 7, ..Totals::default() }, true);
        first.end(Exit::Success);
        let success = text().lines().find(|l| l.starts_with("reconcile_last_success")).unwrap().to_owned();

        let second = MetricsFile::open(&path).unwrap();
        second.begin(Utc::now(), "100/min".parse().unwrap(), false);
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
    fn a_run_that_another_keeps_from_beginning_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reconcile.prom");
        MetricsFile::open(&path).unwrap().end(Exit::Busy);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_another_kind_and_a_place_for_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("calls.csv"), "call_id\n").unwrap();
        for name in ["calls.csv", "nowhere/r.prom", ""] {
            assert_eq!(MetricsFile::open(&dir.path().join(name)).unwrap_err().exit, Exit::Usage, "{name}");
        }
    }

    #[test]
    fn a_code_with_quotes_and_backslashes_is_escaped() {
        assert_eq!(labelled("code", "a\"b\\c\nd"), r#"{code="a\"b\\c\nd"}"#);
    }
}
