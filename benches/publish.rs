//! Publishing whole: a ledger of which every call is stored, from the program's start to its end, with all four files in
//! their places; its time and its memory. `CALLS=1000000` and `CALLS=10000000` are the sizes to quote. With
//! `FOLDER=path` the inputs are kept there, and taken from there when they are of this size: `benches/peers/publish.py`
//! gives the same ones to DuckDB.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;

use support::{calls, reconcile, write_answers, write_ledger, write_store};

/// The job, of which nothing is left to be asked.
const JOB: [&str; 6] = ["-q", "--offline", "--input", "calls.csv", "--out", "details.parquet"];

fn prepare(folder: &Path, calls: usize) {
    let mark = folder.join("calls");
    if std::fs::read_to_string(&mark).is_ok_and(|of| of == calls.to_string()) {
        return;
    }
    for name in ["reconcile.db", "reconcile.db-wal", "reconcile.db-shm", "reconcile.db.lock"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    write_ledger(&folder.join("calls.csv"), calls);
    write_answers(&folder.join("answers.jsonl"), calls);
    write_store(&folder.join("reconcile.db"), calls);
    std::fs::write(mark, calls.to_string()).unwrap();
}

fn main() {
    let runs = std::env::var("RUNS").map_or(3, |runs| runs.parse().unwrap());
    let temporary = tempfile::TempDir::new().unwrap();
    let folder = std::env::var_os("FOLDER").map_or_else(|| temporary.path().to_owned(), Into::into);
    let calls = calls();
    prepare(&folder, calls);
    for _ in 0..runs {
        let took = reconcile(&folder, &JOB);
        let (wall, cpu) = (took.wall.as_secs_f64(), took.cpu.as_secs_f64());
        println!("{calls} calls: {wall:.2} s, {cpu:.2} s of CPU, {} MiB at most", took.peak_mib);
    }
}
