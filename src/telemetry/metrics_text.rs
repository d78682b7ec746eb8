//! The text of the metrics file in Prometheus's text format. Owns the metrics' names.
//!
//! The format has only three kinds of lines. The crates for it are made for servers that run for
//! long, so the text is written here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::group::escaped;
use crate::shown::shown;
use reconcile_core::rate::Rate;

/// Every metrics file of this program contains this.
pub(super) const MARK: &str = "# HELP reconcile_";

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// Answers by kind.
    pub answers: BTreeMap<&'static str, u64>,
    /// Requests with a reply, by the provider's code; without a code, by the kind of failure.
    pub requests: BTreeMap<String, u64>,
    /// Requests that the provider throttled.
    pub throttled: u64,
    /// The accounts, in their order.
    pub accounts: Vec<ProgressOfAccount>,
}

/// How far the calls of an account are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressOfAccount {
    /// Calls that this process has to ask for.
    pub to_ask: u64,
    /// Requests in the current window.
    pub taken: u64,
    /// Requests without a reply so far.
    pub in_flight: u64,
    /// Seconds until the cap allows the last request.
    pub left_s: u64,
}

/// The values that the file shows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) active: bool,
    pub(super) sandbox: bool,
    /// The accounts with their caps.
    pub(super) caps: Vec<(Option<String>, Rate)>,
    pub(super) progress: RunProgress,
    pub(super) kept: KeptSamples,
}

/// Samples of the metrics that are only known at the end of a run. Until then the file keeps those
/// of the last run.
#[derive(Debug, Default)]
pub(super) struct KeptSamples(BTreeMap<String, Vec<String>>);

impl KeptSamples {
    /// The kept samples of an older file.
    pub(super) fn read(old: &str) -> Self {
        let is_kept = |name: &str| {
            METRICS.iter().any(|metric| metric.name == name && matches!(metric.samples, Samples::Kept))
        };
        let mut kept = Self::default();
        for line in old.lines() {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let is_number = line.rsplit(' ').next().is_some_and(|n| n.parse::<f64>().is_ok());
            if is_number && is_kept(name) {
                let sample = line[name.len()..].to_owned();
                kept.0.entry(name.to_owned()).or_default().push(sample);
            }
        }
        kept
    }

    /// Adds the samples of other metrics: those of a metric that is there already stay.
    pub(super) fn add(&mut self, older: Self) {
        for (name, samples) in older.0 {
            self.0.entry(name).or_insert(samples);
        }
    }

    /// Replaces the samples of a metric.
    pub(super) fn set(&mut self, name: &str, samples: impl IntoIterator<Item = String>) {
        self.0.insert(name.to_owned(), samples.into_iter().collect());
    }
}

/// A sample without labels.
pub(super) fn sample(value: impl std::fmt::Display) -> String {
    format!(" {value}")
}

/// The counts by the code as it is shown. Codes that look alike then are one.
fn by_shown_code(requests: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut shown_codes = BTreeMap::new();
    for (code, n) in requests {
        *shown_codes.entry(shown(code)).or_default() += n;
    }
    shown_codes
}

/// A sample with one label: `{kind="final"} 20`.
pub(super) fn labelled_sample(label: &str, label_value: &str, value: impl std::fmt::Display) -> String {
    format!("{{{label}=\"{}\"}} {value}", escaped(label_value))
}

/// A sample of each account, with its name as label if it has one.
fn of_accounts<V: std::fmt::Display>(s: &State, value: impl Fn(Rate, ProgressOfAccount) -> V) -> Vec<String> {
    let progress = s.progress.accounts.iter().copied().chain(std::iter::repeat(ProgressOfAccount::default()));
    let samples = s.caps.iter().zip(progress).map(|((name, cap), progress)| match name {
        None => sample(value(*cap, progress)),
        Some(name) => labelled_sample("account", &shown(name), value(*cap, progress)),
    });
    samples.collect()
}

/// The same of what is 0 until the run has begun.
fn counts_of_accounts(s: &State, value: impl Fn(ProgressOfAccount) -> u64) -> Vec<String> {
    match s.caps.is_empty() {
        true => vec![sample(0)],
        false => of_accounts(s, |_, progress| value(progress)),
    }
}

struct Metric {
    name: &'static str,
    metric_type: &'static str,
    help: &'static str,
    samples: Samples,
}

/// Where a metric's samples come from. A sample is the rest of its line after the name.
enum Samples {
    Current(fn(&State) -> Vec<String>),
    Kept,
}

const fn gauge(name: &'static str, help: &'static str, samples: fn(&State) -> Vec<String>) -> Metric {
    Metric { name, metric_type: "gauge", help, samples: Samples::Current(samples) }
}

const fn counter(name: &'static str, help: &'static str, samples: fn(&State) -> Vec<String>) -> Metric {
    Metric { name, metric_type: "counter", help, samples: Samples::Current(samples) }
}

const fn kept_gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, metric_type: "gauge", help, samples: Samples::Kept }
}

