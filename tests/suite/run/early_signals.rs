//! Signals before the first request, SIGHUP, and a terminal that is gone.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::provider::Reply;
use crate::support::{Bench, Running, ledger, wait_until};

/// Asserts that the first signal ends the run at once, with the old outputs in place.
#[track_caller]
fn first_signal_ends(bench: &Bench, run: Running, signal: &str) {
    let old = bench.output_bytes();
    run.signal(signal);
    let run = run.wait().exits(4).says(&format!("stopped by SIG{signal} before the first request"));
    let run = run.says("No call was queried (exit 4).");
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert_eq!(bench.output_bytes(), old, "the old outputs stay");
    assert_eq!(bench.provider.seen(), 0);
}

/// Waits until the process handles the signal, so that it does not just die of it.
fn wait_until_ready(run: &Running) {
    let status = format!("/proc/{}/status", run.pid());
    wait_until("the signal handlers are installed", || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask >> 14 & 1 == 1)
    });
}

#[test]
fn the_first_signal_ends_a_run_that_waits_for_standard_input() {
    for signal in ["TERM", "INT", "HUP"] {
        let bench = Bench::new("");
        let mut writer = Command::new("sleep").arg("600").stdout(Stdio::piped()).spawn().unwrap();
        let pipe = writer.stdout.take().unwrap();
        let run = bench.start_reading(bench.command(&["--input", "-"]), pipe.into());
        wait_until_ready(&run);
        first_signal_ends(&bench, run, signal);
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
}

#[test]
fn the_first_signal_ends_a_run_that_waits_for_a_fifo() {
    let bench = Bench::new("");
    assert!(Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    let run = bench.start(&["--input", "pipe"]);
    wait_until_ready(&run);
    first_signal_ends(&bench, run, "TERM");

    let run = bench.start(&["--input", "pipe"]);
    let _writer = File::options().write(true).open(bench.path("pipe")).unwrap();
    wait_until_ready(&run);
    first_signal_ends(&bench, run, "INT");
}

#[test]
fn the_first_signal_ends_a_run_that_waits_for_its_key() {
    let bench = Bench::new(&ledger(3));
    let config = r#"{"current": "p", "profiles": [{"name": "p", "mode": "External",
        "process_command": "sh -c 'touch started; exec sleep 50'"}]}"#;
    fs::create_dir(bench.path("home/.aliyun")).unwrap();
    bench.write("home/.aliyun/config.json", config);
    let run = bench.start(&["--profile", "p"]);
    wait_until("the program for the key runs", || bench.path("started").exists());
    run.signal("TERM");
    // The store is open by then, so the outputs are written.
    run.wait_at_most(Duration::from_secs(30)).exits(4).says("stopped by SIGTERM");
    assert_eq!((bench.provider.seen(), bench.summary().number("deferred")), (0, 3));
}

#[test]
fn a_signal_leaves_no_copy_of_standard_input() {
    let bench = Bench::new("");
    fs::create_dir(bench.path("tmp")).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut command = bench.command(&["--input", "-"]);
    command.env("TMPDIR", bench.path("tmp"));
    let run = bench.start_reading(command, reader.into());
    writer.write_all(ledger(3).as_bytes()).unwrap();
    wait_until_ready(&run);
    run.kill();
    assert_eq!(fs::read_dir(bench.path("tmp")).unwrap().count(), 0, "nothing survives kill -9");
}

/// Answers the first two requests at once and the others after half a second.
fn slow_after_two(bench: &Bench) {
    let slow = Duration::from_millis(500);
    let seen = AtomicUsize::new(0);
    bench.provider.answer_with(move |_| match seen.fetch_add(1, Ordering::Relaxed) {
        0..=1 => Reply::record(),
        _ => Reply::record().after(slow),
    });
}

#[test]
fn sighup_writes_outputs_marked_incomplete() {
    let bench = Bench::new(&ledger(40));
    slow_after_two(&bench);
    let run = bench.start(&["--concurrency", "1"]);
    bench.provider.wait_for(3);
    run.signal("HUP");
    run.wait().exits(4).says("stopped by SIGHUP");
    assert_incomplete(&bench);
    bench.run(&[]).exits(0);
    bench.assert_all_found(40);
}

fn assert_incomplete(bench: &Bench) {
    assert!(!bench.summary().complete());
    bench.summary().assert_totals();
    assert!(bench.summary().number("found") >= 2 && bench.summary().number("deferred") > 0);
}

#[test]
fn sighup_writes_outputs_also_when_the_terminal_is_gone() {
    for progress in ["always", "never"] {
        let bench = Bench::new(&ledger(40));
        slow_after_two(&bench);
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = bench.command(&["--concurrency", "1", "--progress", progress, "-v"]);
        let (out, err) = (closed.try_clone().unwrap(), closed);
        let mut run = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        bench.provider.wait_for(3);
        let kill = format!("kill -HUP {}", run.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(run.wait().unwrap().code(), Some(4));
        assert_incomplete(&bench);
    }
}

#[test]
fn an_ignored_sighup_stays_ignored() {
    let bench = Bench::new(&ledger(4));
    slow_after_two(&bench);
    let run = bench.command(&["--concurrency", "1"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    command.current_dir(bench.path("")).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = bench.start_command(command);
    bench.provider.wait_for(3);
    run.signal("HUP");
    run.wait().exits(0);
    bench.assert_all_found(4);
}
