//! The cap: at most N requests reach the provider in any window of the given length.
//!
//! A request leaves only if both rules allow it:
//!
//! - *Shape* (`shape.rs`): a token bucket with the configured rate and burst.
//! - *Guarantee*: N places. A request takes a place before it is sent. The place is free again one
//!   window after its reply came back, plus a guard (`Rate::cooldown`). A request arrives before
//!   its reply does. So the (N+1)th arrival is always more than one window after the first, for any
//!   delays in the network. A request without a reply may arrive later: its place first rests for
//!   one timeout (`rest_after_no_reply`). A request that was never sent gives its place back.
//!
//! A place is taken before the request's row is on disk, and so before it has a slot: see
//! `ready.rs`.
//!
//! A third rule, the adaptive rate, slows the run down if the provider throttles below the cap.
//!
//! The number of places may change while the run sends: several hosts share an account's places
//! ([`Places`]). With k of N places the session is spaced, and slowed down, like a cap of k.
//!
//! Every attempt takes its own place. Time is Tokio's, so tests run hours in milliseconds.
//! Nothing polls: a waiting task sleeps until the next instant at which something can change.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::adaptive_rate::AdaptiveRate;
use super::shape::{Shape, Token, times};
use crate::locked::lock;
use crate::store::Places;
use reconcile_core::rate::Rate;
use reconcile_core::traffic::Slowdown;

#[derive(Debug)]
struct State {
    /// The number of places. More may be taken, if it was lowered.
    places: u32,
    /// Requests with a place whose reply has not come back.
    in_flight: usize,
    /// When the other places are free again, earliest first.
    cooling: VecDeque<Instant>,
    shape: Shape,
    adaptive_rate: AdaptiveRate,
}

impl State {
    /// The number of taken places at `now`.
    fn taken(&mut self, now: Instant) -> usize {
        while self.cooling.front().is_some_and(|free_at| *free_at <= now) {
            self.cooling.pop_front();
        }
        self.in_flight + self.cooling.len()
    }

    /// A place stays taken until then.
    fn cool(&mut self, free_at: Instant) {
        // Almost always the last one. Only a place that rested, or one of an earlier process, may
        // be free later.
        let index = self.cooling.partition_point(|other| *other <= free_at);
        self.cooling.insert(index, free_at);
    }

    /// Sets the number of places. Without any place, spacing and forecasts are those of the whole
    /// cap of `rate`.
    fn set_places(&mut self, places: u32, rate: Rate, now: Instant) {
        self.places = places;
        let share = NonZeroU32::new(places).unwrap_or(rate.requests);
        self.shape.set_share(share);
        self.adaptive_rate.set_share(share, now);
    }
}

/// What a request without a place waits for.
enum Wait {
    Until(Instant),
    ForAReply,
}

/// The cap. Shared by all attempts of a run.
pub struct Cap {
    /// The cap of the account.
    rate: Rate,
    state: Mutex<State>,
    /// Held by the one task that waits for a place. The other tasks wait for this lock, first come,
    /// first served.
    turn: tokio::sync::Mutex<()>,
    reply: Notify,
    more_places: Notify,
}

/// The state of the cap, and the time that further requests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Requests with a place whose reply has not come back. Some are about to be sent.
    pub in_flight: usize,
    /// Taken places, in flight or cooling: the requests in the current window.
    pub taken: usize,
    /// The shortest time in which the cap allows all the requests. The time of the provider's
    /// replies and the guard (0.02 %) are not included.
    pub all_sent_in: Duration,
}

/// A place under the cap. Drop it when the reply has come back; then it starts to cool.
pub struct Place<'a> {
    cap: &'a Cap,
    taken_at: Instant,
    token: Token,
    end: PlaceEnd,
}

/// What happens to a place that is dropped.
#[derive(Debug, Clone, Copy)]
enum PlaceEnd {
    /// It rests this long, and then cools.
    CoolsAfter(Duration),
    /// It is free at once.
    IsFree,
}

impl Cap {
    /// A cap of `rate` with at most `burst` requests back to back.
    ///
    /// `taken` lists the places that earlier processes still hold: how long each of them stays
    /// taken.
    #[must_use]
    pub fn new(rate: Rate, burst: NonZeroU32, taken: &[Duration]) -> Self {
        let cap = Self::without_places(rate, burst);
        cap.grow(rate.requests.get(), taken);
        cap
    }

    /// A cap of `rate` that has no place yet. [`Places::grow`] gives it some.
    #[must_use]
    pub fn without_places(rate: Rate, burst: NonZeroU32) -> Self {
        let state = State {
            places: 0,
            in_flight: 0,
            cooling: VecDeque::new(),
            shape: Shape::new(rate, burst),
            adaptive_rate: AdaptiveRate::new(rate, Instant::now()),
        };
        Self {
            rate,
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::new(()),
            reply: Notify::new(),
            more_places: Notify::new(),
        }
    }

