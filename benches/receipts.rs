//! Reading receipts and joining them with a ledger: receipts per second and peak memory.
//!
//! Of every 20 calls of the ledger 19 have a receipt, every hundredth receipt comes twice, and
//! every thousandth names a call that the ledger lacks. The receipts are in the order of their
//! times, the ledger is not. Each measurement runs in a separate process.
//!
//! `RECONCILE_BENCH_ROWS` sets the number of calls (100,000).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use reconcile::receipts::{JoinedReceipts, LedgerCalls, Receipts};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::quick_parse;

/// The environment variable with the file that a child process measures.
const FILE: &str = "RECONCILE_BENCH_FILE";

fn main() {
    match std::env::var_os(FILE) {
        Some(file) => measure(Path::new(&file)),
        None => compare(),
    }
}

fn rows() -> u64 {
    std::env::var("RECONCILE_BENCH_ROWS").map_or(100_000, |rows| rows.parse().unwrap())
}

/// Writes the receipts of this number of calls. Returns how many there are.
fn write_receipts(rows: u64, as_csv: bool, out: &mut dyn Write) -> u64 {
    let mut written = 0;
    if as_csv {
        writeln!(
            out,
            "call_id,originate_time,ring_time,start_time,end_time,duration,status_code,status_msg,callee,voice_type"
        )
        .unwrap();
    }
    for no in (0..rows).filter(|no| no % 20 != 7) {
        let second = no * 86_000 / rows + 100;
        let at = |after: u64| {
            let second = second + after;
            format!("2026-11-16 {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
        };
        let (originate, ring, start, end) = (at(0), at(2), at(8), at(38));
        let id = if no % 1_000 == 999 { format!("9{no:011}^1") } else { id_of(no) };
        for _ in 0..=u64::from(no % 100 == 1) {
            written += 1;
            let callee = 12_500_000_000 + no;
            if as_csv {
                writeln!(out, "{id},{originate},{ring},{start},{end},30,200000,用户接听,{callee},voice")
                    .unwrap();
            } else {
                writeln!(
                    out,
                    r#"{{"call_id":"{id}","caller":"","callee":"{callee}","originate_time":"{originate}","ring_time":"{ring}","start_time":"{start}","end_time":"{end}","duration":"30","status_code":"200000","status_msg":"用户接听","hangup_direction":"用户","voice_type":"voice","toll_type":"UNKNOWN","b_duration":30}}"#
                )
                .unwrap();
            }
        }
    }
    out.flush().unwrap();
    written
}

fn id_of(no: u64) -> String {
    format!("{:012}^102816313060", 116_000_000_000 + no)
}

/// The calls of the ledger, in another order than the receipts.
fn calls(rows: u64) -> LedgerCalls {
    let mut calls = LedgerCalls::new(None);
    let day = quick_parse::day("2026-11-16").unwrap();
    for place in 0..rows {
        // A step without a common divisor reaches every number.
        let no = place * 1_000_003 % rows;
        calls.add(place, &CallKey { call_id: id_of(no), prod_id: ProductId(7), day }).unwrap();
    }
    calls
}

/// Reads one file and prints the seconds of each step and the peak memory.
fn measure(file: &Path) {
    let rows = rows();
    let begin = Instant::now();
    let receipts = Receipts::collect(&[file.to_owned()], None).unwrap();
    let collected = begin.elapsed().as_secs_f64();
    assert_eq!(receipts.read.invalid.count, 0);
    let joined = JoinedReceipts::join(receipts, calls(rows), None).unwrap();
    let is_joined = begin.elapsed().as_secs_f64();
    let answered = joined.answered().map(Result::unwrap).zip(1..).map(|(call, n)| (call.place, n)).last();
    assert_eq!(answered.map(|(_, n)| n), Some(joined.counts.answering));
    assert_eq!(joined.missing().count() as u64, rows / 1_000);
    let read = begin.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown", str::trim);
    println!("{collected:.1} s|{:.1} s|{:.1} s|{peak}", is_joined - collected, read - is_joined);
}

/// Measures every file, each in a child process, and prints the table.
fn compare() {
    let (rows, folder) = (rows(), tempfile::tempdir().unwrap());
    println!("{rows} calls");
    println!(
        "{:>6}  {:>12}  {:>10}  {:>10}  {:>10}  {:>12}",
        "", "receipts", "collect", "join", "read", "peak"
    );
    for name in ["jsonl", "csv"] {
        let path: PathBuf = folder.path().join(format!("receipts.{name}"));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
        let written = write_receipts(rows, name == "csv", &mut file);
        let child = Command::new(std::env::current_exe().unwrap()).env(FILE, &path).output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let text = String::from_utf8(child.stdout).unwrap();
        let cells: Vec<&str> = text.trim().split('|').collect();
        println!(
            "{name:>6}  {written:>12}  {:>10}  {:>10}  {:>10}  {:>12}",
            cells[0], cells[1], cells[2], cells[3]
        );
        std::fs::remove_file(path).unwrap();
    }
}
