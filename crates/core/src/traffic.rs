//! What a run sent, as the store recorded it, and how a throttling provider slowed it down. Pure data.

use std::time::Duration;

use crate::audit::Evidence;

/// What this process sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All requests.
    pub requests: u64,
    /// First try of a call.
    pub first_tries: u64,
    /// Further tries of the same question.
    pub retries: u64,
    /// First try on the neighbouring day.
    pub other_day_tries: u64,
    /// Answers in which the provider throttled.
    pub throttled: u64,
    /// What the record of them says of the cap.
    pub evidence: Evidence,
    /// How the provider slowed the run down.
    pub slowdown: Slowdown,
}

/// The record of what this process sent, for people: as many windows as it took, and what was tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sending {
    /// Windows of the cap that share a point; 1 unless the run took very long.
    pub windows_per_point: u64,
    /// From the first request on.
    pub points: Vec<SendingPoint>,
    /// Tries that were followed by another one, by the code that came back.
    pub tried_again: Vec<(String, u64)>,
}

/// One window of the cap, or the fullest of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SendingPoint {
    /// Which, from 0.
    pub point: u64,
    /// The requests sent in it.
    pub requests: u64,
    /// Of those of the point, the ones that the provider throttled.
    pub throttled: u64,
}

/// How often and how long a run was slowed down by a provider that throttles although the cap holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slowdown {
    /// How often the rate was halved.
    pub halvings: u64,
    /// How long nobody could send.
    pub held: Duration,
    /// How long the rate was below the cap.
    pub slowed: Duration,
}

impl Slowdown {
    /// In words, if there was any.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let times = match self.halvings {
            0 => return None,
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let (held, slowed) = (self.held.as_secs_f64(), self.slowed.as_secs_f64());
        Some(format!(
            "the provider throttled although the cap held, so others use the account: the rate was halved {times}, \
             nothing was sent for {held:.0} s, and {slowed:.0} s passed below the cap"
        ))
    }
}