    /// Waits for a place, first come, first served. A dropped future leaves the queue and takes no
    /// place.
    pub async fn take(&self) -> Place<'_> {
        let _turn = self.turn.lock().await;
        loop {
            match self.try_take() {
                Ok((taken_at, token)) => {
                    let end = PlaceEnd::CoolsAfter(Duration::ZERO);
                    return Place { cap: self, taken_at, token, end };
                }
                Err(wait) => self.wait(wait).await,
            }
        }
    }

    async fn wait(&self, wait: Wait) {
        let ended = async {
            match wait {
                Wait::Until(instant) => sleep_until(instant).await,
                Wait::ForAReply => self.reply.notified().await,
            }
        };
        tokio::select! {
            biased;
            () = ended => {}
            () = self.more_places.notified() => {}
        }
    }

    fn try_take(&self) -> Result<(Instant, Token), Wait> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let taken = state.taken(now);
        if let Some(instant) = state.adaptive_rate.wait(now) {
            return Err(Wait::Until(instant));
        }
        if taken >= state.places as usize {
            return Err(state.cooling.front().map_or(Wait::ForAReply, |free_at| Wait::Until(*free_at)));
        }
        let token = state.shape.take().map_err(|wait| Wait::Until(now + wait))?;
        state.in_flight += 1;
        state.adaptive_rate.sent(now);
        Ok((now, token))
    }

    /// Holds all requests for `pause`. A hold that ends later stays: neither a success nor a
    /// shorter pause shortens it.
    pub fn hold(&self, pause: Duration) {
        lock(&self.state).adaptive_rate.hold(pause, Instant::now());
    }

    /// Slows the whole run down: the provider throttled the request whose place was taken at
    /// `taken_at`, and asks to wait for `hint`.
    pub fn throttled(&self, taken_at: Instant, hint: Option<Duration>) {
        lock(&self.state).adaptive_rate.throttled(taken_at, hint, fastrand::f64(), Instant::now());
    }

    /// Notes that the provider did not throttle the request whose place was taken at `taken_at`.
    pub fn let_through(&self, taken_at: Instant) {
        lock(&self.state).adaptive_rate.let_through(taken_at);
    }

    /// How often and how long the provider has slowed the run down.
    #[must_use]
    pub fn slowdown(&self) -> Slowdown {
        lock(&self.state).adaptive_rate.slowdown(Instant::now())
    }

    /// The state of the cap, and the time that `requests` further requests need.
    #[must_use]
    pub fn forecast(&self, requests: u64) -> Forecast {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let taken = state.taken(now);
        let all_sent_in = if requests == 0 {
            Duration::ZERO
        } else {
            let adaptive = state.adaptive_rate.forecast(requests, now);
            let place = place_free_in(&state, self.rate, requests - 1, now);
            adaptive.max(state.shape.forecast(requests)).max(place)
        };
        Forecast { in_flight: state.in_flight, taken, all_sent_in }
    }
}

impl Places for Cap {
    fn shrink(&self, target: u32) -> u32 {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let before = state.places;
        let target = target.min(before);
        if target < before {
            state.set_places(target, self.rate, now);
        }
        u32::try_from(state.taken(now)).unwrap_or(u32::MAX).max(target)
    }

    fn grow(&self, places: u32, resting: &[Duration]) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        resting.iter().for_each(|rest| state.cool(now + *rest));
        state.set_places(places, self.rate, now);
        drop(state);
        self.more_places.notify_one();
    }
}

/// How long until the request after `before` others gets a place. Every k of them take one window,
/// with k places. Without any place it is the time that the whole cap needs.
fn place_free_in(state: &State, rate: Rate, before: u64, now: Instant) -> Duration {
    let k = NonZeroU32::new(state.places).unwrap_or(rate.requests).get();
    let (rounds, place) =
        (before / u64::from(k), usize::try_from(before % u64::from(k)).unwrap_or(usize::MAX));
    let free = (k as usize).saturating_sub(state.in_flight + state.cooling.len());
    let first = match place.checked_sub(free) {
        None => Duration::ZERO,
        // The place of a request in flight cools only after the reply.
        Some(index) => state.cooling.get(index).map_or(rate.window, |free_at| *free_at - now),
    };
    times(rate.window, rounds).saturating_add(first)
}

