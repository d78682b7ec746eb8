//! `plan`, `explain`, `verify-cap`, `purge`, `forget`, and the order of calls when time is too
//! short.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Run, column, id, ledger, ledger_of};

/// Runs a command in the bench's folder. Returns its standard output and standard error.
#[track_caller]
fn print(bench: &Bench, arguments: &[&str], code: i32) -> (String, String) {
    let run = bench.run_exactly(arguments, &[]);
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    (run.stdout, run.stderr)
}

#[track_caller]
fn as_json(bench: &Bench, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    serde_json::from_str(&print(bench, &arguments, 0).0).unwrap()
}

const JOB: [&str; 4] = ["--input", "calls.csv", "--out", "details.parquet"];

#[test]
fn a_plan_sends_nothing_and_writes_nothing() {
    let text = format!("{}{},11000000300006,2024-05-26 23:55:00\n,x,y\n", ledger(7), id(7));
    let bench = Bench::new(&(text + &ledger(2).replace("call_id,prod_id,called_at\n", "")));
    let arguments = [&["plan"], &JOB[..], &["--rate", "2/min"]].concat();
    let plan = as_json(&bench, &arguments);
    let n = |name: &str| plan[name].as_u64().unwrap();
    assert_eq!((n("rows"), n("invalid"), n("duplicates"), n("calls")), (11, 1, 2, 8));
    assert_eq!((n("already_stored"), n("to_ask"), n("requests"), n("requests_at_most")), (0, 8, 8, 9));
    // Two a minute: the eighth request leaves three minutes after the first.
    assert_eq!(n("ready_in_s"), 180);
    assert_eq!(plan["limit"], Value::Null);
    assert!(!bench.path("reconcile.db").exists() && !bench.path("details.parquet").exists());
    let (words, _) = print(&bench, &arguments, 0);
    assert!(words.contains("8 to 9") && words.contains("done in         3m (by "), "{words}");
}

#[test]
fn a_plan_counts_stored_calls_and_checks_the_time_limit() {
    let bench = Bench::new(&ledger(5));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(12));
    let arguments = [&["plan"], &JOB[..], &["--rate", "1/h", "--max-duration", "2h30m"]].concat();
    let plan = as_json(&bench, &arguments);
    assert_eq!((plan["already_stored"].as_u64(), plan["to_ask"].as_u64()), (Some(5), Some(7)));
    // The requests of the first run still count, so the first new request waits for almost an hour.
    assert_eq!((plan["limit"]["holds"].as_bool(), plan["limit"]["fit"].as_u64()), (Some(false), Some(2)));
    let (words, _) = print(&bench, &arguments, 0);
    assert!(
        words.contains("leaves too little time: about 2 of 7 calls can be asked for, the oldest first"),
        "{words}"
    );
    assert_eq!(bench.provider.seen(), 5);
}

#[test]
fn a_plan_predicts_the_time_of_the_run() {
    let bench = Bench::new(&ledger(12));
    let plan = as_json(&bench, &[&["plan"], &JOB[..], &["--rate", "5/2s"]].concat());
    assert_eq!(plan["ready_in_s"].as_u64(), Some(4));
    let begin = std::time::Instant::now();
    bench.run(&["--rate", "5/2s"]).exits(0);
    assert!(begin.elapsed() >= Duration::from_secs(4));
}

#[test]
fn the_oldest_calls_go_first_when_time_is_too_short() {
    let mut text = String::from("call_id,prod_id,called_at\n");
    for i in 0..40 {
        // The newest call first, an hour apart.
        text += &format!("{},11000000300006,2024-05-{:02} {:02}:00:00\n", id(i), 26 - i / 20, 23 - i % 20);
    }
    let bench = Bench::new(&text);
    let run: Run = bench.run(&["--rate", "10/30s", "--max-duration", "1s"]).exits(4);
    assert!(run.stderr.contains("the oldest calls are asked first"), "{}", run.stderr);
    let asked: Vec<usize> =
        bench.provider.requests().iter().map(|r| (0..40).find(|i| id(*i) == r.call_id()).unwrap()).collect();
    assert_eq!(asked.len(), 10);
    assert!(asked.iter().all(|i| *i >= 30), "{asked:?}");
    // The outputs are still in ledger order.
    let ids: Vec<String> = (0..40).map(id).collect();
    assert_eq!(column(&bench.details(), "call_id"), ids);
}

