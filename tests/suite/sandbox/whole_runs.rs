//! Whole runs against the sandbox as a separate server. Every run ends complete and its totals add
//! up, with any fault. Recordings and the separation of simulated from real answers are
//! tested here too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::sandbox::Server;
use crate::support::{Bench, Run, cell, column, id, ledger, read_csv};

/// Every fault by name, with shares that still let a run end. Faults that end a run last for a
/// while.
const EVERY_FAULT: &str = "500=1%,502=1%,503=2%,504=0.5%,system-error=1%,\
    gateway-error=0.3%,unknown-error=0.3%,nonce-used=0.5%,html=0.3%,empty=0.3%,truncated=0.5%,cut=1%,drop=1%,\
    stall=0.1%,slow=0.05%,not-yet=0.5%,interim=0.5%,other-day=0.5%,other-product=0.3%,malformed=0.5%,\
    unknown-state=0.3%,rejected=0.3%,skew=-40m";

/// A company's ledger: `n` calls of one day with expected values, some near midnight.
fn company_ledger(n: usize) -> String {
    let mut text = String::from("call_id,prod_id,called_at,callee,state,answered,duration_s\n");
    for i in 0..n {
        let (hour, minute) = ([0, 10, 15, 23][i % 4], [3, 20, 40, 55][i % 4]);
        let talk = i % 5 * 7;
        let state = if talk > 0 { "200000" } else { "200003" };
        text.push_str(&format!(
            "{},11000000300006,2026-11-20 {hour:02}:{minute:02}:{:02},125{i:08},{state},{},{talk}\n",
            id(i),
            i % 60,
            talk > 0
        ));
    }
    text
}

/// Runs against this sandbox.
fn run_against(bench: &Bench, server: &Server, more: &[&str]) -> Run {
    let endpoint = server.url();
    bench.run(&[&["--endpoint", &endpoint], more].concat())
}

/// Runs the same command until it exits 0, as an operator does. Returns all exit codes.
#[track_caller]
fn until_complete(bench: &Bench, server: &Server, more: &[&str]) -> Vec<i32> {
    let mut ended = Vec::new();
    for _ in 0..12 {
        let endpoint = server.url();
        let run = bench.start(&[&["--endpoint", &endpoint], more].concat());
        let run = run.wait_at_most(Duration::from_secs(300));
        let code = run.code.unwrap();
        ended.push(code);
        match code {
            0 => return ended,
            3 | 4 => {}
            _ => panic!("the run ended with {code}:\n{}", run.stderr),
        }
    }
    panic!("not complete after {ended:?}");
}

/// Runs `n` calls with every fault and four spells that end a run. Throttling stops all requests
/// for at least a second, however short the window is, so a longer run gets a smaller share of it.
#[allow(clippy::print_stderr, reason = "the duration is the result of the long run")]
fn run_with_every_fault(n: usize, rate: &str, throttling: &str) {
    let bench = Bench::new(&company_ledger(n));
    let spell = |part: usize| format!("{}..{}", n * part / 5, n * part / 5 + 3);
    let spells = format!(
        "denied={},token-expired={},key-disabled={},arrears={}",
        spell(1),
        spell(2),
        spell(3),
        spell(4)
    );
    let calls = bench.path("calls.csv");
    let faults = format!("{spells},{throttling},{EVERY_FAULT}");
    let server = Server::start(&[
        "--calls",
        calls.to_str().unwrap(),
        "--plant",
        "1%",
        "--cap",
        rate,
        "--faults",
        &faults,
        "--latency",
        "1ms..20ms",
        "--seed",
        "11",
    ]);
    let began = Instant::now();
    let ended = until_complete(&bench, &server, &["--rate", rate, "--timeout", "3s", "--concurrency", "256"]);
    let elapsed = began.elapsed();
    let summary = bench.summary();
    assert!(summary.complete());
    summary.assert_totals();
    assert_eq!(summary.number("calls"), n as u64);
    assert_eq!(bench.details().len(), n);
    // Each of the four spells ended a run, and the same command resumed it.
    assert!(ended.iter().filter(|code| **code == 3).count() >= 3, "{ended:?}");
    let stats = server.page("stats");
    let verdicts = stats["verdicts"].as_object().unwrap();
    let names = faults.split(',').map(|part| part.split('=').next().unwrap().trim());
    let missing: Vec<&str> = names.filter(|name| *name != "skew" && !verdicts.contains_key(*name)).collect();
    // A fault of a twentieth of a percent may not occur in a short run.
    assert!(n < 20_000 && missing.len() <= 4 || missing.is_empty(), "never came: {missing:?} in {stats:#}");
    let cap = stats["cap"]["requests"].as_u64().unwrap();
    assert!(stats["most_in_any_window"].as_u64().unwrap() <= cap, "{stats:#}");
    assert_eq!(verdicts.get("throttled"), None, "the cap was broken: {stats:#}");
    eprintln!("{n} calls in {elapsed:.1?}, runs ended {ended:?}, {} requests", stats["requests"]);
}

