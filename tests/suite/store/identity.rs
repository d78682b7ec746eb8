//! One store, one run: links, a removed lock file, and a store that is moved or replaced while a
//! run uses it. The receiver judges the cap.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::support::provider::Reply;
use crate::support::{Bench, Run, Running, ledger};

const WINDOW: Duration = Duration::from_secs(2);

/// A run with slow replies, so that others can come in between.
fn begin(bench: &Bench) -> Running {
    bench.provider.by_default(Reply::record().after(Duration::from_millis(150)));
    let run = bench.start(&["--rate", "10/2s"]);
    bench.provider.wait_for(3);
    run
}

/// Starts a second run with this store, and checks that it is refused while the first one works.
fn second_run_is_busy(bench: &Bench, store: &str) {
    let first = begin(bench);
    let second = bench.run(&["--rate", "10/2s", "--store", store, "--out", "other.parquet"]);
    second.exits(5).says(&format!("pid {}", first.pid()));
    first.wait().exits(0);
    assert_eq!(bench.provider.seen(), 24);
    bench.provider.assert_cap(10, WINDOW);
}

#[test]
fn a_store_behind_a_link_is_used_by_one_run_only() {
    let bench = Bench::new(&ledger(24));
    symlink("reconcile.db", bench.path("link.db")).unwrap();
    second_run_is_busy(&bench, "link.db");
}

#[test]
fn a_store_in_a_linked_folder_is_used_by_one_run_only() {
    let bench = Bench::new(&ledger(24));
    symlink(".", bench.path("folder")).unwrap();
    second_run_is_busy(&bench, "folder/reconcile.db");
}

#[test]
fn a_store_with_two_names_is_refused_before_anything_is_sent() {
    let bench = Bench::new(&ledger(12));
    bench.run(&[]).exits(0);
    fs::hard_link(bench.path("reconcile.db"), bench.path("second.db")).unwrap();
    for store in ["reconcile.db", "second.db"] {
        bench.run(&["--refresh", "--store", store]).exits(2).says("has 2 names").says("Nothing was sent");
    }
    assert_eq!(bench.provider.seen(), 12);
    let verify = bench.run_exactly(&["verify-cap", "--store", "reconcile.db"], &[]);
    assert_eq!(verify.code, Some(1));
    assert!(verify.stdout.contains("CANNOT BE PROVEN"), "{}", verify.stdout);
}

#[test]
fn without_its_lock_file_a_store_is_used_by_one_run_only() {
    let bench = Bench::new(&ledger(24));
    let first = begin(&bench);
    fs::remove_file(bench.path("reconcile.db.lock")).unwrap();
    let second = bench.run(&["--rate", "10/2s", "--out", "other.parquet"]);
    second.exits(5).says("another run holds the store");
    first.wait().exits(0);
    bench.provider.assert_cap(10, WINDOW);
}

/// Loses the store of a run with many calls. The run must end soon, with true words.
fn lose_the_store(lose: impl Fn(&Bench)) -> (Bench, Run) {
    let bench = Bench::new(&ledger(2_000));
    bench.provider.by_default(Reply::record().after(Duration::from_millis(30)));
    let run = bench.start(&["--concurrency", "4"]);
    bench.provider.wait_for(20);
    lose(&bench);
    let seen = bench.provider.seen();
    let run = run.wait().exits(6);
    let after = bench.provider.seen() - seen;
    assert!(after <= 100, "{after} requests were sent after the loss");
    assert!(!run.stderr.contains("nothing stored is lost"), "{}", run.stderr);
    assert!(!bench.path("details.parquet").exists());
    (bench, run)
}

#[test]
fn a_moved_store_stops_the_run_and_resumes_when_it_is_back() {
    let move_to = |bench: &Bench, from: &str, to: &str| {
        for end in ["", "-wal", "-shm"] {
            let from = bench.path(&format!("{from}{end}"));
            if from.exists() {
                fs::rename(from, bench.path(&format!("{to}{end}"))).unwrap();
            }
        }
    };
    let (bench, run) = lose_the_store(|bench| move_to(bench, "reconcile.db", "moved.db"));
    run.says("moved or deleted");
    move_to(&bench, "moved.db", "reconcile.db");
    let seen = bench.provider.seen();
    bench.run(&[]).exits(0);
    // Only the requests in flight at the loss are repeated.
    assert!(bench.provider.seen() <= 2_000 + 4 + 4, "{} after {seen}", bench.provider.seen());
}

#[test]
fn a_deleted_store_stops_the_run() {
    let (_, run) = lose_the_store(|bench| fs::remove_file(bench.path("reconcile.db")).unwrap());
    run.says("moved or deleted");
}

#[test]
fn a_replaced_store_stops_the_run() {
    let (_, run) = lose_the_store(|bench| {
        fs::write(bench.path("other.db"), "").unwrap();
        fs::rename(bench.path("other.db"), bench.path("reconcile.db")).unwrap();
    });
    run.says("another file has replaced the store");
}

#[test]
fn a_time_limit_beyond_an_hour_is_refused() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--timeout", "292278y"]).exits(2).says("needs at most 1h");
    bench.run(&["--timeout", "1h"]).exits(0);
}
