//! How many calls per second the program collects: each call is signed, sent, read and stored on
//! disk. In two parts:
//!
//! - without a cap, with 16, 64 and 256 requests in flight. A bare loop of the program's own HTTP
//!   client sends as many requests to the same server, each on a connection of its own as in the
//!   program. A second bare loop uses its connections again, to show what the connections cost;
//! - with `--rate 100/s`, a round trip of 250 ms and the default `--concurrency`.
//!
//! The server is a separate process that sends the same answer to every request. `CALLS` sets the
//! number of calls; published figures use 100000. `CONCURRENCY` sets one number of requests in
//! flight, and leaves the second part out. `RUNS` sets the number of rounds; the medians count.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reconcile::http_client::{self, ClientOptions};
use support::{Measured, calls, cpu, per_second, reconcile, write_ledger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The environment variable that makes this process the server. Its value is the time from request
/// to answer, in milliseconds.
const SERVE: &str = "RECONCILE_BENCH_SERVE";
/// The round trip of the second part.
const ROUND_TRIP: Duration = Duration::from_millis(250);
/// The calls of the second part.
const CAPPED_CALLS: usize = 2_500;

/// An answer whose record has no CallId, so it fits every call.
const ANSWER: &str = r#"{"Code":"OK","Message":"OK","RequestId":"5A17BFE8-D155-5771-BF27-000000000001","Data":"{\"endDate\":\"2024-05-01 17:01:51\",\"stateDesc\":\"用户接听\",\"callee\":\"12500001234\",\"bStartTime\":\"2024-05-01 17:01:47\",\"gmtCreate\":\"2024-05-01 17:01:41\",\"duration\":4,\"calleeShowNumber\":\"057100001836\",\"bRingTime\":\"2024-05-01 17:01:42\",\"bEndTime\":\"2024-05-01 17:01:51\",\"state\":\"200000\",\"startDate\":\"2024-05-01 17:01:47\",\"hangupDirection\":0}"}"#;

fn main() {
    if let Ok(delay) = std::env::var(SERVE) {
        let delay = Duration::from_millis(delay.parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(serve(delay));
    }
    let (calls, runs) = (calls(), std::env::var("RUNS").map_or(1, |n| n.parse().unwrap()));
    let one: Option<usize> = std::env::var("CONCURRENCY").ok().map(|n| n.parse().unwrap());
    let all = one.map_or_else(|| vec![16, 64, 256], |one| vec![one]);
    let mut ratios = vec![Vec::new(); all.len()];
    for _ in 0..runs {
        for (ratios, concurrency) in ratios.iter_mut().zip(&all) {
            ratios.push(without_a_cap(calls, *concurrency));
        }
    }
    for (ratios, concurrency) in ratios.iter_mut().zip(&all) {
        ratios.sort_unstable_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[runs - 1]);
        let median = ratios[runs / 2];
        println!("{concurrency} in flight, collect ÷ bare loop: {median:.2} ({least:.2} to {most:.2})");
    }
    if one.is_none() {
        under_a_cap();
    }
}

/// Measures both bare loops and the program. Returns collect ÷ bare loop.
fn without_a_cap(calls: usize, concurrency: usize) -> f64 {
    println!("{calls} calls, {concurrency} in flight");
    let (mut server, url) = start_server(Duration::ZERO);
    let [bare, reused] = [false, true].map(|reuses| {
        let (rate, cpu) = bare_loop(&url, calls, concurrency, reuses);
        let connections = if reuses { "connections used again" } else { "a connection for each request" };
        println!("  bare loop, {connections}: {rate:.0} requests per second, {cpu} µs of CPU per request");
        rate
    });
    let (rate, collecting, publishing) =
        collect(&url, calls, &["--rate", "1000000/s", "--concurrency", &concurrency.to_string()]);
    server.kill().unwrap();
    server.wait().unwrap();
    let cpu = cpu_per_call(collecting.cpu.saturating_sub(publishing.cpu), calls);
    let memory = collecting.peak_before_outputs_mib;
    println!("  collect: {rate:.0} calls per second, {cpu} µs of CPU per call, at most {memory} MiB");
    let seconds = publishing.wall.as_secs_f64();
    println!("  publish (not part of collect): {seconds:.2} s, at most {} MiB", publishing.peak_mib);
    println!("  collect ÷ bare loop: {:.2}; connections used again: {:.2}", rate / bare, rate / reused);
    rate / bare
}

/// Measures the program with a cap that the default number of slots must be able to use.
fn under_a_cap() {
    let (mut server, url) = start_server(ROUND_TRIP);
    let (rate, ..) = collect(&url, CAPPED_CALLS, &["--rate", "100/s"]);
    server.kill().unwrap();
    server.wait().unwrap();
    println!("{CAPPED_CALLS} calls with --rate 100/s and a round trip of 250 ms: {rate:.1} calls per second");
}

/// Collects this number of calls into a new store, with these options. Returns calls per second,
/// the whole run, and a run that only publishes.
fn collect(url: &str, calls: usize, options: &[&str]) -> (f64, Measured, Measured) {
    let folder = tempfile::TempDir::new().unwrap();
    write_ledger(&folder.path().join("calls.csv"), calls);
    let job = ["-q", "--input", "calls.csv", "--out", "details.parquet"];
    let whole = reconcile(folder.path(), &[&job[..], &["--endpoint", url], options].concat());
    // This run finds every answer in the store.
    let publishing = reconcile(folder.path(), &[&job[..], &["--offline"]].concat());
    (per_second(calls, whole.wall.saturating_sub(publishing.wall)), whole, publishing)
}

fn cpu_per_call(cpu: Duration, calls: usize) -> u128 {
    cpu.as_micros() / calls as u128
}

fn start_server(delay: Duration) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut server =
        command.env(SERVE, delay.as_millis().to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (server, url.trim().to_owned())
}

async fn serve(delay: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(stream, delay));
    }
}

