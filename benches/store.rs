//! The store's speed, in three parts:
//!
//! - answers stored per second, by the number of requests that wait for one commit;
//! - answers found per second, in three orders of lookups;
//! - the time and the memory that `plan` takes over a store with every call.
//!
//! `CALLS` sets the number of calls; published figures use 1000000. The default, 20,000, only shows
//! that the benchmark works. With `STORE=postgres://…` it only stores and finds answers, in this
//! database, which must be empty. Its third part needs a file.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;
use std::time::Instant;

use reconcile::store::{Origin, RunEnd, StoreLocation, open_reader};
use support::{Call, calls, fill, open_store, per_second, reconcile, write_ledger, write_store};

/// The numbers of requests in flight.
const CONCURRENCIES: [usize; 5] = [1, 16, 64, 256, 1_024];

/// Looks up these calls, some at once. Returns calls per second.
fn look_up(store: &StoreLocation, calls: impl Iterator<Item = usize>, at_once: usize) -> f64 {
    let reader = open_reader(store, Some(Origin::Provider.into())).unwrap().unwrap();
    let keys: Vec<_> = calls.map(|no| Call::new(no).key()).collect();
    let begin = Instant::now();
    for keys in keys.chunks(at_once) {
        let found = reader.lookup_all(&keys.iter().collect::<Vec<_>>()).unwrap();
        assert!(found.iter().all(Option::is_some));
    }
    per_second(keys.len(), begin.elapsed())
}

/// Stores calls, by the number that is in flight.
fn store(location: &dyn Fn() -> StoreLocation, concurrencies: &[usize]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for concurrency in concurrencies {
        let (store, scope) = open_store(&location());
        let (first, calls) = (1_000_000 * concurrency, (40 * concurrency).max(2_000));
        let rate = runtime.block_on(fill(store.as_ref(), &scope, first..first + calls, *concurrency));
        println!("stored with {concurrency:>5} in flight: {rate:.0} calls per second");
        store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    }
}

fn main() {
    let folder = tempfile::TempDir::new().unwrap();
    if let Some(url) = std::env::var_os("STORE") {
        let location = StoreLocation::parse(Path::new(&url));
        store(&|| location.clone(), &CONCURRENCIES);
        write_store(&location, calls());
        for at_once in [1, 256] {
            let rate = look_up(&location, 0..calls(), at_once);
            println!("found, {at_once} at once: {rate:.0} calls per second");
        }
        return;
    }
    let rate_file = folder.path().join("rate.db");
    store(&|| rate_file.as_path().into(), &CONCURRENCIES);
    let calls = calls();
    let path = folder.path().join("reconcile.db");
    write_store(&path.as_path().into(), calls);
    let mut shuffled: Vec<usize> = (0..calls).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut shuffled);
    let mut in_groups: Vec<usize> = (0..calls).collect();
    in_groups.chunks_mut(1_024).for_each(|group| fastrand::Rng::with_seed(7).shuffle(group));
    for (order, keys) in [
        ("in stored order", (0..calls).collect()),
        ("shuffled in groups of 1,024", in_groups),
        ("shuffled", shuffled),
    ] {
        println!(
            "found {order}: {:.0} calls per second",
            look_up(&path.as_path().into(), keys.into_iter(), 1)
        );
    }
    write_ledger(&folder.path().join("calls.csv"), calls);
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let measured = reconcile(folder.path(), &["plan", "--input", "calls.csv", "--out", "details.parquet"]);
    assert!(measured.stdout.contains("already stored"), "{}", measured.stdout);
    let (wall, peak) = (measured.wall.as_secs_f64(), measured.peak_mib);
    println!("plan over {calls} stored calls ({size} MiB): {wall:.2} s, at most {peak} MiB");
}
