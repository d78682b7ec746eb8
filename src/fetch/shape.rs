//! The shape half of the cap: a token bucket of the configured rate and burst. Only this file uses
//! the crate governor.
//!
//! governor needs one number: the theoretical arrival time of its algorithm GCRA (generic cell rate
//! algorithm). The number is stored here, because the forecast reads it too. Time is Tokio's, which
//! tests can pause.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use reconcile_core::rate::Rate;

/// governor's clock: the time since its start, on Tokio's clock.
#[derive(Debug, Clone)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// When the bucket is full again, in nanoseconds of [`TokioClock`]: GCRA's theoretical arrival
/// time.
#[derive(Debug, Clone, Default)]
struct FullAt {
    nanos: Arc<AtomicU64>,
    /// When the limiter was made: governor counts from there.
    origin: u64,
}

impl FullAt {
    fn get(&self) -> u64 {
        self.nanos.load(Ordering::Acquire)
    }

    /// The same time for a limiter that is made at `now`.
    fn seen_from(&self, now: Duration) -> Self {
        Self { origin: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), ..self.clone() }
    }
}

impl StateStore for FullAt {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = self.get();
        loop {
            let (decision, next) = decide(Some(full_at.saturating_sub(self.origin).into()))?;
            let next = u64::from(next).saturating_add(self.origin);
            let swap = self.nanos.compare_exchange_weak(full_at, next, Ordering::AcqRel, Ordering::Acquire);
            match swap {
                Ok(_) => return Ok(decision),
                Err(present) => full_at = present,
            }
        }
    }
}

/// A token that was taken, for giving it back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    full_at_before: u64,
    full_at: u64,
}

/// A token bucket that starts full.
#[derive(Debug)]
pub(super) struct Shape {
    limiter: RateLimiter<NotKeyed, FullAt, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    full_at: FullAt,
    rate: Rate,
    /// The configured burst, for all of the rate's requests.
    whole_burst: NonZeroU32,
    /// The time in which the bucket gains one token.
    pub(super) pace: Duration,
    /// Tokens of a full bucket.
    burst: NonZeroU32,
}

impl Shape {
    /// A bucket that gains the rate's requests in each window and holds at most `burst` of them.
    pub(super) fn new(rate: Rate, burst: NonZeroU32) -> Self {
        let burst = burst.min(rate.requests);
        Self::with_share(rate, burst, rate.requests, FullAt::default(), TokioClock { start: Instant::now() })
    }

    /// Gives the bucket this share of the rate's requests and of the burst. The theoretical arrival
    /// time stays.
    pub(super) fn set_share(&mut self, share: NonZeroU32) {
        let (full_at, clock) = (self.full_at.seen_from(self.clock.now()), self.clock.clone());
        *self = Self::with_share(self.rate, self.whole_burst, share, full_at, clock);
    }

    fn with_share(
        rate: Rate,
        whole_burst: NonZeroU32,
        share: NonZeroU32,
        full_at: FullAt,
        clock: TokioClock,
    ) -> Self {
        let pace = (rate.window / share.get()).max(Duration::from_nanos(1));
        let burst = u64::from(whole_burst.get()) * u64::from(share.get()) / u64::from(rate.requests.get());
        let burst = u32::try_from(burst).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        // `with_period` is `None` for a zero period only; the line above excludes it.
        let quota = Quota::with_period(pace).unwrap_or_else(|| Quota::per_second(share));
        let limiter = RateLimiter::new(quota.allow_burst(burst), full_at.clone(), clock.clone());
        Self { limiter, clock, full_at, rate, whole_burst, pace, burst }
    }

    /// Takes a token, or says how long to wait for the next one. One task at a time may take.
    pub(super) fn take(&self) -> Result<Token, Duration> {
        // At least one tick of a timer: otherwise rounding could turn the wait into a busy loop.
        let tick = Duration::from_micros(100);
        let full_at_before = self.full_at.get();
        self.limiter.check().map_err(|not_yet| not_yet.wait_time_from(self.clock.now()).max(tick))?;
        Ok(Token { full_at_before, full_at: self.full_at.get() })
    }

    /// Gives a token back whose request was not sent.
    ///
    /// Only the token taken last can be given back exactly. An earlier one is lost: the next
    /// request may wait one pace longer.
    pub(super) fn give_back(&self, token: Token) {
        let Token { full_at_before, full_at } = token;
        let swap = (Ordering::AcqRel, Ordering::Acquire);
        // The error says that another token was taken since.
        let _ = self.full_at.nanos.compare_exchange(full_at, full_at_before, swap.0, swap.1);
    }

    /// How long until the bucket has given `requests` more tokens.
    pub(super) fn forecast(&self, requests: u64) -> Duration {
        let full_at = Duration::from_nanos(self.full_at.get());
        let until_full = full_at.saturating_sub(self.clock.now());
        let last = times(self.pace, requests.saturating_sub(1)).saturating_add(until_full);
        last.saturating_sub(times(self.pace, u64::from(self.burst.get()) - 1))
    }
}

/// `duration` × `n`, without overflow.
pub(super) fn times(duration: Duration, n: u64) -> Duration {
    duration.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_forecast_is_the_time_until_the_token_comes() {
        let shape = Shape::new("60/min".parse().unwrap(), NonZeroU32::new(3).unwrap());
        assert_eq!(shape.forecast(3), Duration::ZERO);
        assert_eq!(shape.forecast(5), Duration::from_secs(2));
        (0..3).for_each(|_| assert!(shape.take().is_ok()));
        assert_eq!(shape.forecast(1), Duration::from_secs(1));
        assert_eq!(shape.take().unwrap_err(), Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(1)).await;
        shape.take().unwrap();
        assert!(shape.take().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_token_can_be_given_back() {
        let shape = Shape::new("60/min".parse().unwrap(), NonZeroU32::new(3).unwrap());
        let tokens: Vec<Token> = (0..3).map(|_| shape.take().unwrap()).collect();
        shape.give_back(tokens[0]);
        assert!(shape.take().is_err());
        shape.give_back(tokens[2]);
        shape.give_back(tokens[1]);
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_has_its_part_of_pace_and_burst() {
        let mut shape = Shape::new("60/min".parse().unwrap(), NonZeroU32::new(6).unwrap());
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 6);
        // The bucket is full again at the same time as before.
        shape.set_share(NonZeroU32::new(30).unwrap());
        assert_eq!(shape.forecast(1), Duration::from_secs(2));
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 3);
        shape.set_share(NonZeroU32::new(60).unwrap());
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 1);
        shape.set_share(NonZeroU32::MIN);
        assert_eq!(shape.pace, Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_bucket_holds_at_most_its_burst() {
        let shape = Shape::new("60/min".parse().unwrap(), NonZeroU32::new(3).unwrap());
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 3);
    }
}
