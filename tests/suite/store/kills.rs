//! Two hundred kills at random instants over collecting and publishing: what comes out in the end is what an
//! uninterrupted run gives. Owns the choice of the instants.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::store::resume::{CONCURRENCY, script, varied};
use crate::support::Bench;

const SLOW: Duration = Duration::from_millis(8);
const OPTIONS: [&str; 2] = ["--concurrency", "4"];

/// Kills so many processes, each somewhere in the time that an uninterrupted one takes, five of them over one ledger;
/// every ledger is then brought to its end.
fn kill(kills: usize, seed: u64) {
    let bench = Bench::new(&varied());
    script(&bench.provider, SLOW);
    let begin = Instant::now();
    bench.run(&OPTIONS).exits(0);
    let (expected, lifetime) = (bench.lasting(), begin.elapsed());
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
        assert_eq!(bench.lasting(), expected);
        let requests = bench.provider.requests();
        let distinct: BTreeSet<_> = requests.iter().map(|r| (r.call_id(), r.param("QueryDate"))).collect();
        // What was in flight, and for every run that got to its end the two calls whose Data cannot be read.
        let repeats = requests.len() - distinct.len();
        assert!(repeats <= 5 * (CONCURRENCY + 2), "{repeats} repeats");
        bench.provider.assert_own_nonces();
    }
}

#[test]
fn killed_at_a_hundred_instants_the_outputs_are_the_same() {
    kill(100, 1);
}

#[test]
fn killed_at_a_hundred_other_instants_the_outputs_are_the_same() {
    kill(100, 2);
}
