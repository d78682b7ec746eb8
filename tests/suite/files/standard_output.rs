//! Commands whose answer cannot be written to standard output, and files that may not grow.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::{Bench, id, ledger};

/// A command of the binary with this standard output. Returns exit code and messages.
fn end(bench: &Bench, arguments: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(arguments).env_clear().current_dir(bench.path(".")).env("HOME", bench.path("home"));
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "id").env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret");
    let output = command.stdout(stdout).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    let id = id(0);
    for arguments in [
        &["plan", "-i", "calls.csv", "-o", "details.parquet"][..],
        &["plan", "-i", "calls.csv", "-o", "details.parquet", "--json"],
        &["explain", &id],
        &["verify-cap"],
        &["verify-cap", "--json"],
        &["whoami"],
        &["config"],
        &["completions", "bash"],
        &["man"],
        &["man", "plan"],
        &["--help"],
        &["-h"],
        &["help", "sandbox"],
        &["--version"],
        &["purge", "--older-than", "9000d"],
        &["forget", "13800000000"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (code, said) = end(&bench, arguments, full.into());
        assert_eq!(code, Some(6), "{arguments:?}: {said}");
        assert!(said.contains("cannot write to standard output") && said.contains("to do: "), "{said}");

        // A reader that needs no more, such as `head`, is no error.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(end(&bench, arguments, writer.into()), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn a_limit_of_file_sizes_is_an_error_in_words() {
    let note = "x".repeat(2_000);
    let row = |i| format!("{},11000000300006,2024-05-26,{note}\n", id(i));
    let rows: String = (0..400).map(row).collect();
    let bench = Bench::new(&format!("call_id,prod_id,called_at,note\n{rows}"));
    let job = bench.command(&["--offline"]);
    let mut command = Command::new("sh");
    // 1000 blocks of 512 bytes are enough for the store, but not for the discrepancies.
    command.args(["-c", "ulimit -f 1000; exec \"$@\"", "sh"]).arg(job.get_program()).args(job.get_args());
    command.env_clear().envs(job.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(bench.path("."));
    let run = bench.start_command(command).wait().exits(6);
    run.says("details.discrepancies.csv").says("too large").says("ulimit -f");
    assert!(!bench.path("details.summary.json").exists());
    bench.run(&["--offline"]).exits(4);
    assert!(bench.path("details.summary.json").exists());
}
