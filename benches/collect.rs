//! Collecting whole, with the cap lifted: calls a second that are signed, sent, understood and
//! durable, beside a bare loop of the same HTTP client against the same server, which is a process
//! of its own and does next to nothing. `CALLS=1000000` is a size to quote; `CONCURRENCY` is 256
//! unless it is given.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use support::{calls, cpu, per_second, reconcile, write_ledger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Set in the process that is the server.
const SERVE: &str = "RECONCILE_BENCH_SERVE";

/// A record that names no call, so that it is right for every one.
const ANSWER: &str = r#"{"Code":"OK","Message":"OK","RequestId":"5A17BFE8-D155-5771-BF27-000000000001","Data":"{\"endDate\":\"2024-05-01 17:01:51\",\"stateDesc\":\"用户接听\",\"callee\":\"12500001234\",\"bStartTime\":\"2024-05-01 17:01:47\",\"gmtCreate\":\"2024-05-01 17:01:41\",\"duration\":4,\"calleeShowNumber\":\"057100001836\",\"bRingTime\":\"2024-05-01 17:01:42\",\"bEndTime\":\"2024-05-01 17:01:51\",\"state\":\"200000\",\"startDate\":\"2024-05-01 17:01:47\",\"hangupDirection\":0}"}"#;

fn main() {
    let run_time = tokio::runtime::Runtime::new().unwrap();
    if std::env::var_os(SERVE).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve());
    }
    let calls = calls();
    let concurrency = std::env::var("CONCURRENCY").map_or(256, |n| n.parse().unwrap());
    let (mut server, url) = start_server();
    let before = cpu(std::process::id()).unwrap_or_default();
    let bare = run_time.block_on(bare_loop(&url, calls, concurrency));
    let each = |cpu: Duration| cpu.as_micros() / calls as u128;
    let bare_cpu = each(cpu(std::process::id()).unwrap_or_default().saturating_sub(before));
    println!("{calls} calls, {concurrency} in flight");
    println!("bare loop of reqwest: {bare:.0} a second, {bare_cpu} µs of CPU a call");
    let folder = tempfile::TempDir::new().unwrap();
    write_ledger(&folder.path().join("calls.csv"), calls);
    let job = ["-q", "--input", "calls.csv", "--out", "details.parquet"];
    let sending = ["--endpoint", &url, "--rate", "1000000/s", "--concurrency", &concurrency.to_string()];
    let whole = reconcile(folder.path(), &[&job[..], &sending].concat());
    let again = reconcile(folder.path(), &[&job[..], &["--offline"]].concat());
    server.kill().unwrap();
    server.wait().unwrap();
    let rate = per_second(calls, whole.wall.saturating_sub(again.wall));
    let cpu = each(whole.cpu.saturating_sub(again.cpu));
    println!(
        "collect: {rate:.0} a second, {cpu} µs of CPU a call, {} MiB at most (the run without its publishing, which takes {:.2} s and, \
         in that run, {} MiB)",
        whole.peak_before_outputs_mib,
        again.wall.as_secs_f64(),
        whole.peak_mib
    );
    println!("collect / bare loop: {:.3}", rate / bare);
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

/// Answers every request of a connection alike. A request of this client is one head and a body of
/// the stated length.
async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
    let reply = format!("{head} {}\r\n\r\n{ANSWER}", ANSWER.len());
    let mut got = Vec::with_capacity(4_096);
    while stream.read_buf(&mut got).await.is_ok_and(|n| n > 0) {
        while let Some(length) = request_length(&got).filter(|length| got.len() >= *length) {
            got.drain(..length);
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Of the first request, once its head is there.
fn request_length(got: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(got).unwrap().split_once("\r\n\r\n")?.0;
    let body = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    Some(head.len() + 4 + body.map_or(0, |length| length.parse::<usize>().unwrap()))
}

/// The same client, a form of the same size, and each answer read to its end; requests a second.
async fn bare_loop(url: &str, requests: usize, at_once: usize) -> f64 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let form = "x=".to_owned() + &"1".repeat(400);
    let from = Instant::now();
    futures::stream::iter(0..requests)
        .for_each_concurrent(at_once, async |_| {
            let sent = client.post(url).body(form.clone()).send().await.unwrap();
            assert_eq!(sent.bytes().await.unwrap().len(), ANSWER.len());
        })
        .await;
    per_second(requests, from.elapsed())
}
