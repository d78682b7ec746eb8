//! Programs that print keys and misbehave: endless output, descendants that hold the output open.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Bench, Run, SECRET, ledger, wait_until};

const KEY: &str = r#"{"mode":"AK","access_key_id":"testid","access_key_secret":"testsecret"}"#;

/// Runs with a profile whose key this shell script prints.
fn run(bench: &Bench, script: &str) -> Run {
    let program = bench.path("key.sh");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(bench.path("home/.aliyun")).unwrap();
    let profile = serde_json::json!({"name": "p", "mode": "External", "process_command": program});
    let config = serde_json::json!({"current": "p", "profiles": [profile]});
    bench.write("home/.aliyun/config.json", &config.to_string());
    let mut command = bench.command(&["--profile", "p"]);
    command.env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID").env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    bench.start_command(command).wait()
}

fn exists(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).join("exe").exists()
}

#[test]
fn a_key_program_with_endless_output_is_killed() {
    let bench = Bench::new(&ledger(1));
    let began = Instant::now();
    // The shell's child writes, so killing only the shell would not end it.
    let script = "yes testsecret & echo $! > writer; wait";
    let run = run(&bench, script).exits(2).says("key.sh").says("more than 1 MiB");
    assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let writer = std::fs::read_to_string(bench.path("writer")).unwrap();
    wait_until("the writer is killed", || !exists(&writer));
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn a_descendant_that_holds_the_output_is_not_waited_for() {
    let bench = Bench::new(&ledger(1));
    let began = Instant::now();
    run(&bench, &format!("sleep 300 & echo $! > sleeper\necho '{KEY}'")).exits(0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    bench.assert_all_found(1);
    // It is another program's business. The test ends it.
    let sleeper = std::fs::read_to_string(bench.path("sleeper")).unwrap();
    assert!(std::process::Command::new("kill").arg(sleeper.trim()).status().unwrap().success());
}

#[test]
fn a_key_of_nearly_the_limit_is_read() {
    let bench = Bench::new(&ledger(1));
    run(&bench, &format!("head -c 1000000 /dev/zero | tr '\\0' ' '\necho '{KEY}'")).exits(0);
    bench.assert_all_found(1);
}
