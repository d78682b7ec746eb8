//! A disk that is full, for real: a file system in memory of a few kilobytes, in a mount namespace of its own. Owns
//! the script that makes it, fills it, enlarges it and runs the job again.

use std::process::Command;

use crate::support::{Bench, column, ledger};

const CALLS: usize = 150;
const CONCURRENCY: usize = 4;

/// Runs a shell script in a mount namespace of its own, in which `$job` is the job with its outputs and its store in
/// `small/`; what it prints.
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

/// Runs the job on a file system of `kilobytes`, then, after it was enlarged, once more; the exit codes of the two, and
/// what the first said.
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

/// Not every machine lets tests mount; there they say so. In CI that is a failure.
#[allow(clippy::print_stderr, reason = "a test that shows nothing has to say so")]
fn can_mount() -> bool {
    let script = "mount -t tmpfs tmpfs /mnt || mount -t tmpfs tmpfs /tmp";
    let status = Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", script]).status();
    let can = status.is_ok_and(|status| status.success());
    if !can {
        assert!(std::env::var_os("CI").is_none(), "CI has to let tests mount a file system of their own");
        eprintln!("skipped: this machine does not let tests mount a file system of their own");
    }
    can
}

#[test]
fn a_folder_that_cannot_be_written_to_is_found_before_the_first_request() {
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
fn a_full_disk_loses_nothing_at_whatever_moment() {
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
        assert_eq!(bench.lasting(), whole.lasting(), "{kilobytes} kB");
        let seen = bench.provider.seen();
        assert!(seen <= CALLS + CONCURRENCY, "{kilobytes} kB: {seen} requests");
    }
    assert!(moments.len() >= 10, "full at {moments:?}");
}
