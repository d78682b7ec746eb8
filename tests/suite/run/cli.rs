//! Errors before the first request: usage, credentials, folders and the store.

use crate::support::provider::Reply;
use crate::support::{Bench, cell, column, id, ledger};

#[test]
fn discrepancies_give_exit_1_only_with_exit_code() {
    let text = format!("call_id,prod_id,called_at,duration_s\n{},11000000300006,2024-05-26,999\n", id(0));
    let bench = Bench::new(&text);
    bench.run(&["--exit-code"]).exits(1);
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(1));
    bench.run(&["--exit-code"]).exits(0);
    assert_eq!(bench.provider.seen(), 1);
}

#[test]
fn without_credentials_nothing_is_sent() {
    let bench = Bench::new(&ledger(2));
    let mut command = bench.command(&[]);
    command.env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID").env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    bench.start_command(command).wait().exits(2).says("ALIBABA_CLOUD_ACCESS_KEY_ID");
    assert_eq!(bench.provider.seen(), 0);
    assert!(bench.output_bytes().iter().all(Option::is_none));
}

#[test]
fn a_ledger_without_call_ids_is_refused() {
    let bench = Bench::new("prod_id,called_at\n11000000300006,2024-05-26\n");
    bench.run(&[]).exits(2).says("call_id");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn a_missing_ledger_is_refused() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--input", "nowhere.csv"]).exits(2).says("nowhere.csv");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn an_invalid_option_value_is_refused() {
    let bench = Bench::new(&ledger(1));
    for wrong in [["--rate", "fast"], ["--concurrency", "0"], ["--max-attempts", "0"], ["--timeout", "soon"]]
    {
        bench.run(&wrong).exits(2);
    }
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn a_missing_output_folder_is_an_error_before_sending() {
    let bench = Bench::new(&ledger(2));
    for store in ["missing/reconcile.db", "reconcile.db"] {
        bench.run(&["--out", "missing/details.parquet", "--store", store]).exits(2).says("missing");
    }
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn an_impossible_output_folder_is_an_error_before_sending() {
    let bench = Bench::new(&ledger(2));
    bench.run(&["--out", "calls.csv/details.parquet", "--store", "reconcile.db"]).exits(2).says("calls.csv");
    for option in ["--summary", "--report", "--discrepancies"] {
        bench.run(&[option, "nowhere/out.csv"]).exits(2).says("nowhere");
    }
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn a_folder_as_output_file_is_an_error_before_sending() {
    let bench = Bench::new(&ledger(2));
    std::fs::create_dir(bench.path("folder.csv")).unwrap();
    for option in ["--out", "--discrepancies", "--report", "--summary", "--store"] {
        bench.run(&[option, "folder.csv"]).exits(2).says("folder.csv is a folder").says("name a file in");
    }
    assert_eq!(bench.provider.seen(), 0);
}

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

#[test]
fn headers_are_recognized_in_all_spellings() {
    let text =
        format!("\u{feff}呼叫ID,Product,查询日期,Bill No\n{},voice-notification,2024-05-26,B7\n", id(0));
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    let details = bench.details();
    assert_eq!(column(&details, "status"), ["found"]);
    assert_eq!(column(&details, "prod_id"), ["11000000300006"]);
    assert!(details[0].iter().any(|(name, value)| name.starts_with("ledger_") && value == "B7"));
}

#[test]
fn columns_can_be_mapped_and_defaults_given() {
    let bench = Bench::new(&format!("Ticket\n{}\n", id(0)));
    bench
        .run(&["--map", "call_id=Ticket", "--prod-id", "voice-notification", "--call-date", "2024-05-26"])
        .exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(0)]);
    assert_eq!(cell(&bench.details()[0], "call_date"), "2024-05-26");
}

#[test]
fn quiet_prints_nothing_on_success() {
    let bench = Bench::new(&ledger(2));
    let run = bench.run(&["-q"]).exits(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn the_ledger_may_come_from_standard_input() {
    let bench = Bench::new(&ledger(3));
    let file = std::fs::File::open(bench.path("calls.csv")).unwrap();
    bench.start_reading(bench.command(&["--input", "-"]), file.into()).wait().exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(0), id(1), id(2)]);
}
