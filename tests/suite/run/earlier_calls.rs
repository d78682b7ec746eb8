//! Open calls of earlier ledgers: asked after the night's own, and reported apart.

use std::time::Duration;

use chrono::{Days, FixedOffset, NaiveDate, Utc};
use serde_json::{Value, json};

use super::recheck::a_minute_passes;
use crate::support::keys;
use crate::support::postgres::Database;
use crate::support::provider::{Reply, detail};
use crate::support::{Bench, column, id};

/// The day this many days ago in UTC+8.
fn days_ago(days: u64) -> NaiveDate {
    let offset = FixedOffset::east_opt(8 * 3_600).unwrap();
    Utc::now().with_timezone(&offset).date_naive() - Days::new(days)
}

/// A ledger of these calls, all made this many days ago.
fn ledger(calls: impl IntoIterator<Item = usize>, days: u64) -> String {
    let day = days_ago(days);
    let rows = calls.into_iter().map(|no| format!("{},11000000300006,{day}\n", id(no)));
    "call_id,prod_id,called_at\n".to_owned() + &rows.collect::<String>()
}

/// A bench that found no record of the calls 0 to `calls`, and whose ledger now lists these.
fn after_a_night(calls: usize, days: u64, ledger_now: impl IntoIterator<Item = usize>) -> Bench {
    let bench = Bench::new(&ledger(0..calls, days));
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    bench.provider.by_default(Reply::record());
    bench.write("calls.csv", &ledger(ledger_now, days));
    bench
}

fn asked_since(bench: &Bench, seen: usize) -> Vec<String> {
    bench.provider.requests()[seen..].iter().map(|request| request.call_id().to_owned()).collect()
}

fn earlier(bench: &Bench) -> Value {
    bench.summary().0["earlier_calls"].clone()
}

fn counts(open: u64, asked: u64, settled: u64, still_open: u64, not_asked: u64) -> Value {
    json!({"open": open, "asked": asked, "settled": settled, "still_open": still_open, "not_asked": not_asked})
}

#[test]
fn earlier_calls_follow_the_own_and_are_reported_apart() {
    let bench = after_a_night(4, 1, [10, 1]);
    bench.provider.script(&id(2), vec![Reply::without_data(); 9]);
    let seen = bench.provider.seen();
    let run = bench.run(&["--concurrency", "1"]).exits(0);
    let asked = asked_since(&bench, seen);
    assert_eq!(asked[..2], [id(10), id(1)]);
    assert_eq!(asked[2..], [0, 2, 3].map(id));
    assert_eq!(earlier(&bench), counts(3, 3, 2, 1, 0));
    assert!(run.stderr.contains("3 open calls of earlier ledgers: 2 settled now, 1 still open, 0 not asked"));
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!((summary.number("calls"), summary.number("requests")), (2, 5));
    assert_eq!(summary.0["open_items"]["cleared"], 3);
    assert_eq!(summary.0["open_items"]["elsewhere"], 1);
    assert_eq!(column(&bench.details(), "call_id"), [id(10), id(1)]);
    assert_eq!(bench.discrepancies().len(), 0);
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page.contains("Open calls of earlier ledgers"));

    // A run over the same ledger asks again only for the one that is still open.
    let seen = bench.provider.seen();
    bench.run(&[]).exits(0);
    assert_eq!(asked_since(&bench, seen), [id(2)]);
    assert_eq!(earlier(&bench), counts(1, 1, 0, 1, 0));
}

#[test]
fn only_calls_of_the_last_two_weeks_are_asked() {
    for (days, asked) in [(14, 1), (15, 0)] {
        let bench = after_a_night(1, days, [10]);
        let seen = bench.provider.seen();
        bench.run(&[]).exits(0);
        assert_eq!(asked_since(&bench, seen).len(), 1 + asked, "{days} days");
    }
}

#[test]
fn offline_and_without_time_they_are_not_asked() {
    let bench = after_a_night(3, 1, [0, 1]);
    let seen = bench.provider.seen();
    bench.run(&["--offline"]).exits(0);
    assert_eq!((bench.provider.seen(), earlier(&bench)), (seen, counts(1, 0, 0, 0, 1)));
    a_minute_passes(&bench);
    // The own calls fill the window, and the run ends before the next one.
    bench.write("calls.csv", &ledger([10, 11], 1));
    bench.run(&["--rate", "2/30s", "--max-duration", "2s"]).exits(0);
    let summary = bench.summary();
    assert!(summary.complete() && summary.number("deferred") == 0);
    assert_eq!(earlier(&bench), counts(3, 0, 0, 0, 3));
}

