//! `--metrics-push`: the metrics at a Pushgateway.

use std::time::{Duration, Instant};

use super::metrics_and_notify::{samples, value};
use crate::support::gateway::{Gateway, Push};
use crate::support::provider::Reply;
use crate::support::{Bench, ledger, wait_until};

const GROUP: &str = "/metrics/job/reconcile/instance/calls";

/// The value of a metric without labels in a pushed text.
#[track_caller]
fn number(push: &Push, name: &str) -> f64 {
    let line = push.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {}", push.body)).parse().unwrap()
}

#[test]
fn a_run_pushes_the_text_of_the_metrics_file() {
    let (bench, gateway) = (Bench::new(&ledger(5)), Gateway::start());
    let run = bench.run(&["-q", "--metrics-file", "r.prom", "--metrics-push", &gateway.url()]).exits(0);
    assert_eq!(run.stderr, "");
    let requests = gateway.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "/metrics"));
    let pushed = gateway.pushed();
    assert_eq!(pushed.len(), requests.len() - 1, "{requests:?}");
    for push in &pushed {
        assert_eq!(push.path, GROUP);
        assert!(
            push.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
            "{}",
            push.head
        );
    }
    let last = pushed.last().unwrap();
    assert_eq!(last.body, std::fs::read_to_string(bench.path("r.prom")).unwrap());
    bench.write("pushed.prom", &last.body);
    let found = samples(&bench.path("pushed.prom"));
    for (name, expected) in [
        ("reconcile_run_active", 0.0),
        ("reconcile_calls{status=found}", 5.0),
        ("reconcile_last_exit_code", 0.0),
    ] {
        assert!((value(&found, name) - expected).abs() < 1e-9, "{name}: {found:?}");
    }
}

#[test]
fn a_run_pushes_when_it_begins() {
    let (bench, gateway) = (Bench::new(&ledger(5)), Gateway::start());
    bench.provider.hold_replies();
    let run = bench.start(&["--metrics-push", &gateway.url()]);
    wait_until("the beginning was pushed", || {
        gateway.pushed().iter().any(|push| push.body.contains("\nreconcile_run_active 1\n"))
    });
    bench.provider.send_replies();
    run.wait().exits(0);
    assert!(number(gateway.pushed().last().unwrap(), "reconcile_run_active") < 0.5);
}

#[test]
fn a_push_keeps_what_only_an_earlier_run_knew() {
    let (bench, gateway) = (Bench::new(&ledger(3)), Gateway::start());
    bench.run(&["--metrics-push", &gateway.url()]).exits(0);
    let success = number(gateway.pushed().last().unwrap(), "reconcile_last_success_timestamp_seconds");
    let earlier = gateway.pushed().len();

    bench.write("calls.csv", &ledger(4));
    bench.provider.by_default(Reply::code(404, "InvalidAccessKeyId.NotFound", "no such key"));
    bench.run(&["--metrics-push", &gateway.url()]).exits(3);
    let pushed = gateway.pushed().split_off(earlier);
    assert!(!pushed.is_empty());
    for push in &pushed {
        let kept = number(push, "reconcile_last_success_timestamp_seconds");
        assert!((kept - success).abs() < 1e-9, "{}", push.body);
        assert!(push.body.contains("reconcile_calls{status=\"found\"} 3\n"), "{}", push.body);
    }
    assert!((number(pushed.last().unwrap(), "reconcile_last_exit_code") - 3.0).abs() < 1e-9);
}

#[test]
fn a_gateway_that_cannot_be_read_gets_the_metrics() {
    // 404 and 501 say that this service only takes metrics; after 503 reading is tried again.
    for (status, has_pushed) in [(404, true), (501, true), (503, false)] {
        let (bench, gateway) = (Bench::new(&ledger(1)), Gateway::start());
        gateway.answer(status);
        bench.provider.hold_replies();
        let run = bench.start(&["--metrics-push", &gateway.url()]);
        wait_until("the push has failed", || {
            let answered = gateway.requests().len() > usize::from(has_pushed);
            answered && run.stderr_so_far().contains(&format!("HTTP {status}"))
        });
        assert_eq!(!gateway.pushed().is_empty(), has_pushed, "{status}");
        bench.provider.send_replies();
        run.wait().exits(0);
        // The last push does without.
        assert!(!gateway.pushed().is_empty(), "{status}");
    }
}

