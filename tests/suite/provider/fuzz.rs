//! Random bytes as replies cause no panic, and give an answer of bounded length within seconds.
//!
//! The suite runs it for three seconds, always with the same seed. `RECONCILE_FUZZ_SECONDS=3600
//! cargo test --release --test suite provider::fuzz` runs longer, each time with another seed. A
//! failure prints its seed; `RECONCILE_FUZZ_SEED` repeats it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use fastrand::Rng;
use reconcile::provider::codes::CODES;
use reconcile::provider::wire::{BODY_LIMIT, Body, KEPT_BYTES, Received, Reply, understand};
use reconcile_core::calendar::midnight_ms;
use reconcile_core::call::CallKey;
use reconcile_core::compare::{Tolerances, compare};
use reconcile_core::ledger_row::{Expected, LedgerRow, LedgerTime};
use reconcile_core::normalize::normalize;
use reconcile_core::product::ProductId;
use reconcile_core::status::{Lookup, Status};

use crate::support::number_from_environment;

/// The only real record that the provider has published.
const RECORD: &str = r#"{"callId":"1779786101083^1779786101083","endDate":"2026-05-26 17:01:51","stateDesc":"用户接听","callee":"185****8980","bStartTime":"2026-05-26 17:01:47","gmtCreate":"2026-05-26 17:01:41","duration":4,"calleeShowNumber":"0571000018363","bRingTime":"2026-05-26 17:01:42","bEndTime":"2026-05-26 17:01:51","state":"200000","startDate":"2026-05-26 17:01:47","hangupDirection":0}"#;
/// A record as the provider's pages print it.
const PRINTED: &str = r#"{“caller”:”18767130000”,”startDate”:””,”stateDesc”:”502”，"duration":0}"#;

/// Tokens that are difficult in JSON, XML, charsets and times.
const TOKENS: [&[u8]; 44] = [
    b"\"",
    b"\\",
    b"\\\"",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e400",
    b"9223372036854775807",
    b"18446744073709551616",
    b"0.0",
    b"<",
    b">",
    b"/>",
    b"</",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml version=\"1.0\" encoding=\"GBK\"?>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&lt;",
    b"&#0;",
    b"&#x110000;",
    b"&b;",
    b"<Data>",
    b"</Data>",
    b"<Error>",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xd3\xc3\xbb\xa7",
    b"\x80",
    b"\xf0\x9f\x98\x80",
    b"-262143-01-01 00:00:00",
    b"9999-12-31 23:59:60",
];

const CONTENT_TYPES: [Option<&str>; 7] = [
    None,
    Some("application/json;charset=utf-8"),
    Some("text/xml;charset=GBK"),
    Some("text/xml;charset=utf-16le"),
    Some("text/html; charset=\"big5\""),
    Some("a/b;charset=iso-2022-jp"),
    Some("charset=;charset"),
];

fn envelope(code: &str, data: &str) -> String {
    serde_json::json!({"Code": code, "Message": "m", "RequestId": "R", "Data": data}).to_string()
}

fn seeds() -> Vec<Vec<u8>> {
    let xml = |data: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><QueryCallDetailByCallIdResponse><Code>OK</Code><Data>{data}</Data><Message>OK</Message><RequestId>R</RequestId></QueryCallDetailByCallIdResponse>"
        )
    };
    let error = "<Error><RequestId>R</RequestId><HostId>h</HostId><Code>InternalError</Code><Message><![CDATA[m]]></Message></Error>";
    let mut seeds = vec![
        envelope("OK", RECORD),
        envelope("OK", PRINTED),
        envelope("OK", ""),
        format!("{{\"Code\":\"OK\",\"Data\":{RECORD}}}"),
        r#"{"code":"Throttling.User","message":"m","requestId":"R"}"#.to_owned(),
        xml(&RECORD.replace('"', "&quot;")),
        xml(&format!("<![CDATA[{RECORD}]]>")),
        error.to_owned(),
        "<html><body>502</body></html>".to_owned(),
    ];
    seeds.extend(CODES.iter().map(|known| envelope(known.code, "")));
    seeds.into_iter().map(String::into_bytes).collect()
}

fn mutate(random: &mut Rng, body: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = random.usize(..=body.len());
    let to = random.usize(at..=body.len()).min(at + 64);
    match random.u8(..9) {
        0 if at < body.len() => body[at] ^= 1 << random.u8(..8),
        1 if at < body.len() => body[at] = random.u8(..),
        2 => body.truncate(at),
        3 => drop(body.drain(at..to)),
        4 => {
            let slice = body[at..to].to_vec();
            body.splice(at..at, slice);
        }
        5 => {
            let token = *random.choice(&TOKENS).unwrap();
            body.splice(at..to.min(at + random.usize(..4)), token.iter().copied());
        }
        6 => {
            let other = random.choice(others).unwrap();
            let from = random.usize(..other.len());
            body.splice(at..to, other[from..].iter().copied());
        }
        7 if random.u8(..64) == 0 => {
            let token = *random.choice(&TOKENS).unwrap();
            let times = random.usize(..BODY_LIMIT / token.len());
            body.splice(at..at, token.repeat(times));
        }
        _ => body.rotate_left(at),
    }
    body.truncate(BODY_LIMIT);
}

