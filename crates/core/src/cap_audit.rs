//! Did the cap hold? The most requests in any window, recomputed from the recorded requests.
//!
//! The audit shares no code with the limiter, only the rule of [`arrival`](crate::arrival). It
//! knows when each request was sent, and when it can have arrived at the latest. A request arrives
//! at some instant between the two that only the provider knows. So the audit assumes that it may
//! have arrived at any of these instants. The result is the most requests that *can* have reached
//! the provider in any window, for any network delays.
//!
//! Without a reply no instant is certain. So the audit also counts the most requests in any window
//! if these requests arrived up to an hour later. Only if both numbers keep the cap, it is proven.
//!
//! If several sessions share an account's places, the history of their shares proves the sum: each
//! session never used more places than it held ([`Audit::with_places`]), and at every change the
//! live sessions held no more than the cap together ([`Shares`]).
//!
//! Memory grows only with the number of requests in a window, and of changes of places.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use crate::arrival::{Arrival, LATEST_ARRIVAL, micros};
use crate::rate::Rate;

/// The most requests in flight at once. A request may be recorded this many positions too late.
const MAX_REORDERED: usize = 4_096;

/// One request, in microseconds of a clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trip {
    /// When it was sent, or a little earlier.
    pub sent_us: i64,
    /// When it can have reached the provider, at the latest.
    pub arrival: Arrival,
    /// False for a request of another session: it fills the window but is not counted again.
    pub counted: bool,
}

/// A change of the places that a session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacesChange {
    /// When, by the clock of the session's requests.
    pub at_us: i64,
    /// The places from then on.
    pub places: u32,
    /// How many of the new places earlier requests still take.
    pub resting: u32,
    /// How long the first of them rests.
    pub rest: Duration,
}

/// The result of an audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The number of requests.
    pub requests: u64,
    /// The most requests that can have reached the provider in any window.
    pub most_in_any_window: u64,
    /// The same, if requests without a reply arrived up to an hour later.
    pub most_if_late: u64,
    /// The requests without a reply, with those of other sessions in the hour before.
    pub no_reply: u64,
    /// By how many requests a window can have exceeded the places that the session held, at most.
    pub over_places: u64,
    /// The same, if requests without a reply arrived up to an hour later.
    pub over_places_if_late: u64,
    /// Requests that were recorded, but whose record is gone.
    pub missing: u64,
    /// The time from the first request to the last, in microseconds.
    pub sending_us: i64,
    /// The shortest time in which the cap allows this number of requests, in microseconds.
    pub shortest_us: i64,
    /// The most requests that the cap allows in the windows that have begun.
    pub allowance: u64,
}

/// What the evidence says about the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No window can have held more requests than the cap.
    Held,
    /// The cap may have been kept, but the record does not prove it.
    CannotBeProven,
    /// A window can have held more requests than the cap.
    Broken,
}

impl Verdict {
    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::CannotBeProven => "cannot be proven",
            Self::Broken => "broken",
        }
    }
}

impl Evidence {
    /// The verdict on a session with this cap.
    #[must_use]
    pub fn verdict(&self, cap: Rate) -> Verdict {
        let cap = u64::from(cap.requests.get());
        if self.most_in_any_window > cap || self.over_places > 0 {
            Verdict::Broken
        } else if self.most_if_late > cap || self.over_places_if_late > 0 || self.missing > 0 {
            Verdict::CannotBeProven
        } else {
            Verdict::Held
        }
    }
}

/// Counts requests, given roughly in the order in which they were sent.
#[derive(Debug)]
pub struct Audit {
    rate: Rate,
    /// Requests that wait until earlier ones are recorded.
    waiting: BinaryHeap<Reverse<Trip>>,
    /// The latest possible arrival of each request in the window, earliest first.
    window: BinaryHeap<Reverse<Arrival>>,
    /// Requests without a reply that have left the window: when they counted as arriving at the
    /// latest, earliest first. They may have arrived up to an hour later.
    may_be_late: BinaryHeap<Reverse<i64>>,
    /// The coming changes of the session's places, earliest first; `None` if it had all places.
    changes: Option<VecDeque<PlacesChange>>,
    /// The places that the session holds.
    places: u64,
    first_sent_us: Option<i64>,
    last_sent_us: i64,
    evidence: Evidence,
}