#[test]
fn a_short_run_with_every_fault_ends_complete() {
    run_with_every_fault(2_000, "400/s", "429=0.1%,throttle=0.1%,limit=0.1%,throttle-burst=every 5s");
}

/// Takes minutes: `cargo nextest run --run-ignored only a_run_of_42000`.
#[test]
#[ignore = "takes some minutes"]
fn a_run_of_42000_calls_with_every_fault_ends_complete() {
    let began = Instant::now();
    // 100 a minute, where a minute lasts 150 ms.
    run_with_every_fault(
        42_000,
        "100/150ms",
        "429=0.02%,throttle=0.02%,limit=0.02%,throttle-burst=every 30s",
    );
    assert!(began.elapsed() < Duration::from_secs(300), "{:?}", began.elapsed());
}

/// Kind and field of the discrepancies, by call.
fn discrepancies_by_call(path: &Path) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut found: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in read_csv(path) {
        let what = (cell(&row, "kind").to_owned(), cell(&row, "field").to_owned());
        found.entry(cell(&row, "call_id").to_owned()).or_default().insert(what);
    }
    found
}

#[test]
fn exactly_the_planted_discrepancies_are_found() {
    let bench = Bench::new(&company_ledger(1_500));
    let calls = bench.path("calls.csv");
    let known = ["--calls", calls.to_str().unwrap(), "--plant", "6%", "--cap", "100000/min"];
    let server = Server::start(&known);
    run_against(&bench, &server, &[]).exits(0);
    let planted = server.page("planted");
    let mut expected: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for one in planted["planted"].as_array().unwrap() {
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        expected.entry(text("call_id")).or_default().insert((text("kind"), text("field")));
    }
    assert!((60..130).contains(&expected.len()), "{} of 1500 planted", expected.len());
    let kinds: BTreeSet<_> = expected.values().flatten().collect();
    assert_eq!(kinds.len(), 8, "every kind of plant: {kinds:?}");
    assert_eq!(discrepancies_by_call(&bench.path("details.discrepancies.csv")), expected);
    // The same seed plants the same discrepancies, another seed plants others.
    let again = Server::start(&known).page("planted");
    assert_eq!(again, planted);
    assert_ne!(Server::start(&[&known[..], &["--seed", "5"]].concat()).page("planted"), planted);
}

