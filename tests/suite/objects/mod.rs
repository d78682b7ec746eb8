//! Ledgers in object storage, and runs that are published to it.

mod faults;
mod keys;
mod kills;
mod ledgers;
mod moto;
mod refused;
mod runs;
mod writers;

use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::support::bucket::{Bucket, Kind};
use crate::support::{Bench, Run, Running, ledger};

/// The prefix of all runs.
const LAKE: &str = "lake";

/// A bench whose runs are published to a bucket.
struct Publisher {
    bench: Bench,
    bucket: Arc<Bucket>,
}

impl Publisher {
    /// Publishes three calls to a bucket of its own.
    fn new(kind: Kind) -> Self {
        Self::to(Arc::new(Bucket::start(kind)))
    }

    /// Publishes three calls to this bucket.
    fn to(bucket: Arc<Bucket>) -> Self {
        Self { bench: Bench::new(&ledger(3)), bucket }
    }

    fn command(&self, given: &[&str]) -> Command {
        let out = self.bucket.url(LAKE);
        let mut all = given.to_vec();
        for (name, value) in [("--out", out.as_str()), ("--store", "reconcile.db")] {
            if !given.contains(&name) {
                all.extend([name, value]);
            }
        }
        let mut command = self.bench.command(&all);
        command.envs(self.bucket.variables());
        command
    }

    fn start(&self, given: &[&str]) -> Running {
        self.bench.start_command(self.command(given))
    }

    #[track_caller]
    fn run(&self, given: &[&str]) -> Run {
        self.start(given).wait()
    }

    /// The commit that a reader finds. All files are as it says.
    #[track_caller]
    fn newest(&self) -> Option<Value> {
        self.bucket.newest_run(LAKE)
    }

    /// The number of the run that a reader finds; 0 without one.
    #[track_caller]
    fn newest_no(&self) -> u64 {
        self.newest().map_or(0, |commit| commit["run_no"].as_u64().unwrap())
    }

    /// A file of the run that a reader finds.
    #[track_caller]
    fn file(&self, name: &str) -> Vec<u8> {
        let folder = self.newest().unwrap()["folder"].as_str().unwrap().to_owned();
        self.bucket.get(&format!("{LAKE}/{folder}{name}")).unwrap()
    }

    /// Asserts that no local file waits for an upload, and that no output is on this machine.
    #[track_caller]
    fn assert_nothing_local(&self) {
        for name in [".reconcile.db.upload", "details.parquet", "s3:", "oss:"] {
            assert!(!self.bench.path(name).exists(), "{name} is there");
        }
    }
}
