//! The trend: each night among the nights before it, and what is unusual.

use std::io::Write as _;
use std::net::TcpListener;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::provider::Reply;
use crate::support::{Bench, id, read_post};

/// Calls of a night.
const CALLS: usize = 30;

/// The ids of a night's calls.
fn ids(night: usize) -> impl Iterator<Item = String> {
    (night * 100..night * 100 + CALLS).map(id)
}

fn ledger_name(night: usize) -> String {
    format!("calls-{night:02}.csv")
}

/// The store of a bench, whose times a test can change.
enum Store {
    File,
    Database(Database),
}

impl Store {
    fn location(&self) -> String {
        match self {
            Self::File => "reconcile.db".to_owned(),
            Self::Database(database) => database.url(),
        }
    }

    /// Makes all times in the store one day older.
    fn a_day_passes(&self, bench: &Bench) {
        match self {
            Self::File => execute(
                bench,
                "UPDATE run SET started_at = started_at - 86400000000, ended_at = ended_at - 86400000000;
                 UPDATE run_figures SET figures =
                   json_set(figures, '$.day', date(figures ->> '$.day', '-1 day'));",
            ),
            Self::Database(database) => database.execute(
                "UPDATE reconcile.run
                   SET started_at = started_at - 86400000000, ended_at = ended_at - 86400000000;
                 UPDATE reconcile.run_figures SET figures = jsonb_set(figures::jsonb, '{day}',
                   to_jsonb(((figures::jsonb ->> 'day')::date - 1)::text))::text;",
            ),
        }
    }
}

fn execute(bench: &Bench, sql: &str) {
    Connection::open(bench.path("reconcile.db")).unwrap().execute_batch(sql).unwrap();
}

/// Runs a night of which so many calls are missing at the provider. Returns its summary and what it
/// said.
fn night(bench: &Bench, store: &Store, no: usize, missing: usize, more: &[&str]) -> (Value, String) {
    let mut ledger = String::from("call_id,prod_id,called_at,duration\n");
    for id in ids(no) {
        ledger.push_str(&format!("{id},11000000300006,2024-05-26 10:00:00,30\n"));
    }
    bench.write(&ledger_name(no), &ledger);
    for id in ids(no).take(missing) {
        bench.provider.script(&id, vec![Reply::without_data(); 9]);
    }
    again(bench, store, no, more)
}

/// Runs over the ledger of a night as it is.
fn again(bench: &Bench, store: &Store, no: usize, more: &[&str]) -> (Value, String) {
    let (input, location) = (ledger_name(no), store.location());
    let out = format!("out-{no:02}/details.parquet");
    std::fs::create_dir_all(bench.path(&format!("out-{no:02}"))).unwrap();
    let options = [&["--input", &input, "--store", &location, "--out", &out], more].concat();
    let run = bench.run(&options).exits(0);
    (bench.summary_at(&format!("out-{no:02}/details.summary.json")).0, run.stderr)
}

/// A bench whose provider gives every call 30 seconds of talk time.
fn bench() -> Bench {
    let bench = Bench::new("");
    bench.provider.by_default(Reply::ok(&json!({
        "gmtCreate": "2024-05-26 10:00:00", "startDate": "2024-05-26 10:00:08",
        "endDate": "2024-05-26 10:00:38", "duration": 30, "state": "200000"
    })));
    bench
}

/// Nights of which none or one call is missing. The first one is the oldest.
fn quiet_nights(bench: &Bench, store: &Store, nights: usize) -> Vec<Value> {
    let quiet = |no: usize| {
        let (summary, _) = night(bench, store, no, no % 2, &[]);
        store.a_day_passes(bench);
        summary
    };
    (0..nights).map(quiet).collect()
}

fn missing_percents(summary: &Value) -> Vec<f64> {
    let nights = summary["trend"]["nights"].as_array().unwrap();
    nights.iter().map(|night| night["missing_percent"].as_f64().unwrap()).collect()
}

fn report(bench: &Bench, no: usize) -> String {
    std::fs::read_to_string(bench.path(&format!("out-{no:02}/details.report.html"))).unwrap()
}

/// The page's first sentence.
fn sentence(page: &str) -> &str {
    page.split_once("class=\"lead\">").unwrap().1.split_once("</h2>").unwrap().0
}

