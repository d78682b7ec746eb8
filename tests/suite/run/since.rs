//! Since when discrepancies are open, over several nights: what is new, what recurs and what is
//! resolved, in every output, after kills, and after erasing.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, Row, cell, column, id, ledger_of, read_csv, read_parquet, without_run_columns};

/// Makes everything in the store one day older.
fn a_day_passes(bench: &Bench) {
    Connection::open(bench.path("reconcile.db"))
        .unwrap()
        .execute_batch(
            "UPDATE open_item SET first_seen_at = first_seen_at - 86400000000;
             UPDATE run SET started_at = started_at - 86400000000, ended_at = ended_at - 86400000000;
             UPDATE open_discrepancy SET since = date(since, '-1 day');",
        )
        .unwrap();
}

/// A record of a call with this talk time.
fn record(talk_s: i64) -> Reply {
    Reply::ok(&json!({
        "callee": "12510000000", "gmtCreate": "2024-05-26 10:00:00", "startDate": "2024-05-26 10:00:40",
        "endDate": format!("2024-05-26 10:01:{:02}", talk_s - 20), "duration": talk_s, "state": "200000"
    }))
}

/// A ledger of these calls with the talk time that it expects, and further rows.
fn expecting(calls: &[(usize, i64)], rows: &str) -> String {
    let rows_of_calls =
        calls.iter().map(|(i, talk_s)| format!("{},11000000300006,2024-05-26,{talk_s}\n", id(*i)));
    format!("call_id,prod_id,called_at,duration\n{}{rows}", rows_of_calls.collect::<String>())
}

/// `new`, `recurring` and `resolved` of the summary.
fn changes(bench: &Bench) -> [u64; 3] {
    let counts = &bench.summary().0["since_last"];
    ["new", "recurring", "resolved"].map(|key| counts[key].as_u64().unwrap())
}

/// Of each discrepancy: call, kind, and how many days it is open.
fn days_open(bench: &Bench) -> Vec<(String, String, i64)> {
    let today = today(bench);
    let days = |row: &Row| {
        let since: chrono::NaiveDate = cell(row, "since").parse().unwrap();
        (cell(row, "call_id").to_owned(), cell(row, "kind").to_owned(), (today - since).num_days())
    };
    bench.discrepancies().iter().map(days).collect()
}

/// The day of the newest run's start, in UTC+8.
fn today(bench: &Bench) -> chrono::NaiveDate {
    let day = "SELECT (max(started_at) + 28800000000) / 86400000000 FROM run";
    chrono::NaiveDate::default() + chrono::Days::new(bench.number_in_store(day) as u64)
}

fn of(i: usize, kind: &str, days: i64) -> (String, String, i64) {
    (id(i), kind.to_owned(), days)
}

/// One night over this ledger: its changes, and the days for which each discrepancy is open.
fn assert_night(bench: &Bench, ledger: &str, wanted: [u64; 3], days: &[(String, String, i64)], words: &str) {
    bench.write("calls.csv", ledger);
    bench.run(&["--metrics-file", "r.prom"]).exits(0).says(words);
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!((changes(bench), days_open(bench)), (wanted, days.to_vec()));
    assert_eq!(wanted[0] + wanted[1], summary.number("discrepancies_total"));
    let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
    let metrics = fs::read_to_string(bench.path("r.prom")).unwrap();
    for (key, n) in ["new", "recurring", "resolved"].into_iter().zip(wanted) {
        let line = format!("reconcile_since_last{{change=\"{key}\"}} {n}\n");
        assert!(metrics.contains(&line), "{line}");
        let number = format!("<data value=\"{n}\" data-at=\"/since_last/{key}\">");
        assert_eq!(page.contains(&number), wanted != [0; 3], "{number}");
    }
    let is_new = |(.., days): &(String, String, i64)| *days == 0;
    // A page on which all are new marks none.
    let is_marked = wanted[1] > 0 && days.iter().any(is_new);
    assert_eq!(page.contains("<span class=\"soft\">new</span>"), is_marked);
    let yesterday = format!("open since {}", today(bench).pred_opt().unwrap());
    assert_eq!(page.contains(&yesterday), days.iter().any(|(.., days)| *days == 1), "{yesterday}");
    a_day_passes(bench);
}