impl Audit {
    /// An audit against this cap.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            waiting: BinaryHeap::new(),
            window: BinaryHeap::new(),
            may_be_late: BinaryHeap::new(),
            changes: None,
            places: 0,
            first_sent_us: None,
            last_sent_us: 0,
            evidence: Evidence::default(),
        }
    }

    /// An audit of a session that held the places of these changes, in the order of their times. It
    /// held none before. Only its own requests may be pushed.
    #[must_use]
    pub fn with_places(rate: Rate, changes: impl IntoIterator<Item = PlacesChange>) -> Self {
        let changes: VecDeque<PlacesChange> = changes.into_iter().collect();
        let mut audit = Self::new(rate);
        for change in &changes {
            // A resting place is taken like one whose request arrived long enough ago.
            let latest_us = change.at_us + micros(change.rest) - micros(rate.cooldown());
            let arrival = Arrival { latest_us, is_proven: true };
            let resting = Trip { sent_us: change.at_us, arrival, counted: false };
            (0..change.resting).for_each(|_| audit.waiting.push(Reverse(resting)));
        }
        audit.changes = Some(changes);
        audit
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
        while let Some(Reverse(arrival)) = self.window.peek().copied()
            && arrival.latest_us <= window_start
        {
            if !arrival.is_proven {
                self.may_be_late.push(Reverse(arrival.latest_us));
            }
            self.window.pop();
        }
        let latest = window_start.saturating_sub(micros(LATEST_ARRIVAL));
        while self.may_be_late.peek().is_some_and(|Reverse(arrived)| *arrived <= latest) {
            self.may_be_late.pop();
        }
        self.window.push(Reverse(trip.arrival));
        self.evidence.no_reply += u64::from(!trip.arrival.is_proven);
        if trip.counted {
            let (in_window, evidence) = (self.window.len() as u64, &mut self.evidence);
            evidence.requests += 1;
            evidence.most_in_any_window = evidence.most_in_any_window.max(in_window);
            let if_late = in_window + self.may_be_late.len() as u64;
            evidence.most_if_late = evidence.most_if_late.max(if_late);
            if let Some(changes) = &mut self.changes {
                while let Some(change) = changes.front().filter(|change| change.at_us <= trip.sent_us) {
                    self.places = change.places.into();
                    changes.pop_front();
                }
                let over = |requests: u64| requests.saturating_sub(self.places);
                evidence.over_places = evidence.over_places.max(over(in_window));
                evidence.over_places_if_late = evidence.over_places_if_late.max(over(if_late));
            }
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
            sending_us,
            shortest_us: i64::try_from((self.evidence.requests - 1) / cap)
                .unwrap_or(i64::MAX)
                .saturating_mul(window_us),
            allowance: cap * windows,
            ..self.evidence
        }
    }
}

/// Sums the places of an account's live sessions, change by change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    held: BTreeMap<i64, u32>,
    last_change_no: i64,
    /// How many changes there were.
    pub changes: u64,
    /// The most places that all sessions held together.
    pub most: u64,
    /// By how many the sum exceeded the cap, at most.
    pub over_cap: u64,
    /// Changes whose record is gone.
    pub missing: u64,
}

impl Shares {
    /// Adds the next change: from now on this session holds this number of places of the cap.
    pub fn push(&mut self, change_no: i64, session_no: i64, places: u32, cap: u32) {
        self.missing += u64::try_from(change_no - self.last_change_no - 1).unwrap_or(0);
        self.last_change_no = change_no;
        self.changes += 1;
        self.held.insert(session_no, places);
        self.held.retain(|_, places| *places > 0);
        let sum: u64 = self.held.values().map(|places| u64::from(*places)).sum();
        self.most = self.most.max(sum);
        self.over_cap = self.over_cap.max(sum.saturating_sub(cap.into()));
    }

    /// The verdict on the sum.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.over_cap, self.missing) {
            (0, 0) => Verdict::Held,
            (0, _) => Verdict::CannotBeProven,
            _ => Verdict::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn trip(sent_us: i64, replied_us: i64) -> Trip {
        Trip { sent_us, arrival: Arrival { latest_us: replied_us, is_proven: true }, counted: true }
    }

