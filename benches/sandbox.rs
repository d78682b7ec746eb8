//! How many requests per second the sandbox serves, with its client on the same machine.
//!
//! The release binary is the server. The client has sixteen connections. It signs every request and
//! reads every answer to its end. Every answer must be `OK`. `SECONDS_LONG` sets the duration of
//! each measurement (3).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use reconcile::provider::sign;

const CONNECTIONS: u64 = 16;

/// A running server; it stops when the value is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the sandbox with these options and a cap that never limits.
fn serve(options: &[&str]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(["sandbox", "--port", "0", "--cap", "1000000/s"]).args(options).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let first = BufReader::new(process.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    let address = first.split("http://").nth(1).unwrap().split(',').next().unwrap().to_owned();
    Server { process, address }
}

/// The signed form of the request with this number.
fn form(no: u64) -> String {
    let nonce = format!("bench-{}-{no}", std::process::id());
    let call_id =
        format!("{:012}^{:012}", 116_014_888_060 + no % 1_000_000, 102_816_313_060 + no % 1_000_000);
    let timestamp = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut params = vec![
        ("AccessKeyId", "testid"),
        ("Action", "QueryCallDetailByCallId"),
        ("CallId", &call_id),
        ("Format", "JSON"),
        ("ProdId", "11000000300006"),
        ("QueryDate", "1793894400000"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", &nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &timestamp),
        ("Version", "2017-05-25"),
    ];
    let signature = sign::signature("POST", &params, "testsecret");
    params.push(("Signature", &signature));
    sign::encode_pairs(&params)
}

/// Sends requests over one connection until this time. Returns their number.
fn ask(address: &str, next: &AtomicU64, until: Instant) -> u64 {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream.get_ref().set_nodelay(true).unwrap();
    let (mut done, mut line, mut body) = (0, String::new(), Vec::new());
    while Instant::now() < until {
        let form = form(next.fetch_add(1, Ordering::Relaxed));
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).unwrap();
        assert!(body.windows(11).any(|w| w == b"\"Code\":\"OK\""), "{}", String::from_utf8_lossy(&body));
        done += 1;
    }
    done
}

fn main() {
    let seconds = std::env::var("SECONDS_LONG").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
    for (name, options) in [
        ("without faults", &[][..]),
        ("with faults that never occur", &["--faults", "503=0%,cut=0%,late=0s"]),
    ] {
        let server = serve(options);
        let (next, begin) = (AtomicU64::new(0), Instant::now());
        let until = begin + Duration::from_secs(seconds);
        let done: u64 = std::thread::scope(|scope| {
            let ask = || ask(&server.address, &next, until);
            let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let rate = done as f64 / begin.elapsed().as_secs_f64();
        println!("{name:<32} {rate:>10.0} requests per second ({done} in {:.1?})", begin.elapsed());
    }
}
