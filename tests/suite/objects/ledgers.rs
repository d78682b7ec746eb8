//! Ledgers that are read from object storage.

use super::Publisher;
use crate::support::bucket::{Fault, Kind};
use crate::support::{Bench, ledger};

/// A key with what URLs and signatures encode.
const KEY: &str = "in/通话 1+2%41?x#y&z=.csv";

/// Runs over the ledger with this key. The outputs stay on this machine.
fn run(lake: &Publisher, key: &str) -> crate::support::Run {
    let input = lake.bucket.url(key);
    lake.run(&["--input", &input, "--out", "details.parquet"])
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_ledger_in_a_bucket_has_the_rows_and_digest_of_a_file() {
    let local = Bench::new(&ledger(3));
    local.run(&[]).exits(0);
    for kind in [Kind::S3, Kind::OssByS3, Kind::Oss] {
        let lake = Publisher::new(kind);
        lake.bucket.put(KEY, ledger(3));
        run(&lake, KEY).exits(0);
        assert_eq!(lake.bench.comparable_outputs(), local.comparable_outputs());
        let digest = |bench: &Bench| bench.summary().0["input_sha256"].clone();
        assert_eq!(digest(&lake.bench), digest(&local));
        assert_eq!(lake.bench.summary().0["input"], lake.bucket.url(KEY));
    }
}

#[test]
fn a_damaged_ledger_in_a_bucket_is_refused_in_the_usual_words() {
    let lake = Publisher::new(Kind::S3);
    let mut packed = gzip(&ledger(1_000));
    packed.truncate(packed.len() / 2);
    lake.bucket.put("calls.csv.gz", packed);
    run(&lake, "calls.csv.gz").exits(2).says("cannot read s3://night/calls.csv.gz").says("cut off");
    lake.bucket.put("empty.csv", "");
    run(&lake, "empty.csv").exits(2).says("s3://night/empty.csv is empty");
    run(&lake, "nothing.csv")
        .exits(2)
        .says("s3://night/nothing.csv")
        .says("404")
        .says("check bucket and key");
}

#[test]
fn a_ledger_that_is_larger_than_a_request_is_read_whole() {
    let lake = Publisher::new(Kind::S3);
    let comment = "x".repeat(9_000);
    let rows: String =
        (0..1_200).map(|no| format!("call-{no},11000000300006,2024-05-26,{comment}\n")).collect();
    lake.bucket.put("large.csv", format!("call_id,prod_id,called_at,note\n{rows}"));
    let input = lake.bucket.url("large.csv");
    lake.run(&["--input", &input, "--out", "details.parquet", "--offline"]).exits(4);
    assert_eq!(lake.bench.summary().number("calls"), 1_200);
    let ranges = lake.bucket.requests().iter().filter(|request| request.method == "GET").count();
    assert_eq!(ranges, 2);
}

#[test]
fn plan_and_explain_read_a_ledger_in_a_bucket() {
    let lake = Publisher::new(Kind::S3);
    lake.bucket.put("calls.csv", ledger(3));
    let input = lake.bucket.url("calls.csv");
    lake.run(&["--input", &input]).exits(0);
    let mut plan =
        lake.bench.command(&["--input", &input, "--out", "s3://elsewhere/lake", "--store", "reconcile.db"]);
    let arguments: Vec<_> = plan.get_args().map(ToOwned::to_owned).collect();
    plan = std::process::Command::new(env!("CARGO_BIN_EXE_reconcile"));
    plan.arg("plan")
        .args(arguments)
        .current_dir(lake.bench.path("."))
        .env_clear()
        .envs(lake.bucket.variables());
    let output = plan.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains('3'),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut explain = std::process::Command::new(env!("CARGO_BIN_EXE_reconcile"));
    explain.args(["explain", &crate::support::id(0), "--input", &input, "--store", "reconcile.db"]);
    explain.current_dir(lake.bench.path(".")).env_clear().envs(lake.bucket.variables());
    let output = explain.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_ledger_that_is_replaced_while_it_is_read_is_refused() {
    let lake = Publisher::new(Kind::S3);
    lake.bucket.put("calls.csv", ledger(3));
    lake.bucket.set_faults(|request| (request.method == "GET").then_some(Fault::Replaced));
    run(&lake, "calls.csv").exits(2).says("the ledger s3://night/calls.csv changed while it was read");
}
