//! Providers that cannot be reached, over real connections: requests spent, exit code and words.

use std::time::{Duration, Instant};

use crate::support::provider::{DEAD_ENDPOINT, Reply};
use crate::support::tls::{Front, file};
use crate::support::{Bench, Running, column, ledger, wait_until};

/// A folder with the outputs of an earlier night, and a larger ledger.
fn after_a_good_night() -> Bench {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(200));
    bench
}

fn start(bench: &Bench, endpoint: &str, proxy: Option<String>) -> Running {
    let mut command = bench.command(&["--endpoint", endpoint, "--rate", "1000/min"]);
    command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
    bench.start_command(command)
}

#[test]
fn a_provider_never_reached_ends_the_run_with_its_cause() {
    let proxy = Front::refusing_proxy();
    let cases = [
        ("https://nowhere.invalid", None, "cannot resolve nowhere.invalid"),
        (DEAD_ENDPOINT, None, "connection refused"),
        ("https://provider.test", Some(proxy.port), "the proxy refused (407)"),
    ];
    // They run at the same time, because each takes 45 seconds.
    let runs: Vec<_> = cases
        .iter()
        .map(|(endpoint, proxy, cause)| {
            let bench = after_a_good_night();
            let old = bench.output_bytes();
            let running = start(&bench, endpoint, proxy.map(|port| format!("http://127.0.0.1:{port}")));
            (bench, old, running, cause)
        })
        .collect();
    for (bench, old, running, cause) in runs {
        let run = running.wait().exits(3).says("the provider cannot be reached").says(cause);
        assert_eq!(run.stderr.matches("nothing else is sent until it answers").count(), 1, "{}", run.stderr);
        assert_eq!(bench.output_bytes(), old, "the old outputs stand");
        let requests = bench.number_in_store("SELECT count(*) FROM request") - 2;
        assert!((2..=20).contains(&requests), "{cause}: {requests} requests");
    }
    assert!((2..=20).contains(&proxy.asked().len()), "{:?}", proxy.asked());
}

#[test]
fn a_certificate_of_a_stranger_ends_the_run_at_once() {
    let bench = after_a_good_night();
    let old = bench.output_bytes();
    let front = Front::tls(bench.provider.port());
    let began = Instant::now();
    let run = start(&bench, &format!("https://localhost:{}", front.port), None).wait();
    run.exits(3).says("TLS: the certificate is not trusted").says("ca-file");
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(bench.number_in_store("SELECT count(*) FROM request") - 2 <= 6);
    assert_eq!((bench.provider.seen(), bench.output_bytes()), (2, old));
    // With its authority the same ledger is answered.
    let (endpoint, ca) = (format!("https://localhost:{}", front.port), file("ca.pem"));
    bench.run(&["--endpoint", &endpoint, "--ca-file", ca.to_str().unwrap()]).exits(0);
    bench.assert_all_found(200);
}

#[test]
fn an_outage_in_the_middle_of_a_run_costs_no_call() {
    let bench = Bench::new(&ledger(200));
    bench.provider.by_default(Reply::record().after(Duration::from_millis(20)));
    let running = bench.start(&["--max-attempts", "2", "--concurrency", "2"]);
    bench.provider.wait_for(50);
    let before = bench.provider.seen();
    bench.provider.by_default(Reply::html(503));
    // Three requests begin the outage. The pauses before the probes are 1, 2, 4 and 8 seconds.
    wait_until("some probes failed", || bench.provider.seen() >= before + 7);
    bench.provider.by_default(Reply::record());
    running.wait().exits(0).says("the provider does not answer: HTTP 503").says("answers again");
    bench.assert_all_found(200);
    let notes = bench.summary().0["notes"].to_string();
    assert!(notes.contains("could not be reached") && notes.contains("HTTP 503"), "{notes}");
}

#[test]
fn a_deadline_ends_a_run_in_an_outage() {
    let bench = Bench::new(&ledger(30));
    bench.run(&["--endpoint", DEAD_ENDPOINT, "--max-duration", "3s"]).exits(4).says("maximum duration");
    assert_eq!(column(&bench.details(), "status"), ["deferred"; 30]);
    bench.summary().assert_totals();
}