#[test]
fn every_output_counts_what_is_new_over_six_nights() {
    let bench = Bench::new("");
    for (i, talk_s) in [(0, 30), (1, 25), (3, 40), (4, 30)] {
        bench.provider.script(&id(i), [record(talk_s)]);
    }
    // Three nights ask for call 2 before the provider has a record of it.
    bench.provider.script(&id(2), [vec![Reply::without_data(); 3], vec![record(30)]].concat());
    let bad_row = format!("{},11000000300006,2024-05-26,1:15\n", id(4));

    let ledger = expecting(&[(0, 30), (1, 30), (2, 30)], &bad_row);
    let days = [of(1, "mismatch", 0), of(2, "not_found", 0), of(4, "invalid_row", 0)];
    assert_night(&bench, &ledger, [3, 0, 0], &days, "3 discrepancies, all new;");

    // A call comes before the others, so every line moves.
    let ledger = expecting(&[(3, 30), (0, 30), (1, 30), (2, 30)], &bad_row);
    let days = [of(3, "mismatch", 0), of(1, "mismatch", 1), of(2, "not_found", 1), of(4, "invalid_row", 1)];
    assert_night(&bench, &ledger, [1, 3, 0], &days, "4 discrepancies, 1 new;");

    // The ledger is corrected: call 1, and the unusable row. It does not name call 2.
    let ledger = expecting(&[(0, 30), (1, 25), (3, 30), (4, 30)], "");
    let days = [of(3, "mismatch", 1)];
    assert_night(&bench, &ledger, [0, 1, 2], &days, "1 discrepancy, none new, 2 resolved;");

    // Call 2 was never settled, so it is open since the first night.
    let ledger = expecting(&[(2, 30), (0, 30)], "");
    assert_night(&bench, &ledger, [0, 1, 0], &[of(2, "not_found", 3)], "1 discrepancy, none new;");

    // The provider has it after all. Call 1 differs again: that is a new discrepancy.
    let ledger = expecting(&[(0, 30), (1, 30), (2, 30)], "");
    assert_night(&bench, &ledger, [1, 0, 1], &[of(1, "mismatch", 0)], "1 discrepancy, new, 1 resolved;");

    let ledger = expecting(&[(0, 30)], "");
    assert_night(&bench, &ledger, [0, 0, 0], &[], "no discrepancies;");
}

#[test]
fn a_call_that_was_not_asked_resolves_nothing() {
    // A night without any answer would keep the old outputs: call 9 always has one.
    let bench = Bench::new(&ledger_of([id(0), id(9)]));
    let not_found = |bench: &Bench| bench.provider.script(&id(0), [Reply::without_data()]);
    not_found(&bench);
    bench.run(&[]).exits(0);
    a_day_passes(&bench);
    // Every attempt fails.
    bench.provider.script(&id(0), vec![Reply::empty(503); 2]);
    bench.run(&["--max-attempts", "2"]).exits(4);
    assert_eq!((changes(&bench), days_open(&bench)), ([1, 0, 0], vec![of(0, "failed", 0)]));
    a_day_passes(&bench);
    not_found(&bench);
    bench.run(&[]).exits(0);
    assert_eq!((changes(&bench), days_open(&bench)), ([0, 1, 1], vec![of(0, "not_found", 2)]));
    // A ledger of another day is not asked for, then asked for.
    bench.write("calls.csv", &ledger_of([id(0), id(1), id(2), id(9)]));
    bench.run(&["--offline"]).exits(4);
    assert_eq!(changes(&bench), [2, 1, 0]);
    a_day_passes(&bench);
    bench.run(&["--offline"]).exits(4);
    assert_eq!(changes(&bench), [0, 3, 0]);
    assert_eq!(days_open(&bench)[1..], [of(1, "deferred", 1), of(2, "deferred", 1)]);
    bench.run(&[]).exits(0);
    assert_eq!((changes(&bench), days_open(&bench)), ([0, 0, 3], vec![]));
}

/// Three calls: one with later rows, one that differs, one that the provider lacks.
fn small_night() -> Bench {
    let again = format!("{},11000000300006,2024-05-26,31\n", id(0));
    let bench = Bench::new(&expecting(&[(0, 30), (1, 30), (2, 30)], &again.repeat(2)));
    bench.provider.script(&id(0), [record(30)]);
    bench.provider.script(&id(1), [record(25)]);
    bench.provider.script(&id(2), vec![Reply::without_data(); 20]);
    bench
}

