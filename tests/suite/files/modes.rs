//! Who may read the files.

use std::process::Command;

use super::{mode, set_mode};
use crate::support::rust_files::root;
use crate::support::{Bench, ledger};

/// Runs the job under this umask.
fn run_under(bench: &Bench, umask: &str, arguments: &[&str]) {
    let job = bench.command(arguments);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(job.get_program());
    command.args(job.get_args()).envs(job.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(bench.path("."));
    bench.start_command(command).wait().exits(0);
}

#[test]
fn the_umask_decides_on_outputs_and_private_files_are_private() {
    let text = ledger(2) + "x,11000000300006,soon\n";
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("077", 0o600), ("000", 0o666)] {
        let bench = Bench::new(&text);
        run_under(&bench, umask, &["--sql", "--record", "r.jsonl", "--metrics-file", "r.prom"]);
        for name in Bench::outputs().into_iter().chain(["details.sql"]) {
            assert_eq!(mode(&bench.path(name)), expected, "{name} under {umask}");
        }
        for name in ["details.rejects.csv", "r.jsonl"] {
            assert_eq!(mode(&bench.path(name)), 0o600, "{name} under {umask}");
        }
        assert_eq!(mode(&bench.path("r.prom")), 0o644, "the collector is another user");
    }
}

#[test]
fn old_rejects_and_recordings_become_private() {
    let bench = Bench::new(&(ledger(2) + "x,11000000300006,soon\n"));
    run_under(&bench, "022", &["--record", "r.jsonl"]);
    for name in ["details.rejects.csv", "r.jsonl"] {
        set_mode(&bench.path(name), 0o644);
    }
    bench.write("empty.jsonl", "");
    set_mode(&bench.path("empty.jsonl"), 0o644);
    for record in ["r.jsonl", "empty.jsonl"] {
        run_under(&bench, "022", &["--record", record, "--refresh"]);
        assert_eq!(mode(&bench.path(record)), 0o600, "{record}");
    }
    assert_eq!(mode(&bench.path("details.rejects.csv")), 0o600);
}

#[test]
fn scheduled_runs_hide_their_files_from_other_users() {
    let text = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    for name in ["README.md", "packaging/crontab"] {
        let text = text(name);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("5 0 * * *")).collect();
        assert_eq!(lines.len(), 1, "{name}");
        assert!(lines[0].contains("umask 027 && "), "{name}: {}", lines[0]);
    }
    assert!(text("packaging/reconcile@.service").contains("\nUMask=0027\n"));
    assert!(text("examples/nightly.sh").contains("\numask 027\n"));
}
