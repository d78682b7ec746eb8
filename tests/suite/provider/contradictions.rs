//! Contradictions between the provider's texts, each with a simulated provider for either text.
//! DESIGN.md lists the fourteen contradictions and names the tests.

use chrono::{NaiveDateTime, TimeDelta, Utc};
use reconcile_core::calendar::provider_text;
use serde_json::{Value, json};

use crate::support::provider::{Reply, Request, detail};
use crate::support::{Bench, cell, column, id, ledger};

const DAY_MS: i64 = 86_400_000;
const UTC_8_MS: i64 = 8 * 3_600_000;

fn day(ms: i64) -> i64 {
    (ms + UTC_8_MS).div_euclid(DAY_MS)
}

fn query_date(request: &Request) -> i64 {
    request.param("QueryDate").parse().unwrap()
}

/// `YYYY-MM-DD HH:MM:SS` in UTC+8 as Unix milliseconds.
fn ms(local: &str) -> i64 {
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S").unwrap();
    local.and_utc().timestamp_millis() - UTC_8_MS
}

#[test]
fn the_default_cap_is_the_lower_one_of_the_two_texts() {
    let cap = |options: &[&str]| {
        let bench = Bench::new(&ledger(0));
        bench.bare(
            &[&["-i", "calls.csv", "-o", "details.parquet", "--offline", "--allow-empty"], options].concat(),
        );
        bench.summary().0["cap"].clone()
    };
    assert_eq!(cap(&[]), json!({"requests": 100, "window_s": 60}));
    assert_eq!(cap(&["--rate", "100/s"]), json!({"requests": 100, "window_s": 1}));
}

#[test]
fn query_date_finds_the_call_under_both_texts() {
    // Both ends of a day and noon. The provider sends a record only if the text under test allows
    // it.
    const TIMES: [&str; 3] = ["2024-05-26 00:00:00", "2024-05-26 12:00:00", "2024-05-26 23:59:59"];
    let whole_day: fn(i64, i64) -> bool = |at, asked| day(at) == day(asked);
    let from_then_on: fn(i64, i64) -> bool =
        |at, asked| (asked..asked + DAY_MS).contains(&at) && day(at) == day(asked);
    for (reading, finds) in
        [("the whole day", whole_day), ("24 hours from that time, within its day", from_then_on)]
    {
        let mut text = String::from("call_id,prod_id,called_at\n");
        for (i, time) in TIMES.iter().enumerate() {
            text.push_str(&format!("{},11000000300006,{time}\n", id(i)));
        }
        let bench = Bench::new(&text);
        bench.provider.answer_with(move |request| {
            let time = TIMES[(0..3).find(|i| id(*i) == request.call_id()).unwrap()];
            let record =
                json!({"callId": request.call_id(), "gmtCreate": time, "state": "200002", "duration": 0});
            if finds(ms(time), query_date(request)) { Reply::ok(&record) } else { Reply::without_data() }
        });
        bench.run(&[]).exits(0);
        assert_eq!(column(&bench.details(), "status"), ["found"; 3], "{reading}");
        assert!(bench.kinds().is_empty(), "{reading}: {:?}", bench.kinds());
        assert_eq!(bench.provider.seen(), 3, "{reading}");
    }
}

#[test]
fn both_units_of_time_are_read_and_milliseconds_are_sent() {
    // The provider's example is in seconds, its text says milliseconds: 2019-03-28 20:01:05 in
    // UTC+8.
    let bench = Bench::new(&format!(
        "call_id,prod_id,called_at\n{},11000000300006,1553774465\n{},11000000300006,1553774465000\n",
        id(0),
        id(1)
    ));
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "call_date"), ["2019-03-28"; 2]);
    let sent: Vec<i64> = bench.provider.requests().iter().map(query_date).collect();
    assert_eq!(sent, [ms("2019-03-28 00:00:00"); 2]);
}

#[test]
fn a_call_is_asked_for_with_the_product_of_its_row() {
    // One text files such notices under verification codes, practice under notifications. A robot's
    // product is in no list.
    let products = ["11010000138001", "11000000300006", "voice-notification", "", "77"];
    let mut text = String::from("call_id,prod_id,called_at\n");
    for (i, product) in products.iter().enumerate() {
        text.push_str(&format!("{},{product},2024-05-26\n", id(i)));
    }
    let bench = Bench::new(&text);
    let right = ["11010000138001", "11000000300006", "11000000300006", "11010000138001", "77"];
    bench.provider.answer_with(move |request| {
        let i = (0..right.len()).find(|i| id(*i) == request.call_id()).unwrap();
        // Another product finds nothing and reports no error.
        if request.param("ProdId") == right[i] { Reply::record() } else { Reply::without_data() }
    });
    bench.run(&["--prod-id", "verification-code"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 5]);
    assert_eq!(bench.provider.seen(), 5);
}