fn reply(random: &mut Rng, seeds: &[Vec<u8>]) -> Received {
    // Mutates either `Data` in a good envelope or the whole body.
    let inside = random.bool();
    let mut body = if inside { RECORD.as_bytes().to_vec() } else { random.choice(seeds).unwrap().clone() };
    for _ in 0..random.usize(..if inside { 4 } else { 12 }) {
        mutate(random, &mut body, seeds);
    }
    if inside {
        body = envelope("OK", &String::from_utf8_lossy(&body)).into_bytes();
        body.truncate(BODY_LIMIT);
    }
    let content_type = random.choice(&CONTENT_TYPES).unwrap().map(str::to_owned);
    let too_long = (random.u8(..16) == 0).then(|| "long".to_owned());
    let status = *random.choice(&[200, 200, 200, 302, 400, 404, 429, 500, 503]).unwrap();
    Received { status, content_type, too_long, body, ..Received::default() }
}

/// A row that expects a value for every field, so that every field is compared.
fn row() -> LedgerRow {
    let day = NaiveDate::from_ymd_opt(2026, 5, 26).unwrap();
    let at = chrono::DateTime::from_timestamp_millis(midnight_ms(day)).map(LedgerTime::Instant);
    let some = |text: &str| Some(text.into());
    let expected = Expected {
        caller: some("1"),
        callee: some("2"),
        caller_show_number: some("3"),
        callee_show_number: some("4"),
        state: some("200000"),
        answered: Some(true),
        duration_s: Some(5),
        called_at: at,
        started_at: at,
        ended_at: at,
    };
    let key = CallKey { call_id: "1^2".into(), prod_id: ProductId(1), day };
    LedgerRow { line: 2, key, expected, query_date: None, carried: Vec::new() }
}

/// Asserts what must be true of every reply. Returns true if a record was read.
fn holds(received: &Received, row: &LedgerRow) -> bool {
    let answer = understand(&Reply::Received(received.clone()));
    assert!(answer.code.chars().count() <= 128 && answer.message.chars().count() <= 1_000);
    assert!(answer.request_id.as_ref().is_none_or(|id| id.chars().count() <= 128));
    assert!(!answer.code.contains(char::is_control) && !answer.message.contains(char::is_control));
    let data = match &answer.body {
        Body::Data(data) => data,
        Body::Malformed { text, why } => {
            assert!(text.len() <= KEPT_BYTES && why.len() < 200);
            text
        }
        Body::NoRecord | Body::Error(_) => return false,
    };
    // A byte of another charset becomes at most one character of three bytes.
    assert!(data.len() <= 3 * received.body.len().max(1));
    match normalize(data) {
        Err(why) => {
            assert!(why.to_string().len() < 200);
            false
        }
        Ok(detail) => {
            let mut lookup = Lookup::deferred(row.key.day, 1);
            (lookup.status, lookup.detail) = (Status::Found, Some(detail));
            for what in compare(row, &lookup, Tolerances::default()).discrepancies {
                assert!(what.message.to_string().len() < 200);
            }
            true
        }
    }
}

/// The most memory that this process has used so far, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// The peak of memory is that of a process, and `cargo test` runs all tests in one. So the replies
/// are read in another.
#[test]
#[allow(clippy::print_stdout, reason = "the result of a long run")]
fn no_reply_causes_a_panic() {
    let alone = "provider::fuzz::replies_are_read_without_a_panic";
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", alone, "--ignored", "--nocapture"]).output().unwrap();
    let [said, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complaint}");
    println!("{said}");
}

#[test]
#[ignore = "no_reply_causes_a_panic runs it in a process of its own"]
#[allow(clippy::print_stdout, reason = "the result of a long run")]
fn replies_are_read_without_a_panic() {
    let seconds = number_from_environment("RECONCILE_FUZZ_SECONDS");
    let seed = number_from_environment("RECONCILE_FUZZ_SEED")
        .unwrap_or_else(|| seconds.map_or(1, |_| fastrand::u64(..)));
    let (mut random, seeds, row) = (Rng::with_seed(seed), seeds(), row());
    let begun = Instant::now();
    let limit = Duration::from_secs(seconds.unwrap_or(3));
    let (mut inputs, mut records) = (0_u64, 0_u64);
    while begun.elapsed() < limit {
        let received = reply(&mut random, &seeds);
        let started = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| holds(&received, &row)));
        let shown = || received.body.escape_ascii().to_string();
        let Ok(record) = held else { panic!("seed {seed}, input {inputs}: {:?}\n{}", received, shown()) };
        let took = started.elapsed();
        assert!(took < Duration::from_secs(30), "seed {seed}, input {inputs} took {took:?}: {}", shown());
        records += u64::from(record);
        inputs += 1;
    }
    assert!(inputs > 500 && records > 10, "only {inputs} inputs, {records} records");
    assert!(peak_kib() < 512 << 10, "{} KiB of memory", peak_kib());
    println!("seed {seed}: {inputs} inputs, {records} of them records, at most {} KiB", peak_kib());
}
