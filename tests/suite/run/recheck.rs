//! Final records that are looked at again: what changed, what is lost, and what it may cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::provider::{Reply, detail, talk_seconds};
use crate::support::{Bench, Row, cell, column, id, ledger_of, read_parquet};

/// The record of a call with another callee and a talk time that is 9 s longer.
fn changed(call_id: &str) -> Value {
    let mut changed = detail(call_id);
    changed["duration"] = (talk_seconds(call_id) + 9).into();
    changed["callee"] = "13900139000".into();
    changed
}

/// A bench whose store has the records of the calls 0 to `calls`, and whose ledger now lists these.
fn after_a_night(calls: usize, ledger: impl IntoIterator<Item = usize>) -> Bench {
    let bench = Bench::new(&ledger_of((0..calls).map(id)));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger_of(ledger.into_iter().map(id)));
    bench
}

/// Makes all requests so old that they take no place under the cap.
pub(super) fn a_minute_passes(bench: &Bench) {
    Connection::open(bench.path("reconcile.db"))
        .unwrap()
        .execute_batch(
            "UPDATE request SET sent_at = sent_at - 60000000, sent_boot_us = sent_boot_us - 60000000,
                    replied_at = replied_at - 60000000, replied_boot_us = replied_boot_us - 60000000",
        )
        .unwrap();
}

/// The calls that were asked since the provider had seen this many requests, in their order.
fn asked_since(bench: &Bench, seen: usize) -> Vec<String> {
    bench.provider.requests()[seen..].iter().map(|request| request.call_id().to_owned()).collect()
}

/// Line, CallId, field, before, after, delta and seconds at stake of each amendment.
fn amended(rows: &[Row]) -> Vec<[String; 7]> {
    let columns = ["ledger_line", "call_id", "field", "expected", "actual", "delta", "seconds_at_stake"];
    let of_kind = rows.iter().filter(|row| cell(row, "kind") == "amended");
    of_kind.map(|row| columns.map(|column| cell(row, column).to_owned())).collect()
}

fn texts(rows: &[[&str; 7]]) -> Vec<[String; 7]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

#[test]
fn a_changed_and_a_lost_record_are_amended() {
    let bench = after_a_night(6, [1, 10]);
    let first = bench.provider.seen();
    bench.provider.answer_with(|request| match request.call_id() {
        call if call == id(1) || call == id(2) => Reply::ok(&changed(call)),
        call if call == id(3) => Reply::without_data(),
        call if call == id(4) => Reply::data(&format!(" {} ", detail(call))),
        call if call == id(5) => Reply::empty(503),
        _ => Reply::record(),
    });
    let options = ["--recheck", "3d", "--max-attempts", "1", "--xlsx", "details.xlsx"];
    let run = bench.run(&options).exits(0);
    assert!(
        run.stderr.contains("5 final records looked at again: 2 changed, 1 lost, 1 without a usable answer"),
        "{}",
        run.stderr
    );

    let asked = asked_since(&bench, first);
    assert_eq!(asked[0], id(10), "the ledger's own call comes first");
    assert_eq!(asked[1..].iter().cloned().collect::<BTreeSet<_>>(), (0..6).map(id).collect());
    let (one, two, three) = (id(1), id(2), id(3));
    let [before, after] = [0, 9].map(|more| (talk_seconds(&one) + more).to_string());
    let [before2, after2] = [0, 9].map(|more| (talk_seconds(&two) + more).to_string());
    let lost_s = talk_seconds(&three).to_string();
    let (old, new) = ("18512348980", "13900139000");
    let wanted = texts(&[
        ["2", &one, "callee", old, new, "", "0"],
        // The comparison with the ledger says what is at stake.
        ["2", &one, "duration_s", &before, &after, "9", "0"],
        ["", &two, "callee", old, new, "", "0"],
        ["", &two, "duration_s", &before2, &after2, "9", "9"],
        ["", &three, "status", "found", "not_found", "", &lost_s],
    ]);
    let rows = bench.discrepancies();
    assert_eq!(amended(&rows), wanted);
    assert!(rows[rows.len() - 3..].iter().all(|row| cell(row, "ledger_line").is_empty()), "they come last");
    assert_eq!(cell(&rows[rows.len() - 1], "callee"), old);
    let details = bench.details();
    assert_eq!(column(&details, "call_id"), [&*one, &*id(10)]);
    // The changed record also contradicts itself: its talk time is not its end less its start.
    assert_eq!(column(&details, "discrepancies"), ["3", "0"]);

    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!((summary.number("calls"), summary.number("with_discrepancies")), (2, 1));
    assert_eq!(summary.0["discrepancies"]["amended"], 5);
    assert_eq!(summary.0["rechecked"], json!({"asked": 5, "failed": 1, "changed": 2, "lost": 1}));
    let numbers = |rule: &str| {
        let lines = summary.0["tie_out"].as_array().unwrap().clone();
        let line = lines.into_iter().find(|line| line["rule"].as_str().unwrap().starts_with(rule)).unwrap();
        line["numbers"].as_str().unwrap().to_owned()
    };
    assert_eq!(numbers("discrepancies = invalid"), "6 = 0 + 3 + 3");
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    assert!(page.contains("Records that changed") && !page.contains(new), "numbers are masked on the page");

    // The same night again tells the same. Another ledger's night says nothing again.
    bench.run(&options).exits(0);
    assert_eq!(amended(&bench.discrepancies()), wanted);
    assert_eq!(bench.summary().0["rechecked"], json!({"asked": 6, "failed": 1, "changed": 2, "lost": 1}));
    bench.write("calls.csv", &ledger_of([11].map(id)));
    bench.run(&options).exits(0);
    assert_eq!(amended(&bench.discrepancies()), Vec::<[String; 7]>::new());
    assert_eq!(bench.summary().0["rechecked"], json!({"asked": 6, "failed": 1, "changed": 0, "lost": 0}));
}

