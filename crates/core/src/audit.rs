//! What the record of requests says of the cap: the most in any window, and how well the allowance was used.
//!
//! Independent of the limiter: it knows only when each request was sent and when its reply came back. A request
//! arrives somewhere between the two, and nobody but the provider knows when; so it is counted as if it could have
//! arrived at any instant of them. What comes out is the most that *can* have reached the provider in any window,
//! however the network delayed and spread the requests. Pure; memory is what fits in a window.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::rate::Rate;

/// Requests may be recorded out of order by as many as are in flight at once.
const REORDERED_AT_MOST: usize = 4_096;

/// One request, on a clock that does not step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trip {
    /// When it was sent, in microseconds: not later than it really was.
    pub sent_us: i64,
    /// When its reply, or its failure, was there: not earlier than it arrived at the provider.
    pub replied_us: i64,
    /// False for those of earlier sessions: they fill the window and are not judged again.
    pub counted: bool,
}

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Requests.
    pub requests: u64,
    /// The most that can have reached the provider in any window.
    pub most_in_any_window: u64,
    /// From the first sending to the last, in microseconds.
    pub sending_us: i64,
    /// The shortest time in which the cap allows as many, in microseconds.
    pub shortest_us: i64,
    /// The most that the cap would have allowed in the time that it took.
    pub allowance: u64,
}

/// Counts requests as they come, nearly in the order of their sending.
#[derive(Debug)]
pub struct Audit {
    rate: Rate,
    waiting: BinaryHeap<Reverse<Trip>>,
    /// When each request in the window had certainly arrived, earliest first.
    window: BinaryHeap<Reverse<i64>>,
    first: Option<i64>,
    last: i64,
    requests: u64,
    most: u64,
}

impl Audit {
    /// Judges by this cap.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            waiting: BinaryHeap::new(),
            window: BinaryHeap::new(),
            first: None,
            last: 0,
            requests: 0,
            most: 0,
        }
    }

    /// Takes a request.
    pub fn push(&mut self, trip: Trip) {
        self.waiting.push(Reverse(trip));
        if self.waiting.len() > REORDERED_AT_MOST
            && let Some(Reverse(first)) = self.waiting.pop()
        {
            self.judge(first);
        }
    }

    /// The request enters the window, and those leave it that had arrived one window before.
    fn judge(&mut self, trip: Trip) {
        let gone = trip.sent_us.saturating_sub(self.rate.window_us());
        while self.window.peek().is_some_and(|Reverse(arrived)| *arrived <= gone) {
            self.window.pop();
        }
        self.window.push(Reverse(trip.replied_us));
        if trip.counted {
            self.requests += 1;
            self.most = self.most.max(self.window.len() as u64);
            self.first.get_or_insert(trip.sent_us);
            self.last = self.last.max(trip.sent_us);
        }
    }

    /// All that was found.
    #[must_use]
    pub fn finish(mut self) -> Evidence {
        while let Some(Reverse(trip)) = self.waiting.pop() {
            self.judge(trip);
        }
        let Some(first) = self.first else { return Evidence::default() };
        let (n, window) = (u64::from(self.rate.requests.get()), self.rate.window_us());
        let sending_us = self.last - first;
        let windows = u64::try_from(sending_us / window.max(1)).unwrap_or(0) + 1;
        Evidence {
            requests: self.requests,
            most_in_any_window: self.most,
            sending_us,
            shortest_us: i64::try_from((self.requests - 1) / n).unwrap_or(i64::MAX).saturating_mul(window),
            allowance: n * windows,
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

    fn found(rate: &str, trips: &[Trip]) -> Evidence {
        let mut audit = Audit::new(rate.parse().unwrap());
        trips.iter().for_each(|trip| audit.push(*trip));
        audit.finish()
    }

    const S: i64 = 1_000_000;

    #[test]
    fn nothing_sent_is_nothing_found() {
        assert_eq!(found("5/s", &[]), Evidence::default());
    }

    #[test]
    fn two_a_window_apart_are_not_in_one_window_and_a_microsecond_less_is() {
        assert_eq!(found("1/s", &[trip(0, 0), trip(S, S)]).most_in_any_window, 1);
        assert_eq!(found("1/s", &[trip(0, 0), trip(S - 1, S)]).most_in_any_window, 2);
    }

    #[test]
    fn a_slow_reply_keeps_its_request_in_the_window() {
        // Sent long ago, but it may have arrived just before its reply came back.
        assert_eq!(found("1/s", &[trip(0, 5 * S), trip(5 * S + 1, 6 * S)]).most_in_any_window, 2);
        assert_eq!(found("1/s", &[trip(0, 5 * S), trip(6 * S, 6 * S)]).most_in_any_window, 1);
    }

    #[test]
    fn the_order_of_recording_does_not_matter() {
        let trips: Vec<Trip> = (0..50).rev().map(|i| trip(i * S / 5, i * S / 5 + 1)).collect();
        let evidence = found("6/s", &trips);
        assert_eq!((evidence.most_in_any_window, evidence.requests), (6, 50));
    }

    #[test]
    fn earlier_sessions_fill_the_window_and_are_not_counted() {
        let before = Trip { counted: false, ..trip(0, 100) };
        let evidence = found("2/s", &[before, trip(S / 2, S / 2)]);
        assert_eq!((evidence.most_in_any_window, evidence.requests), (2, 1));
    }

    #[test]
    fn the_allowance_is_every_window_that_was_begun() {
        let evidence = found("2/s", &[trip(0, 1), trip(1, 2), trip(S + 2, S + 3)]);
        assert_eq!((evidence.sending_us, evidence.shortest_us, evidence.allowance), (S + 2, S, 4));
    }
}
