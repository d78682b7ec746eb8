//! Monitoring of runs: the Prometheus textfile and the summary posted at the end.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::provider::Reply;
use crate::support::rust_files::root;
use crate::support::{Bench, ledger, read_post, venv};

/// Metric names with labels, as Prometheus writes them, and their values.
pub(super) type Samples = Vec<(String, f64)>;

/// The samples of the file as prometheus-client reads them; a file that it cannot read fails the
/// test.
pub(super) fn samples(path: &Path) -> Samples {
    let script = "import json, sys\n\
        from prometheus_client.parser import text_string_to_metric_families as read\n\
        text = open(sys.argv[1]).read()\n\
        found = []\n\
        for f in read(text):\n\
        \x20   assert f.documentation and f.type in ('counter', 'gauge'), f\n\
        \x20   assert f.type == 'gauge' or all(s.name.endswith('_total') for s in f.samples), f\n\
        \x20   found += [[s.name + ''.join(f'{{{k}={v}}}' for k, v in s.labels.items()), s.value] for s in f.samples]\n\
        assert text.endswith('\\n') and len({n for n, _ in found}) == len(found)\n\
        print(json.dumps(found))";
    let mut command = venv::command("python");
    command.args(["-c", script]).arg(path);
    serde_json::from_str(&venv::output(&mut command, "the metrics file is read by prometheus-client"))
        .unwrap()
}

#[track_caller]
pub(super) fn value(samples: &Samples, name: &str) -> f64 {
    let found = samples.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} in {samples:?}")).1
}

#[test]
fn the_metrics_file_says_what_happened_in_the_run() {
    let bench = Bench::new(&ledger(20));
    bench
        .provider
        .script(&crate::support::id(3), [Reply::code(429, "Throttling.User", "slow down"), Reply::record()]);
    bench.run(&["--metrics-file", "r.prom"]).exits(0);
    let found = samples(&bench.path("r.prom"));
    for (name, expected) in [
        ("reconcile_run_active", 0.0),
        ("reconcile_calls_to_ask", 20.0),
        ("reconcile_answers_total{kind=final}", 20.0),
        ("reconcile_requests_total{code=OK}", 20.0),
        ("reconcile_requests_total{code=Throttling.User}", 1.0),
        ("reconcile_throttles_total", 1.0),
        ("reconcile_cap_requests", 100_000.0),
        ("reconcile_cap_window_seconds", 60.0),
        ("reconcile_calls{status=found}", 20.0),
        ("reconcile_discrepancies{kind=mismatch}", 0.0),
        ("reconcile_last_exit_code", 0.0),
        ("reconcile_eta_seconds", 0.0),
    ] {
        assert!((value(&found, name) - expected).abs() < 1e-9, "{name}: {found:?}");
    }
    let ended = value(&found, "reconcile_last_run_ended_timestamp_seconds");
    assert!((value(&found, "reconcile_last_success_timestamp_seconds") - ended).abs() < 1e-9);
}

#[test]
fn the_metrics_file_shows_progress_and_the_last_success() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--metrics-file", "r.prom"]).exits(0);
    let success = value(&samples(&bench.path("r.prom")), "reconcile_last_success_timestamp_seconds");

    bench.write("calls.csv", &ledger(200));
    bench.provider.by_default(Reply::stall());
    let running = bench.start(&["--metrics-file", "r.prom", "--rate", "10/min", "--timeout", "60s"]);
    bench.provider.wait_for(3);
    let found = samples(&bench.path("r.prom"));
    assert!(value(&found, "reconcile_run_active") > 0.5);
    assert!((value(&found, "reconcile_calls_to_ask") - 199.0).abs() < 1e-9);
    assert!(value(&found, "reconcile_eta_seconds") >= 18.0 * 60.0, "{found:?}");
    assert!((value(&found, "reconcile_last_success_timestamp_seconds") - success).abs() < 1e-9);
    // A second run is refused and leaves the file to the first.
    let before = std::fs::read(bench.path("r.prom")).unwrap();
    bench.run(&["--metrics-file", "r.prom"]).exits(5);
    assert_eq!(std::fs::read(bench.path("r.prom")).unwrap(), before);
    running.kill();

    bench.provider.by_default(Reply::code(404, "InvalidAccessKeyId.NotFound", "no such key"));
    bench.run(&["--metrics-file", "r.prom"]).exits(3);
    let found = samples(&bench.path("r.prom"));
    assert!(value(&found, "reconcile_run_active") < 0.5);
    assert!((value(&found, "reconcile_last_exit_code") - 3.0).abs() < 1e-9);
    assert!((value(&found, "reconcile_last_success_timestamp_seconds") - success).abs() < 1e-9);
    assert!((value(&found, "reconcile_calls{status=found}") - 1.0).abs() < 1e-9, "the old outputs stay");
}