#[test]
fn a_killed_run_asks_no_earlier_call_twice() {
    let bench = after_a_night(10, 1, [20]);
    let seen = bench.provider.seen();
    bench.provider.answer_with(|request| {
        let is_found = (0..10).step_by(2).any(|no| id(no) == request.call_id());
        let reply = if is_found { Reply::record() } else { Reply::without_data() };
        reply.after(Duration::from_millis(30))
    });
    let run = bench.start(&["--concurrency", "1"]);
    bench.provider.wait_for(seen + 6);
    run.kill();
    bench.run(&["--concurrency", "1"]).exits(0);
    assert_eq!(earlier(&bench), counts(10, 10, 5, 5, 0));
    let asked = asked_since(&bench, seen).len();
    assert!((11..=14).contains(&asked), "{asked}: only those in flight are asked again");
    bench.summary().assert_totals();
}

#[test]
fn each_account_asks_for_its_own_earlier_calls() {
    let with_accounts = |rows: &[(usize, &str)]| {
        let day = days_ago(1);
        let rows = rows.iter().map(|(no, name)| format!("{},11000000300006,{day},{name}\n", id(*no)));
        "call_id,prod_id,called_at,account\n".to_owned() + &rows.collect::<String>()
    };
    let bench = Bench::new(&with_accounts(&[(0, "one"), (1, "two"), (2, "two")]));
    let profiles: Vec<Value> = ["one", "two"].map(|name| keys::ak(name, name)).into();
    keys::config_json(&bench, &json!({ "current": "one", "profiles": profiles }));
    bench.write("accounts.toml", "[one]\nprofile = \"one\"\n[two]\nprofile = \"two\"\n");
    let run = || {
        let endpoint = bench.provider.endpoint();
        let options = ["--accounts", "accounts.toml", "--endpoint", &endpoint];
        bench.start_command(keys::command(&bench, &options, &[])).wait().exits(0);
    };
    bench.provider.by_default(Reply::without_data());
    run();
    bench.provider.by_default(Reply::record());
    bench.write("calls.csv", &with_accounts(&[(10, "one")]));
    let seen = bench.provider.seen();
    run();
    let of_account = |name: &str| {
        let requests = bench.provider.requests()[seen..].to_vec();
        let mut calls: Vec<String> = requests
            .into_iter()
            .filter(|request| request.param("AccessKeyId") == name)
            .map(|request| request.call_id().to_owned())
            .collect();
        calls.sort();
        calls
    };
    assert_eq!((of_account("one"), of_account("two")), (vec![id(0), id(10)], vec![id(1), id(2)]));
    assert_eq!(earlier(&bench), counts(3, 3, 3, 0, 0));
    bench.summary().assert_totals();
}

#[test]
fn a_database_and_a_file_report_the_same() {
    let Some(database) = Database::create() else { return };
    let outputs = |store: &str| {
        let bench = Bench::new(&ledger(0..4, 1));
        let without = |calls: [usize; 2]| {
            bench.provider.answer_with(move |request| {
                let is_without = calls.iter().any(|no| id(*no) == request.call_id());
                if is_without { Reply::without_data() } else { Reply::record() }
            });
        };
        without([2, 3]);
        bench.run(&["--store", store]).exits(0);
        // Call 0 changes, call 1 is lost, call 2 is found now.
        without([1, 3]);
        let mut changed = detail(&id(0));
        changed["callee"] = "13900139000".into();
        bench.provider.script(&id(0), [Reply::ok(&changed)]);
        bench.write("calls.csv", &ledger([10], 1));
        bench.run(&["--store", store, "--recheck", "3d"]).exits(0);
        let summary = bench.summary();
        summary.assert_totals();
        let counts = ["earlier_calls", "rechecked", "discrepancies"].map(|key| summary.0[key].clone());
        (counts, bench.comparable_outputs().1)
    };
    let (with_file, with_database) = (outputs("reconcile.db"), outputs(&database.url()));
    assert_eq!(with_database, with_file);
    assert_eq!(with_file.0[0], counts(2, 2, 1, 1, 0));
    assert_eq!(with_file.0[1], json!({"asked": 2, "failed": 0, "changed": 1, "lost": 1}));
    assert_eq!(with_file.0[2]["amended"], 2);
}
