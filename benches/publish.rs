//! Time and memory of a run that only publishes: the store has the answer to every call.
//!
//! `CALLS` sets the number of calls; published figures use 1000000 and 10000000. `RUNS` sets the
//! number of runs. `FOLDER` keeps the inputs in that folder and reuses them if they have this
//! number of calls; `benches/peers/publish.py` gives DuckDB the same inputs.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;

use support::{calls, reconcile, write_answers, write_ledger, write_store};

/// The command line of the run.
const JOB: [&str; 6] = ["-q", "--offline", "--input", "calls.csv", "--out", "details.parquet"];

/// Writes ledger, answers and store, unless the folder already has them for this number of calls.
fn prepare(folder: &Path, calls: usize) {
    let mark = folder.join("calls");
    if std::fs::read_to_string(&mark).is_ok_and(|stored| stored == calls.to_string()) {
        return;
    }
    for name in ["reconcile.db", "reconcile.db-wal", "reconcile.db-shm", "reconcile.db.lock"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    write_ledger(&folder.join("calls.csv"), calls);
    write_answers(&folder.join("answers.jsonl"), calls);
    write_store(&folder.join("reconcile.db").into(), calls);
    std::fs::write(mark, calls.to_string()).unwrap();
}

fn main() {
    let runs = std::env::var("RUNS").map_or(3, |runs| runs.parse().unwrap());
    let temporary = tempfile::TempDir::new().unwrap();
    let folder = std::env::var_os("FOLDER").map_or_else(|| temporary.path().to_owned(), Into::into);
    let calls = calls();
    prepare(&folder, calls);
    for _ in 0..runs {
        let measured = reconcile(&folder, &JOB);
        let (wall, cpu) = (measured.wall.as_secs_f64(), measured.cpu.as_secs_f64());
        println!("{calls} calls: {wall:.2} s, {cpu:.2} s of CPU, at most {} MiB", measured.peak_mib);
    }
}