#[test]
fn explain_shows_every_attempt_the_answer_and_the_rules() {
    let text = format!("call_id,prod_id,called_at,duration_s\n{},11000000300006,2024-05-26,999\n", id(0));
    let bench = Bench::new(&text);
    bench.provider.script(&id(0), [Reply::empty(503), Reply::code(400, "Throttling.User", "flow control")]);
    bench.run(&[]).exits(0);
    let explained = as_json(&bench, &["explain", &id(0), "--input", "calls.csv"]);
    let call = &explained[0];
    let tries = |name: &str| -> Vec<&str> {
        call["attempts"].as_array().unwrap().iter().map(|a| a[name].as_str().unwrap()).collect()
    };
    assert_eq!(tries("code"), ["HTTP 503", "Throttling.User", "OK"]);
    assert_eq!(tries("purpose"), ["first", "retry", "retry"]);
    assert_eq!(tries("decision"), ["again", "again", "answered"]);
    assert!(call["attempts"][0]["pause_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(call["answer"]["data"].as_str().unwrap(), detail(&id(0)).to_string());
    let found = &call["rows"][0]["discrepancies"][0];
    assert_eq!((found["kind"].as_str(), found["field"].as_str()), (Some("mismatch"), Some("duration_s")));
    assert!(found["rule"].as_str().unwrap().contains("tolerance"));

    let (words, _) = print(&bench, &["explain", &id(0)], 0);
    for wanted in ["3 requests", "throttled -> again", "read as found", "without a ledger"] {
        assert!(words.contains(wanted), "{wanted}: {words}");
    }
    let (_, refused) = print(&bench, &["explain", &id(0)[..9]], 2);
    assert!(refused.contains(&id(0)), "it names the nearest: {refused}");
    print(&bench, &["explain", "x", "--store", "nowhere.db"], 2);
}

#[test]
fn verify_cap_recomputes_what_the_summary_says() {
    let bench = Bench::new(&ledger(12));
    bench.run(&["--rate", "5/2s"]).exits(0);
    let verdict = as_json(&bench, &["verify-cap"]);
    assert_eq!((verdict["held"].as_bool(), verdict["requests"].as_u64()), (Some(true), Some(12)));
    let session = &verdict["sessions"][0];
    assert_eq!((session["most_in_any_window"].as_u64(), session["allowance"].as_u64()), (Some(5), Some(15)));
    assert_eq!(session["shortest_s"].as_f64(), Some(4.0));
    assert_eq!(bench.summary().number("most_in_any_window"), 5);
    let metadata = crate::support::parquet_metadata(&bench.path("details.parquet"));
    assert_eq!(
        (metadata["reconcile.most_in_any_window"].as_str(), metadata["reconcile.requests"].as_str()),
        ("5", "12")
    );

    // verify-cap finds a record that contradicts the summary.
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    store
        .execute("UPDATE request SET sent_boot_us = sent_boot_us - 1500000 WHERE request_no > 5", [])
        .unwrap();
    drop(store);
    let (words, _) = print(&bench, &["verify-cap"], 1);
    assert!(words.contains("BROKEN in 1 session"), "{words}");
}

/// Every byte of the store and of the two files beside it.
fn bytes_of_the_store(bench: &Bench) -> Vec<u8> {
    let names = ["reconcile.db", "reconcile.db-wal", "reconcile.db-shm"];
    names.iter().flat_map(|name| fs::read(bench.path(name)).unwrap_or_default()).collect()
}

fn is_in(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn forget_erases_a_number_and_its_calls_stay_answered() {
    let bench = Bench::new(&ledger(30));
    let of = |callee: &str, i: usize| {
        let mut record = detail(&id(i));
        record["callee"] = callee.into();
        Reply::ok(&record)
    };
    bench.provider.script(&id(3), [of("+86 139-1111-2222", 3)]);
    bench.provider.script(&id(4), [of("13911112222", 4)]);
    bench.provider.script(&id(5), [Reply::data("not a record, 13911112222")]);
    bench.run(&[]).exits(0);
    assert!(is_in(&bytes_of_the_store(&bench), "13911112222"));

    let (words, _) = print(&bench, &["forget", "139 1111 2222"], 0);
    assert!(words.contains("3 calls") && !words.contains("13911112222"), "{words}");
    for text in ["13911112222", "139-1111-2222"] {
        assert!(!is_in(&bytes_of_the_store(&bench), text), "{text} is still there");
    }
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 30);
    let details = bench.details();
    assert_eq!(column(&details, "status")[3..6], ["failed"; 3]);
    assert_eq!(column(&details, "error_code")[3..6], ["Forgotten"; 3]);
    assert_eq!(column(&details, "status")[6..], ["found"; 24]);
    let (_, refused) = print(&bench, &["forget", "12"], 2);
    assert!(refused.contains("is not a phone number"), "{refused}");
}

#[test]
fn purge_deletes_old_calls_and_keeps_the_cap() {
    let bench = Bench::new(&ledger(300));
    bench.run(&[]).exits(0);
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    bench.write("calls.csv", &ledger_of([id(900)]).replace("2024-05-26", &today));
    bench.run(&[]).exits(0);
    let before = fs::metadata(bench.path("reconcile.db")).unwrap().len();
    let (words, _) = print(&bench, &["purge", "--older-than", "90d"], 0);
    assert!(words.contains("300 calls"), "{words}");
    assert!(fs::metadata(bench.path("reconcile.db")).unwrap().len() < before / 2);
    assert!(!is_in(&bytes_of_the_store(&bench), &id(7)));
    // The request of a moment ago still counts.
    let verdict = as_json(&bench, &["verify-cap"]);
    assert_eq!(verdict["requests"].as_u64(), Some(301));
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 301);
    assert_eq!(bench.summary().number("from_store"), 1);
}

#[test]
fn purge_is_refused_while_a_run_holds_the_store() {
    let bench = Bench::new(&ledger(20));
    bench.provider.by_default(Reply::record().after(Duration::from_millis(200)));
    let run = bench.start(&["--concurrency", "1"]);
    bench.provider.wait_for(2);
    let (_, refused) = print(&bench, &["purge", "--older-than", "1d"], 5);
    assert!(refused.contains(&format!("pid {}", run.pid())), "{refused}");
    // Commands that only read still work.
    assert!(as_json(&bench, &["verify-cap"])["requests"].as_u64() >= Some(1));
    assert!(as_json(&bench, &[&["plan"], &JOB[..]].concat())["to_ask"].as_u64() >= Some(1));
    run.kill();
}
