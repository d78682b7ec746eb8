//! Stores that a run may not use: in use, locked, or of the other origin.

use crate::support::provider::Reply;
use crate::support::{Bench, column, ledger};

#[test]
fn a_store_locked_by_another_program_is_reported() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    let other = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.write("calls.csv", &ledger(4));
    bench.run(&[]).exits(6).says("another program").says("nothing stored is lost");
    assert_eq!(bench.provider.seen(), 2);
    other.execute_batch("ROLLBACK").unwrap();
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 4);
}

#[test]
fn a_second_run_reports_the_process_that_holds_the_store() {
    let bench = Bench::new(&ledger(2));
    bench.provider.by_default(Reply::stall());
    let first = bench.start(&["--timeout", "60s"]);
    bench.provider.wait_for(1);
    bench.run(&["--out", "other.parquet", "--store", "reconcile.db"]).exits(5).says(&first.pid().to_string());
    first.kill();

    // The lock ends with the process that held it.
    bench.provider.by_default(Reply::record());
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 2]);
}

#[test]
fn a_sandbox_store_is_refused_for_the_provider() {
    let bench = Bench::new(&ledger(2));
    let run = bench.run(&["--sandbox", "--store", "shared.db"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let sandbox = bench.output_bytes();
    bench.run(&["--store", "shared.db"]).exits(2).says("simulated");
    assert_eq!(bench.provider.seen(), 0);
    assert_eq!(bench.output_bytes(), sandbox);
}

#[test]
fn a_provider_store_is_refused_for_the_sandbox() {
    let bench = Bench::new(&ledger(2));
    bench.run(&["--store", "shared.db"]).exits(0);
    bench.run(&["--sandbox", "--store", "shared.db"]).exits(2).says("simulated");
}
