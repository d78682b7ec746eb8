//! How many requests may be in flight at once: a fixed number, or as many as the cap needs.

use std::num::NonZeroUsize;
use std::time::Duration;

use reconcile_core::arrival::micros;
use reconcile_core::rate::Rate;

/// The fewest and the most slots that [`Concurrency::Auto`] chooses.
const FEWEST: u32 = 4;
const MOST: u64 = 256;
/// The slots that it begins with, and never goes below, if the cap has as many places. With fewer,
/// a burst of the whole cap would take longer.
const USUAL: u32 = 16;
/// Thousandths of a slot: the unit of all sizes here.
const SLOT: u64 = 1_000;
/// Slots for each request that is in flight on average. Requests come in bursts, and some replies
/// are slower than others.
const HEADROOM: u64 = SLOT * 3 / 2;
/// A reply that needs more slots closes this part of the difference; one that needs fewer, that.
const UP: u64 = 4;
const DOWN: u64 = 64;

/// How many requests may be in flight at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// This number.
    Fixed(NonZeroUsize),
    /// As many as the cap and the round trips need: from 4 to 256. It begins with 16.
    Auto,
}

/// The slots that the cap needs, by Little's law: its rate × the round trip, with some headroom.
///
/// The rate is the most that the cap's guarantee allows: N requests in each window, guard and round
/// trip. Slow replies add slots within a few replies; fast ones remove them slowly. Only replies of
/// the provider count: neither an outage nor throttling says how many slots the cap needs. Pure.
#[derive(Debug)]
pub(super) struct NeededSlots {
    rate: Rate,
    /// In thousandths of a slot, as the next one.
    fewest: u64,
    smoothed: u64,
}

impl NeededSlots {
    pub(super) fn new(rate: Rate) -> Self {
        let fewest = u64::from(rate.requests.get().clamp(FEWEST, USUAL)) * SLOT;
        Self { rate, fewest, smoothed: fewest }
    }

    /// The present number of slots.
    pub(super) fn number(&self) -> usize {
        usize::try_from(self.smoothed.div_ceil(SLOT)).unwrap_or(usize::MAX)
    }

    /// Notes the round trip of a request that the provider answered. Returns the number of slots.
    pub(super) fn after(&mut self, round_trip: Duration) -> usize {
        let needed = self.needed(round_trip);
        if needed > self.smoothed {
            self.smoothed += (needed - self.smoothed).div_ceil(UP);
        } else {
            self.smoothed -= (self.smoothed - needed).div_ceil(DOWN);
        }
        self.number()
    }

    /// The slots for requests with this round trip, in thousandths.
    fn needed(&self, round_trip: Duration) -> u64 {
        let us = |duration| u128::from(micros(duration).unsigned_abs());
        let requests = u128::from(self.rate.requests.get());
        let held = us(self.rate.cooldown()) + us(round_trip);
        let needed = requests * us(round_trip) * u128::from(HEADROOM) / held.max(1);
        u64::try_from(needed).unwrap_or(u64::MAX).clamp(self.fewest, MOST * SLOT)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// The slots after this number of equal round trips.
    fn settled(slots: &mut NeededSlots, round_trip: Duration, replies: usize) -> usize {
        (0..replies).map(|_| slots.after(round_trip)).last().unwrap()
    }

    fn needed(rate: &str) -> NeededSlots {
        NeededSlots::new(rate.parse().unwrap())
    }

    #[test]
    fn the_slots_follow_littles_law_with_headroom() {
        // 100 ÷ 1.251 s × 0.25 s are 20 in flight.
        assert_eq!(settled(&mut needed("100/s"), ms(250), 1_000), 30);
        assert_eq!(settled(&mut needed("1000/s"), ms(100), 1_000), 137);
    }

    #[test]
    fn the_slots_stay_between_4_and_256() {
        assert_eq!(settled(&mut needed("1/h"), ms(1), 1_000), 4);
        assert_eq!(settled(&mut needed("6/s"), ms(1), 1_000), 6);
        assert_eq!(settled(&mut needed("1000000/s"), ms(1), 1_000), 256);
        assert_eq!(settled(&mut needed("10000000/s"), Duration::MAX, 1_000), 256);
    }

    #[test]
    fn at_100_a_minute_there_are_always_16() {
        for round_trip in [1, 50, 250, 1_000, 3_000, 7_000] {
            let mut slots = needed("100/min");
            assert!((0..5_000).all(|_| slots.after(ms(round_trip)) == 16), "{round_trip} ms");
        }
    }

    #[test]
    fn slots_come_within_few_replies_and_go_slowly() {
        let mut slots = needed("100/s");
        assert!(settled(&mut slots, ms(250), 8) >= 28);
        assert!(settled(&mut slots, ms(20), 10) >= 24);
        assert_eq!(settled(&mut slots, ms(20), 1_000), 16);
    }
}