#[test]
fn every_form_of_the_file_has_the_day() {
    let bench = small_night();
    bench.run(&[]).exits(0);
    a_day_passes(&bench);
    let wanted = vec![(today(&bench)).to_string(); 4];
    for name in ["d.csv", "d.parquet", "d.jsonl", "d.xlsx"] {
        bench.run(&["--discrepancies", name]).exits(0);
        assert_eq!(changes(&bench), [0, 4, 0], "{name}");
        let path = bench.path(name);
        let since = match name {
            "d.parquet" => column(&read_parquet(&path), "since").join(" "),
            "d.jsonl" => {
                let lines = fs::read_to_string(&path).unwrap();
                let row = |line: &str| serde_json::from_str::<BTreeMap<String, Value>>(line).unwrap();
                let days = lines.lines().map(row).map(|row| row["since"].as_str().unwrap().to_owned());
                days.collect::<Vec<_>>().join(" ")
            }
            "d.csv" => column(&read_csv(&path), "since").join(" "),
            _ => {
                // The rows of `diff` carry the columns of the file along.
                bench.bare(&["diff", "d.csv", "d.xlsx", "--to", "diff.csv"]);
                let mut book: calamine::Xlsx<_> = calamine::open_workbook(&path).unwrap();
                let sheet = calamine::Reader::worksheet_range(&mut book, "all").unwrap();
                let at = sheet.rows().next().unwrap().iter().position(|cell| cell == "since").unwrap();
                // Excel's days count from the end of 1899.
                let first = chrono::NaiveDate::from_ymd_opt(1899, 12, 30).unwrap();
                let day = |row: &[calamine::Data]| match &row[at] {
                    calamine::Data::DateTime(at) => {
                        (first + chrono::Days::new(at.as_f64() as u64)).to_string()
                    }
                    other => panic!("{other:?} is no date"),
                };
                sheet.rows().skip(1).map(day).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(since, wanted.join(" "), "{name}");
    }
    let text = fs::read_to_string(bench.path("d.csv")).unwrap();
    assert!(text.lines().next().unwrap().contains(",seconds_at_stake,since,resolution,reason"), "{text}");
}

#[test]
fn a_resumed_run_keeps_the_day_of_its_start() {
    let bench = small_night();
    bench.provider.by_default(record(30).after(Duration::from_millis(50)));
    bench.write("calls.csv", &expecting(&(0..40).map(|i| (i, 29)).collect::<Vec<_>>(), ""));
    let run = bench.start(&["--concurrency", "1"]);
    bench.provider.wait_for(5);
    assert!(run.kill());
    // Midnight comes before the next process.
    let store = Connection::open(bench.path("reconcile.db")).unwrap();
    store.execute_batch("UPDATE run SET started_at = started_at - 19 * 3600000000").unwrap();
    drop(store);
    let day = today(&bench);
    bench.run(&[]).exits(0);
    assert_eq!(bench.number_in_store("SELECT count(*) FROM run"), 1);
    assert_eq!(today(&bench), day);
    let rows = bench.discrepancies();
    assert!(rows.len() > 30 && rows.iter().all(|row| cell(row, "since") == day.to_string()));
}

/// What a night says: its rows, and its changes.
fn result(bench: &Bench) -> (Vec<Row>, String, [u64; 3]) {
    let details = bench.details().into_iter().map(without_run_columns).collect();
    let discrepancies = fs::read_to_string(bench.path("details.discrepancies.csv")).unwrap();
    (details, discrepancies, changes(bench))
}

#[test]
fn wherever_it_is_killed_the_night_says_the_same() {
    const CALLS: usize = 40;
    // Two nights: some discrepancies recur, some are resolved, some are new.
    let bad_row = format!("{},11000000300006,2024-05-26,1:15\n", id(CALLS * 3));
    let night = |calls: std::ops::Range<usize>, differs: fn(usize) -> bool| {
        let calls: Vec<_> = calls.map(|i| (i, if differs(i) { 31 } else { 30 })).collect();
        expecting(&calls, &bad_row)
    };
    let two_nights = || {
        let bench = Bench::new(&night(0..CALLS, |i| i % 3 > 0));
        bench.provider.by_default(record(30).after(Duration::from_millis(2)));
        bench.run(&["--concurrency", "4"]).exits(0);
        a_day_passes(&bench);
        bench.write("calls.csv", &night(CALLS / 2..CALLS * 2, |i| i % 3 == 1));
        bench
    };
    let bench = two_nights();
    let begin = Instant::now();
    bench.run(&["--concurrency", "4"]).exits(0);
    let (expected, lifetime) = (result(&bench), begin.elapsed());
    assert!(expected.2.iter().all(|n| *n > 0), "{:?}", expected.2);
    let mut random = fastrand::Rng::with_seed(5);
    let mut kills = 0;
    while kills < 30 {
        let bench = two_nights();
        let has_ended = || bench.number_in_store("SELECT count(*) FROM run WHERE ended_at IS NOT NULL") == 2;
        for no in 0..5 {
            let run = bench.start(&["--concurrency", "4"]);
            // The later ones are near the end, where the store changes.
            let share = if no < 2 { random.f64() } else { 0.6 + random.f64() / 2.0 };
            std::thread::sleep(lifetime.mul_f64(share));
            kills += usize::from(run.kill());
            if has_ended() {
                break;
            }
        }
        if !has_ended() {
            bench.run(&["--concurrency", "4"]).exits(0);
        }
        assert_eq!(result(&bench), expected);
        // The next night knows all of them.
        a_day_passes(&bench);
        bench.run(&[]).exits(0);
        assert_eq!(changes(&bench), [0, expected.2[0] + expected.2[1], 0]);
    }
}

#[test]
fn purge_and_forget_make_a_discrepancy_new_again() {
    let number = "13812345678";
    let bench = Bench::new("");
    let ledger = expecting(&[(0, 30)], &format!("{number}^1,11000000300006,2024-05-26,30\nx,y,z,1\n"));
    bench.write("calls.csv", &ledger);
    bench.provider.by_default(record(25));
    bench.run(&[]).exits(0);
    bench.run(&[]).exits(0);
    assert_eq!(changes(&bench), [0, 3, 0]);
    bench.bare(&["forget", number]);
    bench.run(&[]).exits(0);
    assert_eq!(changes(&bench), [2, 1, 0], "the call with the number, and the unusable row");
    bench.bare(&["purge", "--older-than", "1d"]);
    bench.run(&[]).exits(0);
    assert_eq!(changes(&bench), [2, 1, 0], "both calls, but not the unusable row of today");
}

#[test]
fn an_older_store_remembers_from_its_next_run_on() {
    let kept = |name: &str| {
        fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name)).unwrap()
    };
    for version in ["v1.db", "v2.db"] {
        let bench = Bench::new(&String::from_utf8(kept("v1.csv")).unwrap());
        fs::write(bench.path("reconcile.db"), kept(version)).unwrap();
        bench.run(&["--offline"]).exits(0);
        let all = bench.summary().number("discrepancies_total");
        assert_eq!(changes(&bench), [all, 0, 0], "{version}");
        bench.run(&["--offline"]).exits(0);
        assert_eq!(changes(&bench), [0, all, 0], "{version}");
    }
}

