//! The store: answers on disk per second, by how many wait for a commit at once; and how long a night's plan takes over
//! a store that has every call already, with the memory that it needs. `CALLS=1000000` is the size to quote; without it
//! 20,000, which is enough to see that it runs.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use futures::StreamExt as _;
use reconcile::call::{CallKey, ProductId};
use reconcile::clock::SystemClock;
use reconcile::rate::Rate;
use reconcile::store::{
    AnswerKind, Decision, Nature, NewAnswer, NewRequest, Purpose, RequestEnd, RunIdentity, Scope, Store,
};

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 5, 26).unwrap()
}

fn call_id(n: usize) -> String {
    format!("{:012}^{:012}", 116_014_888_060 + n, 102_816_313_060 + n)
}

/// A record as the provider sends it.
fn record(call_id: &str) -> String {
    format!(
        r#"{{"callId":"{call_id}","endDate":"2024-05-26 17:01:51","stateDesc":"用户接听","callee":"12500001234","bStartTime":"2024-05-26 17:01:47","gmtCreate":"2024-05-26 17:01:41","duration":4,"calleeShowNumber":"057100001836","bRingTime":"2024-05-26 17:01:42","bEndTime":"2024-05-26 17:01:51","state":"200000","startDate":"2024-05-26 17:01:47","hangupDirection":0}}"#
    )
}

/// One call from its request to its answer, both on disk when this returns.
async fn settle(store: &Store, scope: &Scope, n: usize) {
    let key = CallKey { call_id: call_id(n), prod_id: ProductId(11_000_000_300_006), day: day() };
    let data = record(&key.call_id);
    let begun =
        store.begin_request(scope, NewRequest { key, asked_date: day(), purpose: Purpose::First }).await;
    let end = RequestEnd {
        at: store.moment(),
        http_status: Some(200),
        code: "OK".into(),
        throttled: false,
        decision: Decision::Answered,
        pause: None,
    };
    let answer = NewAnswer {
        kind: AnswerKind::Final,
        found_date: day(),
        next_date: None,
        request_id: Some(format!("5A17BFE8-D155-5771-BF27-{n:012}")),
        code: "OK".into(),
        message: "OK".into(),
        data: Some(data),
    };
    store.end_request(scope, begun.unwrap(), end, Some(answer)).await.unwrap();
}

fn begin(store: &Store) -> Scope {
    let identity = RunIdentity { input_sha256: "of this bench".into(), refresh: false };
    let rate: Rate = "1000000/s".parse().unwrap();
    store.begin_session(&identity, rate, Duration::from_secs(10)).unwrap()
}

/// Settles these calls, so many at once; calls a second.
async fn fill(store: &Store, scope: &Scope, calls: std::ops::Range<usize>, at_once: usize) -> f64 {
    let (from, count) = (Instant::now(), calls.len());
    futures::stream::iter(calls).for_each_concurrent(at_once, |n| settle(store, scope, n)).await;
    #[allow(clippy::cast_precision_loss)]
    let count = count as f64;
    count / from.elapsed().as_secs_f64()
}

/// The most memory that a process has had so far, in MiB; `None` once it has ended.
fn peak_mib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1_024)
}

/// `reconcile plan` in this folder: its time, from start to end, and its peak memory.
fn plan(folder: &Path) -> (Duration, u64) {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_reconcile"))
        .args(["plan", "--input", "calls.csv", "--out", "details.parquet"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak_mib(&child).unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begin.elapsed();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("nothing is to be asked"), "{said}");
    (took, peak)
}

fn write_ledger(path: &Path, calls: usize) {
    let mut text = String::from("call_id,prod_id,called_at\n");
    for n in 0..calls {
        writeln!(text, "{},11000000300006,2024-05-26 17:01:41", call_id(n)).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn main() {
    let calls: usize = std::env::var("CALLS").map_or(20_000, |n| n.parse().unwrap());
    let folder = tempfile::TempDir::new().unwrap();
    let run_time = tokio::runtime::Runtime::new().unwrap();
    let clock = || Arc::new(SystemClock::new());
    for at_once in [1, 16, 256] {
        let store = Store::open(&folder.path().join("rate.db"), Nature::Provider, clock()).unwrap();
        let scope = begin(&store);
        let some = 40 * at_once;
        let first = 1_000_000 * at_once;
        let rate = run_time.block_on(fill(&store, &scope, first..first + some, at_once));
        println!("{at_once:>5} at once: {rate:>8.0} calls a second, request and answer each on disk");
    }
    let path = folder.path().join("reconcile.db");
    let store = Store::open(&path, Nature::Provider, clock()).unwrap();
    let scope = begin(&store);
    let rate = run_time.block_on(fill(&store, &scope, 0..calls, 1_024));
    store.end_session(&scope, Some(true)).unwrap();
    drop(store);
    println!(" 1024 at once: {rate:>8.0} calls a second");
    write_ledger(&folder.path().join("calls.csv"), calls);
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let (took, peak) = plan(folder.path());
    println!("plan over {calls} stored calls ({size} MiB): {:.2} s, {peak} MiB at most", took.as_secs_f64());
}
