//! A night's work in any size, the same for the same size: a ledger, the answers to it as one JSON
//! text a line, and the store that holds them. What a bench does not use, another one does.
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
use reconcile::store::{Decision, NewRequest, Origin, Purpose, RequestEnd, RunIdentity, Store, open};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::ask_again::Scope;
use reconcile_core::calendar::{day_of, provider_text};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;

pub(crate) const PRODUCT: i64 = 11_000_000_300_006;
const SEED: u64 = 20_260_501;
/// So many wait for one commit when a store is filled.
const AT_ONCE: usize = 4_096;

/// What became of a call that was made up.
struct Made {
    called_at: DateTime<Utc>,
    callee: u64,
    state: u32,
    description: &'static str,
    /// Talk time in seconds; nobody answered where it is 0.
    talk: i64,
    /// From the call to the answer, in seconds.
    ring: i64,
}

/// A call and what the provider knows of it; each is made of its number alone.
pub(crate) struct Call {
    pub(crate) no: usize,
    made: Made,
    /// In a hundred thousand; decides what is wrong with it.
    lot: u32,
}

impl Call {
    pub(crate) fn new(no: usize) -> Self {
        let mut random = Rng::with_seed(SEED ^ (no as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // A month of 2,000,000 calls, one behind the other; a larger ledger has more months.
        let start = NaiveDate::from_ymd_opt(2024, 5, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
        let called_at = start + TimeDelta::milliseconds(1_339 * i64::try_from(no).unwrap());
        let called_at = called_at - TimeDelta::nanoseconds(i64::from(called_at.timestamp_subsec_nanos()));
        let (state, description, answered) = match random.u32(..10) {
            0 => (200_002, "用户占线", false),
            1 | 2 => (200_003, "用户未应答", false),
            _ => (200_000, "用户接听", true),
        };
        let talk = if answered { random.i64(1..180) } else { 0 };
        let callee = 13_000_000_000 + random.u64(..6_000_000_000);
        let made = Made { called_at, callee, state, description, talk, ring: random.i64(2..25) };
        Self { no, made, lot: random.u32(..100_000) }
    }

    pub(crate) fn key(&self) -> CallKey {
        let call_id = format!("{:012}^{:012}", 116_014_888_060 + self.no, 102_816_313_060 + self.no);
        CallKey { call_id, prod_id: ProductId(PRODUCT), day: day_of(self.made.called_at) }
    }

    /// One in two hundred: the provider knows nothing of it.
    fn is_missing(&self) -> bool {
        self.lot < 500
    }

    /// A record as the provider sends it.
    fn record(&self) -> String {
        let Made { called_at, callee, state, description, talk, ring } = self.made;
        let text = |seconds: i64| provider_text(called_at + TimeDelta::seconds(seconds));
        let answered = if talk > 0 {
            let (start, end) = (text(ring), text(ring + talk));
            format!(r#","endDate":"{end}","bStartTime":"{start}","bEndTime":"{end}","startDate":"{start}""#)
        } else {
            String::new()
        };
        format!(
            r#"{{"callId":"{}","stateDesc":"{description}","callee":"{callee}","gmtCreate":"{}","duration":{talk},"calleeShowNumber":"057100001836","bRingTime":"{}","state":"{state}","hangupDirection":{}{answered}}}"#,
            self.key().call_id,
            text(0),
            text(1),
            self.lot % 2
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

    /// The ledger's row of it: one in fifty has another talk time, one in a hundred another state.
    fn ledger_row(&self) -> String {
        let Made { called_at, callee, state, talk, ring, .. } = self.made;
        let text = |seconds: i64| provider_text(called_at + TimeDelta::seconds(seconds));
        let (stated, said) = match self.lot {
            1_000..3_000 => (talk + 60, state),
            3_000..4_000 => (talk, 200_004),
            _ => (talk, state),
        };
        let (answered, start, end) =
            if talk > 0 { ("yes", text(ring), text(ring + talk)) } else { ("no", "".into(), "".into()) };
        let order = 7_000_000 + self.no;
        format!(
            "{},{PRODUCT},{},{callee},{said},{answered},{stated},{start},{end},dept-{},ORD{order}",
            self.key().call_id,
            text(0),
            self.lot % 40
        )
    }

    /// The answer as one line of JSON: the provider's envelope, and whom it is about.
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

/// A ledger of so many calls; one row in a thousand names the call before it again, one in ten
/// thousand has no CallId.
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

/// The answers to so many calls, a line each.
pub(crate) fn write_answers(path: &Path, calls: usize) {
    let mut out = create(path);
    (0..calls).for_each(|no| writeln!(out, "{}", Call::new(no).json()).unwrap());
    out.flush().unwrap();
}

/// One call from its request to its answer, both on disk when this returns.
pub(crate) async fn settle(store: &dyn Store, scope: &Scope, no: usize) {
    let call = Call::new(no);
    let key = call.key();
    let request = NewRequest { asked_date: key.day, key, purpose: Purpose::First };
    let begun = store.begin_request(scope, request).await.unwrap();
    let end = RequestEnd {
        at: store.moment(),
        http_status: Some(200),
        code: "OK".into(),
        throttled: false,
        decision: Decision::Answered,
        pause: None,
    };
    store.end_request(scope, begun, end, Some(call.answer())).await.unwrap();
}

/// Settles these calls, so many at once; calls a second.
pub(crate) async fn fill(
    store: &dyn Store,
    scope: &Scope,
    calls: std::ops::Range<usize>,
    at_once: usize,
) -> f64 {
    let (from, count) = (Instant::now(), calls.len());
    futures::stream::iter(calls).for_each_concurrent(at_once, |no| settle(store, scope, no)).await;
    per_second(count, from.elapsed())
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// A store of the provider's, with a session that is open.
pub(crate) fn open_store(path: &Path) -> (Arc<dyn Store>, Scope) {
    let store = open(path, Origin::Provider, Arc::new(SystemClock::new())).unwrap();
    let identity = RunIdentity { input_sha256: "of this bench".into(), refresh: false };
    let rate: Rate = "1000000/s".parse().unwrap();
    let scope = store.begin_session(&identity, rate, Duration::from_secs(10)).unwrap();
    (store, scope)
}

/// A store that holds the answers to so many calls.
pub(crate) fn write_store(path: &Path, calls: usize) {
    let (store, scope) = open_store(path);
    tokio::runtime::Runtime::new().unwrap().block_on(fill(store.as_ref(), &scope, 0..calls, AT_ONCE));
    store.end_session(&scope, Some(true)).unwrap();
}

/// What a run of the program took.
pub(crate) struct Took {
    pub(crate) wall: Duration,
    /// Of all its threads, in user and system mode, to the hundredth of a second.
    pub(crate) cpu: Duration,
    /// The most memory it has had, in MiB.
    pub(crate) peak_mib: u64,
    /// The same before it began with its outputs.
    pub(crate) peak_before_outputs_mib: u64,
    pub(crate) said: String,
}

/// The most memory that a process has had so far, in MiB; `None` once it has ended.
fn peak_mib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1_024)
}

/// The CPU time that a process has had so far; `None` once it has ended.
pub(crate) fn cpu(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name: the state is the third field, user and system time are the 14th and the
    // 15th, in ticks of 10 ms.
    let ticks = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    Some(Duration::from_millis(10 * ticks.map(|n| n.parse::<u64>().unwrap_or(0)).sum::<u64>()))
}

/// Runs the program in this folder, from start to end.
pub(crate) fn reconcile(folder: &Path, arguments: &[&str]) -> Took {
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
    let (mut peak, mut before_outputs, mut busy) = (0, 0, Duration::ZERO);
    while child.try_wait().unwrap().is_none() {
        busy = cpu(child.id()).unwrap_or(busy).max(busy);
        // The last is the highest; the first may still be that of this process, whose memory the
        // child has until it is the program.
        peak = peak_mib(&child).unwrap_or(peak);
        if !outputs.iter().any(|output| output.exists()) {
            before_outputs = peak;
        }
        // To look takes 50 µs of a core that the program may need.
        std::thread::sleep(
            (begin.elapsed() / 500).clamp(Duration::from_millis(1), Duration::from_millis(10)),
        );
    }
    let wall = begin.elapsed();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Took { wall, cpu: busy, peak_mib: peak, peak_before_outputs_mib: before_outputs, said }
}

/// How many calls a bench is about: `CALLS`, else enough to see that it runs.
pub(crate) fn calls() -> usize {
    std::env::var("CALLS").map_or(20_000, |calls| calls.parse().unwrap())
}