impl Place<'_> {
    /// When it was taken. Its request is sent later.
    #[must_use]
    pub fn taken_at(&self) -> Instant {
        self.taken_at
    }

    /// True if the provider has slowed the run down since it was taken: its request must not be
    /// sent now.
    pub(super) fn is_revoked(&self) -> bool {
        lock(&self.cap.state).adaptive_rate.is_slowed_since(self.taken_at, Instant::now())
    }

    /// Ends a request without a reply: it may still arrive. The place rests this long, and then
    /// cools.
    pub fn rest(mut self, rest: Duration) {
        self.end = PlaceEnd::CoolsAfter(rest);
    }

    /// Ends a request that was never sent: its place is free at once.
    pub fn give_back(mut self) {
        self.end = PlaceEnd::IsFree;
    }
}

impl Drop for Place<'_> {
    /// The request has ended, or was abandoned.
    fn drop(&mut self) {
        let mut state = lock(&self.cap.state);
        state.in_flight -= 1;
        match self.end {
            PlaceEnd::CoolsAfter(rest) => state.cool(Instant::now() + rest + self.cap.rate.cooldown()),
            PlaceEnd::IsFree => {
                state.shape.give_back(self.token);
                // The next request waits for a place to cool, and can have this one now.
                self.cap.more_places.notify_one();
            }
        }
        drop(state);
        self.cap.reply.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt as _;
    use std::sync::Arc;

    use super::*;

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
    async fn the_receiver_never_sees_more_requests_than_the_cap() {
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::new(100).unwrap(), &[]));
        let mut random = fastrand::Rng::with_seed(7);
        let arrived = arrivals(cap, 2_000, || (random.u64(0..3_000), random.u64(0..3_000))).await;
        assert_eq!(most(&arrived, Duration::from_secs(60)), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn no_place_is_wasted_at_ordinary_round_trips() {
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::new(100).unwrap(), &[]));
        let begin = Instant::now();
        let arrived = arrivals(cap, 6_000, || (125, 125)).await;
        assert_eq!(most(&arrived, Duration::from_secs(60)), 100);
        // The shortest schedule under the cap has 60 bursts: 59 whole windows and one round trip.
        let shortest = Duration::from_millis(59 * 60_000 + 250);
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
    async fn places_of_an_earlier_process_stay_taken_until_free() {
        let taken = vec![Duration::from_secs(20); 98];
        let cap = Arc::new(Cap::new(rate("100/min"), NonZeroU32::new(100).unwrap(), &taken));
        let begin = Instant::now();
        let arrived = arrivals(cap, 3, || (0, 1)).await;
        assert!(arrived[1] - begin < Duration::from_secs(1));
        assert!(arrived[2] - begin >= Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_take_the_forecast_time_and_the_round_trips() {
        let forecasts =
            [("100/min", 100, 0, 350), ("100/min", 1, 0, 50), ("60/30s", 20, 45, 100), ("10/s", 10, 10, 9)];
        for (text, burst, taken, calls) in forecasts {
            let taken: Vec<Duration> = (0..taken).map(|i| Duration::from_millis(100 * i)).collect();
            let cap = Arc::new(Cap::new(rate(text), NonZeroU32::new(burst).unwrap(), &taken));
            let forecast = cap.forecast(calls as u64).all_sent_in;
            let begin = Instant::now();
            let arrived = arrivals(cap, calls, || (0, 10)).await;
            let took = arrived[calls - 1] - begin;
            let windows = u32::try_from(calls).unwrap() / rate(text).requests;
            let per_window = Duration::from_millis(10) + (rate(text).cooldown() - rate(text).window);
            let longest = forecast + per_window * windows + Duration::from_millis(5);
            assert!((forecast..=longest).contains(&took), "{text}, {burst}: {forecast:?} became {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_only_moves_later() {
        let cap = Cap::new(rate("100/s"), NonZeroU32::new(100).unwrap(), &[]);
        cap.hold(Duration::from_secs(30));
        cap.hold(Duration::from_secs(5));
        let begin = Instant::now();
        drop(cap.take().await);
        assert!(begin.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_request_slows_the_others() {
        let cap = Cap::new(rate("100/s"), NonZeroU32::new(100).unwrap(), &[]);
        let place = cap.take().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begin = Instant::now();
        assert!(!place.is_revoked());
        cap.throttled(place.taken_at(), None);
        assert!(place.is_revoked(), "a place from before the pause");
        let after_pause = cap.take().await;
        let first_pause = begin.elapsed();
        assert!(first_pause >= Duration::from_secs(1), "{first_pause:?}");
        let slowdown = cap.slowdown();
        // The timer fires at the end of a millisecond.
        assert!(first_pause - slowdown.held < Duration::from_millis(1), "{slowdown:?}");
        assert_eq!(slowdown.halvings, 1);
        // A request that was let through begins the pauses anew; each pause is random by a half.
        cap.let_through(after_pause.taken_at());
        tokio::time::sleep(Duration::from_millis(1)).await;
        let again = Instant::now();
        cap.throttled(cap.take().await.taken_at(), None);
        drop(cap.take().await);
        assert!(again.elapsed() < Duration::from_secs(2), "{:?}", again.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_without_a_reply_rests_before_it_cools() {
        let cap = Cap::new(rate("1/10s"), NonZeroU32::MIN, &[]);
        let begin = Instant::now();
        cap.take().await.rest(Duration::from_secs(7));
        drop(cap.take().await);
        assert!(begin.elapsed() >= Duration::from_secs(17), "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_never_sent_costs_no_place_and_no_token() {
        for burst in [NonZeroU32::MIN, NonZeroU32::new(10).unwrap()] {
            let cap = Cap::new(rate("10/h"), burst, &[]);
            let begin = Instant::now();
            for _ in 0..1_000 {
                cap.take().await.give_back();
            }
            assert_eq!(begin.elapsed(), Duration::ZERO);
            assert_eq!(cap.forecast(0).taken, 0);
            drop(cap.take().await);
            assert_eq!(cap.forecast(0).taken, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_stays_taken_until_one_window_after_the_reply() {
        let cap = Arc::new(Cap::new(rate("1/10s"), NonZeroU32::MIN, &[]));
        let begin = Instant::now();
        let arrived = arrivals(cap, 2, || (0, 7_000)).await;
        assert!(arrived[1] - begin >= Duration::from_secs(17));
    }

    /// Takes places until one has to wait. Returns them.
    fn take_all(cap: &Cap) -> Vec<Place<'_>> {
        std::iter::from_fn(|| cap.take().now_or_never()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn without_places_every_request_waits() {
        let cap = Arc::new(Cap::without_places(rate("100/min"), NonZeroU32::new(100).unwrap()));
        assert!(cap.take().now_or_never().is_none());
        // The forecast is that of the whole cap.
        assert_eq!(cap.forecast(201).all_sent_in, Duration::from_secs(120));
        assert_eq!(cap.forecast(0).taken, 0);
        let begin = Instant::now();
        let giver = cap.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(7)).await;
            giver.grow(2, &[Duration::from_secs(3)]);
        });
        let first = cap.take().await;
        assert_eq!(begin.elapsed(), Duration::from_secs(7));
        let _second = cap.take().await;
        // The other place rests. With two places the pace is 30 s, and the burst is 2.
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
        assert_eq!((cap.forecast(1).taken, cap.shrink(0)), (2, 2));
        drop(first);
        assert_eq!(cap.shrink(0), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn more_places_end_every_wait() {
        let cap = Arc::new(Cap::without_places(rate("100/min"), NonZeroU32::new(100).unwrap()));
        cap.grow(1, &[Duration::from_secs(50)]);
        let begin = Instant::now();
        let giver = cap.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(7)).await;
            giver.grow(2, &[]);
        });
        let _place = cap.take().await;
        assert_eq!(begin.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lowered_cap_frees_only_places_that_are_not_taken() {
        let cap = Cap::new(rate("10/min"), NonZeroU32::new(10).unwrap(), &[]);
        let mut taken: Vec<Place<'_>> = Vec::new();
        for _ in 0..6 {
            taken.push(cap.take().await);
        }
        assert_eq!(cap.shrink(4), 6);
        assert!(cap.take().now_or_never().is_none(), "4 places, and 6 are taken");
        taken.pop().unwrap().give_back();
        assert_eq!(cap.shrink(4), 5);
        taken.clear();
        tokio::time::sleep(rate("10/min").window).await;
        assert_eq!(cap.shrink(4), 5, "the guard is not over");
        tokio::time::sleep(Duration::from_millis(12)).await;
        assert_eq!(cap.shrink(4), 4);
        assert_eq!(take_all(&cap).len(), 4);
        // Lowered places come back only by `grow`.
        assert_eq!(cap.shrink(10), 4);
        cap.grow(6, &[Duration::from_secs(90)]);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(take_all(&cap).len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changing_share_is_never_exceeded() {
        let cap = Arc::new(Cap::without_places(rate("60/min"), NonZeroU32::new(60).unwrap()));
        let mut random = fastrand::Rng::with_seed(3);
        let changes = async {
            // The most places that were held at any instant: never more than the account's 60.
            let mut most = 0;
            for _ in 0..200 {
                let held = cap.shrink(random.u32(0..=60));
                cap.grow(random.u32(0..=held.min(50)), &[]);
                most = most.max(held);
                tokio::time::sleep(Duration::from_millis(random.u64(0..9_000))).await;
                cap.grow(random.u32(1..=50), &[]);
            }
            most
        };
        let mut times = fastrand::Rng::with_seed(4);
        let (most_held, arrived) =
            tokio::join!(changes, arrivals(cap.clone(), 500, || (times.u64(0..3_000), times.u64(0..3_000))));
        assert!(most_held <= 50, "{most_held}");
        assert!(most(&arrived, Duration::from_secs(60)) <= 50);
    }
}
