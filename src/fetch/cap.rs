//! The cap: at most N requests reach the provider in any window of the given length.
//!
//! Two rules, and both must agree before a request may leave (a third, the allowance, when the provider throttles
//! nevertheless):
//!
//! - *Shape*: a token bucket (governor's GCRA) with the configured rate and burst.
//! - *Guarantee*: N places. A request takes a place before it is sent; the place is free again one window after
//!   its reply, or its failure, came back. A request arrives before its reply does, so the (N+1)th arrival is
//!   always more than one window after the first, however the network spreads them.
//!
//! Every attempt takes a place of its own. Time is tokio's, so that hours are tested in milliseconds; nothing
//! polls: who waits sleeps until the one instant at which something can change.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::adaptive_rate::AdaptiveRate;
use reconcile_core::rate::Rate;
use reconcile_core::traffic::Slowdown;

/// A place is held for at least this much longer than the window, counted from its sending. The clocks of two
/// machines may run at rates that differ by 1 in 10,000, which is 6 ms in a minute; on any network but a loopback the
/// reply's way back covers that already, so it costs nothing there.
const GUARD: Duration = Duration::from_millis(10);

/// governor's clock over tokio's, which tests can pause.
#[derive(Debug, Clone)]
struct TokioClock {
    start: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SinceStart(Duration);

impl Reference for SinceStart {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.into()))
    }
}

impl std::ops::Add<Nanos> for SinceStart {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + Duration::from(other))
    }
}

impl GovernorClock for TokioClock {
    type Instant = SinceStart;

    fn now(&self) -> SinceStart {
        SinceStart(Instant::now().saturating_duration_since(self.start))
    }
}

#[derive(Debug)]
struct Places {
    /// Requests sent whose reply has not come back.
    in_flight: usize,
    /// When the other places are free again, earliest first.
    cooling: VecDeque<Instant>,
    allowance: AdaptiveRate,
    /// When the token bucket is full again: what governor knows and does not tell, for the forecast.
    refilled: Instant,
}

/// What stands between a request and its place.
enum Wait {
    Until(Instant),
    ForAReply,
}

/// The cap. Shared by all attempts of a run.
pub struct Cap {
    rate: Rate,
    burst: NonZeroU32,
    /// The time in which the token bucket gains one token.
    pace: Duration,
    shape: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<SinceStart>>,
    clock: TokioClock,
    places: Mutex<Places>,
    /// First come, first served; one waits at the head, the others behind it.
    turn: tokio::sync::Mutex<()>,
    reply: Notify,
}

/// How the cap stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Requests sent whose reply has not come back.
    pub in_flight: usize,
    /// Places taken, in flight or cooling: the requests in the current window.
    pub taken: usize,
    /// When all the requests asked about can have been sent: exact but for the provider's own time.
    pub all_sent_in: Duration,
}

fn times(duration: Duration, n: u64) -> Duration {
    duration.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A place under the cap. It is given back when the reply, or the failure, has come back.
pub struct Place<'a> {
    cap: &'a Cap,
    taken_at: Instant,
    sent_at: Instant,
}

impl Cap {
    /// A cap of `rate` with at most `burst` requests back to back, of which some places are taken already:
    /// `taken` says for how long.
    #[must_use]
    pub fn new(rate: Rate, burst: NonZeroU32, taken: &[Duration]) -> Self {
        let now = Instant::now();
        let clock = TokioClock { start: now };
        let pace = (rate.window / rate.requests.get()).max(Duration::from_nanos(1));
        // `with_period` is `None` for a zero period only; the line above excludes it.
        let quota = Quota::with_period(pace).unwrap_or_else(|| Quota::per_second(rate.requests));
        let burst = burst.min(rate.requests);
        let quota = quota.allow_burst(burst);
        let mut cooling: Vec<Instant> = taken.iter().map(|d| now + *d + GUARD).collect();
        cooling.sort_unstable();
        Self {
            rate,
            burst,
            pace,
            shape: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            places: Mutex::new(Places {
                in_flight: 0,
                cooling: cooling.into(),
                allowance: AdaptiveRate::new(rate, now),
                refilled: now,
            }),
            turn: tokio::sync::Mutex::new(()),
            reply: Notify::new(),
        }
    }

