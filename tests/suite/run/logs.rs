//! Messages without a terminal: their number, format and run id. Every failure says what happened
//! and what to do.

use serde_json::Value;

use crate::support::provider::Reply;
use crate::support::{Bench, Run, SECRET, id, ledger};

fn lines(run: &Run) -> Vec<&str> {
    run.stderr.lines().collect()
}

/// A ledger that causes no note.
fn clean(n: usize) -> Bench {
    Bench::new(&ledger(n))
}

#[test]
fn a_clean_run_prints_at_most_three_lines_and_none_with_q() {
    let bench = clean(30);
    let arguments = ["--progress", "auto", "--refresh"];
    let run = bench.run(&arguments).exits(0);
    assert!((2..=3).contains(&lines(&run).len()), "{}", run.stderr);
    for quiet in [&["-q"][..], &["-q", "--log-format", "json"]] {
        let run = bench.run(&[quiet, &arguments].concat()).exits(0);
        assert_eq!(run.stderr, "");
    }
    let mut command = bench.command(&arguments);
    command.env("RUST_LOG", "debug");
    assert!(lines(&bench.start_command(command).wait()).len() >= 3, "RUST_LOG asks for more");
}

#[test]
fn every_line_of_a_run_has_the_run_id() {
    let bench = clean(2);
    bench
        .provider
        .script(&id(0), [Reply::code(200, "isv.BUSINESS_LIMIT", "caller 13812345678"), Reply::record()]);
    let run = bench.run(&["-v"]).exits(0).keeps_secrets(&bench.provider);
    let run_id = bench.summary().0["run_id"].as_str().unwrap().to_owned();
    let tag = format!("reconcile[{}]: ", &run_id[..8]);
    // Messages about the ledger come before the store is open and the run has an id.
    let of_the_run: Vec<&str> =
        lines(&run).into_iter().skip_while(|line| line.contains("calls.csv is")).collect();
    assert!(of_the_run.len() >= 3, "{}", run.stderr);
    assert!(of_the_run.iter().all(|line| line.starts_with(&tag)), "{}", run.stderr);

    let run = bench.run(&["-v", "--log-format", "json", "--refresh"]).exits(0);
    let run_id = bench.summary().0["run_id"].clone();
    let events: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let later: Vec<&Value> = events.iter().skip_while(|event| event.get("run_id").is_none()).collect();
    assert!(later.len() >= 2, "{}", run.stderr);
    for event in later {
        assert_eq!(event["run_id"], run_id);
        for name in ["timestamp", "level", "message"] {
            assert!(event[name].is_string(), "{name}: {event}");
        }
    }
}

#[test]
fn flags_override_rust_log_and_a_wrong_one_is_reported() {
    let bench = clean(1);
    let with = |value: &str, arguments: &[&str]| {
        let mut command = bench.command(&[arguments, &["--refresh"]].concat());
        command.env("RUST_LOG", value);
        bench.start_command(command).wait().exits(0).stderr
    };
    assert_eq!(with("debug", &["-q"]), "");
    assert_eq!(with("error", &[]), "");
    assert!(with("off", &["-v"]).contains("debug: "));
    assert!(with("reconcile=loud", &[]).contains("RUST_LOG is ignored"));
    // Messages of libraries may hold secrets.
    let all = with("trace,hyper=trace,reqwest=trace,rustls=trace", &[]);
    assert!(!all.contains("hyper") && !all.contains("reqwest") && !all.contains(SECRET), "{all}");
}

/// Asserts that the error says what happened (`what`), the exit code, and what to do.
#[track_caller]
fn assert_failure(run: &Run, what: &str) {
    let exit = run.code.unwrap();
    for words in [what, &format!(" (exit {exit})."), "to do: "] {
        assert!(run.stderr.contains(words), "no `{words}` in:\n{}", run.stderr);
    }
}

#[test]
fn every_failure_says_what_happened_and_what_to_do() {
    let bench = clean(2);
    assert_failure(&bench.run(&["-q", "--rate", "fast"]).exits(2), "--rate");
    assert_failure(&bench.run(&["-q", "--no-such-option"]).exits(2), "--no-such-option");
    assert_failure(&bench.run(&["-q", "--input", "nowhere.csv"]).exits(2), "nowhere.csv");
    assert_failure(&bench.run(&["-q", "--endpoint", "ftp://x"]).exits(2), "ftp://x");
    assert_failure(&bench.run(&["-q", "--max-duration", "1ns"]).exits(4), "incomplete: ");

    bench.provider.by_default(Reply::code(404, "InvalidAccessKeyId.NotFound", "no such key"));
    assert_failure(&bench.run(&["-q"]).exits(3), "InvalidAccessKeyId.NotFound");

    bench.provider.by_default(Reply::stall());
    let before = bench.provider.seen();
    let first = bench.start(&["--timeout", "60s"]);
    bench.provider.wait_for(before + 1);
    assert_failure(&bench.run(&["-q"]).exits(5), "run");
    first.kill();

    std::fs::write(bench.path("reconcile.db"), "no database at all, but long enough to be read as one")
        .unwrap();
    assert_failure(&bench.run(&["-q"]).exits(6), "reconcile.db");
}

