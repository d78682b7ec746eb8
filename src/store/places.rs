//! The places under a cap, as a store sees them: how many of the account's places this process has,
//! and the rules for those that earlier requests still take.
//!
//! A store never imports the cap; the cap implements [`Places`].

use std::time::Duration;

use reconcile_core::arrival::{Ending, rest_after_no_reply};
use reconcile_core::rate::Rate;

use super::units::{duration_us, time_us};
use crate::clock::{Clock, Moment};

/// The places of one session. Their number may change while it sends.
pub trait Places: Send + Sync {
    /// Lowers the number of places to `target`, at once: no request takes a place while `target` or
    /// more are taken.
    ///
    /// Returns how many places this session still has: `target`, or those that are taken now if
    /// they are more. Call it again later: then more of them are free.
    fn shrink(&self, target: u32) -> u32;

    /// Sets the number of places. Of those added, some may have to rest: each entry of `resting` is
    /// the time after which one of them is free.
    fn grow(&self, places: u32, resting: &[Duration]);
}

/// The assumed maximum difference between the wall clocks of two boots, or of two machines.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(86_400);

/// The longest time in microseconds that a request with this time limit can still count after its
/// end: its rest, and a cooldown.
pub(super) fn longest_us(timeout: Duration, rate: Rate) -> i64 {
    duration_us(rest_after_no_reply(timeout) + rate.cooldown())
}

/// How long a request of this boot still takes its place; `None` if it takes none. The time since
/// its arrival is exact: steps of the wall clock do not matter.
pub(super) fn left(ending: Ending, timeout: Duration, now: Moment, rate: Rate) -> Option<Duration> {
    let ending = match ending {
        // Nobody knows when its process stopped: at the latest now.
        Ending::Unknown => Ending::NoReply(now.boot_us),
        // Nothing ends later than now. A later value is damaged, or version 0.1 wrote it.
        Ending::NoReply(at_us) => Ending::NoReply(at_us.min(now.boot_us)),
        Ending::Reply(at_us) => Ending::Reply(at_us.min(now.boot_us)),
        Ending::NotSent => return None,
    };
    let arrival = ending.arrival(timeout)?;
    let left_us = arrival.latest_us.saturating_add(duration_us(rate.cooldown())) - now.boot_us;
    u64::try_from(left_us).ok().filter(|left_us| *left_us > 0).map(Duration::from_micros)
}

/// The places taken by requests of other boots, which are pushed newest first.
///
/// Only the wall clock can be compared across boots, and it may have stepped. So a request counts
/// as arriving now, unless it is at least a day old. If the machine has been up for less than a
/// cooldown, its earlier requests count in any case.
pub(super) struct OtherBoots {
    rate: Rate,
    /// Requests that ended later, in microseconds since 1970, may still count.
    since_us: i64,
    all_count: bool,
    sent: u32,
    taken: Vec<Duration>,
}

impl OtherBoots {
    /// Counts for this rate, now.
    pub(super) fn new(clock: &dyn Clock, now: Moment, rate: Rate) -> Self {
        let all_count = clock.boot_us_is_uptime() && now.boot_us <= duration_us(rate.cooldown());
        let doubt = duration_us(MAX_CLOCK_DIFFERENCE.max(rate.window * 2));
        Self { rate, since_us: time_us(now.wall) - doubt, all_count, sent: 0, taken: Vec::new() }
    }

    /// True once older requests do not matter: a window never holds more than the cap.
    pub(super) fn is_full(&self) -> bool {
        self.sent >= self.rate.requests.get()
    }

    /// Counts the next older request. `replied_at` is in microseconds since 1970.
    pub(super) fn push(&mut self, ending: Ending, timeout: Duration, replied_at: Option<i64>) {
        let rest = match ending {
            Ending::NotSent => return,
            Ending::Reply(_) => Duration::ZERO,
            Ending::NoReply(_) | Ending::Unknown => rest_after_no_reply(timeout),
        };
        self.sent += 1;
        if self.all_count || replied_at.is_none_or(|at| at > self.since_us) {
            self.taken.push(rest + self.rate.cooldown());
        }
    }

    /// How long each place is still taken.
    pub(super) fn taken(self) -> Vec<Duration> {
        self.taken
    }
}
