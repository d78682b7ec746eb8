//! The small run: how long the program takes to say its version, and to publish ninety rows of
//! which every one is stored. The least and the median of `RUNS` (50) runs each, since what is
//! measured is mostly the system.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::time::Instant;

use support::{reconcile, write_ledger, write_store};

const ROWS: usize = 90;

fn measure(what: &str, runs: usize, run: impl Fn()) {
    let once = || {
        let begin = Instant::now();
        run();
        begin.elapsed()
    };
    let mut took: Vec<_> = (0..runs).map(|_| once()).collect();
    took.sort_unstable();
    let ms = |n: usize| took[n].as_secs_f64() * 1_000.0;
    println!("{what:>32}: {:.1} ms at least, {:.1} ms in the median", ms(0), ms(runs / 2));
}

fn main() {
    let runs = std::env::var("RUNS").map_or(50, |runs| runs.parse().unwrap());
    let folder = tempfile::TempDir::new().unwrap();
    write_ledger(&folder.path().join("calls.csv"), ROWS);
    write_store(&folder.path().join("reconcile.db"), ROWS);
    let job = ["-q", "--input", "calls.csv", "--out", "details.parquet"];
    let offline = [&job[..], &["--offline"]].concat();
    // A first run, so that the others find what they would find the next morning.
    drop(reconcile(folder.path(), &offline));
    measure("--version", runs, || drop(reconcile(folder.path(), &["--version"])));
    measure("90 rows, all stored, --offline", runs, || drop(reconcile(folder.path(), &offline)));
}
