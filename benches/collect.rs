//! How many calls per second the program collects when the cap does not limit it: each call is
//! signed, sent, read and stored on disk.
//!
//! A bare loop of the same HTTP client sends as many requests to the same server for comparison.
//! The server is a separate process that sends the same answer to every request. `CALLS` sets the
//! number of calls; published figures use 1000000. `CONCURRENCY` sets the requests in flight (256).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use support::{calls, cpu, per_second, reconcile, write_ledger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The environment variable that makes this process the server.
const SERVE: &str = "RECONCILE_BENCH_SERVE";

/// An answer whose record has no CallId, so it fits every call.
const ANSWER: &str = r#"{"Code":"OK","Message":"OK","RequestId":"5A17BFE8-D155-5771-BF27-000000000001","Data":"{\"endDate\":\"2024-05-01 17:01:51\",\"stateDesc\":\"用户接听\",\"callee\":\"12500001234\",\"bStartTime\":\"2024-05-01 17:01:47\",\"gmtCreate\":\"2024-05-01 17:01:41\",\"duration\":4,\"calleeShowNumber\":\"057100001836\",\"bRingTime\":\"2024-05-01 17:01:42\",\"bEndTime\":\"2024-05-01 17:01:51\",\"state\":\"200000\",\"startDate\":\"2024-05-01 17:01:47\",\"hangupDirection\":0}"}"#;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if std::env::var_os(SERVE).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve());
    }
    let calls = calls();
    let concurrency = std::env::var("CONCURRENCY").map_or(256, |n| n.parse().unwrap());
    let (mut server, url) = start_server();
    let before = cpu(std::process::id()).unwrap_or_default();
    let bare = runtime.block_on(bare_loop(&url, calls, concurrency));
    let cpu_per_call = |cpu: Duration| cpu.as_micros() / calls as u128;
    let bare_cpu = cpu_per_call(cpu(std::process::id()).unwrap_or_default().saturating_sub(before));
    println!("{calls} calls, {concurrency} in flight");
    println!("bare loop of reqwest: {bare:.0} requests per second, {bare_cpu} µs of CPU per request");
    let folder = tempfile::TempDir::new().unwrap();
    write_ledger(&folder.path().join("calls.csv"), calls);
    let job = ["-q", "--input", "calls.csv", "--out", "details.parquet"];
    let sending = ["--endpoint", &url, "--rate", "1000000/s", "--concurrency", &concurrency.to_string()];
    // The second run finds every answer in the store, so it only publishes.
    let whole = reconcile(folder.path(), &[&job[..], &sending].concat());
    let publishing = reconcile(folder.path(), &[&job[..], &["--offline"]].concat());
    server.kill().unwrap();
    server.wait().unwrap();
    let rate = per_second(calls, whole.wall.saturating_sub(publishing.wall));
    let cpu = cpu_per_call(whole.cpu.saturating_sub(publishing.cpu));
    let memory = whole.peak_before_outputs_mib;
    println!("collect: {rate:.0} calls per second, {cpu} µs of CPU per call, at most {memory} MiB");
    let seconds = publishing.wall.as_secs_f64();
    println!("publish (not part of collect): {seconds:.2} s, at most {} MiB", whole.peak_mib);
    println!("collect ÷ bare loop: {:.3}", rate / bare);
}

fn start_server() -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut server = command.env(SERVE, "1").stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (server, url.trim().to_owned())
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(stream));
    }
}

/// Sends the same answer to every request of a connection. Requests have a body of the stated
/// length.
async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
    let reply = format!("{head} {}\r\n\r\n{ANSWER}", ANSWER.len());
    let mut received = Vec::with_capacity(4_096);
    while stream.read_buf(&mut received).await.is_ok_and(|n| n > 0) {
        while let Some(length) = request_length(&received).filter(|length| received.len() >= *length) {
            received.drain(..length);
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

/// Sends this number of forms with the program's HTTP client, each about as long as a signed one.
/// Reads each answer to its end. Returns requests per second.
async fn bare_loop(url: &str, requests: usize, concurrency: usize) -> f64 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let form = "x=".to_owned() + &"1".repeat(400);
    let begin = Instant::now();
    futures::stream::iter(0..requests)
        .for_each_concurrent(concurrency, async |_| {
            let sent = client.post(url).body(form.clone()).send().await.unwrap();
            assert_eq!(sent.bytes().await.unwrap().len(), ANSWER.len());
        })
        .await;
    per_second(requests, begin.elapsed())
}
