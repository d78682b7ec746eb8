//! What is refused before the first request to the provider, and how.

use super::Publisher;
use crate::support::bucket::{Fault, Kind};
use crate::support::{Run, SECRET};

/// Runs with the usual options and these; without `--store` if it is not among them.
fn run(lake: &Publisher, given: &[&str]) -> Run {
    let mut command = lake.bench.command(given);
    command.envs(lake.bucket.variables());
    lake.bench.start_command(command).wait()
}

#[test]
fn options_that_make_no_sense_in_a_bucket_are_refused() {
    let lake = Publisher::new(Kind::S3);
    let out = lake.bucket.url("lake");
    run(&lake, &["--out", &out]).exits(2).says("--store is missing").says("name a file on this machine");
    for option in ["--report", "--summary", "--discrepancies", "--xlsx", "--sql"] {
        for path in ["/tmp/x.xlsx", "sub/x.xlsx", "s3://night/x.xlsx"] {
            lake.run(&[option, path])
                .exits(2)
                .says(&format!("{option} names a folder"))
                .says("a file name only");
        }
    }
    lake.run(&["--report", "details.parquet"]).exits(2).says("is the same file as the details file");
    lake.run(&["--summary", "details.rejects.csv"]).exits(2).says("is the same file as");
    lake.run(&["--discrepancies", "x.docx"]).exits(2).says("has an unknown extension");
    lake.run(&["--out", "s3://night/a*b"]).exits(2).says("take for patterns");
    lake.run(&["--out", "s3://Night/lake"]).exits(2).says("has no valid bucket");
    lake.run(&["--input", "s3://night"]).exits(2).says("names a bucket, no object");
    let secret = lake.run(&["--input", "s3://AKIA:hunter2@night/x"]).exits(2).says("contains a user name");
    assert!(!secret.stderr.contains("hunter2"), "{}", secret.stderr);
    assert_eq!((lake.bucket.requests().len(), lake.bench.provider.requests().len()), (0, 0));
}

#[test]
fn a_bucket_that_cannot_be_used_is_refused_before_the_night() {
    let lake = Publisher::new(Kind::S3);
    lake.run(&["--out", "s3://other/lake"]).exits(2).says("s3://other/lake").says("NoSuchBucket");
    for (name, value, words) in [
        ("AWS_SECRET_ACCESS_KEY", "another-s3cret", "SignatureDoesNotMatch"),
        ("AWS_ENDPOINT_URL", "http://192.0.2.1:9", "not encrypted"),
        ("AWS_ENDPOINT_URL", "nonsense", "AWS_ENDPOINT_URL is not a URL"),
    ] {
        let mut command = lake.command(&["-v"]);
        command.env(name, value);
        let run = lake.bench.start_command(command).wait().exits(2).says(words);
        assert!(!run.stderr.contains("s3cret") && !run.stderr.contains("Signature="), "{}", run.stderr);
    }
    let mut command = lake.command(&[]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    lake.bench.start_command(command).wait().exits(6).says("connection refused").says("s3://night/lake");
    let mut command = lake.command(&[]);
    command.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    lake.bench.start_command(command).wait().exits(2).says("no access key").says("AWS_ACCESS_KEY_ID");
    assert_eq!(lake.bench.provider.requests().len(), 0);
    assert!(lake.newest().is_none());
    lake.assert_nothing_local();
}

#[test]
fn a_bucket_of_oss_needs_its_region_and_the_providers_key() {
    let lake = Publisher::new(Kind::Oss);
    let mut command = lake.command(&[]);
    command.env_remove("OSS_REGION");
    lake.bench.start_command(command).wait().exits(2).says("region of oss://night/lake is not known");
    let mut command = lake.command(&[]);
    command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another-s3cret");
    let run = lake.bench.start_command(command).wait().exits(2).says("SignatureDoesNotMatch");
    assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
}

#[test]
fn a_folder_that_cannot_be_written_is_noticed_at_the_start() {
    let lake = Publisher::new(Kind::S3);
    lake.bucket.set_faults(|request| request.writes().then_some(Fault::Busy));
    lake.run(&[]).exits(6).says("cannot write s3://night/lake/runs/1-").says("SlowDown");
    assert_eq!(lake.bench.provider.requests().len(), 0);
    lake.bucket.set_faults(|_| None);
    lake.run(&[]).exits(0).keeps_secrets(&lake.bench.provider);
    assert_eq!(lake.newest_no(), 1);
}

#[test]
fn no_secret_of_the_bucket_is_shown() {
    for kind in [Kind::S3, Kind::Oss] {
        let lake = Publisher::new(kind);
        let mut no = 0;
        // Every third request fails once.
        lake.bucket.set_faults(move |_| {
            no += 1;
            (no % 3 == 0).then_some(Fault::LostReply)
        });
        let run = lake.run(&["-v", "--log-format", "json"]).exits(0);
        for secret in [SECRET, "Signature=", "Credential="] {
            assert!(!run.stderr.contains(secret), "{secret} is in {}", run.stderr);
        }
        for key in lake.bucket.keys() {
            let text = String::from_utf8_lossy(&lake.bucket.get(&key).unwrap()).into_owned();
            assert!(!text.contains(SECRET), "{key} has the secret");
        }
    }
}
