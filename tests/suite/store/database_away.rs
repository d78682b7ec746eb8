//! A database that does not answer, stops, or fails over in the middle of a run.
#![cfg(unix)]

use std::time::Duration;

use crate::support::postgres::{Database, PASSWORD};
use crate::support::provider::Reply;
use crate::support::replicated_postgres::Replicated;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{Bench, Running, ledger, wait_until};

const CALLS: usize = 160;
const WINDOW: Duration = Duration::from_secs(2);
/// Requests that a cut-off run has sent at most, and whose answers are not in the store.
const IN_FLIGHT: usize = 2 * 4;

/// A run under a cap of 20 in 2 s, whose requests take 20 ms.
fn start(bench: &Bench, store: &str, more: &[&str]) -> Running {
    bench.provider.by_default(Reply::record().after(Duration::from_millis(20)));
    let rate = if more.contains(&"--rate") { vec![] } else { vec!["--rate", "20/2s"] };
    let usual = ["--store", store, "--concurrency", "4", "--timeout", "1s"];
    let mut command = bench.command(&[&usual[..], &rate, more].concat());
    command.env("PGPASSWORD", PASSWORD);
    bench.start_command(command)
}

fn url(database: &Database, proxy: &TcpProxy) -> String {
    format!("postgres://postgres@{}/{}?sslmode=disable", proxy.address, database.name)
}

#[track_caller]
fn assert_each_call_asked_once(bench: &Bench) {
    bench.assert_all_found(CALLS);
    let seen = bench.provider.seen();
    assert!((CALLS..=CALLS + IN_FLIGHT).contains(&seen), "{seen} requests");
    bench.provider.assert_cap(20, WINDOW);
}

#[test]
fn a_database_that_does_not_answer_ends_the_run() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(CALLS));
    let proxy = TcpProxy::start(database.address());
    let run = start(&bench, &url(&database, &proxy), &[]);
    bench.provider.wait_for(40);
    proxy.cut();
    let at_the_cut = bench.provider.seen();
    run.wait_at_most(Duration::from_secs(150)).exits(6).says("does not answer").says("it resumes");
    let seen = bench.provider.seen();
    assert!(seen <= at_the_cut + IN_FLIGHT, "{at_the_cut} requests until the cut, {seen} after it");
    // The dead session is taken over: nobody has renewed its lease.
    start(&bench, &database.url(), &[]).wait_at_most(Duration::from_secs(150)).exits(0);
    assert_each_call_asked_once(&bench);
}

#[test]
fn a_run_that_stands_by_resumes_when_the_database_is_back() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(CALLS));
    let proxy = TcpProxy::start(database.address());
    let run = start(&bench, &url(&database, &proxy), &["--wait"]);
    bench.provider.wait_for(40);
    proxy.stop_serving();
    wait_until("it stands by", || run.stderr_so_far().contains("stands by until the store answers"));
    proxy.serve_again();
    run.wait_at_most(Duration::from_secs(150)).exits(0);
    assert_each_call_asked_once(&bench);
}

#[test]
fn without_standing_by_a_stopped_database_is_exit_6() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(CALLS));
    let proxy = TcpProxy::start(database.address());
    let run = start(&bench, &url(&database, &proxy), &[]);
    bench.provider.wait_for(40);
    proxy.stop_serving();
    run.wait().exits(6).says("the connection to the store").says("it resumes");
    start(&bench, &url(&database, &proxy), &["--wait=1s"])
        .wait_at_most(Duration::from_secs(60))
        .exits(6)
        .says("stands by until the store answers");
}

/// Such a run writes nothing, so only its lease tells.
#[test]
fn a_run_that_waits_for_places_notices_it() {
    let Some(database) = Database::create() else { return };
    let bench = Bench::new(&ledger(CALLS));
    let proxy = TcpProxy::start(database.address());
    let run = start(&bench, &url(&database, &proxy), &["--rate", "20/h"]);
    bench.provider.wait_for(20);
    proxy.stop_serving();
    run.wait().exits(6).says("the store").says("it resumes");
    assert_eq!(bench.provider.seen(), 20);
}

#[test]
fn a_failover_to_the_standby_loses_nothing() {
    let Some(servers) = Replicated::start() else { return };
    let bench = Bench::new(&ledger(CALLS));
    let run = start(&bench, &servers.url(), &["--wait"]);
    bench.provider.wait_for(60);
    servers.kill_primary();
    wait_until("it stands by", || run.stderr_so_far().contains("stands by until the store answers"));
    servers.promote_standby();
    run.wait_at_most(Duration::from_secs(150)).exits(0);
    assert_each_call_asked_once(&bench);
}
