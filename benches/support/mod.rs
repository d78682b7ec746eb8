//! The inputs of the benchmarks: a ledger of any number of calls, their answers as JSON lines, and
//! a store with these answers. The same number gives the same inputs. Each benchmark uses only a
//! part of this module.
#![allow(dead_code)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use fastrand::Rng;
use futures::StreamExt as _;
use reconcile::clock::SystemClock;
use reconcile::store::RunEnd;
use reconcile::store::{
    Decision, NewRequest, Origin, Purpose, RequestEnd, RunIdentity, Store, StoreLocation, open,
};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::ask_again::Scope;
use reconcile_core::calendar::{day_of, provider_text};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;

pub(crate) const PRODUCT: i64 = 11_000_000_300_006;
const SEED: u64 = 20_260_501;
/// The number of requests in flight while a store is filled.
const FILL_CONCURRENCY: usize = 4_096;

/// What happened in an invented call.
struct Facts {
    called_at: DateTime<Utc>,
    callee: u64,
    state: u32,
    description: &'static str,
    /// The talk time in seconds; 0 for an unanswered call.
    talk_s: i64,
    /// The time from the call to the answer, in seconds.
    ring_s: i64,
}

/// An invented call. It depends on its number alone.
pub(crate) struct Call {
    pub(crate) no: usize,
    facts: Facts,
    /// A draw below 100,000 that decides which discrepancy the call has.
    draw: u32,
}

