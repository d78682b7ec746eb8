//! When a request can have reached the provider.
//!
//! One rule for all who count requests: the limiter of a run, the places that the next process
//! still counts, and the audit. A reply proves that its request has arrived. A failure proves
//! nothing: a stalled gateway may hold a request in its socket and read it later. So a request
//! without a reply counts as arriving until one timeout after its failure. A request that arrives
//! even later cannot be noticed from here; the audit then says that the cap cannot be proven. It
//! reckons with such requests for an hour.

use std::time::Duration;

/// The longest time limit of a request. It also bounds damaged values in a store.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(3_600);

/// How long after it counts as arrived a request without a reply may still arrive, for the audit.
/// No gateway keeps a request longer.
pub const LATEST_ARRIVAL: Duration = Duration::from_secs(3_600);

/// How a recorded request ended. Times are microseconds of a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its reply came back at this time.
    Reply(i64),
    /// It was never sent: there was no connection, or no valid key.
    NotSent,
    /// It failed without a reply at this time, or its process had ended by then.
    NoReply(i64),
    /// No end is recorded: the request is in flight, or its process could not record the end.
    Unknown,
}

/// When a request can have reached the provider, at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// The latest time, in microseconds.
    pub latest_us: i64,
    /// True if a reply proves it. Otherwise the request may even have arrived later.
    pub is_proven: bool,
}

/// How long a request without a reply still counts as arriving, after its failure.
#[must_use]
pub fn rest_after_no_reply(timeout: Duration) -> Duration {
    timeout.min(LONGEST_TIMEOUT)
}

/// The duration in microseconds, the unit of all recorded times.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Ending {
    /// When a request with this ending and time limit can have arrived; `None` if it was not sent.
    #[must_use]
    pub fn arrival(self, timeout: Duration) -> Option<Arrival> {
        let rest_us = micros(rest_after_no_reply(timeout));
        match self {
            Self::Reply(at_us) => Some(Arrival { latest_us: at_us, is_proven: true }),
            Self::NotSent => None,
            Self::NoReply(at_us) => {
                Some(Arrival { latest_us: at_us.saturating_add(rest_us), is_proven: false })
            }
            Self::Unknown => Some(Arrival { latest_us: i64::MAX, is_proven: false }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reply_proves_when_a_request_arrived() {
        let latest = |ending: Ending| {
            let arrival = ending.arrival(Duration::from_secs(10))?;
            Some((arrival.latest_us, arrival.is_proven))
        };
        assert_eq!(latest(Ending::Reply(5)), Some((5, true)));
        assert_eq!(latest(Ending::NoReply(5)), Some((10_000_005, false)));
        assert_eq!(latest(Ending::Unknown), Some((i64::MAX, false)));
        assert_eq!(latest(Ending::NotSent), None);
    }

    #[test]
    fn a_huge_time_limit_does_not_overflow() {
        assert_eq!(rest_after_no_reply(Duration::MAX), LONGEST_TIMEOUT);
        let arrival = Ending::NoReply(i64::MAX).arrival(Duration::MAX);
        assert_eq!(arrival.map(|arrival| arrival.latest_us), Some(i64::MAX));
    }
}
