//! The sample refutes the receipts: then the run asks for all calls that they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use chrono::{FixedOffset, TimeDelta, Utc};
use serde_json::{Value, json};

use super::runs::{CALLS, Night, without_source};
use crate::support::postgres::Database;
use crate::support::provider::Reply;
use crate::support::sandbox::Server;
use crate::support::{Bench, Row, Run, cell, column, id, keys, wait_until, without_run_columns};

/// A run with receipts whose sample has some 60 of the 600 calls.
const SAMPLE: [&str; 4] = ["--receipts", "receipts.jsonl", "--receipts-trust", "sample=10%"];
const REFUTED: &str = "the receipts are not trusted: ";
const ALL_ASKED: &str = "of all differ; all calls with receipts were asked for";

/// How often each call was asked for.
fn asked(server: &Server) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in server.page("requests")["requests"].as_array().unwrap() {
        *asked.entry(request["call_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    asked
}

/// What the run has told of its calls, without the differences from receipts.
fn outputs_without_receipts(bench: &Bench) -> (Vec<Row>, Vec<Row>) {
    let mut details: Vec<Row> = bench.details().into_iter().map(without_run_columns).collect();
    details.iter_mut().for_each(|row| drop(row.remove("discrepancies")));
    let mut found = bench.discrepancies();
    found.retain(|row| cell(row, "kind") != "receipt_differs");
    (details, found)
}

/// The notes of the summary on refuted receipts.
fn notes_on_receipts(bench: &Bench) -> Vec<String> {
    let summary = bench.summary();
    let notes = summary.0["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned());
    notes.filter(|note| note.contains("not trusted")).collect()
}

/// The calls that still have only their receipt, from the only note on receipts.
fn unchecked(bench: &Bench) -> u64 {
    let notes = notes_on_receipts(bench);
    let [note] = notes.as_slice() else { panic!("{notes:?}") };
    let end = note.split("of all differ; ").nth(1).unwrap();
    assert!(end.ends_with(" calls still have only their receipts"), "{note}");
    end.split(' ').next().unwrap().parse().unwrap()
}

fn all_calls_are_asked(store: &str) {
    let night = Night::new(&["--plant", "5%", "--faults", "receipt-lost=10%,receipt-differs=50%"]);
    night.run(&["--store", "plain.db"]).exits(0);
    let plain = outputs_without_receipts(&night.bench);
    assert!(!plain.1.is_empty());

    let with_store = [&SAMPLE[..], &["--store", store]].concat();
    night.run(&with_store).exits(0).says(REFUTED).says(ALL_ASKED);
    let summary = night.bench.summary();
    summary.assert_totals();
    assert_eq!((summary.number("requests"), summary.number("first_tries")), (CALLS as u64, CALLS as u64));
    let asked_twice = asked(&night.server);
    assert!(asked_twice.len() == CALLS && asked_twice.values().all(|times| *times == 2));
    let details = night.bench.details();
    assert!(column(&details, "source").iter().all(|source| *source == "query"));
    assert_eq!(outputs_without_receipts(&night.bench), plain);
    let found = night.bench.discrepancies();
    let differing = found.iter().filter(|row| cell(row, "kind") == "receipt_differs").count();
    assert!(differing > CALLS / 3, "{differing} differences are listed");

    // The next run has the same sample. It asks only for open calls.
    let is_open = |row: &&Row| cell(row, "status") != "found";
    let open: BTreeSet<&str> = details.iter().filter(is_open).map(|row| cell(row, "call_id")).collect();
    night.run(&with_store).exits(0).says(REFUTED).says(ALL_ASKED);
    let asked_now = asked(&night.server);
    let again: Vec<_> = asked_now.iter().filter(|(_, times)| **times > 2).collect();
    assert_eq!(night.bench.summary().number("requests"), again.len() as u64);
    assert!(again.iter().all(|(id, times)| open.contains(id.as_str()) && **times == 3), "{again:?}");
    assert_eq!(night.bench.discrepancies().len(), found.len());
    // A run that asks for all its calls has one round.
    night.run(&[&with_store[..], &["--refresh"]].concat()).exits(0).says(ALL_ASKED);
    assert_eq!(night.bench.summary().number("requests"), CALLS as u64);
    assert!(asked(&night.server).iter().all(|(id, times)| *times == asked_now[id] + 1));
}

#[test]
fn refuted_receipts_are_followed_by_all_other_requests() {
    all_calls_are_asked("reconcile.db");
}

#[test]
fn refuted_receipts_are_followed_over_a_database_too() {
    let Some(database) = Database::create() else { return };
    all_calls_are_asked(&database.url());
}

#[test]
fn agreeing_receipts_save_all_requests_but_the_sample() {
    let night = Night::new(&["--faults", "receipt-lost=10%"]);
    let run = night.run(&SAMPLE).exits(0);
    assert!(!run.stderr.contains("not trusted"), "{}", run.stderr);
    assert_eq!(notes_on_receipts(&night.bench), [""; 0]);
    let (saved, details) = (night.with_receipt(), night.bench.details());
    let of_query = details.iter().filter(|row| cell(row, "source") == "query");
    let of_query: BTreeSet<&str> = of_query.map(|row| cell(row, "call_id")).collect();
    let asked = asked(&night.server);
    assert_eq!(asked.keys().map(String::as_str).collect::<BTreeSet<_>>(), of_query);
    assert!(asked.values().all(|times| *times == 1));
    let sample = of_query.iter().filter(|id| saved.contains(**id)).count();
    assert_eq!(of_query.len(), CALLS - saved.len() + sample);
    assert!((10..=120).contains(&sample), "10 % of {}: {sample}", saved.len());
}

#[test]
fn receipts_without_a_sample_are_never_refuted() {
    let night = Night::new(&["--faults", "receipt-lost=10%,receipt-differs=50%"]);
    let (full, none) = ([SAMPLE[0], SAMPLE[1], SAMPLE[2], "full"], [SAMPLE[0], SAMPLE[1], SAMPLE[2], "none"]);
    night.run(&full).exits(0);
    assert_eq!(notes_on_receipts(&night.bench), [""; 0]);
    assert_eq!(asked(&night.server).len(), CALLS - night.with_receipt().len());
    night.run(&[&none[..], &["--store", "none.db"]].concat()).exits(0);
    assert_eq!(notes_on_receipts(&night.bench), [""; 0]);
    assert_eq!(night.bench.summary().number("requests"), CALLS as u64);
}

#[test]
fn calls_that_no_time_is_left_for_keep_their_receipts() {
    let night = Night::new(&["--faults", "receipt-differs=50%"]);
    night.run(&["--store", "plain.db"]).exits(0);
    let plain = without_source(outputs_without_receipts(&night.bench).0);
    // The first round needs a sixth of this time, both rounds need three times as long.
    let limited = ["--rate", "40/s", "--max-duration", "5s"];
    let run = night.run(&[&SAMPLE[..], &limited].concat()).exits(4);
    run.says("incomplete: the maximum duration 5s was reached").says(REFUTED);
    let summary = night.bench.summary();
    summary.assert_totals();
    assert_eq!(summary.number("deferred"), 0);
    let (requests, left) = (summary.number("requests"), unchecked(&night.bench));
    assert_eq!(requests + left, CALLS as u64, "each call is asked for, or keeps its receipt");
    assert!(requests > 120, "the second round has begun: {requests}");
    let details = night.bench.details();
    assert_eq!(column(&details, "source").iter().filter(|source| **source == "receipt").count() as u64, left);

    // Nothing is asked offline, and the note does not say so.
    let run = night.run(&[&SAMPLE[..], &["--offline"]].concat()).exits(0);
    assert!(!run.stderr.contains("asked for"), "{}", run.stderr);
    assert_eq!((night.bench.summary().number("requests"), unchecked(&night.bench)), (0, left));

    // The next run knows from its start what to ask for.
    night.run(&SAMPLE).exits(0).says(&format!("; {left} to ask at ")).says(ALL_ASKED);
    assert_eq!(night.bench.summary().number("requests"), left);
    assert!(asked(&night.server).values().all(|times| *times == 2));
    assert_eq!(without_source(outputs_without_receipts(&night.bench).0), plain);
}

#[test]
fn a_run_killed_in_both_rounds_asks_for_no_call_again() {
    let night = Night::new(&["--faults", "receipt-lost=5%,receipt-differs=50%"]);
    let url = night.server.url();
    let options = [&SAMPLE[..], &["--rate", "100/s", "--endpoint", &url]].concat();
    let (mut kills, mut in_flight) = (0, 0);
    // The first round has some 90 calls.
    for requests in [25, 180, 330] {
        let running = night.bench.start(&options);
        wait_until("so many requests", || {
            night.bench.path("reconcile.db").exists() && asked(&night.server).len() >= requests
        });
        kills += usize::from(running.kill());
        in_flight += night.bench.requests_in_flight();
    }
    assert_eq!(kills, 3);
    let run = night.bench.run(&options).exits(0).says(REFUTED).says(ALL_ASKED);
    run.says("resuming an unfinished run");
    let asked = asked(&night.server);
    let again = asked.values().filter(|times| **times > 1).count();
    assert_eq!(asked.len(), CALLS);
    assert!(again as i64 <= in_flight, "{again} calls were asked again, {in_flight} without a reply");
    let resumed = (outputs_without_receipts(&night.bench), night.bench.discrepancies());

    // A run that was not killed tells the same. Its store has another sample.
    night.run(&[&SAMPLE[..], &["--store", "whole.db"]].concat()).exits(0).says(ALL_ASKED);
    assert_eq!((outputs_without_receipts(&night.bench), night.bench.discrepancies()), resumed);
}

/// A ledger of two accounts, a sandbox that knows both, and their receipts.
struct TwoAccounts {
    bench: Bench,
    server: Server,
}

const NAMES: [&str; 2] = ["north", "south"];
const CALLS_OF_EACH: usize = 300;

impl TwoAccounts {
    /// The receipts of the first account's calls have other durations than the records.
    fn new() -> Self {
        let mut ledger = "call_id,product,called_at,duration,account\n".to_owned();
        for at in 0..2 * CALLS_OF_EACH {
            let (call, account) = (id(at), NAMES[at % 2]);
            writeln!(ledger, "{call},voice-notification,2024-05-26 10:00:00,30,{account}").unwrap();
        }
        let bench = Bench::new(&ledger);
        let table = |name: &&str| format!("{name} = {{ secret = \"{}\" }}\n", keys::secret_of(name));
        bench.write("keys.toml", &NAMES.iter().map(table).collect::<String>());
        let table = |name: &&str| format!("[{name}]\nprofile = \"{name}\"\nrate = \"100/s\"\n");
        bench.write("accounts.toml", &NAMES.iter().map(table).collect::<String>());
        let profiles: Vec<Value> = NAMES.iter().map(|name| keys::ak(name, name)).collect();
        keys::config_json(&bench, &json!({ "current": NAMES[0], "profiles": profiles }));
        let path = |name| bench.path(name).to_str().unwrap().to_owned();
        let (of_keys, calls, receipts) = (path("keys.toml"), path("calls.csv"), path("receipts.jsonl"));
        let options =
            ["--accounts", &of_keys, "--cap", "100/s", "--calls", &calls, "--receipts-out", &receipts];
        let server = Server::start(&options);
        let this = Self { bench, server };
        this.falsify_receipts();
        this
    }

    fn falsify_receipts(&self) {
        let of_first: BTreeSet<String> = (0..CALLS_OF_EACH).map(|at| id(2 * at)).collect();
        let text = std::fs::read_to_string(self.bench.path("receipts.jsonl")).unwrap();
        let mut falsified = String::new();
        for line in text.lines() {
            let mut receipt: Value = serde_json::from_str(line).unwrap();
            if of_first.contains(receipt["call_id"].as_str().unwrap()) {
                receipt["duration"] = "777".into();
            }
            writeln!(falsified, "{receipt}").unwrap();
        }
        self.bench.write("receipts.jsonl", &falsified);
    }

    fn run(&self, options: &[&str]) -> Run {
        let url = self.server.url();
        let usual = ["--accounts", "accounts.toml", "--endpoint", &url];
        let options = [&usual, &SAMPLE[..], options].concat();
        self.bench.start_command(keys::command(&self.bench, &options, &[])).wait()
    }

    /// The sources of the calls of each account.
    fn sources(&self) -> [BTreeMap<String, usize>; 2] {
        let details = self.bench.details();
        NAMES.map(|name| {
            let mut sources = BTreeMap::new();
            for row in details.iter().filter(|row| cell(row, "account") == name) {
                *sources.entry(cell(row, "source").to_owned()).or_default() += 1;
            }
            sources
        })
    }
}

#[test]
fn only_the_account_with_refuted_receipts_is_asked_for_all() {
    let two = TwoAccounts::new();
    let run = two.run(&[]).exits(0).says("the receipts of the account north are not trusted: ");
    assert!(!run.stderr.contains("account south"), "{}", run.stderr);
    run.says("all calls with receipts were asked for");
    let [north, south] = two.sources();
    assert_eq!(north, BTreeMap::from([("query".to_owned(), CALLS_OF_EACH)]));
    assert!(south["query"] < 100 && south["query"] + south["receipt"] == CALLS_OF_EACH, "{south:?}");
    let accounts = two.bench.summary().0["accounts"].clone();
    assert_eq!(accounts[0]["requests"], CALLS_OF_EACH);
    assert_eq!(accounts[1]["requests"], south["query"]);
    assert!(asked(&two.server).values().all(|times| *times == 1));
    let stats = two.server.page("stats");
    assert!(stats["most_by_account"].as_object().unwrap().values().all(|most| most.as_u64().unwrap() <= 100));
    two.run(&[]).exits(0).says("the receipts of the account north are not trusted: ");
    assert_eq!(two.bench.summary().number("requests"), 0);
}

/// A ledger of these calls on a day, and receipts whose duration no record has.
fn ledger_and_receipts(calls: std::ops::Range<usize>, day: &str) -> (String, String) {
    let row = |no| format!("{},11000000300006,{day}\n", id(no));
    let receipt = |no| {
        let time = format!("{day} 10:00:00");
        let receipt =
            json!({"call_id": id(no), "originate_time": time, "status_code": "200000", "duration": 9_999});
        format!("{receipt}\n")
    };
    let ledger = "call_id,prod_id,called_at\n".to_owned() + &calls.clone().map(row).collect::<String>();
    (ledger, calls.map(receipt).collect())
}

#[test]
fn a_key_refused_in_the_second_round_stops_the_run() {
    const OF_LEDGER: usize = 300;
    let (ledger, receipts) = ledger_and_receipts(0..OF_LEDGER, "2024-05-26");
    let bench = Bench::new(&ledger);
    bench.write("receipts.jsonl", &receipts);
    let answered = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let answer_at_most = |most: usize| {
        let answered = answered.clone();
        bench.provider.answer_with(move |request| {
            let mut answered = answered.lock().unwrap();
            if answered.values().sum::<usize>() >= most {
                return Reply::code(403, "InvalidAccessKeyId.Inactive", "the key is inactive");
            }
            *answered.entry(request.call_id().to_owned()).or_default() += 1;
            Reply::record()
        });
    };
    // The sample has some 30 calls.
    answer_at_most(120);
    bench.run(&SAMPLE).exits(3).says("InvalidAccessKeyId.Inactive");
    assert!(!bench.path("details.parquet").exists());
    answer_at_most(usize::MAX);
    bench.run(&SAMPLE).exits(0).says("; 180 to ask at ").says(REFUTED).says(ALL_ASKED);
    let answered = answered.lock().unwrap();
    assert!(answered.len() == OF_LEDGER && answered.values().all(|times| *times == 1), "{answered:?}");
}

#[test]
fn earlier_open_calls_follow_the_second_round() {
    let yesterday = Utc::now().with_timezone(&FixedOffset::east_opt(8 * 3_600).unwrap()) - TimeDelta::days(1);
    let day = yesterday.date_naive().to_string();
    let (earlier, _) = ledger_and_receipts(1_000..1_005, &day);
    let bench = Bench::new(&earlier);
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    bench.provider.by_default(Reply::record());
    let (ledger, receipts) = ledger_and_receipts(0..200, &day);
    bench.write("calls.csv", &ledger);
    bench.write("receipts.jsonl", &receipts);
    let before = bench.provider.seen();
    bench.run(&[&SAMPLE[..3], &["sample=20%"]].concat()).exits(0).says(ALL_ASKED);
    let requests = bench.provider.requests();
    let asked: Vec<&str> = requests[before..].iter().map(|request| request.call_id()).collect();
    let earlier: BTreeSet<String> = (1_000..1_005).map(id).collect();
    let (own, after) = asked.split_at(200);
    assert!(own.iter().all(|call| !earlier.contains(*call)));
    assert_eq!(after.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), earlier);
    assert_eq!(after.len(), earlier.len());
    assert_eq!(bench.summary().0["earlier_calls"]["asked"], 5);
}
