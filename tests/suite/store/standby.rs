//! `--wait`: a run stands by while another run holds the store, and then goes on.

use std::fs::{self, File};

use crate::support::{Bench, Running, id, ledger, wait_until};

/// A first run whose replies are kept back, and a second one with these options that stands by.
fn first_and_standby(bench: &Bench, options: &[&str]) -> (Running, Running) {
    let seen = bench.provider.seen();
    bench.provider.hold_replies();
    let first = bench.start(&["--timeout", "60s", "--concurrency", "1"]);
    bench.provider.wait_for(seen + 1);
    let second = bench.start(options);
    wait_until("the second run stands by", || second.stderr_so_far().contains("this run stands by"));
    (first, second)
}

#[test]
fn a_second_run_stands_by_and_finds_all_answers_stored() {
    let bench = Bench::new(&ledger(3));
    let (first, second) = first_and_standby(&bench, &["--wait"]);
    let pid = first.pid().to_string();
    bench.provider.send_replies();
    first.wait().exits(0);
    let second = second.wait().exits(0).says("until it ends").says(&pid).says("all answers are stored");
    assert_eq!(second.stderr.matches("stands by").count(), 1, "{}", second.stderr);
    assert_eq!(bench.provider.seen(), 3, "the second run sends nothing");
    bench.assert_all_found(3);
}

#[test]
fn a_standby_takes_over_when_the_other_run_is_killed() {
    let bench = Bench::new(&ledger(3));
    let (first, second) = first_and_standby(&bench, &["--wait=1h"]);
    assert!(first.kill());
    bench.provider.send_replies();
    second.wait().exits(0).says("for at most 1h").says("resuming an unfinished run");
    bench.assert_all_found(3);
}

#[test]
fn standing_by_ends_with_its_time() {
    let bench = Bench::new(&ledger(2));
    bench.provider.hold_replies();
    let first = bench.start(&["--timeout", "60s"]);
    bench.provider.wait_for(1);
    let second = bench.run(&["--wait=300ms", "-q"]).exits(5).says("this run stood by for 300ms");
    assert!(second.stderr.contains(&first.pid().to_string()), "{}", second.stderr);
    assert_eq!(second.stderr.lines().count(), 1, "with -q only the error: {}", second.stderr);
    bench.provider.send_replies();
    first.wait().exits(0);
}

#[test]
fn a_signal_ends_standing_by_with_the_old_outputs() {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(3));
    let old = bench.output_bytes();
    let (first, second) = first_and_standby(&bench, &["--wait"]);
    let seen = bench.provider.seen();
    second.signal("TERM");
    second
        .wait()
        .exits(4)
        .says("stopped by SIGTERM while another run was in the way")
        .says("No call was queried");
    assert!(bench.output_bytes() == old, "the old outputs stay");
    assert_eq!(bench.provider.seen(), seen);
    bench.provider.send_replies();
    first.wait().exits(0);
}

#[test]
fn a_ledger_that_changed_while_standing_by_is_read_again() {
    let bench = Bench::new(&ledger(2));
    let (first, second) = first_and_standby(&bench, &["--wait"]);
    bench.write("new.csv", &ledger(5));
    fs::rename(bench.path("new.csv"), bench.path("calls.csv")).unwrap();
    bench.provider.send_replies();
    first.wait().exits(0);
    second.wait().exits(0);
    bench.assert_all_found(5);
    assert_eq!((bench.summary().number("from_store"), bench.provider.seen()), (2, 5));
}

#[test]
fn a_ledger_gone_while_standing_by_is_the_one_of_the_start() {
    let bench = Bench::new(&ledger(2));
    let (first, second) = first_and_standby(&bench, &["--wait"]);
    fs::remove_file(bench.path("calls.csv")).unwrap();
    bench.provider.send_replies();
    first.wait().exits(0);
    second.wait().exits(0);
    bench.assert_all_found(2);
}

#[test]
fn a_key_that_changed_while_standing_by_is_looked_up_again() {
    let bench = Bench::new(&ledger(1));
    let key = |key: &str| {
        let profile = format!(
            r#"{{"name": "p", "mode": "AK", "access_key_id": "{key}", "access_key_secret": "testsecret"}}"#
        );
        bench.write("home/.aliyun/config.json", &format!(r#"{{"current": "p", "profiles": [{profile}]}}"#));
    };
    fs::create_dir(bench.path("home/.aliyun")).unwrap();
    key("oldkey");
    bench.write("more.csv", &ledger(2));
    let options = ["--wait", "--profile", "p", "--input", "more.csv"];
    let (first, second) = first_and_standby(&bench, &options);
    key("newkey");
    bench.provider.send_replies();
    first.wait().exits(0);
    second.wait().exits(0);
    let asked = bench.provider.asked_for(&id(1));
    assert_eq!(asked.iter().map(|request| request.param("AccessKeyId")).collect::<Vec<_>>(), ["newkey"]);
}

#[test]
fn the_time_limits_of_a_run_include_its_standing_by() {
    let bench = Bench::new(&ledger(1));
    bench.write("more.csv", &ledger(2));
    let options = ["--wait", "--max-duration", "1ms", "--input", "more.csv"];
    let (first, second) = first_and_standby(&bench, &options);
    bench.provider.send_replies();
    first.wait().exits(0);
    second.wait().exits(4);
    assert_eq!((bench.summary().number("deferred"), bench.provider.seen()), (1, 1));
}

#[test]
fn a_sandbox_run_stands_by_too() {
    let bench = Bench::new(&ledger(2));
    let held = File::create(bench.path("reconcile.sandbox.db")).unwrap();
    held.lock().unwrap();
    let run = bench.start(&["--sandbox", "--wait"]);
    wait_until("the run stands by", || run.stderr_so_far().contains("this run stands by"));
    drop(held);
    run.wait().exits(0);
    assert_eq!(bench.summary().number("calls"), 2);
}

#[test]
fn standing_by_can_be_asked_for_in_three_places() {
    let bench = Bench::new(&ledger(0));
    for (wait, shown) in
        [("true", "wait = \"true\""), ("\"2h\"", "wait = \"2h\""), ("false", "wait = \"false\"")]
    {
        bench.write("r.toml", &format!("wait = {wait}\n"));
        let dump = bench.bare(&["config", "--config", "r.toml"]);
        assert!(dump.contains(shown), "{dump}");
    }
    for (arguments, variables, shown) in [
        (&["config", "--wait"][..], &[][..], "wait = \"true\""),
        (&["config", "--wait=90m"], &[], "wait = \"90m\""),
        (&["config"], &[("RECONCILE_WAIT", "90m")], "wait = \"90m\""),
    ] {
        let run = bench.run_exactly(arguments, variables);
        assert!(run.stdout.contains(shown), "{run:?}");
    }
    bench
        .run(&["--wait=soon"])
        .exits(2)
        .says("--wait needs a duration such as 2h, true or false, not \"soon\"");
}
