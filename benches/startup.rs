//! The time of the shortest runs: `--version`, and a run that publishes 90 stored calls.
//!
//! Most of this time is the operating system's. So the benchmark prints the least and the median of
//! several runs. `RUNS` sets their number (50).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::time::Instant;

use support::{reconcile, write_ledger, write_store};

const ROWS: usize = 90;

/// Prints the least and the median time of this number of runs.
fn measure(name: &str, runs: usize, run: impl Fn()) {
    let once = || {
        let begin = Instant::now();
        run();
        begin.elapsed()
    };
    let mut times: Vec<_> = (0..runs).map(|_| once()).collect();
    times.sort_unstable();
    let ms = |n: usize| times[n].as_secs_f64() * 1_000.0;
    println!("{name:>32}: least {:.1} ms, median {:.1} ms", ms(0), ms(runs / 2));
}

fn main() {
    let runs = std::env::var("RUNS").map_or(50, |runs| runs.parse().unwrap());
    let folder = tempfile::TempDir::new().unwrap();
    write_ledger(&folder.path().join("calls.csv"), ROWS);
    write_store(&folder.path().join("reconcile.db").into(), ROWS);
    let job = ["-q", "--input", "calls.csv", "--out", "details.parquet"];
    let offline = [&job[..], &["--offline"]].concat();
    // The first run writes the outputs; the measured runs replace them.
    drop(reconcile(folder.path(), &offline));
    measure("--version", runs, || drop(reconcile(folder.path(), &["--version"])));
    measure("90 rows, all stored, --offline", runs, || drop(reconcile(folder.path(), &offline)));
}
