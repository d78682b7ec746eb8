//! Real HTTP: closed connections, slow bodies, redirects, proxies, TLS and clear text.

use std::process::Command;

use crate::support::provider::{Provider, Reply};
use crate::support::tls::{Front, file};
use crate::support::{Bench, Run, cell, id, ledger};

/// Runs with additional variables.
fn run_with(bench: &Bench, options: &[&str], variables: &[(&str, String)]) -> Run {
    let mut command: Command = bench.command(options);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    bench.start_command(command).wait()
}

#[test]
fn a_closed_connection_causes_no_uncounted_request() {
    for concurrency in ["1", "8"] {
        let bench = Bench::new(&ledger(120));
        bench.provider.by_default(Reply::record().then_close());
        bench.run(&["--concurrency", concurrency]).exits(0);
        bench.assert_all_found(120);
        let (requests, seen) = (bench.summary().number("requests"), bench.provider.seen() as u64);
        // Every request that the provider saw is on record. A few recorded requests may have met a
        // closed connection.
        assert!(seen <= requests && requests <= 132, "{seen} seen, {requests} on record");
        bench.provider.assert_own_nonces();
    }
}

#[test]
fn a_dropped_request_is_only_repeated_as_a_counted_one() {
    // The provider reads the first request of each call and closes the connection. Each must be on
    // record.
    let bench = Bench::new(&ledger(30));
    for i in 0..30 {
        bench.provider.script(&id(i), [Reply::dropped()]);
    }
    bench.run(&["--concurrency", "16"]).exits(0);
    bench.assert_all_found(30);
    assert_eq!(bench.provider.seen(), 60);
    assert_eq!(bench.summary().number("requests"), 60);
}

#[test]
fn a_slow_body_ends_at_the_timeout() {
    let bench = Bench::new(&ledger(1));
    bench.provider.script(&id(0), [Reply::dribble()]);
    bench.run(&["--timeout", "600ms"]).exits(0);
    assert_eq!(bench.provider.seen(), 2);
    assert_eq!(cell(&bench.details()[0], "attempts"), "2");
}

#[test]
fn a_lasting_redirect_ends_the_run_and_is_never_followed() {
    let elsewhere = Provider::start();
    let bench = Bench::new(&ledger(5));
    let target = format!("{}/login?next=13812345678&sig=x", elsewhere.endpoint());
    bench.provider.by_default(Reply::empty(302).header("Location", &target));
    let run =
        bench.run(&["--concurrency", "1"]).exits(3).says(&elsewhere.endpoint()).says("check the endpoint");
    assert!(!run.stderr.contains("/login") && !run.stderr.contains("sig="), "{}", run.stderr);
    // Each call at most once, and the second attempt that stops the run.
    assert!(bench.provider.seen() <= 6, "{}", bench.provider.seen());
    assert_eq!(elsewhere.seen(), 0);

    // A single redirect may be a proxy's mistake.
    bench.provider.by_default(Reply::record());
    bench.provider.script(&id(3), [Reply::empty(307).header("Location", "/elsewhere")]);
    bench.run(&["--concurrency", "1"]).exits(0);
    bench.assert_all_found(5);
    assert_eq!(elsewhere.seen(), 0);
}

#[test]
fn http_to_another_machine_needs_permission() {
    let bench = Bench::new(&ledger(3));
    let endpoint = ["--endpoint", "http://provider.test"];
    // Here the scripted provider acts as the proxy.
    let proxy = [("HTTP_PROXY", bench.provider.endpoint())];
    run_with(&bench, &endpoint, &proxy).exits(2).says("clear text").says("insecure-http");
    assert_eq!(bench.provider.seen(), 0);
    run_with(&bench, &[&endpoint[..], &["--insecure-http"]].concat(), &proxy).exits(0);
    bench.assert_all_found(3);
    assert_eq!(bench.provider.seen(), 3);
}

#[test]
fn loopback_uses_no_proxy_and_needs_no_permission() {
    let bench = Bench::new(&ledger(2));
    let nobody = "http://127.0.0.1:9".to_owned();
    let proxies = [("HTTP_PROXY", nobody.clone()), ("ALL_PROXY", nobody.clone()), ("http_proxy", nobody)];
    run_with(&bench, &[], &proxies).exits(0);
    bench.assert_all_found(2);
}

#[test]
fn tls_trusts_the_named_authority() {
    let bench = Bench::new(&ledger(4));
    let front = Front::tls(bench.provider.port());
    let endpoint = format!("https://localhost:{}", front.port);
    let ca = file("ca.pem");
    bench.run(&["--endpoint", &endpoint, "--ca-file", ca.to_str().unwrap()]).exits(0);
    bench.assert_all_found(4);
    assert_eq!(bench.provider.seen(), 4);
}

#[test]
fn an_untrusted_certificate_ends_the_run_before_sending() {
    let bench = Bench::new(&ledger(4));
    let front = Front::tls(bench.provider.port());
    let ca = file("ca.pem");
    let (localhost, address) =
        (format!("https://localhost:{}", front.port), format!("https://127.0.0.1:{}", front.port));
    // A certificate of an unknown authority; then one of a known authority for another name.
    for options in
        [&["--endpoint", &localhost][..], &["--endpoint", &address, "--ca-file", ca.to_str().unwrap()]]
    {
        let run = bench.run(&[options, &["--concurrency", "1"]].concat());
        run.exits(3).says("certificate").says("ca-file").keeps_secrets(&bench.provider);
    }
    assert_eq!(bench.provider.seen(), 0);
    assert!(bench.output_bytes().iter().all(Option::is_none));
}

#[test]
fn an_invalid_file_of_certificates_is_refused() {
    let bench = Bench::new(&ledger(1));
    bench.write("empty.pem", "");
    bench.write("broken.pem", "-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n");
    bench.write("wrong.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let key = file("server.key");
    for name in ["empty.pem", "broken.pem", "wrong.pem", "missing.pem", key.to_str().unwrap()] {
        bench.run(&["--ca-file", name]).exits(2).says(name);
    }
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn proxy_and_exceptions_come_from_the_environment() {
    let bench = Bench::new(&ledger(3));
    let front = Front::tls(bench.provider.port());
    let proxy = Front::proxy(front.port);
    let ca = file("ca.pem");
    let options =
        ["--endpoint", "https://provider.test", "--ca-file", ca.to_str().unwrap(), "--concurrency", "1"];
    let https = ("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port));
    run_with(&bench, &options, std::slice::from_ref(&https)).exits(0);
    bench.assert_all_found(3);
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| line == "CONNECT provider.test:443"), "{asked:?}");

    bench.write("calls.csv", &ledger(4));
    let exception = ("NO_PROXY", "provider.test".to_owned());
    let run = run_with(&bench, &[&options[..], &["--max-duration", "2s"]].concat(), &[https, exception]);
    // There is no such host.
    run.exits(4).says("cannot resolve provider.test");
    assert_eq!(proxy.asked().len(), asked.len());
}
