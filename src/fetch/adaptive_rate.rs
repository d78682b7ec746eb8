//! The adaptive rate: additive increase, multiplicative decrease (AIMD), never above the cap.
//!
//! If the provider throttles although the cap holds, other programs share its limit. A throttled
//! answer holds all requests for a pause and halves the rate. The end of a hold only moves later.
//! From then on requests are spaced evenly, so the next throttled answer costs one request and not
//! a burst. The rate rises again step by step. Pure: the time is an argument.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use reconcile_core::rate::Rate;
use reconcile_core::traffic::Slowdown;

/// Number of steps from zero to the cap: each adds one twentieth of the cap.
const STEPS: u32 = 20;
/// The longest time between two steps. It is half a window if that is shorter.
const LONGEST_STEP: Duration = Duration::from_secs(30);
/// The hold after a throttled answer without a hint. It doubles with each halving until a request
/// succeeds.
const FIRST_HOLD: Duration = Duration::from_secs(1);
/// The longest hold without a hint.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// The share of the cap that the provider lets through.
#[derive(Debug)]
pub(super) struct AdaptiveRate {
    /// The cap: the session's share of the account's.
    rate: Rate,
    /// Requests in a window: from 1 to the cap.
    allowed: u32,
    /// No request is sent before this instant. It only moves later.
    hold: Option<Instant>,
    last_sent: Option<Instant>,
    last_cut: Option<Instant>,
    next_step: Instant,
    /// Halvings since the last success.
    streak: u32,
    below_since: Option<Instant>,
    total: Slowdown,
}