#[test]
fn wrong_usage_is_reported_in_the_requested_format() {
    let bench = clean(1);
    let run = bench.run(&["--log-format", "json", "--rate", "fast"]).exits(2);
    let event: Value = serde_json::from_str(run.stderr.trim_end()).unwrap();
    assert_eq!(event["level"], "ERROR");
    assert!(event["message"].as_str().unwrap().contains("--rate"), "{event}");
    assert_eq!(event["exit_code"], 2);
    for part in ["means", "to_do"] {
        assert!(event[part].as_str().is_some_and(|text| text.len() > 10), "{part}: {event}");
    }
}

#[test]
fn the_command_to_resume_shows_no_secret_url() {
    let bench = clean(1);
    let url = "http://127.0.0.1:9/t0ken";
    let run = bench.run(&["--offline", "--notify-url", url, &format!("--notify-url={url}")][..3]).exits(4);
    assert!(!run.stderr.contains("t0ken"), "{}", run.stderr);
    assert!(run.stderr.contains("127.0.0.1:9"), "the failed post is reported: {}", run.stderr);
    assert!(!std::fs::read_to_string(bench.path("details.summary.json")).unwrap().contains("t0ken"));
    assert!(!std::fs::read_to_string(bench.path("details.report.html")).unwrap().contains("t0ken"));
}

/// The lines of a run with `--log-format json`.
fn events(run: &Run) -> Vec<Value> {
    run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn opening_and_closing_have_their_numbers_as_fields() {
    let later_row = ledger(1).replace("call_id,prod_id,called_at\n", "");
    let bench = Bench::new(&format!("{}{},x,\n{later_row}", ledger(3), id(0)));
    bench.provider.script(&id(1), [Reply::without_data()]);
    let run = bench.run(&["--log-format", "json", "--exit-code", "--deadline", "06:30"]).exits(1);
    let events = events(&run);
    let (first, last) = (&events[0], &events[events.len() - 1]);
    for (name, number) in
        [("rows", 5), ("calls", 3), ("unusable_rows", 1), ("duplicates", 1), ("to_ask", 3), ("eta_s", 0)]
    {
        assert_eq!(first[name], number, "{name}: {first}");
    }
    for name in ["done_at", "deadline_at", "timestamp"] {
        let time = first[name].as_str().unwrap();
        assert!(time.ends_with("+08:00") && time.contains('T'), "{name}: {first}");
    }
    let summary = bench.summary();
    for name in ["calls", "requests", "from_store"] {
        assert_eq!(last[name], summary.number(name), "{name}: {last}");
    }
    for name in ["agree", "differ", "not_compared", "missing", "waiting", "failed", "unusable_rows"] {
        assert_eq!(last[name], summary.0["headline"][name], "{name}: {last}");
        assert!(last[name].is_u64(), "{name}: {last}");
    }
    assert_eq!(last["discrepancies"], summary.0["discrepancies_total"], "{last}");
    assert_eq!((&last["exit_code"], &last["complete"]), (&1.into(), &true.into()), "{last}");
    assert_eq!(last["run_id"], summary.0["run_id"]);
    assert!(last["elapsed_s"].is_f64() && last["details"] == "details.parquet", "{last}");
    let text = bench.run(&["--refresh"]).exits(0);
    assert!(!text.stderr.contains("exit_code") && !text.stderr.contains(" calls="), "{}", text.stderr);
}

#[test]
fn an_incomplete_run_has_its_exit_code_in_the_closing_line() {
    let bench = clean(3);
    let run = bench.run(&["--log-format", "json", "--max-duration", "1ns"]).exits(4);
    let closing = events(&run).into_iter().find(|event| event["complete"] == false).unwrap();
    assert_eq!((&closing["exit_code"], &closing["waiting"]), (&4.into(), &3.into()), "{closing}");
}

#[test]
fn wrong_usage_of_a_command_names_its_own_help() {
    let bench = clean(1);
    for (arguments, command) in [
        (&["purge"][..], "purge"),
        (&["purge", "--older-than", "soon"], "purge"),
        (&["purge", "--older-than", "100y"], "purge"),
        (&["purge", "--older-than", "90d", "--store", "none.db"], "purge"),
        (&["-q", "purge", "--older-than", "90d"], "purge"),
        (&["forget"], "forget"),
        (&["forget", "nobody"], "forget"),
        (&["forget", "--all"], "forget"),
        (&["forget", "13812345678", "--store", "none.db"], "forget"),
        (&["explain"], "explain"),
        (&["verify-cap", "--all"], "verify-cap"),
    ] {
        let run = bench.run_exactly(arguments, &[]).exits(2);
        assert!(run.stderr.contains(&format!("`reconcile {command} --help`")), "{}", run.stderr);
        assert!(!run.stderr.contains("`reconcile --help`"), "{}", run.stderr);
    }
}