#[test]
fn a_late_record_is_waited_for_under_both_texts() {
    let made = |seconds: i64| provider_text(Utc::now() - TimeDelta::seconds(seconds));
    // One text says 40 seconds, the other three to five minutes: within five minutes the call is
    // pending.
    let text = format!(
        "call_id,prod_id,called_at\n{},11000000300006,{}\n{},11000000300006,{}\n{},11000000300006,{}\n",
        id(0),
        made(35),
        id(1),
        made(240),
        id(2),
        made(900)
    );
    let bench = Bench::new(&text);
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["pending", "pending", "not_found"]);
    // --settle chooses the shorter delay.
    bench.run(&["--settle", "60s", "--store", "other.db"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["pending", "not_found", "not_found"]);
    // Under both texts a late record is asked for again.
    bench.provider.by_default(Reply::record());
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 3]);
}

/// Runs one call, answered by the good record with some changed fields; null removes a field.
fn one_call(changes: &[(&str, Value)], header: &str, row: &str) -> Bench {
    let mut record = detail(&id(0));
    for (field, value) in changes {
        record[field] = value.clone();
        if value.is_null() {
            record.as_object_mut().unwrap().remove(*field);
        }
    }
    let bench =
        Bench::new(&format!("call_id,prod_id,called_at{header}\n{},11000000300006,2024-05-26{row}\n", id(0)));
    bench.provider.by_default(Reply::ok(&record));
    bench.run(&[]).exits(0);
    bench
}

#[test]
fn shown_numbers_are_kept_and_a_missing_one_is_no_mismatch() {
    let header = ",caller,caller_show_number,callee_show_number";
    let row = ",13800138000,057100001111,057100002222";
    // One text says the caller's own shown number, the other the callee's.
    for shown in ["057100001111", "057100002222"] {
        let bench = one_call(
            &[("callerShowNumber", shown.into()), ("calleeShowNumber", "057100002222".into())],
            header,
            row,
        );
        assert_eq!(cell(&bench.details()[0], "caller_show_number"), shown);
        let differs = shown != "057100001111";
        let expected = differs.then(|| ("mismatch".to_owned(), "caller_show_number".to_owned()));
        assert_eq!(bench.kinds(), Vec::from_iter(expected));
    }
    let bench = one_call(&[("calleeShowNumber", "057100002222".into())], header, row);
    assert!(bench.kinds().is_empty(), "{:?}", bench.kinds());
}

#[test]
fn the_end_of_the_b_leg_may_be_of_ringing_or_of_the_call() {
    let end = detail(&id(0))["endDate"].as_str().unwrap().to_owned();
    for (at, talk) in [("2024-05-26 17:01:02", "ringing"), (end.as_str(), "the call")] {
        let bench = one_call(&[("bEndTime", at.into())], "", "");
        let details = bench.details();
        assert_eq!(cell(&details[0], "b_end_at"), (ms(at) * 1_000).to_string(), "{talk}");
        assert_eq!(cell(&details[0], "ended_at"), (ms(&end) * 1_000).to_string(), "{talk}");
        assert!(bench.kinds().is_empty(), "{talk}: {:?}", bench.kinds());
    }
}

#[test]
fn who_hung_up_is_named_only_for_the_numbers_0_and_1() {
    for (direction, says) in [
        (json!(0), "callee"),
        (json!(1), "caller"),
        (json!("1"), "caller"),
        (json!(2), ""),
        (json!("user"), ""),
        (Value::Null, ""),
    ] {
        let bench = one_call(&[("hangupDirection", direction.clone())], "", "");
        let row = bench.details().remove(0);
        assert_eq!((cell(&row, "status"), cell(&row, "hangup_by")), ("found", says), "{direction}");
        let kept = serde_json::from_str::<Value>(cell(&row, "raw")).unwrap();
        assert_eq!(kept.get("hangupDirection").unwrap_or(&Value::Null), &direction);
        assert!(bench.kinds().is_empty(), "{:?}", bench.kinds());
    }
}

#[test]
fn state_and_talk_time_decide_whether_a_call_was_answered() {
    // State, talk seconds, answered, and the reported contradiction.
    for (state, seconds, answered, contradiction) in [
        ("200000", 5, "true", ""),
        ("200000", 0, "true", "answered_without_talk"),
        ("200001", 5, "true", ""),
        ("200100", 5, "true", ""),
        ("200100", 0, "true", "answered_without_talk"),
        ("200005", 0, "false", ""),
        ("200005", 5, "false", "talk_without_answer"),
        ("200006", 5, "true", ""),
        ("200006", 0, "false", ""),
    ] {
        let changes = [("state", json!(state)), ("duration", json!(seconds)), ("endDate", Value::Null)];
        let bench = one_call(&changes, "", "");
        assert_eq!(cell(&bench.details()[0], "answered"), answered, "{state} with {seconds} s");
        let rows = bench.discrepancies();
        let names: Vec<&str> =
            rows.iter().map(|row| cell(row, "message").split(':').next().unwrap()).collect();
        assert_eq!(
            names,
            Vec::from_iter(Some(contradiction).filter(|name| !name.is_empty())),
            "{state} with {seconds} s"
        );
    }
    // Connecting the callee, or answered by the callee: in progress under both texts, and asked for
    // again.
    for seconds in [0, 5] {
        let bench = one_call(&[("state", json!("200102")), ("duration", json!(seconds))], "", "");
        let row = bench.details().remove(0);
        assert_eq!((cell(&row, "status"), cell(&row, "outcome")), ("pending", "in_progress"));
        bench.run(&[]).exits(0);
        assert_eq!(bench.provider.seen(), 2);
    }
}
