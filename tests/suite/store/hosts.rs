//! Several processes under one cap: PostgreSQL, HTTP, kills and frozen processes. The sandbox
//! counts.
#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::postgres::Database;
use crate::support::provider::Reply;
use crate::support::sandbox::Server;
use crate::support::{Bench, Running, id, ledger, ledger_of, wait_until};

/// Calls of each process.
const CALLS: usize = 300;
/// The longest that a process may need.
const LONGEST: Duration = Duration::from_secs(240);

/// A process over its own ledger, under the shared cap of 80 requests in 4 s.
fn command(bench: &Bench, server: &Server, database: &Database) -> Command {
    let (endpoint, store) = (server.url(), database.url());
    let limits = ["--rate", "80/4s", "--timeout", "2s", "--concurrency", "4"];
    let mut command = bench.command(&[&["--endpoint", &endpoint, "--store", &store], &limits[..]].concat());
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "testid");
    command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "testsecret");
    command
}

/// The number of requests that this process's session has in the store.
fn requests_of(database: &Database, process: &Running) -> u64 {
    let sql = format!(
        "SELECT count(*) FROM reconcile.request JOIN reconcile.session USING (session_no) WHERE pid = {}",
        process.pid()
    );
    database.value(&sql).parse().unwrap()
}

fn wait_for(database: &Database, what: &str, condition: &str) {
    // `wait_until` has a limit of its own, and a lease takes 16 s to end.
    for _ in 0..3 {
        if database.value(&format!("SELECT {condition}")) == "t" {
            return;
        }
        std::thread::sleep(Duration::from_secs(8));
    }
    wait_until(what, || database.value(&format!("SELECT {condition}")) == "t");
}

#[test]
fn processes_under_one_cap_survive_a_kill_and_a_freeze() {
    let Some(database) = Database::create() else { return };
    let server = Server::start(&["--cap", "80/4s", "--latency", "5ms..60ms"]);
    let benches: Vec<Bench> = (0..4)
        .map(|process| Bench::new(&ledger_of((process * CALLS..(process + 1) * CALLS).map(id))))
        .collect();
    let start = |no: usize| benches[no].start_command(command(&benches[no], &server, &database));
    let mut running: Vec<Running> = (0..4).map(start).collect();
    wait_until("a process sends", || server.page("stats")["requests"].as_u64() > Some(0));
    wait_until("all processes send", || running.iter().all(|one| requests_of(&database, one) > 0));
    let killed = running.remove(0);
    let killed_pid = killed.pid();
    assert!(killed.kill());
    let frozen = running.remove(0);
    frozen.signal("STOP");
    let is_fenced =
        format!("bool_and(fence > 0) FROM reconcile.session WHERE pid IN ({killed_pid}, {})", frozen.pid());
    wait_for(&database, "both are taken over", &is_fenced);
    frozen.signal("CONT");
    frozen.wait_at_most(LONGEST).exits(6).says("another process has taken over");
    running.extend([start(0), start(1)]);
    for process in running {
        process.wait_at_most(LONGEST).exits(0);
    }
    for bench in &benches {
        let summary = bench.summary();
        assert!(summary.complete());
        assert_eq!((summary.number("calls"), summary.number("failed")), (CALLS as u64, 0));
    }
    let stats = server.page("stats");
    assert!(stats["most_in_any_window"].as_u64().unwrap() <= 80, "{stats:#}");
    // Four were in flight in the killed process, and four in the frozen one.
    let requests = stats["requests"].as_u64().unwrap();
    assert!((4 * CALLS as u64..=4 * CALLS as u64 + 8).contains(&requests), "{requests}");
    assert_eq!(stats["codes"]["Throttling.User"], Value::Null, "{stats:#}");
    the_record_proves_it(&benches[0], &database);
}

fn the_record_proves_it(bench: &Bench, database: &Database) {
    let run = bench.run_exactly(&["verify-cap", "--json", "--store", &database.url()], &[]);
    let record: Value = serde_json::from_str(&run.stdout).unwrap();
    let [account] = record["accounts"].as_array().unwrap().as_slice() else { panic!("{record:#}") };
    assert_eq!((&account["held"], &account["most_places"]), (&true.into(), &80.into()), "{account:#}");
    for session in record["sessions"].as_array().unwrap() {
        assert_eq!(session["over_places"], 0, "{session:#}");
        assert_ne!(session["verdict"], "broken", "{session:#}");
    }
}

#[test]
fn a_second_run_over_a_ledger_names_the_first() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(100));
    bench.provider.by_default(Reply::record().after(Duration::from_millis(100)));
    let first = bench.start(&["--store", &database.url(), "--rate", "10/2s"]);
    bench.provider.wait_for(3);
    let second = bench.run(&["--store", &database.url(), "--rate", "10/2s", "--out", "second.parquet"]);
    second.exits(5).says("another run works on this ledger").says(&format!("pid {}", first.pid()));
    // Another cap for the same account is refused, too.
    let other = Bench::new(&ledger(3));
    other.run(&["--store", &database.url(), "--rate", "11/2s"]).exits(2).says("10 per 2s");
    first.wait().exits(0);
    bench.assert_all_found(100);
}
