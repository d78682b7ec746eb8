//! The store in PostgreSQL: the same outputs as with a file, the same commands, and what a user
//! learns when it cannot be used.
#![cfg(unix)]

use std::fs;

use serde_json::Value;

use crate::support::postgres::{Database, PASSWORD};
use crate::support::provider::Reply;
use crate::support::{Bench, Run, ledger, tls, wait_until};

/// The commands that name a store run without other variables than these.
fn command(bench: &Bench, arguments: &[&str]) -> Run {
    bench.run_exactly(arguments, &[("HOME", bench.path("home").to_str().unwrap())])
}

/// The summary without what differs between two runs.
fn comparable_summary(bench: &Bench) -> Value {
    let mut summary = bench.summary().0;
    let differs = ["run_id", "started_at", "finished_at", "elapsed_s", "cap_use", "files", "trend"];
    let object = summary.as_object_mut().unwrap();
    object.retain(|name, _| !differs.contains(&name.as_str()));
    summary
}

#[test]
fn the_outputs_are_those_of_a_run_with_a_file() {
    let Some(database) = Database::create() else { return };
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-data/calls.csv");
    let outputs = |store: &str| {
        let bench = Bench::new("");
        bench.run(&["--sandbox", "--input", sample, "--store", store]).exits(0);
        assert!(bench.output_bytes().iter().all(Option::is_some));
        (bench.comparable_outputs(), comparable_summary(&bench))
    };
    let (with_file, with_database) = (outputs("reconcile.db"), outputs(&database.url()));
    assert_eq!(with_database.0, with_file.0);
    assert!(with_database.1 == with_file.1, "{:#}\n{:#}", with_database.1, with_file.1);
}

#[test]
fn a_settled_call_is_not_asked_again() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(30));
    for _ in 0..2 {
        bench.run(&["--store", &database.url()]).exits(0);
        bench.assert_all_found(30);
        assert_eq!(bench.provider.seen(), 30);
    }
    assert!(!bench.path("reconcile.db").exists());
}

#[test]
fn a_killed_run_repeats_at_most_what_was_in_flight() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(200));
    bench.provider.by_default(Reply::record().after(std::time::Duration::from_millis(20)));
    // The places of a dead run rest for two timeouts and one window.
    let (url, soon) = (database.url(), ["--rate", "1000/s", "--timeout", "1s", "--concurrency", "4"]);
    let run = bench.start(&[&["--store", &url][..], &soon].concat());
    bench.provider.wait_for(40);
    assert!(run.kill());
    bench.run(&[&["--store", &url][..], &soon].concat()).exits(0);
    bench.assert_all_found(200);
    // Those in flight, and those whose answers were not yet committed.
    assert!(bench.provider.seen() <= 208, "{}", bench.provider.seen());
    assert_ne!(database.value("SELECT count(*) FROM reconcile.request WHERE code = 'lost'"), "0");
}

#[test]
fn two_runs_create_one_store() {
    let Some(database) = Database::create() else { return };
    let benches = [Bench::new(&ledger(5)), Bench::new(&ledger(9))];
    let runs = benches.each_ref().map(|bench| bench.start(&["--store", &database.url()]));
    for run in runs {
        run.wait().exits(0);
    }
    benches[1].assert_all_found(9);
    assert_eq!(database.value("SELECT count(*) FROM reconcile.session WHERE ended_at IS NOT NULL"), "2");
    assert_eq!(database.value("SELECT count(*) FROM reconcile.call"), "9");
}

