//! Options and folders: wrong values, missing folders, and exit codes.

use crate::support::{Bench, id, ledger};

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
fn quiet_prints_nothing_on_success() {
    let bench = Bench::new(&ledger(2));
    let run = bench.run(&["-q"]).exits(0);
    assert_eq!(run.stderr, "");
}