#[test]
fn a_failed_push_changes_nothing_but_one_warning() {
    let (bench, gateway) = (Bench::new(&ledger(3)), Gateway::start());
    gateway.answer(400);
    let refused = "http://127.0.0.1:1".to_owned();
    for (url, reason) in [(gateway.url(), "HTTP 400"), (refused, "refused")] {
        let run = bench.run(&["-q", "--metrics-push", &url]).exits(0).says(reason);
        assert_eq!(
            run.stderr.matches("cannot push the metrics to http://127.0.0.1:").count(),
            1,
            "{}",
            run.stderr
        );
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{}", run.stderr);
        bench.assert_all_found(3);
    }
}

#[test]
fn a_silent_gateway_delays_only_the_end_and_only_by_seconds() {
    let (bench, gateway) = (Bench::new(&ledger(3)), Gateway::start());
    gateway.answer(0);
    let started = Instant::now();
    bench.run(&["-q", "--metrics-push", &gateway.url()]).exits(0).says("no answer in");
    // The promise is six seconds; a busy machine needs some more for the run itself.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    bench.assert_all_found(3);
}

#[test]
fn user_and_password_are_sent_and_never_shown() {
    let (bench, gateway) = (Bench::new(&ledger(1)), Gateway::start());
    let url = format!("http://me:s3cr%2Fet@127.0.0.1:{}/gw", gateway.port());
    let run = bench.run(&["--metrics-push", &url, "-v"]).exits(0);
    // base64 of me:s3cr/et, in lower case
    let basic = "authorization: basic bwu6cznjci9lda==";
    let sent = gateway.requests().iter().all(|request| request.head.contains(basic));
    let heads: Vec<String> = gateway.requests().into_iter().map(|request| request.head).collect();
    assert!(sent, "{heads:?}");
    assert_eq!(gateway.pushed()[0].path, format!("/gw{GROUP}"));
    gateway.answer(401);
    let failed = bench.run(&["--metrics-push", &url]).exits(0).says("HTTP 401");
    let dump = bench.run_exactly(&["config"], &[("RECONCILE_METRICS_PUSH", &url)]).stdout;
    assert!(dump.contains("# metrics-push is set, and not shown"), "{dump}");
    let files = Bench::outputs()
        .map(|name| String::from_utf8_lossy(&std::fs::read(bench.path(name)).unwrap()).into_owned());
    for text in [run.stderr, failed.stderr, dump].iter().chain(&files) {
        assert!(!text.contains("s3cr") && !text.contains("://me"), "{text}");
    }
}

#[test]
fn a_start_that_is_refused_pushes_nothing() {
    let (bench, gateway) = (Bench::new(&ledger(2)), Gateway::start());
    bench.provider.hold_replies();
    let first = bench.start(&[]);
    bench.provider.wait_for(1);
    bench.run(&["--metrics-push", &gateway.url()]).exits(5);
    bench.run(&["--metrics-push", &gateway.url(), "--input", "nowhere.csv"]).exits(2);
    assert!(gateway.requests().is_empty());
    first.kill();
}

#[test]
fn a_wrong_url_is_refused_without_its_secret() {
    let bench = Bench::new(&ledger(1));
    for (url, words) in [
        ("http://me:s3cret@push.example.com:9091", "is not encrypted"),
        ("ftp://me:s3cret@push.example.com", "does not start with http"),
        ("push.example.com:9091/s3cret", "does not start with http"),
        ("https://s3cret@push.example.com/metrics/job/night/team", "a label is without a value"),
    ] {
        let run = bench.run(&["--metrics-push", url]).exits(2).says(words).says("to do: ");
        assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
    }
    assert_eq!(bench.provider.seen(), 0);
}