    /// Waits for a place, first come, first served. Dropping the future gives up the turn and takes nothing.
    pub async fn take(&self) -> Place<'_> {
        let _turn = self.turn.lock().await;
        loop {
            match self.try_take() {
                Ok(taken_at) => return Place { cap: self, taken_at, sent_at: taken_at },
                Err(Wait::Until(t)) => sleep_until(t).await,
                Err(Wait::ForAReply) => self.reply.notified().await,
            }
        }
    }

    fn try_take(&self) -> Result<Instant, Wait> {
        let now = Instant::now();
        let mut places = self.lock();
        while places.cooling.front().is_some_and(|free_at| *free_at <= now) {
            places.cooling.pop_front();
        }
        if let Some(at) = places.allowance.wait(now) {
            return Err(Wait::Until(at));
        }
        if places.in_flight + places.cooling.len() >= self.rate.requests.get() as usize {
            return Err(places.cooling.front().map_or(Wait::ForAReply, |free_at| Wait::Until(*free_at)));
        }
        self.shape.check().map_err(|not_yet| {
            // At least a timer's tick, so that rounding never makes this a busy loop.
            let wait =
                not_yet.wait_time_from(GovernorClock::now(&self.clock)).max(Duration::from_micros(100));
            Wait::Until(now + wait)
        })?;
        places.in_flight += 1;
        places.refilled = places.refilled.max(now) + self.pace;
        places.allowance.sent(now);
        Ok(now)
    }

    /// Nobody sends for `pause` from now. A hold that ends later stays: a success does not lift it, and a
    /// shorter one does not shorten it.
    pub fn hold(&self, pause: Duration) {
        self.lock().allowance.hold(pause, Instant::now());
    }

    /// The provider throttled a request whose place was taken at `taken_at`, and asks to wait for `hint`: the whole
    /// run slows down.
    pub fn throttled(&self, taken_at: Instant, hint: Option<Duration>) {
        self.lock().allowance.throttled(taken_at, hint, fastrand::f64(), Instant::now());
    }

    /// The provider let a request through whose place was taken at `taken_at`.
    pub fn let_through(&self, taken_at: Instant) {
        self.lock().allowance.let_through(taken_at);
    }

    /// How often and how long the provider has slowed the run down.
    #[must_use]
    pub fn slowdown(&self) -> Slowdown {
        self.lock().allowance.slowdown(Instant::now())
    }

    /// How things stand, and when `requests` further ones will have been sent at the earliest.
    #[must_use]
    pub fn forecast(&self, requests: u64) -> Forecast {
        let now = Instant::now();
        let places = self.lock();
        let cooling: Vec<Duration> =
            places.cooling.iter().filter(|at| **at > now).map(|at| *at - now).collect();
        let taken = places.in_flight + cooling.len();
        let Some(last) = requests.checked_sub(1) else {
            return Forecast { in_flight: places.in_flight, taken, all_sent_in: Duration::ZERO };
        };
        let allowed = places.allowance.forecast(requests, now);
        let full = places.refilled.saturating_duration_since(now);
        let tokens = times(self.pace, last).saturating_add(full);
        let tokens = tokens.saturating_sub(times(self.pace, u64::from(self.burst.get()) - 1));
        let all_sent_in = allowed.max(tokens).max(self.place_free_in(places.in_flight, &cooling, last));
        Forecast { in_flight: places.in_flight, taken, all_sent_in }
    }

    /// When the place of the request after `before` others is free: every N of them take one window.
    fn place_free_in(&self, in_flight: usize, cooling: &[Duration], before: u64) -> Duration {
        let n = u64::from(self.rate.requests.get());
        let (windows, place) = (before / n, usize::try_from(before % n).unwrap_or(usize::MAX));
        let free = (self.rate.requests.get() as usize).saturating_sub(in_flight + cooling.len());
        let first = match place.checked_sub(free) {
            None => Duration::ZERO,
            // What is in flight cools for a whole window from its reply.
            Some(at) => cooling.get(at).copied().unwrap_or(self.rate.window),
        };
        times(self.rate.window, windows).saturating_add(first)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // Nothing panics while it holds the lock, so the state is whole even if poisoned.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// When it was taken: its request is sent later.
    #[must_use]
    pub fn taken_at(&self) -> Instant {
        self.taken_at
    }

    /// Its request is sent now.
    pub fn sending(&mut self) {
        self.sent_at = Instant::now();
    }
}

