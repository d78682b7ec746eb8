//! Did the cap hold? The most requests in any window, recomputed from the recorded requests.
//!
//! The audit shares no code with the limiter: it knows only when each request was sent and when its
//! reply came back. A request arrives at some instant between the two that only the provider knows.
//! So the audit assumes that it may have arrived at any of these instants. The result is the most
//! requests that *can* have reached the provider in any window, for any network delays.
//!
//! Memory grows only with the number of requests in a window.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::rate::Rate;

/// The most requests in flight at once. A request may be recorded this many positions too late.
const MAX_REORDERED: usize = 4_096;

/// One request, in microseconds of a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trip {
    /// When it was sent, or a little earlier.
    pub sent_us: i64,
    /// When its reply or its failure came back: never before it reached the provider.
    pub replied_us: i64,
    /// False for a request of an earlier session: it fills the window but is not counted again.
    pub counted: bool,
}

/// The result of an audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The number of requests.
    pub requests: u64,
    /// The most requests that can have reached the provider in any window.
    pub most_in_any_window: u64,
    /// The time from the first request to the last, in microseconds.
    pub sending_us: i64,
    /// The shortest time in which the cap allows this number of requests, in microseconds.
    pub shortest_us: i64,
    /// The most requests that the cap allows in the windows that have begun.
    pub allowance: u64,
}

/// Counts requests, given roughly in the order in which they were sent.
#[derive(Debug)]
pub struct Audit {
    rate: Rate,
    /// Requests that wait until earlier ones are recorded.
    waiting: BinaryHeap<Reverse<Trip>>,
    /// The latest possible arrival of each request in the window, earliest first.
    window: BinaryHeap<Reverse<i64>>,
    first_sent_us: Option<i64>,
    last_sent_us: i64,
    requests: u64,
    most: u64,
}

impl Audit {
    /// An audit against this cap.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            waiting: BinaryHeap::new(),
            window: BinaryHeap::new(),
            first_sent_us: None,
            last_sent_us: 0,
            requests: 0,
            most: 0,
        }
    }

    /// Adds a request.
    pub fn push(&mut self, trip: Trip) {
        self.waiting.push(Reverse(trip));
        if self.waiting.len() > MAX_REORDERED
            && let Some(Reverse(first)) = self.waiting.pop()
        {
            self.enter_window(first);
        }
    }

    /// Adds a request to the window and removes those that arrived at least one window earlier.
    fn enter_window(&mut self, trip: Trip) {
        let window_start = trip.sent_us.saturating_sub(self.rate.window_us());
        while self.window.peek().is_some_and(|Reverse(arrived)| *arrived <= window_start) {
            self.window.pop();
        }
        self.window.push(Reverse(trip.replied_us));
        if trip.counted {
            self.requests += 1;
            self.most = self.most.max(self.window.len() as u64);
            self.first_sent_us.get_or_insert(trip.sent_us);
            self.last_sent_us = self.last_sent_us.max(trip.sent_us);
        }
    }

    /// The result over all requests.
    #[must_use]
    pub fn finish(mut self) -> Evidence {
        while let Some(Reverse(trip)) = self.waiting.pop() {
            self.enter_window(trip);
        }
        let Some(first_sent_us) = self.first_sent_us else { return Evidence::default() };
        let (cap, window_us) = (u64::from(self.rate.requests.get()), self.rate.window_us());
        let sending_us = self.last_sent_us - first_sent_us;
        let windows = u64::try_from(sending_us / window_us.max(1)).unwrap_or(0) + 1;
        Evidence {
            requests: self.requests,
            most_in_any_window: self.most,
            sending_us,
            shortest_us: i64::try_from((self.requests - 1) / cap)
                .unwrap_or(i64::MAX)
                .saturating_mul(window_us),
            allowance: cap * windows,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn trip(sent_us: i64, replied_us: i64) -> Trip {
        Trip { sent_us, replied_us, counted: true }
    }

    fn audited(rate: &str, trips: &[Trip]) -> Evidence {
        let mut audit = Audit::new(rate.parse().unwrap());
        trips.iter().for_each(|trip| audit.push(*trip));
        audit.finish()
    }

    const S: i64 = 1_000_000;

    #[test]
    fn without_requests_the_evidence_is_empty() {
        assert_eq!(audited("5/s", &[]), Evidence::default());
    }

    #[test]
    fn requests_one_window_apart_are_in_different_windows() {
        assert_eq!(audited("1/s", &[trip(0, 0), trip(S, S)]).most_in_any_window, 1);
        assert_eq!(audited("1/s", &[trip(0, 0), trip(S - 1, S)]).most_in_any_window, 2);
    }

    #[test]
    fn a_slow_reply_keeps_its_request_in_the_window() {
        // The first was sent long ago, but may have arrived just before its reply came back.
        assert_eq!(audited("1/s", &[trip(0, 5 * S), trip(5 * S + 1, 6 * S)]).most_in_any_window, 2);
        assert_eq!(audited("1/s", &[trip(0, 5 * S), trip(6 * S, 6 * S)]).most_in_any_window, 1);
    }

    #[test]
    fn the_order_of_recording_does_not_matter() {
        let trips: Vec<Trip> = (0..50).rev().map(|i| trip(i * S / 5, i * S / 5 + 1)).collect();
        let evidence = audited("6/s", &trips);
        assert_eq!((evidence.most_in_any_window, evidence.requests), (6, 50));
    }

    #[test]
    fn earlier_sessions_fill_the_window_and_are_not_counted() {
        let before = Trip { counted: false, ..trip(0, 100) };
        let evidence = audited("2/s", &[before, trip(S / 2, S / 2)]);
        assert_eq!((evidence.most_in_any_window, evidence.requests), (2, 1));
    }

    #[test]
    fn the_allowance_counts_every_begun_window() {
        let evidence = audited("2/s", &[trip(0, 1), trip(1, 2), trip(S + 2, S + 3)]);
        assert_eq!((evidence.sending_us, evidence.shortest_us, evidence.allowance), (S + 2, S, 4));
    }
}
