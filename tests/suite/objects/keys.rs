//! The access key of a bucket comes from where the service's own tools take it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;

use super::Publisher;
use crate::support::bucket::Kind;

/// The command without a key in its environment.
fn without_key(lake: &Publisher) -> Command {
    let mut command = lake.command(&[]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

#[test]
fn a_key_of_a_profile_of_aws_is_used() {
    let lake = Publisher::new(Kind::S3);
    std::fs::create_dir(lake.bench.path("home/.aws")).unwrap();
    let profile = "[lake]\naws_access_key_id = testid\naws_secret_access_key = testsecret\n";
    lake.bench.write("home/.aws/credentials", profile);
    let mut command = without_key(&lake);
    command.env("AWS_PROFILE", "lake");
    lake.bench.start_command(command).wait().exits(0);
    assert_eq!(lake.newest_no(), 1);
}

/// A metadata service of EC2, version 2, with a role whose key the bucket knows.
fn metadata() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let first = lines.next().unwrap_or_default();
            let has_token = lines.take_while(|line| !line.is_empty()).any(|line| line.ends_with("a-t0ken"));
            let key = r#"{"Code":"Success","AccessKeyId":"testid","SecretAccessKey":"testsecret",
                "Token":"s3ssion","Expiration":"2099-01-01T00:00:00Z","Type":"AWS-HMAC",
                "LastUpdated":"2026-11-26T00:00:00Z"}"#;
            let (status, body) = match first.split(' ').take(2).collect::<Vec<_>>()[..] {
                ["PUT", "/latest/api/token"] => (200, "a-t0ken"),
                ["GET", "/latest/meta-data/iam/security-credentials/"] if has_token => (200, "night"),
                ["GET", "/latest/meta-data/iam/security-credentials/night"] if has_token => (200, key),
                _ => (404, ""),
            };
            let length = body.len();
            let reply =
                format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    url
}

#[test]
fn a_role_of_the_machine_is_used_without_a_proxy() {
    let lake = Publisher::new(Kind::S3);
    let mut command = without_key(&lake);
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata()).env("HTTP_PROXY", "http://127.0.0.1:1");
    lake.bench.start_command(command).wait().exits(0);
    assert_eq!(lake.newest_no(), 1);
    assert!(lake.bucket.requests().iter().all(|request| request.header("x-amz-security-token") == "s3ssion"));
}

#[test]
fn a_temporary_key_of_the_provider_is_used_for_oss() {
    let lake = Publisher::new(Kind::Oss);
    std::fs::create_dir(lake.bench.path("home/.aliyun")).unwrap();
    let profile = r#"{"current": "night", "profiles": [{"name": "night", "mode": "StsToken",
        "access_key_id": "testid", "access_key_secret": "testsecret", "sts_token": "s3ssion"}]}"#;
    lake.bench.write("home/.aliyun/config.json", profile);
    let mut command = lake.command(&["--profile", "night"]);
    command.env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID").env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    let run = lake.bench.start_command(command).wait().exits(0);
    assert!(!run.stderr.contains("s3ssion"));
    assert_eq!(lake.newest_no(), 1);
    assert!(lake.bucket.requests().iter().all(|request| request.header("x-oss-security-token") == "s3ssion"));
}