impl AdaptiveRate {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            allowed: rate.requests.get(),
            hold: None,
            last_sent: None,
            last_cut: None,
            next_step: now,
            streak: 0,
            below_since: None,
            total: Slowdown::default(),
        }
    }

    /// Sets the cap to this share of the rate's requests. A run that is slowed down keeps its part
    /// of the cap.
    pub(super) fn set_share(&mut self, share: NonZeroU32, now: Instant) {
        let (was_slowed, cap) = (self.is_slowed(), self.rate.requests.get());
        let part = u64::from(self.allowed) * u64::from(share.get()) / u64::from(cap);
        self.allowed = u32::try_from(part).unwrap_or(u32::MAX).clamp(1, share.get());
        self.rate.requests = share;
        if was_slowed && !self.is_slowed() {
            self.ends_slowed(now);
        }
    }

    /// Notes a throttled answer to the request that was sent at `sent`. `hint` is the pause that
    /// the provider asks for.
    ///
    /// A request sent before the last halving says nothing new. `jitter` is in [0, 1).
    pub(super) fn throttled(&mut self, sent: Instant, hint: Option<Duration>, jitter: f64, now: Instant) {
        let is_new = self.last_cut.is_none_or(|cut| sent > cut);
        if is_new {
            self.allowed = (self.allowed / 2).max(1);
            self.last_cut = Some(now);
            self.below_since = self.below_since.or(Some(now));
            self.total.halvings += 1;
        }
        if is_new || hint.is_some() {
            let own = FIRST_HOLD.saturating_mul(1 << self.streak.min(10)).min(LONGEST_HOLD);
            self.hold(hint.unwrap_or_else(|| own.mul_f64(1.0 + jitter / 2.0)), now);
        }
        self.streak += u32::from(is_new);
    }

    /// Notes that the provider did not throttle the request that was sent at `sent`.
    pub(super) fn let_through(&mut self, sent: Instant) {
        if self.last_cut.is_none_or(|cut| sent > cut) {
            self.streak = 0;
        }
    }

    /// Holds all requests for `pause` from now. A hold that ends later stays.
    pub(super) fn hold(&mut self, pause: Duration, now: Instant) {
        let until = now + pause;
        let held_until = self.hold.map_or(now, |hold| hold.max(now));
        self.total.held += until.saturating_duration_since(held_until);
        self.hold = Some(held_until.max(until));
        self.next_step = self.next_step.max(held_until.max(until) + self.step_every());
    }

    /// The instant before which no request may be sent; `None` if one may be sent now. Raises the
    /// rate by the steps that are due.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        while self.allowed < self.rate.requests.get() && self.next_step <= now {
            self.allowed = (self.allowed + self.step()).min(self.rate.requests.get());
            let stepped = self.next_step;
            self.next_step += self.step_every();
            if !self.is_slowed() {
                self.ends_slowed(stepped);
            }
        }
        let paced = self.last_sent.filter(|_| self.is_slowed()).map(|sent| sent + self.pace());
        self.hold.max(paced).filter(|at| *at > now)
    }

    /// True if all requests are held at `now`, or the rate was halved after `then`: a request that
    /// got its place at `then` must wait again.
    pub(super) fn is_slowed_since(&self, then: Instant, now: Instant) -> bool {
        self.hold.is_some_and(|hold| hold > now) || self.last_cut.is_some_and(|cut| cut >= then)
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// The time needed to send `requests` more, if no other rule limits them.
    pub(super) fn forecast(&self, requests: u64, now: Instant) -> Duration {
        let begin = self.hold.map_or(Duration::ZERO, |hold| hold.saturating_duration_since(now));
        let (mut allowed, mut left, mut elapsed) = (self.allowed, requests, begin);
        let mut step = self.next_step.saturating_duration_since(now).saturating_sub(begin);
        while allowed < self.rate.requests.get() && left > 0 {
            let pace = self.rate.window / allowed;
            let sent = u64::try_from(step.as_nanos() / pace.as_nanos().max(1)).unwrap_or(u64::MAX);
            if sent >= left {
                return elapsed + pace.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
            }
            (left, elapsed, step) = (left - sent, elapsed + step, self.step_every());
            allowed += self.step();
        }
        elapsed
    }

    /// How often and how long the run was slowed down until `now`.
    pub(super) fn slowdown(&self, now: Instant) -> Slowdown {
        let unfinished = |since: Instant| now.saturating_duration_since(since);
        let ahead = self.hold.map_or(Duration::ZERO, |hold| hold.saturating_duration_since(now));
        Slowdown {
            slowed: self.total.slowed + self.below_since.map_or(Duration::ZERO, unfinished),
            held: self.total.held.saturating_sub(ahead),
            ..self.total
        }
    }

    fn ends_slowed(&mut self, at: Instant) {
        let since = self.below_since.take().unwrap_or(at);
        self.total.slowed += at.saturating_duration_since(since);
    }

    fn is_slowed(&self) -> bool {
        self.allowed < self.rate.requests.get()
    }

    fn pace(&self) -> Duration {
        self.rate.window / self.allowed
    }

    fn step(&self) -> u32 {
        (self.rate.requests.get() / STEPS).max(1)
    }

    fn step_every(&self) -> Duration {
        (self.rate.window / 2).min(LONGEST_STEP)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn adaptive() -> (AdaptiveRate, Instant) {
        let now = Instant::now();
        (AdaptiveRate::new("100/min".parse().unwrap(), now), now)
    }

    #[test]
    fn without_throttling_no_request_waits() {
        let (mut adaptive, now) = adaptive();
        for _ in 0..100 {
            assert_eq!(adaptive.wait(now), None);
            adaptive.sent(now);
        }
        assert_eq!(adaptive.slowdown(now + SECOND), Slowdown::default());
    }

    #[test]
    fn requests_in_flight_together_halve_the_rate_once() {
        let (mut adaptive, now) = adaptive();
        for i in 1..=16 {
            adaptive.throttled(now, None, 0.0, now + SECOND * i / 10);
        }
        assert_eq!((adaptive.allowed, adaptive.total.halvings), (50, 1));
        adaptive.throttled(now + SECOND * 5, None, 0.0, now + SECOND * 6);
        assert_eq!((adaptive.allowed, adaptive.total.halvings), (25, 2));
    }

    #[test]
    fn a_hold_only_moves_later() {
        let (mut adaptive, now) = adaptive();
        adaptive.hold(SECOND * 30, now);
        adaptive.hold(SECOND * 5, now + SECOND);
        assert_eq!(adaptive.wait(now + SECOND), Some(now + SECOND * 30));
        adaptive.let_through(now + SECOND);
        assert_eq!(adaptive.wait(now + SECOND), Some(now + SECOND * 30));
        assert_eq!(adaptive.slowdown(now + SECOND * 40).held, SECOND * 30);
        // A hold that has not ended counts only until now.
        assert_eq!(adaptive.slowdown(now + SECOND * 10).held, SECOND * 10);
    }

    #[test]
    fn without_a_hint_the_pause_doubles_until_a_success() {
        let (mut adaptive, now) = adaptive();
        adaptive.throttled(now, Some(SECOND * 7), 0.5, now);
        assert_eq!(adaptive.wait(now), Some(now + SECOND * 7));
        let mut at = now + SECOND * 10;
        let mut pauses = Vec::new();
        for _ in 0..3 {
            adaptive.throttled(at, None, 0.0, at);
            pauses.push(adaptive.hold.unwrap() - at);
            at += SECOND * 100;
        }
        assert_eq!(pauses, [SECOND * 2, SECOND * 4, SECOND * 8]);
        adaptive.let_through(at);
        adaptive.throttled(at, None, 0.0, at);
        assert_eq!(adaptive.hold.unwrap() - at, SECOND);
    }

    #[test]
    fn the_rate_recovers_in_steps_and_never_above_the_cap() {
        let (mut adaptive, now) = adaptive();
        adaptive.throttled(now, Some(SECOND * 10), 0.0, now);
        adaptive.sent(now);
        let mut seen = Vec::new();
        for i in 0..=14_u32 {
            let _ = adaptive.wait(now + SECOND * (10 + 30 * i));
            seen.push(adaptive.allowed);
        }
        assert_eq!(seen, [50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 100, 100, 100, 100]);
        assert_eq!(adaptive.slowdown(now + SECOND * 1_000).slowed, SECOND * 310);
    }

    #[test]
    fn a_slowed_run_keeps_its_part_of_a_changed_cap() {
        let (mut adaptive, now) = adaptive();
        adaptive.set_share(NonZeroU32::new(40).unwrap(), now);
        assert_eq!((adaptive.allowed, adaptive.wait(now)), (40, None));
        adaptive.throttled(now, Some(SECOND), 0.0, now);
        adaptive.set_share(NonZeroU32::new(80).unwrap(), now);
        assert_eq!((adaptive.allowed, adaptive.is_slowed()), (40, true));
        // With one place there is nothing to slow down.
        adaptive.set_share(NonZeroU32::MIN, now + SECOND * 5);
        assert_eq!((adaptive.allowed, adaptive.is_slowed()), (1, false));
        assert_eq!(adaptive.slowdown(now + SECOND * 100).slowed, SECOND * 5);
    }

    #[test]
    fn requests_below_the_cap_are_spaced_evenly() {
        let (mut adaptive, now) = adaptive();
        adaptive.throttled(now, Some(SECOND), 0.0, now);
        let free = now + SECOND;
        assert_eq!(adaptive.wait(free), None);
        adaptive.sent(free);
        assert_eq!(adaptive.wait(free), Some(free + Duration::from_millis(1200)));
    }

    #[test]
    fn the_forecast_counts_hold_and_recovery() {
        let (mut adaptive, now) = adaptive();
        assert_eq!(adaptive.forecast(1_000, now), Duration::ZERO);
        adaptive.throttled(now, Some(SECOND * 10), 0.0, now);
        assert_eq!(adaptive.forecast(10, now), SECOND * 22);
        // 25, 27, 30, 32, 35, 37, 40, 42, 45, 47 in the ten steps of 30 s. After that, only the cap
        // limits the requests.
        assert_eq!(adaptive.forecast(10_000, now), SECOND * 310);
    }
}
