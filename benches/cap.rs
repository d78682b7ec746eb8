//! How well limiters use 100 requests a minute: elapsed ÷ the shortest schedule that the cap
//! allows, and the most requests that the receiver saw in any minute. Over virtual time, so it
//! takes no minutes. 6,000 calls, delays up to the round trip that is named.
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
const AT_ONCE: u32 = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// One way: at most half of the round trip.
fn one_way(random: &mut fastrand::Rng, round_trip: Duration) -> Duration {
    (round_trip / 2).mul_f64(0.6 + 0.4 * random.f64())
}

/// Elapsed ÷ shortest, and the most arrivals in any minute. `take` waits for a permit, which is
/// dropped with the reply.
async fn measure<P>(round_trip: Duration, take: impl AsyncFn() -> P) -> (f64, usize) {
    let begin = Instant::now();
    let take = &take;
    let mut random = fastrand::Rng::with_seed(7);
    let trips: Vec<_> =
        (0..CALLS).map(|_| (one_way(&mut random, round_trip), one_way(&mut random, round_trip))).collect();
    let ask = |(there, back): (Duration, Duration)| async move {
        let permit = take().await;
        sleep(there).await;
        let arrived = Instant::now();
        sleep(back).await;
        drop(permit);
        arrived
    };
    let calls = futures::stream::iter(trips).map(ask).buffer_unordered(AT_ONCE as usize);
    let mut arrivals: Vec<Instant> = calls.collect().await;
    arrivals.sort_unstable();
    let shortest = MINUTE * (CALLS / 100 - 1) + round_trip;
    let in_window = |i: usize| arrivals[i..].iter().take_while(|at| **at - arrivals[i] < MINUTE).count();
    let most = (0..arrivals.len()).map(in_window).max().unwrap();
    (begin.elapsed().as_secs_f64() / shortest.as_secs_f64(), most)
}

/// governor with this burst, over tokio's time.
async fn bucket(round_trip: Duration, burst: u32) -> (f64, usize) {
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

async fn places(round_trip: Duration) -> (f64, usize) {
    let cap = Cap::new("100/min".parse().unwrap(), NonZeroU32::new(100).unwrap(), &[]);
    measure(round_trip, async || cap.take().await).await
}

fn main() {
    let run_time = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    run_time.unwrap().block_on(async {
        println!("{:>10}  {:>24}  {:>24}  {:>24}", "round trip", "reconcile", "token bucket", "even pacing");
        for ms in [50, 300, 1_000] {
            let trip = Duration::from_millis(ms);
            let cell = |(stretch, most)| format!("{stretch:.4} (most {most})");
            let (ours, plain, even) = (places(trip).await, bucket(trip, 100).await, bucket(trip, 1).await);
            println!("{:>7} ms  {:>24}  {:>24}  {:>24}", ms, cell(ours), cell(plain), cell(even));
        }
    });
}
