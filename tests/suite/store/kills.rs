//! Two hundred kills at random instants of collecting and publishing. The outputs equal those of a
//! run without kills.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::store::resume::{IN_FLIGHT, script, varied};
use crate::support::Bench;

const SLOW: Duration = Duration::from_millis(8);
const OPTIONS: [&str; 2] = ["--concurrency", "4"];

/// Kills `kills` processes, five per ledger, each at a random instant within the time of a whole
/// run. Then a last run finishes each ledger.
fn kill(kills: usize, seed: u64) {
    let bench = Bench::new(&varied());
    script(&bench.provider, SLOW);
    let begin = Instant::now();
    bench.run(&OPTIONS).exits(0);
    let (expected, lifetime) = (bench.comparable_outputs(), begin.elapsed());
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..kills / 5 {
        let bench = Bench::new(&varied());
        script(&bench.provider, SLOW);
        for _ in 0..5 {
            let run = bench.start(&OPTIONS);
            std::thread::sleep(lifetime.mul_f64(random.f64()));
            run.kill();
        }
        bench.run(&OPTIONS).exits(0);
        assert_eq!(bench.comparable_outputs(), expected);
        let requests = bench.provider.requests();
        let distinct: BTreeSet<_> = requests.iter().map(|r| (r.call_id(), r.param("QueryDate"))).collect();
        // Repeats: the requests in flight at each kill, and in each finished run the two calls
        // without a lasting answer.
        let repeats = requests.len() - distinct.len();
        assert!(repeats <= 5 * (IN_FLIGHT + 2), "{repeats} repeats");
        bench.provider.assert_own_nonces();
    }
}

#[test]
fn after_a_hundred_kills_the_outputs_are_the_same() {
    kill(100, 1);
}

#[test]
fn after_another_hundred_kills_the_outputs_are_the_same() {
    kill(100, 2);
}