#[test]
fn a_recording_gives_the_same_outputs_with_other_numbers() {
    let ledger = "call_id,prod_id,called_at,duration_s\n".to_owned()
        + &(0..60).map(|i| format!("{},11000000300006,2026-11-20,{}\n", id(i), i % 9)).collect::<String>();
    let bench = Bench::new(&ledger);
    let faults = "503=10%,cut=5%,malformed=5%,interim=5%,limit=3%,system-error=5%";
    let server = Server::start(&["--cap", "100000/min", "--faults", faults]);
    run_against(&bench, &server, &["--record", "night.jsonl"]).exits(0);
    let comparable = |bench: &Bench| -> [Vec<BTreeMap<String, String>>; 2] {
        let (mut details, _) = bench.comparable_outputs();
        let mut discrepancies = bench.discrepancies();
        for row in details.iter_mut().chain(&mut discrepancies) {
            for name in ["caller", "callee", "caller_show_number", "callee_show_number", "raw"] {
                row.remove(name);
            }
        }
        [details, discrepancies]
    };
    let (real, numbers) = (comparable(&bench), bench.details());
    let recording = std::fs::read_to_string(bench.path("night.jsonl")).unwrap();
    for row in &numbers {
        for name in ["caller", "callee", "callee_show_number"] {
            assert!(cell(row, name).is_empty() || !recording.contains(cell(row, name)), "{name}: {row:?}");
        }
    }
    for secret in ["testsecret", "Signature", "AccessKeyId", "x-reconcile-sandbox"] {
        assert!(!recording.contains(secret), "{secret}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(bench.path("night.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let path = bench.path("night.jsonl");
    let replay = Server::start(&["--cap", "100000/min", "--calls", path.to_str().unwrap()]);
    run_against(&bench, &replay, &["--store", "replay.db"]).exits(0);
    assert_eq!(comparable(&bench), real);
    // The numbers are replaced; equal numbers stay equal.
    let replayed = bench.details();
    let pairs: BTreeMap<&str, BTreeSet<&str>> =
        numbers.iter().zip(&replayed).fold(BTreeMap::new(), |mut pairs, (real, other)| {
            let real = cell(real, "callee_show_number");
            pairs.entry(real).or_insert_with(BTreeSet::new).insert(cell(other, "callee_show_number"));
            pairs
        });
    assert!(pairs.len() >= 2 && pairs.values().all(|others| others.len() == 1), "{pairs:?}");
    assert!(pairs.iter().all(|(real, others)| real.is_empty() || !others.contains(real)), "{pairs:?}");
}

#[test]
fn a_recording_continues_after_an_interrupted_run() {
    let bench = Bench::new(&ledger(40));
    let server = Server::start(&["--cap", "100000/min", "--faults", "denied=20..21"]);
    let more = ["--record", "night.jsonl", "--concurrency", "2"];
    run_against(&bench, &server, &more).exits(3);
    run_against(&bench, &server, &more).exits(0);
    let recording = std::fs::read_to_string(bench.path("night.jsonl")).unwrap();
    assert_eq!(recording.lines().count() as u64 - 1, server.page("stats")["requests"].as_u64().unwrap());
    bench.write("other.csv", "call_id\n");
    run_against(&bench, &server, &["--record", "other.csv"]).exits(2).says("is not a recording");
}

#[test]
fn simulated_and_real_answers_never_share_a_store() {
    let bench = Bench::new(&ledger(3));
    let server = Server::start(&["--cap", "100000/min"]);
    run_against(&bench, &server, &[]).exits(0);
    let summary = bench.summary();
    assert_eq!(summary.0["sandbox"], Value::Bool(true), "{:#}", summary.0);
    // The same command continues with that store.
    run_against(&bench, &server, &["--refresh"]).exits(0);
    // The first answer shows that this server is no sandbox.
    let before = bench.output_bytes();
    bench.run(&["--refresh"]).exits(2).says("holds simulated answers");
    assert_eq!(bench.output_bytes(), before);
    // A provider on another machine is not even asked.
    bench.run(&["--endpoint", "https://127.0.0.1:1"]).exits(2).says("holds simulated answers");
    // Offline, its answers can be published, and are marked as simulated.
    bench.run(&["--endpoint", "https://127.0.0.1:1", "--offline"]).exits(0);
    assert_eq!(bench.summary().0["sandbox"], Value::Bool(true));

    // The reverse: no simulated answer is stored beside real ones.
    bench.run(&["--store", "real.db"]).exits(0);
    let real = bench.comparable_outputs();
    bench.write("calls.csv", &ledger(6));
    run_against(&bench, &server, &["--store", "real.db"]).exits(2).says("holds real answers");
    bench.write("calls.csv", &ledger(3));
    bench.run(&["--store", "real.db"]).exits(0);
    assert_eq!(bench.comparable_outputs(), real);
    bench.write("calls.csv", &ledger(6));
    bench.run(&["--store", "real.db"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 6]);
}

#[test]
fn the_sample_scenario_gives_the_stated_results() {
    let bench = Bench::new(&ledger(0));
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/scenario.toml");
    let text = std::fs::read_to_string(&scenario).unwrap();
    let server = Server::start(&["--cap", "100000/min", "--faults", scenario.to_str().unwrap()]);
    let calls = text.lines().filter_map(|line| line.strip_prefix('"')?.split_once('"').map(|(id, _)| id));
    let calls: Vec<&str> = calls.collect();
    let rows: String = calls.iter().map(|id| format!("{id},11000000300006,2026-11-20 23:55:00\n")).collect();
    bench.write("calls.csv", &format!("call_id,prod_id,called_at\n{rows}"));
    run_against(&bench, &server, &["--timeout", "4s"]).exits(0);
    let first: Vec<String> = bench
        .details()
        .iter()
        .map(|row| format!("{}/{}", cell(row, "status"), cell(row, "error_code")))
        .collect();
    let expected = [
        "not_found/",
        "pending/",
        "failed/MalformedData",
        "found/",
        "found/",
        "found/",
        "failed/InvalidParameters",
        "found/",
    ];
    assert_eq!(first, expected);
    // The next run finds the records that were missing or not final.
    run_against(&bench, &server, &["--timeout", "4s"]).exits(0);
    assert_eq!(column(&bench.details(), "status")[..2], ["found", "found"]);
    assert!(bench.kinds().iter().any(|(kind, _)| kind == "other_day"));
}

#[test]
fn wrong_sandbox_options_are_errors_before_it_serves() {
    let bench = Bench::new("");
    bench.write("wrong.toml", "[calls]\n\"1^1\" = [\"cutt\"]\n");
    bench.write("accounts.toml", "id = hunter2\n");
    for (arguments, says) in [
        (["--faults", "cutt=1%"], "did you mean `cut`"),
        (["--faults", "503=2"], "write a share"),
        (["--faults", "wrong.toml"], "line 2"),
        (["--faults", "missing.toml"], "missing.toml"),
        (["--accounts", "accounts.toml"], "line 1"),
        (["--calls", "missing.csv"], "missing.csv"),
        (["--cap", "many"], "needs a unit"),
        (["--latency", "5"], "20ms..400ms"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.current_dir(bench.path("")).args(["sandbox", "--port", "0"]).args(arguments);
        let run = bench.start_command(command).wait().exits(2).says(says);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    }
}