/// Sends the same answer to every request of a connection. Requests have a body of the stated
/// length.
async fn answer(mut stream: TcpStream, delay: Duration) {
    stream.set_nodelay(true).unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
    let reply = format!("{head} {}\r\n\r\n{ANSWER}", ANSWER.len());
    let mut received = Vec::with_capacity(4_096);
    while stream.read_buf(&mut received).await.is_ok_and(|n| n > 0) {
        while let Some(length) = request_length(&received).filter(|length| received.len() >= *length) {
            received.drain(..length);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// The length of the first request in bytes; `None` until its head has arrived in full.
fn request_length(received: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(received).unwrap().split_once("\r\n\r\n")?.0;
    let body = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    Some(head.len() + 4 + body.map_or(0, |length| length.parse::<usize>().unwrap()))
}

/// Sends this number of forms, each about as long as a signed one, and reads each answer to its
/// end. Uses the program's HTTP client, or one that uses its connections again. Returns requests
/// per second, and CPU in µs per request.
fn bare_loop(url: &str, requests: usize, concurrency: usize, reuses: bool) -> (f64, u128) {
    let options = ClientOptions { timeout: Duration::from_secs(10), ca_file: None, no_proxy: true };
    let own = http_client::build(&url.parse().unwrap(), options).unwrap();
    let client =
        if reuses { reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap() } else { own };
    let form = "x=".to_owned() + &"1".repeat(400);
    let before = cpu(std::process::id()).unwrap_or_default();
    let begin = Instant::now();
    let sent = futures::stream::iter(0..requests).for_each_concurrent(concurrency, async |_| {
        let sent = client.post(url).body(form.clone()).send().await.unwrap();
        assert_eq!(sent.bytes().await.unwrap().len(), ANSWER.len());
    });
    tokio::runtime::Runtime::new().unwrap().block_on(sent);
    let rate = per_second(requests, begin.elapsed());
    (rate, cpu_per_call(cpu(std::process::id()).unwrap_or_default().saturating_sub(before), requests))
}
