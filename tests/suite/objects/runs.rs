//! What a published run consists of.

use super::{LAKE, Publisher};
use crate::support::bucket::Kind;
use crate::support::tls::{self, Front};
use crate::support::{Bench, cell, ledger, read_parquet};

#[test]
fn a_run_is_published_with_all_its_files() {
    for kind in Kind::ALL {
        let lake = Publisher::new(kind);
        lake.run(&["--sql"]).exits(0).says(&lake.bucket.url("lake/runs/1-"));
        let commit = lake.newest().unwrap();
        let names: Vec<&str> =
            commit["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
        let wanted = [
            "details.discrepancies.csv",
            "details.parquet",
            "details.report.html",
            "details.sql",
            "details.summary.json",
        ];
        assert_eq!(names, wanted, "{kind:?}");
        let summary: serde_json::Value = serde_json::from_slice(&lake.file("details.summary.json")).unwrap();
        assert_eq!(commit["run_id"], summary["run_id"]);
        assert_eq!((&commit["complete"], &commit["sandbox"]), (&true.into(), &false.into()));
        // The summary has the digests of the files before it.
        for file in summary["files"].as_array().unwrap() {
            assert!(commit["files"].as_array().unwrap().contains(file), "{file} is another in the commit");
        }
        let id = commit["run_id"].as_str().unwrap();
        assert!(commit["folder"].as_str().unwrap().starts_with(&format!("runs/1-{id}/")));
        assert_eq!(lake.bucket.keys().iter().filter(|key| key.contains("commits/")).count(), 1);
        assert!(lake.bucket.get("lake/commits/00000000000000000001.json").is_some());
        lake.assert_nothing_local();
    }
}

#[test]
fn a_published_run_has_the_rows_of_a_local_one() {
    let lake = Publisher::new(Kind::S3);
    let ledger = ledger(3).replace("called_at", "called_at,duration_s").replace("2024-05-26", "2024-05-26,1");
    lake.bench.write("calls.csv", &ledger);
    lake.run(&["--out", "s3://night/lake/calls.parquet", "--discrepancies", "diff.jsonl"]).exits(0);
    lake.bench.write("published.parquet", "");
    std::fs::write(lake.bench.path("published.parquet"), lake.file("calls.parquet")).unwrap();
    let local = Bench::new(&ledger);
    local.run(&[]).exits(0);
    let ids = |rows: &[crate::support::Row]| -> Vec<(String, String)> {
        rows.iter().map(|row| (cell(row, "call_id").into(), cell(row, "raw").into())).collect()
    };
    let published = read_parquet(&lake.bench.path("published.parquet"));
    assert_eq!(ids(&published), ids(&local.details()));
    assert_eq!(String::from_utf8(lake.file("diff.jsonl")).unwrap().lines().count(), 3);
    assert!(String::from_utf8(lake.file("calls.report.html")).unwrap().contains("href=\"diff.jsonl\""));
}

#[test]
fn every_run_takes_the_number_after_the_highest_commit() {
    let lake = Publisher::new(Kind::S3);
    for no in [1, 2, 3, 4, 5] {
        lake.run(&[]).exits(0);
        assert_eq!(lake.newest_no(), no);
    }
    // The list has pages, and other objects beside the commits.
    lake.bucket.put("lake/commits/99.json", "{}");
    lake.bucket.put("lake/commits/readme", "");
    lake.run(&[]).exits(0);
    assert!(lake.bucket.get("lake/commits/00000000000000000006.json").is_some());
    assert_eq!(lake.bench.provider.requests().len(), 3, "a settled call was asked for again");
}

#[test]
fn a_folder_of_days_is_published_too() {
    let lake = Publisher::new(Kind::S3);
    lake.run(&["--partition-by", "call_date", "--xlsx", "night.xlsx"]).exits(0);
    assert!(!lake.file("details/call_date=2024-05-26/part-0.parquet").is_empty());
    assert!(!lake.file("night.xlsx").is_empty());
}

#[test]
fn old_runs_stay_if_no_call_was_answered() {
    let lake = Publisher::new(Kind::S3);
    lake.run(&[]).exits(0);
    let other = Publisher::to(lake.bucket.clone());
    other.run(&["--max-duration", "1ms"]).exits(4).says("the old outputs stay");
    assert_eq!(lake.newest_no(), 1);
    let empty = Publisher::new(Kind::S3);
    empty.run(&["--max-duration", "1ms"]).exits(4);
    assert_eq!(empty.newest().unwrap()["complete"], false);
}

#[test]
fn a_large_file_is_uploaded_in_parts() {
    for kind in [Kind::S3, Kind::Oss] {
        let lake = Publisher::new(kind);
        let mut random = fastrand::Rng::with_seed(7);
        let mut text = String::from("call_id,prod_id,called_at,note\n");
        for no in 0..12_500 {
            let noise: String = (0..1_000).map(|_| random.alphanumeric()).collect();
            text += &format!("call-{no},11000000300006,2024-05-26,{noise}\n");
        }
        lake.bench.write("calls.csv", &text);
        lake.run(&["--offline"]).exits(4);
        assert!(lake.bucket.most_parts() >= 2, "{} parts", lake.bucket.most_parts());
        assert!(lake.file("details.parquet").len() > 8 << 20);
        assert!(lake.newest().is_some(), "{LAKE}");
    }
}

#[test]
fn a_bucket_is_reached_through_a_proxy_and_over_tls() {
    let lake = Publisher::new(Kind::S3);
    let tls = Front::tls(lake.bucket.port);
    let proxy = Front::proxy(tls.port);
    let authority = tls::file("ca.pem");
    let command = |given: &[&str]| {
        let mut command = lake.command(given);
        command.env("AWS_ENDPOINT_URL", "https://provider.test:8443");
        command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port));
        command
    };
    let trusting = command(&["--ca-file", authority.to_str().unwrap()]);
    lake.bench.start_command(trusting).wait().exits(0);
    assert_eq!(lake.newest_no(), 1);
    assert!(proxy.asked().iter().all(|asked| asked == "CONNECT provider.test:8443"), "{:?}", proxy.asked());
    lake.bench.start_command(command(&[])).wait().exits(6).says("certificate").says("s3://night/lake");
}
