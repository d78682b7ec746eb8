//! Open calls carried from run to run: which calls are asked for again, their age, and which were
//! settled.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::provider::{Reply, detail};
use crate::support::{Bench, column, id, ledger_of};

/// Makes all times in the store one day older.
fn a_day_passes(bench: &Bench) {
    Connection::open(bench.path("reconcile.db"))
        .unwrap()
        .execute_batch(
            "UPDATE open_item SET first_seen_at = first_seen_at - 86400000000;
             UPDATE run SET started_at = started_at - 86400000000, ended_at = ended_at - 86400000000;",
        )
        .unwrap();
}

fn asked_since(bench: &Bench, seen: usize) -> Vec<String> {
    let mut asked: Vec<String> =
        bench.provider.requests()[seen..].iter().map(|request| request.call_id().to_owned()).collect();
    asked.sort();
    asked
}

/// Age in nights, status and number of the open calls, the oldest first.
fn open(bench: &Bench) -> Vec<(i64, String, u64)> {
    let ages = bench.summary().0["open_items"]["by_age"].clone();
    let age = |age: &Value| {
        let (nights, calls) = (age["nights"].as_i64().unwrap(), age["calls"].as_u64().unwrap());
        (nights, age["status"].as_str().unwrap().to_owned(), calls)
    };
    ages.as_array().unwrap().iter().map(age).collect()
}

fn of_nights(bench: &Bench, what: &str) -> u64 {
    bench.summary().0["open_items"][what].as_u64().unwrap()
}

#[test]
fn three_runs_ask_again_only_for_open_items() {
    let bench = Bench::new(&ledger_of((0..6).map(id)));
    let mut talking = detail(&id(1));
    talking["state"] = "200103".into();
    talking["endDate"] = "".into();
    // Call 1 is settled in the second run, call 2 appears in the third, call 3 never appears, and
    // call 4 fails and is then refused for good.
    bench.provider.script(&id(1), [Reply::ok(&talking)]);
    bench.provider.script(&id(2), vec![Reply::without_data(); 2]);
    bench.provider.script(&id(3), vec![Reply::without_data(); 9]);
    let refused = Reply::code(400, "InvalidParameters", "No such thing.");
    bench.provider.script(&id(4), [vec![Reply::empty(503); 2], vec![refused]].concat());
    let options = ["--max-attempts", "2"];

    bench.run(&options).exits(4);
    let statuses = ["found", "pending", "not_found", "not_found", "failed", "found"];
    assert_eq!(column(&bench.details(), "status"), statuses);
    let first = vec![(0, "failed".into(), 1), (0, "not_found".into(), 2), (0, "pending".into(), 1)];
    assert_eq!((open(&bench), of_nights(&bench, "cleared")), (first, 0));

    // The second ledger overlaps with the first: it lacks call 0, and call 6 is new.
    a_day_passes(&bench);
    bench.write("calls.csv", &ledger_of((1..7).map(id)));
    let seen = bench.provider.seen();
    bench.run(&options).exits(0);
    assert_eq!(asked_since(&bench, seen), [id(1), id(2), id(3), id(4), id(6)]);
    let statuses = ["found", "not_found", "not_found", "failed", "found", "found"];
    assert_eq!(column(&bench.details(), "status"), statuses);
    assert_eq!(open(&bench), [(1, "not_found".into(), 2)]);
    assert_eq!((of_nights(&bench, "cleared"), of_nights(&bench, "elsewhere")), (2, 0));

    // The third ledger lacks call 3, which stays open and is counted as `elsewhere`.
    a_day_passes(&bench);
    bench.write("calls.csv", &ledger_of([0, 2, 4].map(id)));
    let seen = bench.provider.seen();
    bench.run(&options).exits(0);
    assert_eq!(asked_since(&bench, seen), [id(2)]);
    assert_eq!(column(&bench.details(), "status"), ["found", "found", "failed"]);
    assert_eq!(open(&bench), []);
    assert_eq!((of_nights(&bench, "cleared"), of_nights(&bench, "elsewhere")), (1, 1));

    // A call that was refused for good is asked for again only with --refresh.
    let seen = bench.provider.seen();
    bench.run(&["--max-attempts", "2", "--refresh"]).exits(0);
    assert_eq!(asked_since(&bench, seen), [id(0), id(2), id(4)]);
    assert_eq!(column(&bench.details(), "status"), ["found", "found", "found"]);
}

