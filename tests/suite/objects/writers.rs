//! Two runs that publish to one folder, and runs that wake up late.

use std::sync::Arc;

use super::Publisher;
use crate::support::bucket::{Bucket, Fault, Kind};
use crate::support::postgres::Database;
use crate::support::{ledger, wait_until};

/// Two publishers to one bucket.
fn two(kind: Kind) -> (Publisher, Publisher) {
    let bucket = Arc::new(Bucket::start(kind));
    (Publisher::to(bucket.clone()), Publisher::to(bucket))
}

/// Holds the first request that this condition chooses.
fn hold(bucket: &Bucket, choose: impl Fn(&crate::support::bucket::Request) -> bool + Send + 'static) {
    let mut is_held = false;
    bucket.set_faults(move |request| {
        let hold = !is_held && choose(request);
        is_held |= hold;
        hold.then_some(Fault::Held)
    });
}

#[test]
fn of_two_runs_with_one_number_the_second_is_refused() {
    for kind in [Kind::S3, Kind::Oss, Kind::OssByS3] {
        let (late, early) = two(kind);
        hold(&late.bucket, |request| request.writes_commit());
        let running = late.start(&[]);
        late.bucket.wait_for_held();
        early.run(&[]).exits(0);
        let commit = early.newest();
        late.bucket.release();
        running.wait().exits(6).says("run number 1 in").says("is taken").says("takes the next number");
        assert_eq!(early.newest(), commit, "{kind:?}");
        late.run(&[]).exits(0);
        assert_eq!((late.newest_no(), late.bench.provider.requests().len()), (2, 3));
    }
}

#[test]
fn a_number_that_was_taken_before_the_upload_ends_is_refused() {
    for kind in Kind::ALL {
        let (late, early) = two(kind);
        hold(&late.bucket, |request| request.method == "PUT" && request.key.ends_with(".parquet"));
        let running = late.start(&[]);
        late.bucket.wait_for_held();
        early.run(&[]).exits(0);
        let commit = early.newest();
        late.bucket.release();
        running.wait().exits(6).says("is taken");
        assert_eq!(early.newest(), commit, "{kind:?}");
    }
}

#[test]
fn a_late_commit_never_hides_a_newer_run() {
    for kind in Kind::ALL {
        let (late, early) = two(kind);
        hold(&late.bucket, |request| request.writes_commit());
        let running = late.start(&[]);
        late.bucket.wait_for_held();
        early.run(&[]).exits(0);
        early.run(&[]).exits(0);
        let commit = early.newest();
        late.bucket.release();
        let code = running.wait().code;
        assert_eq!(code == Some(6), kind.refuses() || kind == Kind::OssByS3, "{kind:?}");
        assert_eq!((early.newest(), early.newest_no()), (commit, 2), "{kind:?}");
    }
}

/// Two hosts with copies of one store have the same run, and thus the same number and id.
#[test]
fn a_late_process_of_the_same_run_changes_no_published_file() {
    for kind in Kind::ALL {
        let (late, early) = two(kind);
        late.bucket.set_faults(|request| request.writes_commit().then_some(Fault::Denied));
        late.run(&[]).exits(6).says("AccessDenied");
        for name in ["reconcile.db", "reconcile.db-wal"] {
            if late.bench.path(name).exists() {
                std::fs::copy(late.bench.path(name), early.bench.path(name)).unwrap();
            }
        }
        hold(&late.bucket, |request| request.method == "PUT" && request.key.ends_with(".parquet"));
        let running = late.start(&[]);
        late.bucket.wait_for_held();
        early.run(&[]).exits(0);
        let commit = early.newest();
        late.bucket.release();
        running.wait().exits(6);
        assert_eq!(early.newest(), commit, "{kind:?}");
        let runs: std::collections::BTreeSet<String> =
            late.bucket.keys().iter().filter_map(|key| key.split('/').nth(2).map(str::to_owned)).collect();
        assert_eq!(runs.iter().filter(|run| run.starts_with("1-")).count(), 1, "{runs:?}");
    }
}

#[test]
fn two_runs_at_once_are_both_whole() {
    for kind in Kind::ALL {
        let (one, other) = two(kind);
        let running = [one.start(&[]), other.start(&[])];
        let codes = running.map(|run| run.wait().code);
        let published = codes.iter().filter(|code| **code == Some(0)).count();
        assert!(published > 0 && codes.iter().all(|code| matches!(code, Some(0 | 6))), "{kind:?} {codes:?}");
        let no = usize::try_from(one.newest_no()).unwrap();
        assert!(no <= published && (no == published || !kind.refuses()), "{kind:?}: {no} of {published}");
    }
}

#[test]
fn one_run_at_a_time_publishes_from_one_store() {
    let lake = Publisher::new(Kind::S3);
    lake.bench.write("calls.csv", &ledger(2));
    hold(&lake.bucket, |request| request.writes_commit());
    let running = lake.start(&[]);
    lake.bucket.wait_for_held();
    lake.run(&[]).exits(5);
    lake.bucket.release();
    running.wait().exits(0);
    assert_eq!(lake.newest_no(), 1);
}

#[test]
fn on_a_database_a_run_that_stood_by_publishes_after_the_other() {
    let Some(database) = Database::create() else { return };
    let publisher = Publisher::new(Kind::S3);
    let (provider, url) = (&publisher.bench.provider, database.url());
    let options = ["--store", &url, "--metrics-file", "night.prom", "--timeout", "60s"];
    provider.hold_replies();
    let first = publisher.start(&options);
    provider.wait_for(1);
    // A start that is refused leaves the metrics of the running job.
    publisher.run(&options).exits(5);
    let metrics = std::fs::read_to_string(publisher.bench.path("night.prom")).unwrap();
    assert!(metrics.contains("reconcile_run_active 1") && !metrics.contains("exit_code 5"), "{metrics}");

    let second = publisher.start(&[&options[..], &["--wait"]].concat());
    wait_until("the second run stands by", || second.stderr_so_far().contains("this run stands by"));
    provider.send_replies();
    first.wait().exits(0);
    second.wait().exits(0);
    assert_eq!((publisher.newest_no(), provider.seen()), (2, 3));
    let metrics = std::fs::read_to_string(publisher.bench.path("night.prom")).unwrap();
    assert!(metrics.contains("reconcile_run_active 0"), "{metrics}");
}