#[test]
fn an_unwritable_metrics_file_is_refused_or_warned_of() {
    let bench = Bench::new(&ledger(2));
    bench.write("notes.txt", "a user's notes");
    for (path, words) in [
        ("nowhere/r.prom", "in a folder that does not exist"),
        ("home", "is a folder"),
        ("calls.csv", "the same file as"),
        ("notes.txt", "is another kind of file"),
        ("details.parquet", "the same file as"),
    ] {
        bench.run(&["--metrics-file", path]).exits(2).says(words).says("to do: ");
    }
    assert_eq!(bench.provider.seen(), 0);
    // A folder in place of the temporary file; not even root can write through it.
    std::fs::create_dir(bench.path(".r.prom.unfinished")).unwrap();
    let run =
        bench.run(&["-q", "--metrics-file", "r.prom"]).exits(0).says("cannot write the metrics file r.prom");
    assert_eq!(run.stderr.matches("cannot write the metrics file").count(), 1, "{}", run.stderr);
}

#[test]
fn of_two_runs_with_one_metrics_file_the_first_writes_it() {
    let bench = Bench::new(&ledger(2));
    bench.provider.hold_replies();
    let first = bench.start(&["--metrics-file", "r.prom", "--timeout", "60s"]);
    bench.provider.wait_for(2);
    let second = bench.start(&["--metrics-file", "r.prom", "--store", "other.db", "--out", "other.parquet"]);
    bench.provider.wait_for(4);
    let of_first = std::fs::read(bench.path("r.prom")).unwrap();
    second.signal("TERM");
    let killed = bench.start(&["--metrics-file", "r.prom", "--store", "third.db", "--out", "third.parquet"]);
    bench.provider.wait_for(6);
    assert_eq!(std::fs::read(bench.path("r.prom")).unwrap(), of_first);
    assert!(killed.kill());
    bench.provider.send_replies();
    let second = second.wait();
    assert_eq!(
        second.stderr.matches("another run writes the metrics file r.prom").count(),
        1,
        "{}",
        second.stderr
    );
    first.wait().exits(0);
    let found = samples(&bench.path("r.prom"));
    assert!(value(&found, "reconcile_last_exit_code") < 0.5 && value(&found, "reconcile_run_active") < 0.5);
    assert!(!bench.path(".r.prom.unfinished").exists());
    // After a kill the file is free.
    bench.provider.hold_replies();
    let killed = bench.start(&["--metrics-file", "r.prom", "--refresh", "--timeout", "60s"]);
    bench.provider.wait_for(8);
    assert!(killed.kill());
    bench.provider.send_replies();
    let run = bench.run(&["--metrics-file", "r.prom", "--refresh"]).exits(0);
    assert!(!run.stderr.contains("metrics file"), "{}", run.stderr);
    assert!(!bench.path(".r.prom.unfinished").exists());
}

#[test]
fn the_sample_metrics_match_their_snapshot() {
    let receipts = root().join("sample-data/receipts.jsonl").display().to_string();
    let options = ["--metrics-file", "r.prom", "--receipts", &receipts, "--receipts-trust", "none"];
    let bench = crate::house::readme::sample_run_with(&options);
    let text = std::fs::read_to_string(bench.path("r.prom")).unwrap();
    let varies = |line: &str| line.contains("_timestamp_seconds ") || line.contains("_duration_seconds ");
    let lines = text.lines().map(|line| match line.rsplit_once(' ') {
        Some((name, _)) if varies(line) && !line.starts_with('#') => format!("{name} [varies]"),
        _ => line.to_owned(),
    });
    crate::support::snapshot::shows("metrics", &lines.collect::<Vec<_>>().join("\n"));
}

/// A server that records every post. It answers with these statuses in order; the last one repeats.
struct Hook {
    port: u16,
    posted: Arc<Mutex<Vec<(String, String)>>>,
}

