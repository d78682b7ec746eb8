//! Compares three limiters at a cap of 100 requests a minute.
//!
//! It sends 6,000 calls at each of three round trips, and prints two figures for each limiter: the
//! elapsed time ÷ the shortest time that the cap allows, and the most requests that arrived in any
//! minute. Time is virtual, so the benchmark ends within seconds.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::num::NonZeroU32;
use std::time::Duration;

use futures::StreamExt as _;
use governor::clock::{Clock as _, FakeRelativeClock};
use governor::{Quota, RateLimiter};
use reconcile::fetch::cap::Cap;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

const CALLS: u32 = 6_000;
const CONCURRENCY: usize = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// A random delay in one direction: 30 to 50 % of the round trip.
fn one_way_delay(random: &mut fastrand::Rng, round_trip: Duration) -> Duration {
    (round_trip / 2).mul_f64(0.6 + 0.4 * random.f64())
}

/// The figures of one limiter.
struct Figures {
    /// Elapsed time ÷ the shortest time that the cap allows.
    relative_time: f64,
    /// The most requests that arrived in any minute.
    most_in_a_minute: usize,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{:.4} (most {})", self.relative_time, self.most_in_a_minute))
    }
}

/// Measures a limiter. `take` waits for a permit; the permit is dropped when the reply has come.
async fn measure<P>(round_trip: Duration, take: impl AsyncFn() -> P) -> Figures {
    let begin = Instant::now();
    let take = &take;
    let mut random = fastrand::Rng::with_seed(7);
    let trips: Vec<_> = (0..CALLS)
        .map(|_| (one_way_delay(&mut random, round_trip), one_way_delay(&mut random, round_trip)))
        .collect();
    let ask = |(there, back): (Duration, Duration)| async move {
        let permit = take().await;
        sleep(there).await;
        let arrived = Instant::now();
        sleep(back).await;
        drop(permit);
        arrived
    };
    let calls = futures::stream::iter(trips).map(ask).buffer_unordered(CONCURRENCY);
    let mut arrivals: Vec<Instant> = calls.collect().await;
    arrivals.sort_unstable();
    let shortest = MINUTE * (CALLS / 100 - 1) + round_trip;
    let in_window = |i: usize| arrivals[i..].iter().take_while(|at| **at - arrivals[i] < MINUTE).count();
    Figures {
        relative_time: begin.elapsed().as_secs_f64() / shortest.as_secs_f64(),
        most_in_a_minute: (0..arrivals.len()).map(in_window).max().unwrap(),
    }
}

/// Measures governor with this burst. Its clock follows Tokio's virtual time.
async fn token_bucket(round_trip: Duration, burst: u32) -> Figures {
    let clock = FakeRelativeClock::default();
    let quota = Quota::with_period(MINUTE / 100).unwrap().allow_burst(NonZeroU32::new(burst).unwrap());
    let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
    let last = Mutex::new(Instant::now());
    measure(round_trip, async || {
        let mut last = last.lock().await;
        loop {
            let now = Instant::now();
            clock.advance(now - *last);
            *last = now;
            let Err(not_yet) = limiter.check() else { return };
            sleep(not_yet.wait_time_from(clock.now())).await;
        }
    })
    .await
}

/// Measures the program's own cap.
async fn places(round_trip: Duration) -> Figures {
    let cap = Cap::new("100/min".parse().unwrap(), NonZeroU32::new(100).unwrap(), &[]);
    measure(round_trip, async || cap.take().await).await
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        println!("{:>10}  {:>24}  {:>24}  {:>24}", "round trip", "reconcile", "token bucket", "even pacing");
        for ms in [50, 300, 1_000] {
            let trip = Duration::from_millis(ms);
            let reconcile = places(trip).await;
            let bucket = token_bucket(trip, 100).await;
            let even = token_bucket(trip, 1).await;
            println!("{ms:>7} ms  {reconcile:>24}  {bucket:>24}  {even:>24}");
        }
    });
}