/// A robot of a chat that takes one message. Returns its URL and the message.
fn robot() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/cgi-bin/webhook/send?key=k", listener.local_addr().unwrap());
    let posted = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (_, body) = read_post(&stream);
        let reply = r#"{"errcode":0,"errmsg":"ok"}"#;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", reply.len());
        (&stream).write_all((head + reply).as_bytes()).unwrap();
        String::from_utf8(body).unwrap()
    });
    (url, posted)
}

/// An odd night after nine quiet ones, and what a later run over its ledger says.
fn an_odd_night_is_named(store: &Store) {
    let bench = bench();
    let quiet = quiet_nights(&bench, store, 9);
    assert_eq!(quiet[0]["trend"]["nights"].as_array().unwrap().len(), 1);
    assert!(quiet.iter().all(|summary| summary["trend"]["unusual"] == json!([])));
    let (url, posted) = robot();
    let notify = ["--notify-url", &url, "--notify-format", "wecom", "--xlsx", "night.xlsx"];
    let (odd, stderr) = night(&bench, store, 9, 12, &notify);

    let trend = &odd["trend"];
    assert_eq!(missing_percents(&odd), [0.0, 3.33, 0.0, 3.33, 0.0, 3.33, 0.0, 3.33, 0.0, 40.0]);
    let last = &trend["nights"][9];
    assert_eq!(
        (&last["run_id"], &last["calls"], &last["complete"]),
        (&odd["run_id"], &json!(30), &json!(true))
    );
    assert_eq!((&last["agree_percent"], &last["differ_percent"]), (&json!(60), &json!(0)));
    assert_eq!(last["at_stake_s"], 360);
    let days: Vec<chrono::NaiveDate> = trend["nights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["day"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(days.windows(2).all(|pair| pair[1] == pair[0].succ_opt().unwrap()), "{days:?}");
    // 3 of 30 calls are the least width; 30 seconds are within a minute.
    assert_eq!(trend["usual"]["missing_percent"], json!({"low": 0, "high": 10}));
    assert_eq!(trend["usual"]["calls"], json!({"low": 20, "high": 40}));
    assert_eq!((&trend["median"]["missing_percent"], &trend["median"]["calls"]), (&json!(0), &json!(30)));
    assert_eq!(trend["unusual"], json!(["agree_percent", "missing_percent", "at_stake_s"]));

    let named = "; unusual: 40% missing, usually 0% to 10%; 360 seconds at stake, usually 0 to 60";
    assert!(stderr.contains(&format!("12 are missing at the provider{named};")), "{stderr}");
    let page = report(&bench, 9);
    assert!(sentence(&page).ends_with(&format!("{named}.")), "{}", sentence(&page));
    let message = posted.join().unwrap();
    assert!(message.contains(named), "{message}");
    let strips: Vec<&str> = page.split("<svg class=\"strip\"").skip(1).collect();
    assert_eq!(strips.len(), 6);
    for (strip, unusual) in strips.iter().zip([false, true, false, true, true, false]) {
        let svg = strip.split_once("</svg>").unwrap().0;
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"band\"").count()), (10, 1));
        assert_eq!(svg.contains("class=\"unusual\""), unusual, "{svg}");
    }

    // The same ledger again, from the store: the same night, in place of the earlier run.
    let (again, stderr) = again(&bench, store, 9, &["--offline"]);
    assert_ne!(again["run_id"], odd["run_id"]);
    assert!(stderr.contains(named), "{stderr}");
    let without_own = |summary: &Value| {
        let mut trend = summary["trend"].clone();
        trend["nights"][9]["run_id"].take();
        trend["nights"][9]["duration_s"].take();
        trend
    };
    assert_eq!(without_own(&again), without_own(&odd));
}

#[test]
fn an_odd_night_after_quiet_ones_is_named_everywhere() {
    an_odd_night_is_named(&Store::File);
}

#[test]
fn an_odd_night_is_named_with_a_database() {
    let Some(database) = Database::create() else { return };
    an_odd_night_is_named(&Store::Database(database));
}

#[test]
fn with_six_earlier_nights_nothing_is_unusual() {
    let bench = bench();
    let first = &quiet_nights(&bench, &Store::File, 6)[0];
    assert!(!report(&bench, 0).contains("id=\"trend\""), "one night is no trend");
    assert_eq!((&first["trend"]["median"]["calls"], &first["trend"]["unusual"]), (&Value::Null, &json!([])));
    let (summary, stderr) = night(&bench, &Store::File, 6, 25, &[]);
    let trend = &summary["trend"];
    assert_eq!((trend["nights"].as_array().unwrap().len(), &trend["unusual"]), (7, &json!([])));
    assert!(trend["usual"].as_object().unwrap().values().all(Value::is_null), "{trend}");
    assert!(!stderr.contains("unusual"), "{stderr}");
    let page = report(&bench, 6);
    assert!(page.contains("What is usual is known after seven nights.") && !page.contains("class=\"band\""));
    assert_eq!(page.matches("<svg class=\"strip\"").count(), 6);
}

