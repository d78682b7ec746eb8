//! The pauses of an outage, and when a run gives up.

use std::time::Duration;

/// How long the run probes if it can do without the answers.
pub(super) const SOON: Duration = Duration::from_secs(60);

/// The pauses of an outage, and when the run gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutagePolicy {
    /// The pause before the first probe. It doubles before each further probe.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long the run probes if no connection was ever made.
    pub start_limit: Duration,
    /// Maximum number of requests if no connection was ever made.
    pub start_requests: u32,
    /// How long the run probes otherwise; `None` if a deadline ends the run.
    pub gives_up_after: Option<Duration>,
}

impl Default for OutagePolicy {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            start_limit: Duration::from_secs(45),
            start_requests: 20,
            gives_up_after: Some(Duration::from_secs(30 * 60)),
        }
    }
}