#[test]
fn every_command_works_on_a_database() {
    let Some(database) = Database::create() else { return };
    let (bench, url) = (Bench::new(&ledger(12)), database.url());
    let plan = bench.run(&["plan", "--store", &url]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert_eq!(database.value("SELECT to_regnamespace('reconcile') IS NULL"), "t", "plan writes nothing");
    bench.run(&["--store", &url]).exits(0);
    let says = |arguments: &[&str], words: &str| {
        let run = command(&bench, &[arguments, &["--store", &url]].concat());
        assert_eq!(run.code, Some(0), "{arguments:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(words), "{arguments:?}: {}", run.stdout);
    };
    let plan = bench.run(&["plan", "--store", &url]);
    assert!(plan.stdout.contains("12"), "{}", plan.stdout);
    says(&["explain", &crate::support::id(3)], &crate::support::id(3));
    says(&["verify-cap"], "session 1");
    says(&["export", "--to", "lake"], "exported 12 answers");
    says(&["export", "--to", "lake"], "no new answers");
    says(&["forget", "18512348980"], "");
    says(&["purge", "--older-than", "30d"], "");
    assert_eq!(database.value("SELECT count(*) FROM reconcile.call"), "0");
}

#[test]
fn a_store_that_cannot_be_used_says_what_to_do() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(2));
    database.execute(&format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'right5ecret'; GRANT CONNECT ON DATABASE {name} TO {name}",
        name = database.name
    ));
    let refused = |url: &str, password: &str, code, words: &str| {
        let mut command = bench.command(&["--store", url]);
        if !password.is_empty() {
            command.env("PGPASSWORD", password);
        }
        let run = bench.start_command(command).wait().exits(code).says(words);
        assert!(!run.stderr.contains("5ecret"), "{}", run.stderr);
    };
    let role = database.tcp_url(&database.name);
    refused(&role, "wrong5ecret", 2, "password authentication failed");
    refused(&role.replace('@', ":wrong5ecret@"), "", 2, "check the role");
    refused(&role, "", 2, "PGPASSFILE");
    refused(&role, "right5ecret", 6, "GRANT");
    refused(&format!("{role}_absent"), "right5ecret", 2, "CREATE DATABASE");
    refused("postgres://me:a5ecret@localhost:1/night", "", 6, "check that the database runs");
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = silent.local_addr().unwrap();
    refused(&format!("postgres://me:a5ecret@{address}/night?connect_timeout=1"), "", 6, "does not answer");
    refused("postgres://me:a5ecret@localhost:x/night", "", 2, "write it as postgres://");
    refused("postgres://me:a5ecret@no-such-host.invalid/night", "", 6, "check the host's name");
    database.execute(&format!("ALTER ROLE {} SET default_transaction_read_only = on", database.name));
    refused(&role, "right5ecret", 6, "is read-only");
    database.execute(&format!(
        "ALTER ROLE {name} RESET ALL; REVOKE ALL ON DATABASE {name} FROM {name}; DROP ROLE {name}",
        name = database.name
    ));
    database.execute("CREATE SCHEMA reconcile; CREATE TABLE reconcile.theirs ()");
    refused(&database.url(), "", 2, "is not a store of reconcile");
    database.execute("DROP SCHEMA reconcile CASCADE");
    bench.run(&["--store", &database.url()]).exits(0);
    database.execute("UPDATE reconcile.meta SET value = '999' WHERE key = 'schema_version'");
    refused(&database.url(), "", 2, "a newer reconcile wrote the store");
    assert_eq!(bench.provider.seen(), 2);
}

#[test]
fn the_password_is_shown_nowhere() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(3));
    let url = database.tcp_url("postgres").replace('@', &format!(":{}@", PASSWORD.replace(' ', "%20")));
    let run = bench.run(&["--store", &url, "-v", "--log-format", "json", "--max-duration", "1ns"]).exits(4);
    let config = bench.run(&["config", "--store", &url]);
    let mut texts = vec![run.stderr, config.stdout, bench.run(&["--store", &url]).exits(0).stderr];
    texts.extend(
        Bench::outputs()
            .map(|name| String::from_utf8_lossy(&fs::read(bench.path(name)).unwrap()).into_owned()),
    );
    for text in texts {
        assert!(!text.contains("a5ecret"), "{text}");
    }
}

#[test]
fn only_a_trusted_certificate_gets_the_password() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(2));
    let ca = tls::file("ca.pem");
    let run = |url: &str, root: Option<&str>| {
        let mut command = bench.command(&["--store", url]);
        command.env("PGPASSWORD", PASSWORD).env("PGSSLMODE", "verify-full");
        command.envs(root.map(|root| ("PGSSLROOTCERT", root)));
        bench.start_command(command).wait()
    };
    let url = database.tcp_url("postgres");
    run(&url, None).exits(2).says("is not trusted");
    run(&url.replace("localhost", "127.0.0.1"), ca.to_str()).exits(2).says("is not trusted");
    run(&url, Some("nowhere.pem")).exits(2).says("nowhere.pem cannot be read");
    assert_eq!(bench.provider.seen(), 0);
    run(&url, ca.to_str()).exits(0);
    bench.assert_all_found(2);
}

/// A server that has no TLS: it answers the request for it with `N`.
#[test]
fn clear_text_is_sent_only_if_asked_for() {
    use std::io::{Read as _, Write as _};
    let bench = Bench::new(&ledger(2));
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let received = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut request = [0; 8];
        client.read_exact(&mut request).unwrap();
        client.write_all(b"N").unwrap();
        let mut more = Vec::new();
        // The client leaves without another word.
        let _ = client.read_to_end(&mut more);
        more
    });
    let url = format!("postgres://me:a5ecret@127.0.0.1:{port}/night?sslmode=require");
    let run = bench.run(&["--store", &url]).exits(2).says("offers no TLS").says("sslmode=disable");
    assert!(!run.stderr.contains("a5ecret"), "{}", run.stderr);
    assert_eq!(received.join().unwrap(), b"");
}

#[test]
fn a_database_that_goes_away_stops_the_run_which_resumes() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(300));
    bench.provider.by_default(Reply::record().after(std::time::Duration::from_millis(20)));
    let (url, soon) = (database.url(), ["--rate", "1000/s", "--timeout", "1s", "--concurrency", "4"]);
    let run = bench.start(&[&["--store", &url][..], &soon].concat());
    bench.provider.wait_for(40);
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'reconcile'",
    );
    run.wait().exits(6).says("run the same command");
    bench.run(&[&["--store", &url][..], &soon].concat()).exits(0);
    bench.assert_all_found(300);
    wait_until("all sessions have ended", || {
        database.value("SELECT count(*) FROM reconcile.session WHERE ended_at IS NULL") == "0"
    });
}
