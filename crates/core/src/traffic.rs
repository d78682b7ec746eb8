//! What a run sent, as the store recorded it, and how throttling slowed it down.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cap_audit::Evidence;

/// The requests of this session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All requests.
    pub requests: u64,
    /// First tries of a call.
    pub first_tries: u64,
    /// Further tries of the same call on the same day.
    pub retries: u64,
    /// First tries on the neighbouring day.
    pub other_day_tries: u64,
    /// Throttled requests.
    pub throttled: u64,
    /// The audit's evidence that the cap held.
    pub evidence: Evidence,
    /// How throttling slowed the run down.
    pub slowdown: Slowdown,
}

/// The requests of this session over time, for the report's chart, and the reasons for retries.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sending {
    /// How many windows of the cap share a point: 1 unless the run took very long.
    pub windows_per_point: u64,
    /// The points, from the first request on.
    pub points: Vec<SendingPoint>,
    /// How many tries led to another try, by the code of their reply.
    pub tried_again: Vec<(String, u64)>,
}

impl Sending {
    /// The points of one of several accounts, and the codes of all.
    #[must_use]
    pub fn with_retries_of_all(mut all: Vec<Self>, points_of: usize) -> Self {
        let mut codes: BTreeMap<String, u64> = BTreeMap::new();
        for (code, n) in all.iter_mut().flat_map(|sending| sending.tried_again.drain(..)) {
            *codes.entry(code).or_default() += n;
        }
        let mut tried_again: Vec<(String, u64)> = codes.into_iter().collect();
        tried_again.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let points = all.into_iter().nth(points_of).unwrap_or_default();
        Self { tried_again, ..points }
    }
}

/// A point of the chart: one window of the cap, or the fullest window of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SendingPoint {
    /// The point's number, from 0.
    pub point: u64,
    /// The requests sent in the window.
    pub requests: u64,
    /// The throttled requests among all of the point's windows.
    pub throttled: u64,
}

/// How often and how long the provider slowed a run down, by throttling below the cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slowdown {
    /// How often the rate was halved.
    pub halvings: u64,
    /// How long nothing was sent.
    pub held: Duration,
    /// How long the rate was below the cap.
    pub slowed: Duration,
}

impl Slowdown {
    /// The slowdown in sentences; `None` if there was none.
    #[must_use]
    pub fn sentences(&self) -> Option<String> {
        let halvings = match self.halvings {
            0 => return None,
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let (slowed, held) = (self.slowed.as_secs_f64().round(), self.held.as_secs_f64().round());
        let paused = if held > 0.0 { format!(", {held} s of it without requests") } else { String::new() };
        Some(format!(
            "The provider throttled us below our cap; another program may share this account. The rate was halved \
             {halvings}. Slowed for {slowed} s{paused}."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slowdown_is_described_only_if_there_was_one() {
        assert_eq!(Slowdown::default().sentences(), None);
        let once = Slowdown { halvings: 1, slowed: Duration::from_secs(29), ..Slowdown::default() };
        let sentences = once.sentences().unwrap_or_default();
        assert!(sentences.ends_with("The rate was halved once. Slowed for 29 s."), "{sentences}");
        let twice = Slowdown { halvings: 2, held: Duration::from_millis(4_400), ..once };
        let sentences = twice.sentences().unwrap_or_default();
        assert!(sentences.ends_with("2 times. Slowed for 29 s, 4 s of it without requests."), "{sentences}");
    }
}