#[test]
fn explain_shows_both_answers() {
    let bench = after_a_night(2, [5]);
    bench.provider.script(&id(0), [Reply::ok(&changed(&id(0)))]);
    bench.provider.script(&id(1), [Reply::without_data()]);
    bench.run(&["--recheck", "3d"]).exits(0);
    let explained = |call: &str, more: &[&str]| {
        let arguments = [&["explain", call, "--store", "reconcile.db"], more].concat();
        bench.bare(&arguments)
    };
    let text = explained(&id(0), &[]);
    assert!(text.contains("callee: 18512348980 -> 13900139000"), "{text}");
    let json: Value = serde_json::from_str(&explained(&id(0), &["--json"])).unwrap();
    let earlier = &json[0]["earlier_answers"][0];
    assert_eq!(
        (earlier["kind"].as_str(), json[0]["answer"]["kind"].as_str()),
        (Some("final"), Some("final"))
    );
    assert_eq!(earlier["changes"][1]["field"], "duration_s");
    assert!(earlier["fetched_at"].is_string());
    let text = explained(&id(1), &[]);
    assert!(text.contains("status: found -> not_found"), "{text}");
    let masked = explained(&id(0), &["--mask-phones", "partial"]);
    assert!(!masked.contains("18512348980") && !masked.contains("13900139000"), "{masked}");
}

#[test]
fn rechecks_take_only_what_the_cap_leaves() {
    let bench = after_a_night(30, 40..50);
    a_minute_passes(&bench);
    let seen = bench.provider.seen();
    bench.run(&["--recheck", "3d", "--rate", "6/2s", "--max-duration", "3s"]).exits(0);
    let asked = asked_since(&bench, seen);
    assert_eq!(asked[..10].iter().cloned().collect::<BTreeSet<_>>(), (40..50).map(id).collect());
    let summary = bench.summary();
    assert!(asked.len() < 40 && summary.complete() && summary.number("deferred") == 0);
    assert_eq!(summary.0["rechecked"]["asked"].as_u64().unwrap(), asked.len() as u64 - 10);
    let mut arrivals: Vec<_> = bench.provider.requests()[seen..].iter().map(|r| r.arrived).collect();
    arrivals.sort_unstable();
    for window in arrivals.windows(7) {
        assert!(window[6] - window[0] >= Duration::from_secs(2), "the cap holds for all of them");
    }
}