#[test]
fn a_deferred_call_keeps_the_date_it_was_first_seen() {
    let bench = Bench::new(&ledger_of((0..3).map(id)));
    bench.run(&["--offline"]).exits(4);
    a_day_passes(&bench);
    a_day_passes(&bench);
    bench.run(&["--offline"]).exits(4);
    assert_eq!(open(&bench), [(2, "deferred".into(), 3)]);
    let report = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(report.contains("2 nights"), "the report lists open calls by age");
    bench.run(&[]).exits(0);
    assert_eq!((open(&bench), of_nights(&bench, "cleared")), (vec![], 3));
    assert_eq!(bench.summary().0["open_items"]["by_age"], json!([]));
}

/// A run over twelve calls, killed after about five; the first call had no record yet.
fn killed() -> Bench {
    let bench = Bench::new(&ledger_of((0..12).map(id)));
    bench.provider.script(&id(0), [Reply::without_data()]);
    bench.provider.by_default(Reply::record().after(std::time::Duration::from_millis(30)));
    let run = bench.start(&["--concurrency", "1"]);
    bench.provider.wait_for(5);
    run.kill();
    bench
}

#[test]
fn a_killed_run_resumes_after_a_run_over_another_ledger() {
    let bench = killed();
    bench.write("other.csv", &ledger_of((20..22).map(id)));
    bench.run(&["--input", "other.csv", "--out", "other.parquet"]).exits(0);
    let seen = bench.provider.seen();
    bench.run(&[]).exits(0);
    // The same run does not ask again for a call that it did not find an hour ago.
    assert!(!asked_since(&bench, seen).contains(&id(0)));
    assert_eq!(column(&bench.details(), "status")[0], "not_found");
}

#[test]
fn an_unfinished_run_of_another_day_is_not_resumed() {
    let bench = killed();
    a_day_passes(&bench);
    let seen = bench.provider.seen();
    bench.run(&[]).exits(0);
    assert!(asked_since(&bench, seen).contains(&id(0)));
    assert_eq!(column(&bench.details(), "status"), ["found"; 12]);
}

#[test]
fn open_calls_have_their_seconds_at_stake_by_age() {
    let row = |i, seconds| format!("{},11000000300006,2024-05-26,{seconds}\n", id(i));
    let ledger = |rows: &[(usize, u64)]| {
        rows.iter()
            .fold("call_id,prod_id,called_at,duration\n".to_owned(), |text, (i, s)| text + &row(*i, *s))
    };
    let bench = Bench::new(&ledger(&[(0, 30), (1, 70), (2, 500)]));
    for i in [0, 1, 2, 3] {
        bench.provider.script(&id(i), vec![Reply::without_data(); 9]);
    }
    bench.run(&[]).exits(0);
    a_day_passes(&bench);
    a_day_passes(&bench);
    // Call 1 has another duration now, call 2 is settled, call 3 is new.
    bench.write("calls.csv", &ledger(&[(0, 30), (1, 71), (2, 500), (3, 9)]));
    let decision = format!("{},11000000300006,2024-05-26,not_found,,,,accepted,x,,,,\n", id(2));
    let header = "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason,by,on,until,ticket\n";
    bench.write("decisions.csv", &(header.to_owned() + &decision));
    bench.run(&["--resolutions", "decisions.csv"]).exits(0);
    let summary = bench.summary().0;
    let ages = json!([
        {"first_seen": summary["open_items"]["by_age"][0]["first_seen"], "nights": 2, "status": "not_found",
         "calls": 3, "seconds": 101},
        {"first_seen": summary["open_items"]["by_age"][1]["first_seen"], "nights": 0, "status": "not_found",
         "calls": 1, "seconds": 9},
    ]);
    assert_eq!(summary["open_items"]["by_age"], ages);
    let classes = json!([
        {"from": 0, "to": 1, "calls": 1, "seconds": 9}, {"from": 2, "to": 7, "calls": 3, "seconds": 101},
        {"from": 8, "to": 30, "calls": 0, "seconds": 0}, {"from": 31, "to": null, "calls": 0, "seconds": 0},
    ]);
    assert_eq!(summary["open_ages"], classes);
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page.contains("<data value=\"101\" data-at=\"/open_ages/1/seconds\""), "the page has the same");
}