#[test]
fn discrepancies_beyond_the_bound_stay_new() {
    let bench = small_night();
    bench.run(&[]).exits(0);
    // With those of the night, there is room for one more.
    Connection::open(bench.path("reconcile.db"))
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE n (no) AS (SELECT 1 UNION ALL SELECT no + 1 FROM n WHERE no < 1999996)
             INSERT INTO open_discrepancy SELECT no, 'mismatch', 'caller', '2024-05-26', NULL, '2026-01-01', 1, 1 FROM n;",
        )
        .unwrap();
    assert_eq!(bench.number_in_store("SELECT count(*) FROM open_discrepancy"), 1_999_999);
    bench.write("calls.csv", &expecting(&(0..5).map(|i| (i, 30)).collect::<Vec<_>>(), ""));
    [3, 4].into_iter().for_each(|i| bench.provider.script(&id(i), [record(25)]));
    // Call 0 has no later row any more, so there is room for two.
    let words = "open discrepancies; 1 more counts as new";
    bench.run(&[]).exits(0);
    assert_eq!(
        (changes(&bench), bench.number_in_store("SELECT count(*) FROM open_discrepancy")),
        ([2, 2, 1], 2_000_000)
    );
    let more: Vec<_> = (0..6).map(|i| (i, 30)).collect();
    bench.write("calls.csv", &expecting(&more, ""));
    bench.provider.script(&id(5), [record(25)]);
    for _ in 0..2 {
        bench.run(&[]).exits(0).says(words);
        assert_eq!(changes(&bench), [1, 4, 0]);
        let page = fs::read_to_string(bench.path("details.report.html")).unwrap();
        assert!(page.contains(words), "the page says it, too");
    }
}
