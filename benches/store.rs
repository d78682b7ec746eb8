//! The store's speed, in three parts:
//!
//! - answers stored per second, by the number of requests that wait for one commit;
//! - answers found per second, in three orders of lookups;
//! - the time that `plan` takes over a store that has every call, and its memory.
//!
//! Quote the numbers of `CALLS=1000000`. The default, 20,000, only shows that the bench works.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;
use std::time::Instant;

use reconcile::store::{Origin, open_reader};
use support::{Call, calls, fill, open_store, per_second, reconcile, write_ledger, write_store};

/// Looks up these calls. Returns calls per second.
fn look_up(store: &Path, calls: impl Iterator<Item = usize>) -> f64 {
    let reader = open_reader(store, Some(Origin::Provider.into())).unwrap().unwrap();
    let keys: Vec<_> = calls.map(|no| Call::new(no).key()).collect();
    let from = Instant::now();
    keys.iter().for_each(|key| assert!(reader.lookup(key).unwrap().is_some()));
    per_second(keys.len(), from.elapsed())
}

fn main() {
    let folder = tempfile::TempDir::new().unwrap();
    let run_time = tokio::runtime::Runtime::new().unwrap();
    for at_once in [1, 16, 256, 1_024] {
        let (store, scope) = open_store(&folder.path().join("rate.db"));
        let first = 1_000_000 * at_once;
        let rate = run_time.block_on(fill(store.as_ref(), &scope, first..first + 40 * at_once, at_once));
        println!("{at_once:>5} at once: {rate:>8.0} calls per second, request and answer each on disk");
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
    let took = reconcile(folder.path(), &["plan", "--input", "calls.csv", "--out", "details.parquet"]);
    assert!(took.said.contains("already stored"), "{}", took.said);
    let (wall, peak) = (took.wall.as_secs_f64(), took.peak_mib);
    println!("plan over {calls} stored calls ({size} MiB): {wall:.2} s, {peak} MiB of memory at most");
}