pub(super) const CALLS: &str = "reconcile_calls";
pub(super) const HEADLINE: &str = "reconcile_headline";
pub(super) const DISCREPANCIES: &str = "reconcile_discrepancies";
pub(super) const SINCE_LAST: &str = "reconcile_since_last";
pub(super) const RESOLUTIONS: &str = "reconcile_resolutions";
pub(super) const RECEIPTS: &str = "reconcile_receipts";
pub(super) const LAST_RUN_DURATION: &str = "reconcile_last_run_duration_seconds";
pub(super) const LAST_RUN_ENDED: &str = "reconcile_last_run_ended_timestamp_seconds";
pub(super) const LAST_EXIT_CODE: &str = "reconcile_last_exit_code";
pub(super) const LAST_SUCCESS: &str = "reconcile_last_success_timestamp_seconds";

/// All metrics, in the order of the file.
const METRICS: [Metric; 22] = [
    gauge(
        "reconcile_info",
        "Always 1. The labels are the program's version and whether the answers are simulated.",
        |s| {
            let (version, sandbox) = (env!("CARGO_PKG_VERSION"), s.sandbox);
            vec![format!("{{version=\"{version}\",sandbox=\"{sandbox}\"}} 1")]
        },
    ),
    gauge("reconcile_run_active", "1 while a run works, else 0.", |s| vec![sample(u64::from(s.active))]),
    gauge("reconcile_run_started_timestamp_seconds", "Start of the current or last run.", |s| {
        s.started_at.iter().map(|at| sample(at.timestamp())).collect()
    }),
    gauge("reconcile_calls_to_ask", "Calls that this run has to ask for.", |s| {
        counts_of_accounts(s, |progress| progress.to_ask)
    }),
    counter("reconcile_answers_total", "Calls answered in this run, by kind of answer.", |s| {
        s.progress.answers.iter().map(|(kind, n)| labelled_sample("kind", kind, *n)).collect()
    }),
    counter("reconcile_requests_total", "Requests of this run with a reply, by the provider's code.", |s| {
        by_shown_code(&s.progress.requests)
            .iter()
            .map(|(code, n)| labelled_sample("code", code, *n))
            .collect()
    }),
    counter("reconcile_throttles_total", "Requests of this run that the provider throttled.", |s| {
        vec![sample(s.progress.throttled)]
    }),
    gauge("reconcile_cap_requests", "Requests that the cap allows in a window.", |s| {
        of_accounts(s, |cap, _| cap.requests)
    }),
    gauge("reconcile_cap_window_seconds", "Length of the cap's window.", |s| {
        of_accounts(s, |cap, _| cap.window.as_secs_f64())
    }),
    gauge("reconcile_window_requests", "Requests in the current window.", |s| {
        counts_of_accounts(s, |progress| progress.taken)
    }),
    gauge("reconcile_requests_in_flight", "Requests without a reply so far.", |s| {
        counts_of_accounts(s, |progress| progress.in_flight)
    }),
    gauge("reconcile_eta_seconds", "Time until the cap allows the last request.", |s| {
        counts_of_accounts(s, |progress| progress.left_s)
    }),
    kept_gauge(CALLS, "Calls of the last outputs, by status."),
    kept_gauge(HEADLINE, "Calls of the last outputs, by category; unusable_rows are rows."),
    kept_gauge(DISCREPANCIES, "Discrepancies of the last outputs, by kind."),
    kept_gauge(
        SINCE_LAST,
        "Discrepancies of the last outputs that are new or recurring, and earlier ones that are resolved.",
    ),
    kept_gauge(
        RESOLUTIONS,
        "Discrepancies of the last outputs, by decision; stale, unused and expired are entries of the file.",
    ),
    kept_gauge(
        RECEIPTS,
        "Receipts that the last run read and that are unreadable; calls that they answered and that the ledger lacks.",
    ),
    kept_gauge(LAST_RUN_DURATION, "Duration of the last run that ended."),
    kept_gauge(LAST_RUN_ENDED, "End of the last run, with any exit code."),
    kept_gauge(LAST_EXIT_CODE, "Exit code of the last run that ended."),
    kept_gauge(LAST_SUCCESS, "End of the last run that answered every call (exit 0 or 1)."),
];

impl State {
    /// The whole file. Metrics without samples are left out.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Metric { name, metric_type, help, samples } in &METRICS {
            let samples = match samples {
                Samples::Current(samples) => samples(self),
                Samples::Kept => self.kept.0.get(*name).cloned().unwrap_or_default(),
            };
            if samples.is_empty() {
                continue;
            }
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {metric_type}");
            for sample in samples {
                let _ = writeln!(text, "{name}{sample}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_in_a_code_are_escaped() {
        assert_eq!(labelled_sample("code", "a\"b\\c\nd", 1), r#"{code="a\"b\\c\nd"} 1"#);
    }

    #[test]
    fn only_metrics_of_a_runs_end_are_kept() {
        let old = "reconcile_run_active 1\nreconcile_calls{status=\"found\"} 7\nreconcile_calls x\n";
        let state = State { kept: KeptSamples::read(old), ..State::default() };
        let text = state.text();
        assert!(text.contains("\nreconcile_calls{status=\"found\"} 7\n"), "{text}");
        assert!(text.contains("\nreconcile_run_active 0\n") && !text.contains("reconcile_calls x"), "{text}");
    }
}