impl Hook {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, posted) = (listener.local_addr().unwrap().port(), Arc::default());
        let keeps = Arc::clone(&posted);
        std::thread::spawn(move || {
            for (i, stream) in listener.incoming().flatten().enumerate() {
                let (head, body) = read_post(&stream);
                let posted: &Mutex<Vec<_>> = &keeps;
                posted.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
                match statuses[i.min(statuses.len() - 1)] {
                    // Never replies; the connection is closed with the process.
                    0 => std::mem::forget(stream),
                    status => {
                        let reply =
                            format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                        (&stream).write_all(reply.as_bytes()).unwrap();
                    }
                }
            }
        });
        Self { port, posted }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=t0ken", self.port)
    }

    fn posted(&self) -> Vec<(String, String)> {
        self.posted.lock().unwrap().clone()
    }
}

#[test]
fn a_run_that_wrote_its_files_posts_the_summary() {
    let (bench, hook) = (Bench::new(&ledger(3)), Hook::start(&[204]));
    bench.run(&["-q", "--notify-url", &hook.url()]).exits(0);
    let [(head, body)] = hook.posted().try_into().unwrap();
    assert!(head.starts_with("POST /hook?key=t0ken HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("x-reconcile-exit-code: 0"), "{head}");
    assert_eq!(body, std::fs::read_to_string(bench.path("details.summary.json")).unwrap());

    bench.run(&["-q", "--notify-url", &hook.url(), "--refresh", "--max-duration", "1ns"]).exits(4);
    let (_, body) = hook.posted().pop().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["complete"], false);
}

#[test]
fn a_failed_run_posts_what_happened_and_what_to_do() {
    let (bench, hook) = (Bench::new(&ledger(3)), Hook::start(&[200]));
    bench.provider.by_default(Reply::code(404, "InvalidAccessKeyId.NotFound", "no such key"));
    bench.run(&["-q", "--notify-url", &hook.url()]).exits(3);
    let posted: Value = serde_json::from_str(&hook.posted().pop().unwrap().1).unwrap();
    assert_eq!((posted["error"].as_str(), posted["exit_code"].as_u64()), (Some("fatal"), Some(3)));
    assert!(posted["what"].as_str().unwrap().contains("InvalidAccessKeyId.NotFound"), "{posted}");
    assert!(posted["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{posted}");
    assert_eq!(posted["run_id"].as_str().map(str::len), Some(36), "{posted}");

    bench.run(&["-q", "--notify-url", &hook.url(), "--input", "nowhere.csv"]).exits(2);
    let posted: Value = serde_json::from_str(&hook.posted().pop().unwrap().1).unwrap();
    assert_eq!((posted["exit_code"].as_u64(), &posted["run_id"]), (Some(2), &Value::Null));
}

#[test]
fn a_failed_post_is_tried_again_and_keeps_the_exit_code() {
    // Statuses, number of posts, and words of the message.
    let cases: [(&'static [u16], usize, Option<&str>); 4] = [
        (&[503, 200], 2, None),
        (&[500], 2, Some("HTTP 500")),
        (&[403], 1, Some("HTTP 403")),
        (&[307], 1, Some("HTTP 307")),
    ];
    for (statuses, times, said) in cases {
        let (bench, hook) = (Bench::new(&ledger(1)), Hook::start(statuses));
        let run = bench.run(&["-q", "--notify-url", &hook.url()]).exits(0);
        assert_eq!(hook.posted().len(), times, "{statuses:?}");
        match said {
            None => assert_eq!(run.stderr, ""),
            Some(words) => {
                assert!(run.stderr.contains(words) && !run.stderr.contains("t0ken"), "{}", run.stderr)
            }
        }
    }
    let bench = Bench::new(&ledger(1));
    let run = bench
        .run(&["-q", "--notify-url", "http://127.0.0.1:1/t0ken"])
        .exits(0)
        .says("cannot post the result");
    assert!(!run.stderr.contains("t0ken"), "{}", run.stderr);
}

#[test]
fn a_silent_hook_delays_the_end_by_at_most_twenty_seconds() {
    let (bench, hook) = (Bench::new(&ledger(1)), Hook::start(&[0]));
    let started = Instant::now();
    bench.run(&["-q", "--notify-url", &hook.url()]).exits(0).says("no answer in ten seconds");
    assert_eq!(hook.posted().len(), 2);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(bench.path("details.parquet").exists());
}
