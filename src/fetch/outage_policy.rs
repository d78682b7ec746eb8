//! The pauses of an outage, and when a run gives up.

use std::time::Duration;

/// Different calls that fail in a row before the run is in an outage; as many connections in a row
/// that cannot be made; and of one or two accounts the requests in flight at once before the first
/// usable response.
pub(super) const IN_A_ROW: usize = 3;

/// How many of several accounts probe while no connection was ever made. The others wait, because
/// all ask the same provider. An account needs two requests to know that the silence lasts.
pub const PROBING_ACCOUNTS: usize = 10;

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
    /// Maximum number of requests in flight before the first usable response.
    pub start_in_flight: usize,
    /// As `first_pause`, if no connection was ever made.
    pub start_pause: Duration,
    /// How long the run probes otherwise; `None` if a deadline ends the run.
    pub gives_up_after: Option<Duration>,
}

impl OutagePolicy {
    /// The same for each of several accounts. While no connection can be made, all of them together
    /// send as many requests as one account would. Their probes are as far apart as that needs.
    #[must_use]
    pub fn for_each_of(self, accounts: usize) -> Self {
        let accounts = u32::try_from(accounts.clamp(1, PROBING_ACCOUNTS)).unwrap_or(u32::MAX);
        let start_requests = self.start_requests / accounts;
        // Each pause is twice as long as the one before.
        let pauses = 2_u32.saturating_pow(start_requests - 1) - 1;
        Self {
            start_requests,
            start_in_flight: if accounts > 2 { 1 } else { self.start_in_flight },
            start_pause: self.start_pause.max(self.start_limit / pauses),
            ..self
        }
    }
}

impl Default for OutagePolicy {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            start_limit: Duration::from_secs(45),
            start_requests: 20,
            start_in_flight: IN_A_ROW,
            start_pause: Duration::from_secs(1),
            gives_up_after: Some(Duration::from_secs(30 * 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_together_probe_as_often_as_one_and_as_long() {
        let alone = OutagePolicy::default();
        assert_eq!(alone.for_each_of(1), alone);
        for accounts in 2..=PROBING_ACCOUNTS {
            let policy = alone.for_each_of(accounts);
            let probes = policy.start_requests - 1;
            let longest = policy.start_pause * (2_u32.pow(probes) - 1);
            assert!(policy.start_requests * accounts as u32 <= 20, "{accounts}: {policy:?}");
            assert!(longest + Duration::from_micros(1) >= policy.start_limit, "{accounts}: {policy:?}");
        }
        assert_eq!(alone.for_each_of(4).start_pause, Duration::from_secs(3));
        assert_eq!(alone.for_each_of(1_000), alone.for_each_of(PROBING_ACCOUNTS));
    }
}