#[test]
fn a_killed_run_has_the_same_trend_when_it_is_resumed() {
    let (bench, store) = (bench(), Store::File);
    quiet_nights(&bench, &store, 8);
    let (before, _) = night(&bench, &store, 8, 9, &[]);
    // As after a kill between the figures and the end of the run.
    execute(
        &bench,
        "UPDATE run SET ended_at = NULL, complete = NULL WHERE run_no = (SELECT max(run_no) FROM run);
         UPDATE session SET ended_at = NULL WHERE run_no = (SELECT max(run_no) FROM run);",
    );
    // A run over another night's ledger does not count a run that has not ended.
    let (other, _) = night(&bench, &store, 9, 0, &[]);
    assert_eq!(other["trend"]["nights"].as_array().unwrap().len(), 9);
    let (after, _) = again(&bench, &store, 8, &[]);
    assert_eq!(after["run_id"], before["run_id"]);
    let comparable = |summary: &Value| {
        let mut trend = summary["trend"].clone();
        trend["nights"][8]["duration_s"].take();
        trend
    };
    assert_eq!(comparable(&after), comparable(&before));
    assert_eq!(before["trend"]["unusual"][1], "missing_percent");
}

#[test]
fn an_old_ledger_published_again_stays_at_its_night() {
    let (bench, store) = (bench(), Store::File);
    let quiet = quiet_nights(&bench, &store, 9);
    // The ledger of the fourth night: its trend ends with that night, whatever came later.
    let (old, _) = again(&bench, &store, 3, &["--offline"]);
    assert_eq!(missing_percents(&old), [0.0, 3.33, 0.0, 3.33]);
    assert_eq!(old["trend"]["nights"][3]["run_id"], old["run_id"]);
    let (tonight, _) = night(&bench, &store, 9, 0, &[]);
    let nights = tonight["trend"]["nights"].as_array().unwrap();
    assert_eq!((nights.len(), &nights[3]["run_id"]), (10, &old["run_id"]));
    assert_eq!(nights[2]["run_id"], quiet[2]["run_id"]);
    assert!(nights[3]["duration_s"].as_u64() >= quiet[3]["trend"]["nights"][3]["duration_s"].as_u64());
}

#[test]
fn ledgers_of_other_names_and_accounts_are_other_trends() {
    let (bench, store) = (bench(), Store::File);
    quiet_nights(&bench, &store, 2);
    let nights = |summary: &Value| summary["trend"]["nights"].as_array().unwrap().len();
    std::fs::copy(bench.path("calls-01.csv"), bench.path("branch.csv")).unwrap();
    bench.run(&["--input", "branch.csv", "--store", "reconcile.db"]).exits(0);
    assert_eq!(nights(&bench.summary().0), 1);
    let (of_account, _) = night(&bench, &store, 2, 0, &["--account", "shop"]);
    assert_eq!(nights(&of_account), 1);
    let (tonight, _) = night(&bench, &store, 3, 0, &[]);
    assert_eq!(nights(&tonight), 3);
}

#[test]
fn of_an_incomplete_night_only_the_calls_are_compared() {
    let (bench, store) = (bench(), Store::File);
    quiet_nights(&bench, &store, 8);
    bench.write(
        "calls-08.csv",
        &std::fs::read_to_string(bench.path("calls-07.csv")).unwrap().replace(&id(701), &id(801)),
    );
    let run = bench.run(&["--input", "calls-08.csv", "--store", "reconcile.db", "--offline"]).exits(4);
    assert!(!run.stderr.contains("unusual"), "{}", run.stderr);
    let trend = bench.summary().0["trend"].clone();
    let last = &trend["nights"][8];
    assert_eq!(
        (&last["complete"], &last["calls"], &last["agree_percent"]),
        (&json!(false), &json!(30), &Value::Null)
    );
    assert_eq!(trend["unusual"], json!([]));
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page.contains("<strong>Agree</strong>: incomplete"), "the chart says why it has no dot");
}
