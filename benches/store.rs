//! The store's speed, in three parts:
//!
//! - answers stored per second, by the number of requests that wait for one commit;
//! - answers found per second, in three orders of lookups;
//! - the time and the memory that `plan` takes over a store with every call.
//!
//! `CALLS` sets the number of calls; published figures use 1000000. The default, 20,000, only shows
//! that the benchmark works.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;
use std::time::Instant;

use reconcile::store::{Origin, open_reader};
use support::{Call, calls, fill, open_store, per_second, reconcile, write_ledger, write_store};

/// Looks up these calls. Returns calls per second.
fn look_up(store: &Path, calls: impl Iterator<Item = usize>) -> f64 {
    let reader = open_reader(&store.into(), Some(Origin::Provider.into())).unwrap().unwrap();
    let keys: Vec<_> = calls.map(|no| Call::new(no).key()).collect();
    let begin = Instant::now();
    keys.iter().for_each(|key| assert!(reader.lookup(key).unwrap().is_some()));
    per_second(keys.len(), begin.elapsed())
}

fn main() {
    let folder = tempfile::TempDir::new().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for concurrency in [1, 16, 256, 1_024] {
        let (store, scope) = open_store(&folder.path().join("rate.db"));
        let first = 1_000_000 * concurrency;
        let rate =
            runtime.block_on(fill(store.as_ref(), &scope, first..first + 40 * concurrency, concurrency));
        println!("stored with {concurrency:>5} in flight: {rate:.0} calls per second");
    }
    let calls = calls();
    let path = folder.path().join("reconcile.db");
    write_store(&path, calls);
    let mut shuffled: Vec<usize> = (0..calls).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut shuffled);
    let mut in_groups: Vec<usize> = (0..calls).collect();
    in_groups.chunks_mut(1_024).for_each(|group| fastrand::Rng::with_seed(7).shuffle(group));
    for (order, keys) in [
        ("in stored order", (0..calls).collect()),
        ("shuffled in groups of 1,024", in_groups),
        ("shuffled", shuffled),
    ] {
        println!("found {order}: {:.0} calls per second", look_up(&path, keys.into_iter()));
    }
    write_ledger(&folder.path().join("calls.csv"), calls);
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let measured = reconcile(folder.path(), &["plan", "--input", "calls.csv", "--out", "details.parquet"]);
    assert!(measured.stdout.contains("already stored"), "{}", measured.stdout);
    let (wall, peak) = (measured.wall.as_secs_f64(), measured.peak_mib);
    println!("plan over {calls} stored calls ({size} MiB): {wall:.2} s, at most {peak} MiB");
}
