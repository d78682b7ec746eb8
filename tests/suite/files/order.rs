//! When files change: not before the run holds the store, and all at its end.

use std::fs;
use std::time::Duration;

use super::names;
use crate::support::provider::Reply;
use crate::support::{Bench, column, ledger, wait_until};

const METRICS: [&str; 2] = ["--metrics-file", "r.prom"];

#[test]
fn a_start_while_another_publishes_changes_nothing() {
    let bench = Bench::new(&ledger(30_000));
    let first = bench.start(&["--offline", METRICS[0], METRICS[1]]);
    let size = |name: &str| bench.path(name).metadata().map_or(0, |file| file.len());
    wait_until("it publishes", || size(".details.parquet.unfinished") > 0);
    first.signal("STOP");
    let state = || (fs::read(bench.path("r.prom")).unwrap(), names(&bench));
    let before = state();
    bench.run(&["--offline", METRICS[0], METRICS[1]]).exits(5).says("another run holds the store");
    bench.run(&[&["--rate", "fast"], &METRICS[..]].concat()).exits(2);
    bench.run(&[&["--input", "nowhere.csv"], &METRICS[..]].concat()).exits(2);
    bench.run(&[&["--summary", "calls.csv"], &METRICS[..]].concat()).exits(2);
    assert_eq!(state(), before);
    // Another store does not let it write the same files.
    let other = bench.run(&["--offline", "--store", "other.db"]).exits(6);
    other.says("another run is writing details.parquet");
    first.signal("CONT");
    first.wait().exits(4);
    assert_eq!(column(&bench.details(), "status").len(), 30_000);
    assert!(names(&bench).iter().all(|name| !name.ends_with(".unfinished")), "{:?}", names(&bench));
}

#[test]
fn a_start_that_does_not_get_the_store_leaves_the_metrics() {
    let bench = Bench::new(&ledger(2));
    bench.run(&METRICS).exits(0);
    let before = fs::read(bench.path("r.prom")).unwrap();
    bench.write("other.csv", "no,ledger\n");
    for wrong in [
        &["--rate", "fast"][..],
        &["--input", "other.csv"],
        &["--input", "nowhere.csv"],
        &["--profile", "nobody"],
        &["--store", "home"],
        &["--report", "nowhere/r.html"],
    ] {
        bench.run(&[wrong, &METRICS[..]].concat()).exits(2);
        assert_eq!(fs::read(bench.path("r.prom")).unwrap(), before, "{wrong:?}");
    }
}

#[test]
fn two_starts_on_the_same_outputs_leave_whole_files() {
    let bench = Bench::new(&ledger(40));
    for round in 0..6 {
        let start = |store: &str| bench.start(&["--offline", "-q", "--store", store]);
        let runs = [start("one.db"), start("two.db"), start("three.db")];
        let codes = runs.map(|run| run.wait().code.unwrap());
        assert!(codes.iter().all(|code| [4, 6].contains(code)), "round {round}: {codes:?}");
        assert_eq!(column(&bench.details(), "status"), ["deferred"; 40], "round {round}: {codes:?}");
        assert_eq!(bench.summary().number("calls"), 40);
    }
    bench.run(&["--offline"]).exits(4);
    assert!(names(&bench).iter().all(|name| !name.ends_with(".unfinished")), "{:?}", names(&bench));
}

#[test]
fn a_failed_rename_says_which_files_are_of_this_run() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(3));
    bench.provider.by_default(Reply::record().after(Duration::from_secs(2)));
    let run = bench.start(&[]);
    bench.provider.wait_for(3);
    // A folder comes to the report's path in mid-run.
    fs::remove_file(bench.path("details.report.html")).unwrap();
    fs::create_dir(bench.path("details.report.html")).unwrap();
    let run = run.wait().exits(6).says("cannot write details.report.html").says("is a folder");
    run.says("details.parquet and details.discrepancies.csv are of this run")
        .says("details.report.html and details.summary.json are of an earlier run")
        .says("it writes all files again");
    assert_eq!(bench.details().len(), 3);
    assert_eq!(bench.summary().number("calls"), 2);

    fs::remove_dir(bench.path("details.report.html")).unwrap();
    bench.run(&[]).exits(0);
    bench.assert_all_found(3);
}