impl Drop for Place<'_> {
    /// The reply has come back, or nobody waits for it any longer: the place cools for one window.
    fn drop(&mut self) {
        let free_at = Instant::now().max(self.sent_at + GUARD) + self.cap.rate.window;
        let mut places = self.cap.lock();
        places.in_flight -= 1;
        // Almost always the latest; a place restored from the store may be later still.
        let at = places.cooling.partition_point(|t| *t <= free_at);
        places.cooling.insert(at, free_at);
        drop(places);
        self.cap.reply.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    /// Sends `calls` requests through the cap and returns when each arrived at the receiver.
    async fn arrivals(
        cap: Arc<Cap>,
        calls: usize,
        mut one_way_ms: impl FnMut() -> (u64, u64),
    ) -> Vec<Instant> {
        let tasks: Vec<_> = (0..calls)
            .map(|_| {
                let (cap, (there, back)) = (cap.clone(), one_way_ms());
                tokio::spawn(async move {
                    let place = cap.take().await;
                    tokio::time::sleep(Duration::from_millis(there)).await;
                    let arrived = Instant::now();
                    tokio::time::sleep(Duration::from_millis(back)).await;
                    drop(place);
                    arrived
                })
            })
            .collect();
        let mut arrived = Vec::new();
        for task in tasks {
            arrived.push(task.await.unwrap());
        }
        arrived.sort_unstable();
        arrived
    }

    /// The most arrivals in any closed window.
    fn most(arrived: &[Instant], window: Duration) -> usize {
        let mut from = 0;
        let mut most = 0;
        for (to, at) in arrived.iter().enumerate() {
            while *at - arrived[from] > window {
                from += 1;
            }
            most = most.max(to - from + 1);
        }
        most
    }

    #[tokio::test(start_paused = true)]
    async fn the_receiver_never_sees_more_than_the_cap_however_delays_spread() {
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::new(100).unwrap(), &[]));
        let mut random = fastrand::Rng::with_seed(7);
        let arrived = arrivals(cap, 2_000, || (random.u64(0..3_000), random.u64(0..3_000))).await;
        assert_eq!(most(&arrived, Duration::from_secs(60)), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn no_slot_is_wasted_at_ordinary_round_trips() {
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::new(100).unwrap(), &[]));
        let begin = Instant::now();
        let arrived = arrivals(cap, 6_000, || (150, 150)).await;
        assert_eq!(most(&arrived, Duration::from_secs(60)), 100);
        // 60 bursts, hence 59 whole windows and a round trip, is the shortest schedule the cap allows.
        let shortest = Duration::from_millis(59 * 60_000 + 300);
        assert!(begin.elapsed() <= shortest.mul_f64(1.005), "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_one_spaces_requests_evenly() {
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::MIN, &[]));
        let arrived = arrivals(cap, 50, || (0, 10)).await;
        for pair in arrived.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(600));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_taken_by_an_earlier_process_are_waited_out() {
        let taken = vec![Duration::from_secs(20); 98];
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::new(100).unwrap(), &taken));
        let begin = Instant::now();
        let arrived = arrivals(cap, 3, || (0, 1)).await;
        assert!(arrived[1] - begin < Duration::from_secs(1));
        assert!(arrived[2] - begin > Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn the_forecast_is_the_time_it_then_takes() {
        let forecasts =
            [("100/min", 100, 0, 350), ("100/min", 1, 0, 50), ("60/30s", 20, 45, 100), ("10/s", 10, 10, 9)];
        for (text, burst, taken, calls) in forecasts {
            let taken: Vec<Duration> = (0..taken).map(|i| Duration::from_millis(100 * i)).collect();
            let cap = Arc::new(Cap::new(rate(text), NonZeroU32::new(burst).unwrap(), &taken));
            let forecast = cap.forecast(calls as u64).all_sent_in;
            let begin = Instant::now();
            let arrived = arrivals(cap, calls, || (0, 10)).await;
            let took = arrived[calls - 1] - begin;
            let apart = took.abs_diff(forecast);
            assert!(apart < Duration::from_millis(40), "{text}, burst {burst}: {forecast:?} became {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_only_ever_moves_later() {
        let cap = Cap::new(rate("100/s"), NonZeroU32::new(100).unwrap(), &[]);
        cap.hold(Duration::from_secs(30));
        cap.hold(Duration::from_secs(5));
        let begin = Instant::now();
        drop(cap.take().await);
        assert!(begin.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_flight_holds_its_place_until_one_window_after_its_reply() {
        let cap = Arc::new(Cap::new(rate("1/10s"), NonZeroU32::MIN, &[]));
        let begin = Instant::now();
        let arrived = arrivals(cap, 2, || (0, 7_000)).await;
        assert!(arrived[1] - begin >= Duration::from_secs(17));
    }
}
