//! An answer belongs to its question: one connection a request, and the record's CallId decides.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::provider::{Reply, detail};
use crate::support::{Bench, cell, column, id, ledger};

/// What a server does with a request, given its CallId; returns false to close the connection.
type Answering = dyn Fn(&mut TcpStream, &str) -> bool + Send + Sync;

/// A server that counts its connections and the requests in them.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(answering: impl Fn(&mut TcpStream, &str) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        let answering: Arc<Answering> = Arc::new(answering);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let (requests, answering) = (requests.clone(), answering.clone());
                thread::spawn(move || serve(stream, &requests, answering.as_ref()));
            }
        });
        server
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn serve(mut stream: TcpStream, requests: &AtomicUsize, answering: &Answering) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(call_id) = read(&mut reader) {
        requests.fetch_add(1, Ordering::Relaxed);
        if !answering(&mut stream, &call_id) {
            return;
        }
    }
}

/// The CallId of the next request; `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        assert!(!lower.starts_with("connection:") || lower.trim_end() == "connection: close", "{line}");
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    let value = body.split('&').find_map(|pair| pair.strip_prefix("CallId="))?;
    Some(value.replace("%5E", "^"))
}

/// A whole response with the record of this call; without its CallId if `named` is false.
fn response(call_id: &str, named: bool) -> Vec<u8> {
    let mut data = detail(call_id);
    if !named {
        data.as_object_mut().unwrap().remove("callId");
    }
    let body = serde_json::json!({"Code": "OK", "Message": "OK", "RequestId": "R", "Data": data.to_string()});
    let body = body.to_string();
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn a_stray_second_response_answers_no_other_request() {
    for named in [true, false] {
        // Every response is followed by another call's, at once or a millisecond later.
        let server = Server::start(move |stream, call_id| {
            let stray = response(&id(10_000 + call_id.len()), named);
            let late = call_id.ends_with(['1', '3', '5']);
            let first = response(call_id, named);
            if late {
                stream.write_all(&first).unwrap();
                thread::sleep(Duration::from_millis(1));
                // The client may be gone.
                let _ = stream.write_all(&stray);
            } else {
                let _ = stream.write_all(&[first, stray].concat());
            }
            true
        });
        let bench = Bench::new(&ledger(300));
        bench.run(&["--endpoint", &server.endpoint()]).exits(0);
        let details = bench.details();
        for (i, row) in details.iter().enumerate() {
            let expected = crate::support::provider::talk_seconds(&id(i)).to_string();
            assert_eq!(cell(row, "duration_s"), expected, "{}", id(i));
        }
        assert_eq!(column(&details, "attempts"), vec!["1"; 300]);
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        assert_eq!((count(&server.connections), count(&server.requests)), (300, 300));
    }
}

#[test]
fn a_record_of_another_call_is_asked_for_once_more() {
    let bench = Bench::new(&ledger(4));
    let other = Reply::ok(&detail(&id(77)));
    // Once: right afterwards. Twice: kept as inconsistent. Then an error: the next run asks again.
    bench.provider.script(&id(1), [other.clone()]);
    bench.provider.script(&id(2), [other.clone(), other.clone()]);
    bench.provider.script(&id(3), [other, Reply::empty(503), Reply::empty(503), Reply::empty(503)]);
    bench.run(&["--max-attempts", "4"]).exits(4);
    let details = bench.details();
    assert_eq!(column(&details, "status"), ["found", "found", "found", "failed"]);
    assert_eq!(column(&details, "attempts"), ["1", "2", "2", "4"]);
    let kinds: Vec<(String, String)> = bench.kinds();
    assert_eq!(kinds, [("inconsistent".into(), "call_id".into()), ("failed".into(), String::new())]);
    let summary = bench.summary();
    assert_eq!((summary.number("first_tries"), summary.number("retries")), (4, 5));
    summary.assert_totals();

    // A record that was found again with another id counts once more.
    bench.run(&["--max-attempts", "4"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 4]);
}

#[test]
fn with_one_attempt_a_record_of_another_call_is_kept() {
    let bench = Bench::new(&ledger(1));
    bench.provider.by_default(Reply::ok(&detail(&id(77))));
    bench.run(&["--max-attempts", "1"]).exits(0);
    assert_eq!(bench.kinds(), [("inconsistent".into(), "call_id".into())]);
    assert_eq!(bench.provider.seen(), 1);
}

#[test]
fn forty_thousand_equal_headers_cost_no_time() {
    let server = Server::start(|stream, call_id| {
        let body = response(call_id, true);
        let (status, rest) = body.split_at("HTTP/1.1 200 OK\r\n".len());
        let headers = "X-Same: y\r\n".repeat(40_000);
        let _ = stream.write_all(&[status, headers.as_bytes(), rest].concat());
        false
    });
    let bench = Bench::new(&ledger(1));
    let began = std::time::Instant::now();
    bench.run(&["--endpoint", &server.endpoint(), "--max-attempts", "2"]).exits(4).says("failed on every");
    assert_eq!(cell(&bench.details()[0], "error_code"), "transport");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn endless_interim_responses_end_at_the_timeout() {
    let server = Server::start(|stream, _| {
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n").is_ok() {}
        false
    });
    let bench = Bench::new(&ledger(1));
    let began = std::time::Instant::now();
    let options = ["--endpoint", &server.endpoint(), "--max-attempts", "1", "--timeout", "1s"];
    bench.run(&options).exits(4);
    // Without optimization, reading what came until then takes seconds.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn an_endpoint_in_capitals_works_again_and_again() {
    let bench = Bench::new(&ledger(2));
    let endpoint = bench.provider.endpoint().replace("http://", "HTTP://");
    for refresh in [&[][..], &["--refresh"], &["--refresh"]] {
        bench.provider.by_default(Reply::record().header("x-reconcile-sandbox", "1"));
        bench.run(&[&["--endpoint", endpoint.as_str()], refresh].concat()).exits(0);
    }
    assert_eq!(bench.provider.seen(), 6);
}