#[test]
fn a_killed_run_reports_the_same_amendments() {
    let answer = |bench: &Bench, after: Duration| {
        bench.provider.answer_with(move |request| {
            let call = request.call_id();
            let is_even = (0..12).step_by(2).any(|no| id(no) == call);
            if is_even { Reply::ok(&changed(call)) } else { Reply::record() }.after(after)
        });
    };
    let options = ["--recheck", "3d", "--concurrency", "1"];
    let whole = after_a_night(12, [3, 20]);
    answer(&whole, Duration::ZERO);
    whole.run(&options).exits(0);

    let bench = after_a_night(12, [3, 20]);
    let seen = bench.provider.seen();
    answer(&bench, Duration::from_millis(30));
    let run = bench.start(&options);
    bench.provider.wait_for(seen + 7);
    run.kill();
    answer(&bench, Duration::ZERO);
    bench.run(&options).exits(0);
    assert_eq!(amended(&bench.discrepancies()), amended(&whole.discrepancies()));
    assert_eq!(amended(&bench.discrepancies()).len(), 12);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    asked_since(&bench, seen).into_iter().for_each(|call| *times.entry(call).or_default() += 1);
    assert_eq!(times.len(), 13, "every call was asked");
    let again = times.values().filter(|times| **times > 1).count();
    assert!(again <= 3 && times.values().all(|times| *times <= 2), "only those in flight: {times:?}");
}

#[test]
fn a_sample_is_a_share_of_the_other_records() {
    let bench = after_a_night(60, [70]);
    let seen = bench.provider.seen();
    bench.run(&["--recheck-sample", "40%"]).exits(0);
    let sampled = asked_since(&bench, seen).len() - 1;
    assert!((8..=42).contains(&sampled), "{sampled} of 60");
    assert_eq!(bench.summary().0["rechecked"]["asked"].as_u64().unwrap(), sampled as u64);
    // Young records are no part of the sample, so none is asked twice.
    let seen = bench.provider.seen();
    bench.run(&["--recheck", "3d", "--recheck-sample", "100%"]).exits(0);
    let asked = asked_since(&bench, seen);
    assert_eq!((asked.len(), asked.iter().collect::<BTreeSet<_>>().len()), (61, 61));
    bench.run(&["--recheck-sample", "0%"]).exits(2).says("percentage above 0");
    bench.run(&["--recheck", "0d"]).exits(2).says("longer than zero");
}

#[test]
fn the_least_recently_checked_records_come_first() {
    let bench = after_a_night(6, [10]);
    a_minute_passes(&bench);
    // One window of the cap has room for the own call and three others.
    let limited = ["--recheck", "3d", "--rate", "4/10s", "--max-duration", "2s"];
    let seen = bench.provider.seen();
    bench.run(&limited).exits(0);
    let first: BTreeSet<String> = asked_since(&bench, seen).into_iter().collect();
    assert_eq!(first, [10, 0, 1, 2].map(id).into());
    a_minute_passes(&bench);
    let seen = bench.provider.seen();
    bench.run(&["--recheck", "3d", "--concurrency", "1"]).exits(0);
    let order = asked_since(&bench, seen);
    let rank = |no: usize| order.iter().position(|call| *call == id(no)).unwrap();
    assert!(
        [3, 4, 5].iter().all(|late| [0, 1, 2].iter().all(|early| rank(*late) < rank(*early))),
        "{order:?}"
    );
}

