//! The first reading of a ledger, in rows per second and peak memory: it reads and checks every
//! row, finds all duplicates and computes the SHA-256.
//!
//! The same rows are read uncompressed, as .gz, as .zst and in GB18030. For comparison, DuckDB's
//! `read_csv` reads them with one thread per processor and with one thread. Each measurement runs
//! in a separate process.
//!
//! `RECONCILE_BENCH_ROWS` sets the number of rows (100,000). DuckDB comes from the test suite's
//! virtual environment.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use fastrand::Rng;
use reconcile::ledger::{Input, Options, ScannedLedger};
use reconcile_core::product::ProductId;

/// The environment variable with the file that a child process measures.
const FILE: &str = "RECONCILE_BENCH_FILE";

fn main() {
    match std::env::var_os(FILE) {
        Some(file) => measure(Path::new(&file)),
        None => compare(),
    }
}

/// Writes the ledger. Every thousandth row names the same call as the row before it.
fn write_rows(rows: u64, out: &mut dyn Write) {
    writeln!(out, "call_id,called_at,callee,state,answered,duration,started_at,ended_at,campaign").unwrap();
    let mut random = Rng::with_seed(20_261_101);
    for i in 0..rows {
        let no = if i % 1_000 == 999 { i - 1 } else { i };
        let (id, minute, talk) = (116_000_000_000 + no, random.u32(..60), random.u32(1..50));
        let (hour, callee) = (random.u32(8..21), 13_000_000_000 + random.u64(..2_000_000_000));
        let at = format!("2026-11-01 {hour:02}:{minute:02}");
        writeln!(
            out,
            "{id}^102816313060,{at}:00,{callee},200000,yes,{talk},{at}:05,{at}:{:02},spring",
            talk + 5
        )
        .unwrap();
    }
    out.flush().unwrap();
}

/// The same rows in every form: the form's name and its file.
fn files(rows: u64, folder: &Path) -> [(&'static str, PathBuf); 4] {
    let create = |name: &str| BufWriter::with_capacity(1 << 20, File::create(folder.join(name)).unwrap());
    let plain = folder.join("calls.csv");
    write_rows(rows, &mut create("calls.csv"));
    let copy = |mut to: Box<dyn Write>| {
        std::io::copy(&mut File::open(&plain).unwrap(), &mut to).unwrap();
        to
    };
    drop(copy(Box::new(flate2::write::GzEncoder::new(create("calls.csv.gz"), flate2::Compression::fast()))));
    drop(copy(Box::new(zstd::Encoder::new(create("calls.csv.zst"), 1).unwrap().auto_finish())));
    let mut gb18030 = create("gb18030.csv");
    // With a byte order mark, the whole file is decoded as GB18030.
    gb18030.write_all(b"\x84\x31\x95\x33").unwrap();
    drop(copy(Box::new(gb18030)));
    let named = |name: &str| folder.join(name);
    [
        ("csv", plain.clone()),
        ("gz", named("calls.csv.gz")),
        ("zst", named("calls.csv.zst")),
        ("GB18030", named("gb18030.csv")),
    ]
}

/// Reads one file and prints seconds and peak memory.
fn measure(file: &Path) {
    let options = Options { prod_id: Some(ProductId(7)), ..Options::default() };
    let begin = Instant::now();
    let source = ScannedLedger::scan(Input::open(file).unwrap(), options).unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(source.scan.duplicates, source.scan.rows / 1_000);
    assert_eq!(source.scan.invalid, 0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown", str::trim);
    println!("{seconds} {peak}");
}

/// Measures every file, each in a child process, and prints the table.
fn compare() {
    let rows = std::env::var("RECONCILE_BENCH_ROWS").map_or(100_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let duckdb = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers-venv/bin/duckdb");
    let has_duckdb = duckdb.exists();
    if !has_duckdb {
        println!("DuckDB is not measured: run `cargo test --test suite readme` first, which installs it");
    }
    println!("{rows} rows");
    println!("{:>8}  {:>16}  {:>12}  {:>16}  {:>16}", "", "reconcile", "peak", "DuckDB", "DuckDB, 1 thread");
    for (name, file) in files(rows, folder.path()) {
        let child = Command::new(std::env::current_exe().unwrap()).env(FILE, &file).output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let text = String::from_utf8(child.stdout).unwrap();
        let (seconds, peak) = text.trim().split_once(' ').unwrap();
        // DuckDB needs an extension to read GB18030.
        let others = ["", "SET threads = 1;"].map(|set| match name {
            "GB18030" => "-".to_owned(),
            _ if has_duckdb => per_second(rows, read_with_duckdb(&duckdb, &file, set)),
            _ => "-".to_owned(),
        });
        let ours = per_second(rows, seconds.parse().unwrap());
        println!("{name:>8}  {ours:>16}  {peak:>12}  {:>16}  {:>16}", others[0], others[1]);
    }
}

fn per_second(rows: u64, seconds: f64) -> String {
    format!("{:.0} rows/s", rows as f64 / seconds)
}

/// The seconds that DuckDB takes to start and to read every value of every row.
fn read_with_duckdb(duckdb: &Path, file: &Path, set: &str) -> f64 {
    let sql = format!("{set} SELECT count(*), max(COLUMNS(*)) FROM read_csv('{}')", file.display());
    let begin = Instant::now();
    let output = Command::new(duckdb).args(["-c", &sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    begin.elapsed().as_secs_f64()
}
