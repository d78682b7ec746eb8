//! What the store keeps of runs besides their requests: the figures of each, for the trend and for
//! `diff`.

use chrono::{DateTime, TimeDelta, Utc};

/// How long the figures of a run are kept.
pub(super) const KEPT_FIGURES: TimeDelta = TimeDelta::days(400);
/// Most runs of a series that are read.
pub(super) const MOST_RUNS: i64 = 400;

/// The figures of a run, to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFigures {
    /// Only runs of one series are compared with each other.
    pub series: String,
    /// JSON.
    pub figures: String,
}

/// A run in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// Its UUID.
    pub run_id: String,
    /// When its first session began.
    pub started_at: DateTime<Utc>,
    /// Whether every call had its answer; `None` until the run has ended.
    pub complete: Option<bool>,
    /// Its figures in JSON; `None` if none are kept.
    pub figures: Option<String>,
}

/// A run, and others of its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHistory {
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// When the first run over the same ledger began.
    pub ledger_since: DateTime<Utc>,
    /// The other ended runs with figures, newest first; at most 400.
    pub others: Vec<StoredRun>,
}