#[test]
fn a_refused_recheck_leaves_the_run_complete() {
    let bench = after_a_night(5, [10]);
    bench.provider.answer_with(|request| match request.call_id() {
        call if call == id(10) => Reply::record(),
        _ => Reply::code(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
    });
    bench.run(&["--recheck", "3d"]).exits(0);
    let summary = bench.summary();
    assert!(summary.complete(), "{:#}", summary.0);
    assert_eq!(summary.0["rechecked"]["asked"], 0);
    let notes = summary.0["notes"].to_string();
    assert!(notes.contains("not all earlier calls were looked at"), "{notes}");
    assert!(notes.contains("InvalidAccessKeyId.NotFound"), "{notes}");
}

#[test]
fn a_refresh_reports_what_it_changes() {
    let bench = after_a_night(3, 0..3);
    let mut talking = detail(&id(3));
    talking["state"] = "200103".into();
    bench.write("calls.csv", &ledger_of((0..4).map(id)));
    bench.provider.script(&id(3), [Reply::ok(&talking)]);
    bench.run(&[]).exits(0);
    // Call 1 changed; call 3 was not final before, so it is no amendment.
    bench.provider.script(&id(1), [Reply::ok(&changed(&id(1)))]);
    bench.run(&["--refresh"]).exits(0);
    let fields: Vec<String> = amended(&bench.discrepancies()).into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(fields, ["callee", "duration_s"]);
    assert_eq!(column(&bench.details(), "status"), ["found"; 4]);
    bench.summary().assert_totals();
}

#[test]
fn every_form_of_the_file_has_rows_without_a_line() {
    for name in ["d.parquet", "d.jsonl", "d.xlsx"] {
        let bench = after_a_night(3, [10]);
        bench.provider.script(&id(1), [Reply::ok(&changed(&id(1)))]);
        bench.run(&["--recheck", "3d", "--discrepancies", name, "--mask-phones", "partial"]).exits(0);
        bench.summary().assert_totals();
        if name == "d.parquet" {
            let rows = read_parquet(&bench.path(name));
            assert_eq!(column(&rows, "ledger_line"), ["", ""]);
            assert_eq!(column(&rows, "actual"), ["139****9000", &*(talk_seconds(&id(1)) + 9).to_string()]);
        }
        if name == "d.jsonl" {
            let text = std::fs::read_to_string(bench.path(name)).unwrap();
            assert_eq!(text.matches("\"ledger_line\":null").count(), 2, "{text}");
            assert!(!text.contains("13900139000"));
        }
    }
}

#[test]
fn an_accepted_amendment_is_settled() {
    let bench = after_a_night(3, [10]);
    bench.provider.script(&id(1), [Reply::ok(&changed(&id(1)))]);
    let header = "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason,by,on,until,ticket";
    bench.write(
        "decided.csv",
        &format!("{header}\n,,,amended,callee,,,accepted,number ported,me,2026-11-20,,\n"),
    );
    bench.run(&["--recheck", "3d", "--resolutions", "decided.csv", "--exit-code"]).exits(1);
    let rows = bench.discrepancies();
    assert_eq!(column(&rows, "resolution"), ["accepted", ""]);
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!(summary.0["resolutions"]["open"], 1);
}

#[test]
fn a_plan_names_how_many_would_follow() {
    let bench = after_a_night(5, [10]);
    let plan = |more: &[&str]| -> Value {
        let usual = ["plan", "--input", "calls.csv", "--out", "details.parquet", "--json"];
        serde_json::from_str(&bench.bare(&[&usual, more].concat())).unwrap()
    };
    assert_eq!(plan(&["--recheck", "3d"])["beside"], json!({"open": 0, "records": 5}));
    assert_eq!(plan(&[])["beside"], json!({"open": 0, "records": 0}));
    assert_eq!(plan(&["--offline", "--recheck", "3d"])["beside"], json!({"open": 0, "records": 0}));
}

#[test]
fn a_change_is_told_by_the_run_whose_outputs_name_it() {
    let bench = after_a_night(3, [10]);
    let own = id(10);
    let fails = move |own_is_well: bool| {
        let own = own.clone();
        move |request: &crate::support::provider::Request| match request.call_id() {
            call if call == own && !own_is_well => Reply::empty(503),
            call if call == id(0) => Reply::ok(&changed(call)),
            _ => Reply::record(),
        }
    };
    let options = ["--recheck", "3d", "--max-attempts", "1"];
    let told = |bench: &Bench| amended(&bench.discrepancies()).len();

    // No call of the ledger is answered, so the old outputs stay.
    bench.provider.answer_with(fails(false));
    bench.run(&options).exits(4);
    assert_eq!(told(&bench), 0);
    bench.provider.answer_with(fails(true));
    bench.run(&options).exits(0);
    assert_eq!(told(&bench), 2, "callee and duration_s");
    assert_eq!(bench.summary().0["rechecked"]["changed"], 1);
    bench.run(&options).exits(0);
    assert_eq!(told(&bench), 2, "this run replaces the outputs of the same night");
    bench.write("calls.csv", &ledger_of([1, 2].map(id)));
    bench.run(&options).exits(0);
    assert_eq!(told(&bench), 0, "it is told once");
}

#[test]
fn the_end_of_an_incomplete_night_tells_its_changes_again() {
    let bench = after_a_night(3, [1, 10]);
    let fail = Reply::empty(503);
    bench.provider.script(&id(10), [fail]);
    bench.provider.answer_with(|request| match request.call_id() {
        call if call == id(0) => Reply::ok(&changed(call)),
        _ => Reply::record(),
    });
    let options = ["--recheck", "3d", "--max-attempts", "1"];
    bench.run(&options).exits(4);
    let first = amended(&bench.discrepancies());
    assert_eq!(first.len(), 2);
    bench.run(&options).exits(0);
    assert_eq!(amended(&bench.discrepancies()), first);
}