    /// A request without a reply, which counts as arriving until `latest_us`.
    fn no_reply(sent_us: i64, latest_us: i64) -> Trip {
        Trip { arrival: Arrival { latest_us, is_proven: false }, ..trip(sent_us, latest_us) }
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
    fn a_request_without_a_reply_may_arrive_in_any_later_window() {
        let cap: Rate = "2/s".parse().unwrap();
        // Two time-outs, then two requests in a window of their own.
        let trips = [no_reply(0, S), no_reply(0, S), trip(5 * S, 5 * S), trip(5 * S, 5 * S)];
        let evidence = audited("2/s", &trips);
        assert_eq!((evidence.most_in_any_window, evidence.most_if_late, evidence.no_reply), (2, 4, 2));
        assert_eq!(evidence.verdict(cap), Verdict::CannotBeProven);
        // Too few requests to break the cap, even if all arrive together.
        assert_eq!(audited("4/s", &trips).verdict("4/s".parse().unwrap()), Verdict::Held);
        // An hour later nobody waits for them any more.
        let much_later = 3_700 * S;
        let trips = [no_reply(0, S), trip(much_later, much_later), trip(much_later, much_later)];
        assert_eq!(audited("2/s", &trips).verdict(cap), Verdict::Held);
        // A later request within the time until which the first one counts as arriving.
        let evidence = audited("1/s", &[no_reply(0, 2 * S), trip(2 * S, 2 * S)]);
        assert_eq!(evidence.verdict("1/s".parse().unwrap()), Verdict::Broken);
    }

    #[test]
    fn a_missing_record_proves_nothing() {
        let evidence = Evidence { missing: 1, ..audited("1/s", &[trip(0, 0)]) };
        assert_eq!(evidence.verdict("1/s".parse().unwrap()), Verdict::CannotBeProven);
    }

    #[test]
    fn the_allowance_counts_every_begun_window() {
        let evidence = audited("2/s", &[trip(0, 1), trip(1, 2), trip(S + 2, S + 3)]);
        assert_eq!((evidence.sending_us, evidence.shortest_us, evidence.allowance), (S + 2, S, 4));
    }

    /// The evidence of a session with these places: (second, places, resting, rest in seconds).
    fn with_places(changes: &[(i64, u32, u32, u64)], trips: &[Trip]) -> Evidence {
        let change = |(at, places, resting, rest): &(i64, u32, u32, u64)| PlacesChange {
            at_us: at * S,
            places: *places,
            resting: *resting,
            rest: Duration::from_secs(*rest),
        };
        let mut audit = Audit::with_places("10/s".parse().unwrap(), changes.iter().map(change));
        trips.iter().for_each(|trip| audit.push(*trip));
        audit.finish()
    }

    #[test]
    fn a_session_may_use_only_the_places_that_it_holds() {
        let two = [trip(5 * S, 5 * S), trip(5 * S, 5 * S)];
        assert_eq!(with_places(&[(0, 2, 0, 0)], &two).over_places, 0);
        // One place at that time, or none yet.
        assert_eq!(with_places(&[(0, 2, 0, 0), (4, 1, 0, 0)], &two).over_places, 1);
        let evidence = with_places(&[(6, 2, 0, 0)], &two);
        assert_eq!((evidence.over_places, evidence.most_in_any_window), (2, 2));
        assert_eq!(evidence.verdict("10/s".parse().unwrap()), Verdict::Broken);
    }

    #[test]
    fn a_resting_place_fills_the_window_until_it_is_free() {
        let changes = [(0, 2, 1, 10)];
        let one_each = |at: &[i64]| at.iter().map(|at| trip(*at * S, *at * S)).collect::<Vec<_>>();
        assert_eq!(with_places(&changes, &one_each(&[1, 3, 5, 9])).over_places, 0);
        assert_eq!(with_places(&changes, &one_each(&[9, 9])).over_places, 1);
        let evidence = with_places(&changes, &one_each(&[10, 10]));
        assert_eq!((evidence.over_places, evidence.requests), (0, 2));
    }

    #[test]
    fn a_late_arrival_beyond_the_places_proves_nothing() {
        let trips = [no_reply(0, S), trip(5 * S, 5 * S)];
        let evidence = with_places(&[(0, 1, 0, 0)], &trips);
        assert_eq!((evidence.over_places, evidence.over_places_if_late), (0, 1));
        assert_eq!(evidence.verdict("10/s".parse().unwrap()), Verdict::CannotBeProven);
    }

    #[test]
    fn the_sum_of_shares_is_checked_at_every_change() {
        let sum = |changes: &[(i64, i64, u32)]| {
            let mut shares = Shares::default();
            changes.iter().for_each(|(no, session, places)| shares.push(*no, *session, *places, 100));
            (shares.most, shares.verdict())
        };
        assert_eq!(sum(&[(1, 7, 100), (2, 7, 50), (3, 8, 50), (4, 7, 0), (5, 8, 100)]), (100, Verdict::Held));
        assert_eq!(sum(&[(1, 7, 100), (2, 8, 1)]), (101, Verdict::Broken));
        assert_eq!(sum(&[(1, 7, 60), (3, 8, 40)]), (100, Verdict::CannotBeProven));
    }
}
