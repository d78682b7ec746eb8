//! Kills at every request to the bucket. A reader sees a whole run or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::Publisher;
use crate::support::bucket::{Fault, Kind};

/// Runs, and kills the process at its request number `step`, from 0, before or after the effect.
/// Returns false if the run ended before.
fn killed_at(lake: &Publisher, step: usize, after: bool) -> bool {
    let (pid, no) = (Arc::new(AtomicU32::new(0)), AtomicUsize::new(0));
    let of_bucket = pid.clone();
    lake.bucket.set_faults(move |_| {
        if no.fetch_add(1, Ordering::Relaxed) != step {
            return None;
        }
        while of_bucket.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        let pid = of_bucket.load(Ordering::Acquire);
        Some(if after { Fault::KillAfter(pid) } else { Fault::KillBefore(pid) })
    });
    let run = lake.start(&[]);
    pid.store(run.pid(), Ordering::Release);
    let run = run.wait();
    lake.bucket.set_faults(|_| None);
    assert!(matches!(run.code, None | Some(0)), "{run:?}");
    run.code.is_none()
}

fn kill_at_every_request(kind: Kind) {
    let lake = Publisher::new(kind);
    lake.run(&[]).exits(0);
    let mut kills = 0;
    for after in [false, true] {
        for step in 0.. {
            let before = lake.newest_no();
            let was_killed = killed_at(&lake, step, after);
            // A run that was killed after its commit is visible; no other one is.
            let has_committed = lake.newest_no() == before + 1;
            assert!(has_committed || lake.newest_no() == before, "{kind:?}, step {step}");
            if !was_killed {
                assert!(has_committed);
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 30, "only {kills} kills");
    lake.run(&[]).exits(0);
    assert_eq!(lake.bench.provider.requests().len(), 3, "a settled call was asked for again");
    lake.assert_nothing_local();
}

#[test]
fn a_kill_at_any_request_to_s3_leaves_a_whole_run() {
    kill_at_every_request(Kind::S3);
}

#[test]
fn a_kill_at_any_request_to_oss_leaves_a_whole_run() {
    kill_at_every_request(Kind::Oss);
}

#[test]
fn a_kill_at_any_request_without_conditions_does_so_too() {
    kill_at_every_request(Kind::OssByS3);
}
