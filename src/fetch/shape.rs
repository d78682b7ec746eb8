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
struct FullAt(Arc<AtomicU64>);

impl StateStore for FullAt {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = self.0.load(Ordering::Acquire);
        loop {
            let (decision, next) = decide(Some(full_at.into()))?;
            let swap =
                self.0.compare_exchange_weak(full_at, next.into(), Ordering::AcqRel, Ordering::Acquire);
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
    /// The time in which the bucket gains one token.
    pub(super) pace: Duration,
    /// Tokens of a full bucket.
    burst: NonZeroU32,
}

impl Shape {
    /// A bucket that gains the rate's requests in each window and holds at most `burst` of them.
    pub(super) fn new(rate: Rate, burst: NonZeroU32) -> Self {
        let pace = (rate.window / rate.requests.get()).max(Duration::from_nanos(1));
        // `with_period` is `None` for a zero period only; the line above excludes it.
        let quota = Quota::with_period(pace).unwrap_or_else(|| Quota::per_second(rate.requests));
        let burst = burst.min(rate.requests);
        let (full_at, clock) = (FullAt::default(), TokioClock { start: Instant::now() });
        let limiter = RateLimiter::new(quota.allow_burst(burst), full_at.clone(), clock.clone());
        Self { limiter, clock, full_at, pace, burst }
    }

    /// Takes a token, or says how long to wait for the next one. One task at a time may take.
    pub(super) fn take(&self) -> Result<Token, Duration> {
        // At least one tick of a timer: otherwise rounding could turn the wait into a busy loop.
        let tick = Duration::from_micros(100);
        let full_at_before = self.full_at.0.load(Ordering::Acquire);
        self.limiter.check().map_err(|not_yet| not_yet.wait_time_from(self.clock.now()).max(tick))?;
        Ok(Token { full_at_before, full_at: self.full_at.0.load(Ordering::Acquire) })
    }

    /// Gives a token back whose request was not sent.
    ///
    /// Only the token taken last can be given back exactly. An earlier one is lost: the next
    /// request may wait one pace longer.
    pub(super) fn give_back(&self, token: Token) {
        let Token { full_at_before, full_at } = token;
        let swap = (Ordering::AcqRel, Ordering::Acquire);
        // The error says that another token was taken since.
        let _ = self.full_at.0.compare_exchange(full_at, full_at_before, swap.0, swap.1);
    }

    /// How long until the bucket has given `requests` more tokens.
    pub(super) fn forecast(&self, requests: u64) -> Duration {
        let full_at = Duration::from_nanos(self.full_at.0.load(Ordering::Acquire));
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
    async fn an_idle_bucket_holds_at_most_its_burst() {
        let shape = Shape::new("60/min".parse().unwrap(), NonZeroU32::new(3).unwrap());
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((0..10).filter(|_| shape.take().is_ok()).count(), 3);
    }
}