impl Call {
    pub(crate) fn new(no: usize) -> Self {
        let mut random = Rng::with_seed(SEED ^ (no as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // One call every 1.339 seconds: 2,000,000 calls in a month.
        let start = NaiveDate::from_ymd_opt(2024, 5, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
        let called_at = start + TimeDelta::milliseconds(1_339 * i64::try_from(no).unwrap());
        let called_at = called_at - TimeDelta::nanoseconds(i64::from(called_at.timestamp_subsec_nanos()));
        let (state, description, answered) = match random.u32(..10) {
            0 => (200_002, "用户占线", false),
            1 | 2 => (200_003, "用户未应答", false),
            _ => (200_000, "用户接听", true),
        };
        let talk_s = if answered { random.i64(1..180) } else { 0 };
        let callee = 13_000_000_000 + random.u64(..6_000_000_000);
        let facts = Facts { called_at, callee, state, description, talk_s, ring_s: random.i64(2..25) };
        Self { no, facts, draw: random.u32(..100_000) }
    }

    pub(crate) fn key(&self) -> CallKey {
        let call_id = format!("{:012}^{:012}", 116_014_888_060 + self.no, 102_816_313_060 + self.no);
        CallKey { call_id, prod_id: ProductId(PRODUCT), day: day_of(self.facts.called_at) }
    }

    /// Whether the provider has no record of the call: one call in 200.
    fn is_missing(&self) -> bool {
        self.draw < 500
    }

    /// The record of the call, as the provider sends it.
    fn record(&self) -> String {
        let Facts { called_at, callee, state, description, talk_s, ring_s } = self.facts;
        let text = |seconds: i64| provider_text(called_at + TimeDelta::seconds(seconds));
        let answered = if talk_s > 0 {
            let (start, end) = (text(ring_s), text(ring_s + talk_s));
            format!(r#","endDate":"{end}","bStartTime":"{start}","bEndTime":"{end}","startDate":"{start}""#)
        } else {
            String::new()
        };
        format!(
            r#"{{"callId":"{}","stateDesc":"{description}","callee":"{callee}","gmtCreate":"{}","duration":{talk_s},"calleeShowNumber":"057100001836","bRingTime":"{}","state":"{state}","hangupDirection":{}{answered}}}"#,
            self.key().call_id,
            text(0),
            text(1),
            self.draw % 2
        )
    }

    fn answer(&self) -> NewAnswer {
        NewAnswer {
            kind: if self.is_missing() { AnswerKind::NoRecord } else { AnswerKind::Final },
            found_date: self.key().day,
            next_date: None,
            request_id: Some(format!("5A17BFE8-D155-5771-BF27-{:012}", self.no)),
            code: "OK".into(),
            message: "OK".into(),
            data: (!self.is_missing()).then(|| self.record()),
        }
    }

    /// The ledger's row of the call. One row in 50 has another talk time, one in 100 another state.
    fn ledger_row(&self) -> String {
        let Facts { called_at, callee, state, talk_s, ring_s, .. } = self.facts;
        let text = |seconds: i64| provider_text(called_at + TimeDelta::seconds(seconds));
        let (row_talk_s, row_state) = match self.draw {
            1_000..3_000 => (talk_s + 60, state),
            3_000..4_000 => (talk_s, 200_004),
            _ => (talk_s, state),
        };
        let (answered, start, end) = if talk_s > 0 {
            ("yes", text(ring_s), text(ring_s + talk_s))
        } else {
            ("no", "".into(), "".into())
        };
        let order = 7_000_000 + self.no;
        format!(
            "{},{PRODUCT},{},{callee},{row_state},{answered},{row_talk_s},{start},{end},dept-{},ORD{order}",
            self.key().call_id,
            text(0),
            self.draw % 40
        )
    }

    /// The answer as one line of JSON: the provider's envelope and the call's key.
    fn json(&self) -> String {
        let (key, answer) = (self.key(), self.answer());
        serde_json::json!({
            "call_id": key.call_id,
            "prod_id": key.prod_id.0,
            "call_date": key.day.to_string(),
            "RequestId": answer.request_id,
            "Code": answer.code.as_str(),
            "Message": answer.message.as_str(),
            "Data": answer.data,
        })
        .to_string()
    }
}

fn create(path: &Path) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 20, File::create(path).unwrap())
}

/// Writes a ledger of this number of calls. After every 1,000th call comes a duplicate row, and
/// after every 10,000th a row without CallId.
pub(crate) fn write_ledger(path: &Path, calls: usize) {
    let mut out = create(path);
    let header = "call_id,prod_id,called_at,callee,state,answered,duration,started_at,ended_at,dept,order_no";
    writeln!(out, "{header}").unwrap();
    for no in 0..calls {
        let row = Call::new(no).ledger_row();
        writeln!(out, "{row}").unwrap();
        if no % 1_000 == 999 {
            writeln!(out, "{row}").unwrap();
        }
        if no % 10_000 == 9_999 {
            writeln!(out, ",{}", row.split_once(',').unwrap().1).unwrap();
        }
    }
    out.flush().unwrap();
}

/// Writes the answers to this number of calls, one line each.
pub(crate) fn write_answers(path: &Path, calls: usize) {
    let mut out = create(path);
    (0..calls).for_each(|no| writeln!(out, "{}", Call::new(no).json()).unwrap());
    out.flush().unwrap();
}

/// Stores request and answer of one call. Both are on disk when this returns.
pub(crate) async fn store_call(store: &dyn Store, scope: &Scope, no: usize) {
    let call = Call::new(no);
    let key = call.key();
    let request = NewRequest { asked_date: key.day, key, purpose: Purpose::First, recheck: false };
    let begun = store.begin_request(scope, request).await.unwrap();
    let end = RequestEnd {
        at: store.moment(),
        provider_at: None,
        http_status: Some(200),
        code: "OK".into(),
        request_id: None,
        throttled: false,
        decision: Decision::Answered,
        pause: None,
    };
    store.end_request(scope, begun, end, Some(call.answer())).await.unwrap();
}

/// Stores these calls, `concurrency` at a time. Returns calls per second.
pub(crate) async fn fill(
    store: &dyn Store,
    scope: &Scope,
    calls: std::ops::Range<usize>,
    concurrency: usize,
) -> f64 {
    let (begin, count) = (Instant::now(), calls.len());
    let stored = futures::stream::iter(calls);
    stored.for_each_concurrent(concurrency, |no| store_call(store, scope, no)).await;
    per_second(count, begin.elapsed())
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// Opens a store for real answers, and begins a session.
pub(crate) fn open_store(location: &StoreLocation) -> (Arc<dyn Store>, Scope) {
    let store = open(location, Origin::Provider, Arc::new(SystemClock::new())).unwrap();
    let identity = RunIdentity { input_sha256: "benchmark".into(), refresh: false };
    let rate: Rate = "1000000/s".parse().unwrap();
    let scope = store.begin_session(&identity, rate, Duration::from_secs(10)).unwrap();
    (store, scope)
}

/// Writes a store with the answers to this number of calls.
pub(crate) fn write_store(location: &StoreLocation, calls: usize) {
    let (store, scope) = open_store(location);
    tokio::runtime::Runtime::new().unwrap().block_on(fill(
        store.as_ref(),
        &scope,
        0..calls,
        FILL_CONCURRENCY,
    ));
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
}

/// Time, memory and standard output of one run of the program.
pub(crate) struct Measured {
    /// Elapsed time.
    pub(crate) wall: Duration,
    /// CPU time of all threads, in user and system mode, to a hundredth of a second.
    pub(crate) cpu: Duration,
    /// The most memory of the process, in MiB.
    pub(crate) peak_mib: u64,
    /// The most memory before it began to write outputs, in MiB.
    pub(crate) peak_before_outputs_mib: u64,
    pub(crate) stdout: String,
}

/// The most memory that a process has used so far, in MiB; `None` after its end.
fn peak_mib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1_024)
}

/// The CPU time that a process has used so far; `None` after its end.
pub(crate) fn cpu(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The third field, the state, follows the name in parentheses. User and system time are the
    // 14th and the 15th field, in ticks of 10 ms.
    let ticks = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    Some(Duration::from_millis(10 * ticks.map(|n| n.parse::<u64>().unwrap_or(0)).sum::<u64>()))
}

/// Runs the program in this folder to its end, and measures it.
pub(crate) fn reconcile(folder: &Path, arguments: &[&str]) -> Measured {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_reconcile"))
        .args(arguments)
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "testid")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "testsecret")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let outputs = [".details.parquet.unfinished", "details.parquet"].map(|name| folder.join(name));
    let (mut peak, mut before_outputs, mut cpu_time) = (0, 0, Duration::ZERO);
    while child.try_wait().unwrap().is_none() {
        cpu_time = cpu(child.id()).unwrap_or(cpu_time).max(cpu_time);
        // The last value counts. The first may be the memory of this process, which the child
        // shares until it executes the program.
        peak = peak_mib(&child).unwrap_or(peak);
        if !outputs.iter().any(|output| output.exists()) {
            before_outputs = peak;
        }
        // Each reading takes 50 µs of a core that the program may need, so readings are rare.
        std::thread::sleep(
            (begin.elapsed() / 500).clamp(Duration::from_millis(1), Duration::from_millis(10)),
        );
    }
    let wall = begin.elapsed();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    Measured { wall, cpu: cpu_time, peak_mib: peak, peak_before_outputs_mib: before_outputs, stdout }
}

/// The number of calls: `CALLS`, or 20,000, which only shows that the benchmark works.
pub(crate) fn calls() -> usize {
    std::env::var("CALLS").map_or(20_000, |calls| calls.parse().unwrap())
}
