//! HTTP as it is: dying connections, slow bodies, redirects, proxies, TLS, and what may not go in clear text. Owns
//! nothing but its cases.

use std::process::Command;

use crate::support::provider::{Provider, Reply};
use crate::support::tls::{Front, file};
use crate::support::{Bench, Run, cell, column, id, ledger};

#[track_caller]
fn all_found(bench: &Bench, n: usize) {
    assert_eq!(column(&bench.details(), "status"), vec!["found"; n]);
    bench.summary().assert_foots();
}

/// Runs with more variables.
fn run_with(bench: &Bench, options: &[&str], variables: &[(&str, String)]) -> Run {
    let mut command: Command = bench.command(options);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    bench.start_command(command).wait()
}

#[test]
fn a_connection_that_dies_between_requests_costs_no_unaccounted_request() {
    for concurrency in ["1", "8"] {
        let bench = Bench::new(&ledger(120));
        bench.provider.by_default(Reply::record().then_close());
        bench.run(&["--concurrency", concurrency]).exits(0);
        all_found(&bench, 120);
        let (requests, seen) = (bench.summary().number("requests"), bench.provider.seen() as u64);
        // What the provider has seen is on record; what is on record may have met a dead connection, now and then.
        assert!(seen <= requests && requests <= 132, "{seen} seen, {requests} on record");
        bench.provider.assert_own_nonces();
    }
}

#[test]
fn a_reply_that_never_comes_is_not_sent_for_twice_behind_the_cap_s_back() {
    // The first requests of many connections are read and their connections closed: each must be on record.
    let bench = Bench::new(&ledger(30));
    for i in 0..30 {
        bench.provider.script(&id(i), [Reply::dropped()]);
    }
    bench.run(&["--concurrency", "16"]).exits(0);
    all_found(&bench, 30);
    assert_eq!(bench.provider.seen(), 60);
    assert_eq!(bench.summary().number("requests"), 60);
}

#[test]
fn a_body_that_dribbles_is_given_up_at_the_time_out() {
    let bench = Bench::new(&ledger(1));
    bench.provider.script(&id(0), [Reply::dribble()]);
    bench.run(&["--timeout", "600ms"]).exits(0);
    assert_eq!(bench.provider.seen(), 2);
    assert_eq!(cell(&bench.details()[0], "attempts"), "2");
}

#[test]
fn a_redirect_is_not_followed_and_ends_the_run_when_it_lasts() {
    let elsewhere = Provider::start();
    let bench = Bench::new(&ledger(5));
    let target = format!("{}/login?next=13812345678&sig=x", elsewhere.endpoint());
    bench.provider.by_default(Reply::empty(302).header("Location", &target));
    let run = bench.run(&["--concurrency", "1"]).exits(3).says(&elsewhere.endpoint()).says("--endpoint");
    assert!(!run.stderr.contains("/login") && !run.stderr.contains("sig="), "{}", run.stderr);
    assert_eq!((bench.provider.seen(), elsewhere.seen()), (2, 0));

    // A single one is a proxy's hiccup.
    bench.provider.by_default(Reply::record());
    bench.provider.script(&id(3), [Reply::empty(307).header("Location", "/elsewhere")]);
    bench.run(&["--concurrency", "1"]).exits(0);
    all_found(&bench, 5);
    assert_eq!(elsewhere.seen(), 0);
}

#[test]
fn http_beyond_this_machine_needs_to_be_allowed() {
    let bench = Bench::new(&ledger(3));
    let endpoint = ["--endpoint", "http://provider.test"];
    // The scripted provider is the proxy here.
    let proxy = [("HTTP_PROXY", bench.provider.endpoint())];
    run_with(&bench, &endpoint, &proxy).exits(2).says("clear text").says("--insecure-http");
    assert_eq!(bench.provider.seen(), 0);
    run_with(&bench, &[&endpoint[..], &["--insecure-http"]].concat(), &proxy).exits(0);
    all_found(&bench, 3);
    assert_eq!(bench.provider.seen(), 3);
}

#[test]
fn loopback_never_has_a_proxy_and_needs_no_leave() {
    let bench = Bench::new(&ledger(2));
    let nobody = "http://127.0.0.1:9".to_owned();
    let proxies = [("HTTP_PROXY", nobody.clone()), ("ALL_PROXY", nobody.clone()), ("http_proxy", nobody)];
    run_with(&bench, &[], &proxies).exits(0);
    all_found(&bench, 2);
}

#[test]
fn tls_trusts_the_authority_that_is_named() {
    let bench = Bench::new(&ledger(4));
    let front = Front::tls(bench.provider.port());
    let endpoint = format!("https://localhost:{}", front.port);
    let ca = file("ca.pem");
    bench.run(&["--endpoint", &endpoint, "--ca-file", ca.to_str().unwrap()]).exits(0);
    all_found(&bench, 4);
    assert_eq!(bench.provider.seen(), 4);
}

#[test]
fn a_certificate_that_is_not_trusted_ends_the_run_and_nothing_is_sent() {
    let bench = Bench::new(&ledger(4));
    let front = Front::tls(bench.provider.port());
    let ca = file("ca.pem");
    let (localhost, address) =
        (format!("https://localhost:{}", front.port), format!("https://127.0.0.1:{}", front.port));
    // Of an unknown authority; and of a known one, but for another name.
    for options in
        [&["--endpoint", &localhost][..], &["--endpoint", &address, "--ca-file", ca.to_str().unwrap()]]
    {
        let run = bench.run(&[options, &["--concurrency", "1"]].concat());
        run.exits(3).says("certificate").says("--ca-file").keeps_secrets(&bench.provider);
    }
    assert_eq!(bench.provider.seen(), 0);
    assert!(bench.output_bytes().iter().all(Option::is_none));
}

#[test]
fn a_file_of_certificates_that_is_none_is_refused() {
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
fn the_proxy_comes_from_the_environment_and_the_exceptions_too() {
    let bench = Bench::new(&ledger(3));
    let front = Front::tls(bench.provider.port());
    let proxy = Front::proxy(front.port);
    let ca = file("ca.pem");
    let options =
        ["--endpoint", "https://provider.test", "--ca-file", ca.to_str().unwrap(), "--concurrency", "1"];
    let https = ("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port));
    run_with(&bench, &options, std::slice::from_ref(&https)).exits(0);
    all_found(&bench, 3);
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| line == "CONNECT provider.test:443"), "{asked:?}");

    bench.write("calls.csv", &ledger(4));
    let exception = ("NO_PROXY", "provider.test".to_owned());
    let run = run_with(&bench, &[&options[..], &["--max-attempts", "1"]].concat(), &[https, exception]);
    // There is no such host.
    run.exits(4);
    assert_eq!(proxy.asked().len(), asked.len());
}
