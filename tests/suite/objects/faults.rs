//! Replies that are lost, services that are busy, and bytes that change on their way.

use super::Publisher;
use crate::support::bucket::{Fault, Kind};

#[test]
fn a_run_knows_its_own_commit_if_the_reply_was_lost() {
    for kind in Kind::ALL {
        let lake = Publisher::new(kind);
        let mut is_lost = false;
        lake.bucket.set_faults(move |request| {
            let lose = request.writes_commit() && !is_lost;
            is_lost |= lose;
            lose.then_some(Fault::LostReply)
        });
        lake.run(&[]).exits(0);
        assert_eq!(lake.newest_no(), 1, "{kind:?}");
    }
}

#[test]
fn a_run_knows_its_own_commit_if_every_reply_was_lost() {
    for kind in [Kind::S3, Kind::OssByS3, Kind::Oss] {
        let lake = Publisher::new(kind);
        lake.bucket.set_faults(|request| request.writes_commit().then_some(Fault::LostReply));
        // This service refused the first form of the request, and the run never learned it.
        let is_refused = kind == Kind::OssByS3;
        lake.run(&[]).exits(if is_refused { 6 } else { 0 });
        assert_eq!(lake.newest_no(), u64::from(!is_refused), "{kind:?}");
    }
}

#[test]
fn a_busy_service_is_asked_again() {
    let lake = Publisher::new(Kind::S3);
    let mut no = 0;
    lake.bucket.set_faults(move |_| {
        no += 1;
        (no % 2 == 0).then_some(if no % 4 == 0 { Fault::Busy } else { Fault::LostReply })
    });
    lake.run(&[]).exits(0);
    assert_eq!(lake.newest_no(), 1);
}

#[test]
fn a_file_that_changed_on_its_way_is_sent_again() {
    let lake = Publisher::new(Kind::S3);
    let mut is_flipped = false;
    lake.bucket.set_faults(move |request| {
        let flip = request.method == "PUT" && request.key.ends_with("details.parquet") && !is_flipped;
        is_flipped |= flip;
        flip.then_some(Fault::FlippedBit)
    });
    lake.run(&[]).exits(0);
    assert_eq!(lake.newest_no(), 1);
}

#[test]
fn a_file_that_changes_each_time_is_never_committed() {
    let lake = Publisher::new(Kind::S3);
    lake.run(&[]).exits(0);
    lake.bucket.set_faults(|request| {
        (request.method == "PUT" && request.key.ends_with(".html")).then_some(Fault::FlippedBit)
    });
    lake.run(&[]).exits(6).says("details.report.html does not read back as it was written");
    assert_eq!(lake.newest_no(), 1);
    lake.bucket.set_faults(|_| None);
    lake.run(&[]).exits(0);
    assert_eq!((lake.newest_no(), lake.bench.provider.requests().len()), (2, 3));
}

#[test]
fn a_service_that_fails_at_the_end_leaves_the_run_before() {
    let lake = Publisher::new(Kind::S3);
    lake.run(&[]).exits(0);
    lake.bucket.set_faults(|request| request.writes_commit().then_some(Fault::Busy));
    lake.run(&[])
        .exits(6)
        .says("cannot create the commit of run number 2 in s3://night/lake")
        .says("same command");
    assert_eq!(lake.newest_no(), 1);
    lake.assert_nothing_local();
}
