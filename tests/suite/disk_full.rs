//! A disk that is full, for real: a file system in memory of a few kilobytes, in a mount namespace of its own. Owns
//! the script that makes it, fills it, enlarges it and runs the job again.

use std::process::Command;

use crate::support::{Bench, column, ledger};

const CALLS: usize = 150;
const CONCURRENCY: usize = 4;

/// Runs the job on a file system of `kilobytes`, then, after it was enlarged, once more; the exit codes of the two.
fn run_twice(bench: &Bench, kilobytes: usize) -> (i32, i32, String) {
    let job = "\"$@\" --input /proc/self/cwd/calls.csv";
    let script = format!(
        "set -u; mkdir small; mount -t tmpfs -o size={kilobytes}k tmpfs small || exit 99; \
         {job} 2>first; a=$?; test -e small/details.summary.json && echo left >>first; \
         mount -o remount,size=64m small || exit 99; {job} 2>second; b=$?; cp small/details* . ; echo $a $b"
    );
    let job = bench.command(&["--out", "small/details.parquet", "--concurrency", "4"]);
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command.arg(job.get_program()).args(job.get_args().filter(|a| *a != "--input" && *a != "calls.csv"));
    command
        .envs(job.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(bench.path("."));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut codes = said.split_whitespace().map(|code| code.parse().unwrap());
    let first = std::fs::read_to_string(bench.path("first")).unwrap_or_default();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let both = (codes.next(), codes.next());
    let (Some(first_code), Some(second_code)) = both else { panic!("{error}") };
    (first_code, second_code, first)
}

/// Not every machine lets tests mount; there the tests say so.
fn can_mount() -> bool {
    let script = "mount -t tmpfs tmpfs /mnt || mount -t tmpfs tmpfs /tmp";
    let status = Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", script]).status();
    let can = status.is_ok_and(|status| status.success());
    #[allow(clippy::print_stderr)]
    if !can {
        eprintln!("skipped: this machine does not let tests mount a file system of their own");
    }
    can
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
