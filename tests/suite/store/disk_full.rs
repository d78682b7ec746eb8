//! A really full disk: a file system in memory of a few kilobytes, in its own mount namespace. A
//! script mounts it, enlarges it and runs the job again.

use std::process::Command;

use crate::store::resume::IN_FLIGHT;
use crate::support::{Bench, column, ledger, skip};

const CALLS: usize = 150;

/// Runs a shell script in its own mount namespace and returns what it prints. In the script, `$job`
/// is the job with its outputs and its store in `small/`.
fn in_own_mounts(bench: &Bench, script: &str) -> String {
    let job = bench.command(&["--out", "small/details.parquet", "--concurrency", "4"]);
    let script =
        format!("set -u; mkdir small; {}", script.replace("$job", "\"$@\" --input /proc/self/cwd/calls.csv"));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command.arg(job.get_program()).args(job.get_args().filter(|a| *a != "--input" && *a != "calls.csv"));
    command
        .envs(job.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(bench.path("."));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the job on a file system of `kilobytes`, enlarges it and runs the job again. Returns both
/// exit codes and the messages of the first run.
fn run_twice(bench: &Bench, kilobytes: usize) -> (i32, i32, String) {
    let script = format!(
        "mount -t tmpfs -o size={kilobytes}k tmpfs small || exit; \
         $job 2>first; a=$?; test -e small/details.summary.json && echo left >>first; \
         mount -o remount,size=64m small || exit; $job 2>second; b=$?; cp small/details* . ; echo $a $b"
    );
    let printed = in_own_mounts(bench, &script);
    let codes: Vec<i32> = printed.split_whitespace().map(|code| code.parse().unwrap()).collect();
    (codes[0], codes[1], std::fs::read_to_string(bench.path("first")).unwrap())
}

/// False, with a message, on machines where tests cannot mount. In CI that is a failure.
fn can_mount() -> bool {
    let script = "mount -t tmpfs tmpfs /mnt || mount -t tmpfs tmpfs /tmp";
    let status = Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", script]).status();
    let can = status.is_ok_and(|status| status.success());
    if !can {
        skip("tests cannot mount a file system on this machine");
    }
    can
}

#[test]
fn a_read_only_folder_is_an_error_before_sending() {
    if !can_mount() {
        return;
    }
    let bench = Bench::new(&ledger(3));
    let script = "mount -t tmpfs -o size=1m,ro tmpfs small || exit; $job 2>first; echo $?; \
                  $job --store /proc/self/cwd/reconcile.db 2>second; echo $?";
    assert_eq!(in_own_mounts(&bench, script), "6\n6\n");
    for said in ["first", "second"] {
        let said = std::fs::read_to_string(bench.path(said)).unwrap();
        assert!(said.contains("small/") && said.contains("Read-only") && said.contains("to do: "), "{said}");
    }
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn a_full_disk_loses_nothing_at_any_moment() {
    if !can_mount() {
        return;
    }
    let whole = Bench::new(&ledger(CALLS));
    whole.run(&[]).exits(0);
    let mut moments = Vec::new();
    for kilobytes in [4, 24, 60, 100, 130, 160, 190, 220, 250, 280, 320, 400] {
        let bench = Bench::new(&ledger(CALLS));
        let (first, second, said) = run_twice(&bench, kilobytes);
        assert!(!said.contains("panicked"), "{kilobytes} kB: {said}");
        if first != 0 {
            assert_eq!(first, 6, "{kilobytes} kB: {said}");
            assert!(said.contains("to do: ") && said.contains("space"), "{kilobytes} kB: {said}");
            assert!(!said.contains("left"), "{kilobytes} kB: half a run leaves no outputs");
            moments.push((kilobytes, bench.provider.seen()));
        }
        assert_eq!(second, 0, "{kilobytes} kB: {}", std::fs::read_to_string(bench.path("second")).unwrap());
        assert_eq!(column(&bench.details(), "status"), ["found"; CALLS]);
        assert_eq!(bench.comparable_outputs(), whole.comparable_outputs(), "{kilobytes} kB");
        let seen = bench.provider.seen();
        assert!(seen <= CALLS + IN_FLIGHT, "{kilobytes} kB: {seen} requests");
    }
    assert!(moments.len() >= 10, "full at {moments:?}");
}
