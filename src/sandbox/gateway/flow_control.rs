//! The cap: the most requests of one key that are admitted in any window.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sandbox::refusal::Refusal;
use reconcile_core::rate::Rate;

/// The admitted requests of each key that still count.
pub(super) struct FlowControl {
    cap_requests: usize,
    cap_window: Duration,
    arrivals: HashMap<String, VecDeque<Instant>>,
}

impl FlowControl {
    /// Admits `cap_requests` of one key in any window of this length.
    pub(super) fn new(cap_requests: u32, cap_window: Duration) -> Self {
        let cap_requests = usize::try_from(cap_requests).unwrap_or(usize::MAX);
        Self { cap_requests, cap_window, arrivals: HashMap::new() }
    }

    /// Counts a request of a key, which may have a cap of its own.
    ///
    /// # Errors
    ///
    /// `Throttling.User` above the cap; such a request does not count.
    pub(super) fn admit(&mut self, key: &str, own: Option<Rate>, now: Instant) -> Result<(), Refusal> {
        let (cap_requests, cap_window) =
            own.map_or((self.cap_requests, self.cap_window), |cap| (cap.requests.get() as usize, cap.window));
        let age = |arrival: &Instant| now.saturating_duration_since(*arrival);
        let arrivals = self.arrivals.entry(key.to_owned()).or_default();
        while arrivals.front().is_some_and(|first| age(first) >= cap_window) {
            arrivals.pop_front();
        }
        if arrivals.len() < cap_requests {
            arrivals.push_back(now);
            return Ok(());
        }
        let oldest = arrivals.front().map_or(Duration::ZERO, age);
        Err(Refusal::throttled(cap_window.saturating_sub(oldest)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_cap_holds_in_every_window_and_refusals_do_not_count() {
        let (mut flow, start) = (FlowControl::new(2, Duration::from_secs(60)), Instant::now());
        let mut at = |ms: u64| flow.admit("k", None, start + Duration::from_millis(ms));
        assert_eq!((at(0), at(1000)), (Ok(()), Ok(())));
        let throttled = at(1500).unwrap_err();
        assert_eq!((throttled.status, throttled.code.as_str()), (400, "Throttling.User"));
        assert_eq!(throttled.retry_after_ms, Some(58_500));
        assert_eq!(at(59_999).unwrap_err().retry_after_ms, Some(1));
        assert_eq!(at(60_000), Ok(()));
        assert_eq!(at(60_001).unwrap_err().retry_after_ms, Some(999));
        assert_eq!(at(61_000), Ok(()));
    }
}
