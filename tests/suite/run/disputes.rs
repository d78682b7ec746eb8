//! `reconcile explain` for a dispute with the provider: one call, or all calls of a discrepancy
//! file.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Run, cell, id};

const HEADER: &str = "call_id,prod_id,called_at,callee,duration\n";

fn row(i: usize, day: &str, rest: &str) -> String {
    format!("{},11000000300006,{day},{rest}\n", id(i))
}

/// A night with a call that differs and is named twice, a call that was tried three times, an
/// unusable row and a call on the neighbouring day.
fn night() -> Bench {
    let rows = [
        row(0, "2024-05-26 10:00:00", "13812345678,999"),
        row(1, "2024-05-26 10:00:00", ",998"),
        ",11000000300006,2024-05-26,,5\n".to_owned(),
        row(2, "2024-05-26 23:58:00", ",997"),
        row(0, "2024-05-26 10:00:00", "13812345678,999"),
    ];
    let bench = Bench::new(&(HEADER.to_owned() + &rows.concat()));
    bench.provider.script(&id(1), [Reply::empty(503), Reply::code(400, "Throttling.User", "flow control")]);
    bench.provider.script(&id(2), [Reply::without_data()]);
    bench.run(&["--max-unusable", "9"]).exits(0);
    bench
}

fn explain(bench: &Bench, arguments: &[&str]) -> Run {
    bench.run_exactly(&[&["explain"], arguments].concat(), &[])
}

#[track_caller]
fn explained(bench: &Bench, more: &[&str]) -> Vec<Value> {
    let from = ["--from", "details.discrepancies.csv", "--json"];
    let run = explain(bench, &[&from[..], more].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_call_of_a_file_has_all_that_support_asks_for() {
    let bench = night();
    let calls = explained(&bench, &["--endpoint", "https://provider.example"]);
    assert_eq!(
        calls.iter().map(|call| call["call_id"].as_str().unwrap()).collect::<Vec<_>>(),
        [id(0), id(1), id(2)]
    );
    let listed = calls.iter().flat_map(|call| call["rows"].as_array().unwrap());
    let listed: usize = listed.map(|row| row["discrepancies"].as_array().unwrap().len()).sum();
    let in_file = bench.discrepancies();
    assert_eq!(listed, in_file.iter().filter(|row| cell(row, "kind") != "invalid_row").count());
    for call in &calls {
        assert_eq!(call["endpoint"], bench.provider.endpoint(), "the address that was asked");
        assert_eq!(call["operation"], "QueryCallDetailByCallId");
        assert_eq!((&call["version"], &call["sandbox"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(false)));
        assert_eq!((&call["prod_id"], &call["in_store"]), (&json!(11_000_000_300_006_i64), &json!(true)));
        let requests = bench.provider.asked_for(call["call_id"].as_str().unwrap());
        let attempts = call["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), requests.len());
        for (attempt, request) in attempts.iter().zip(requests) {
            assert_eq!(attempt["query_date"].to_string(), request.param("QueryDate"));
            assert!(attempt["sent_at"].is_string() && attempt["took_ms"].is_number());
        }
        // The request that brought the answer is the last one.
        let ids: Vec<&Value> = attempts.iter().map(|attempt| &attempt["request_id"]).collect();
        assert_eq!(ids.last(), Some(&&call["answer"]["request_id"]));
        // A gateway's empty body has none.
        let with_id = attempts.iter().filter(|attempt| attempt["http_status"] != 503).count();
        assert_eq!(ids.iter().filter(|id| id.is_string()).count(), with_id);
        assert!(attempts.iter().all(|attempt| attempt["endpoint"] == bench.provider.endpoint()));
    }
    let answer = &calls[1]["answer"];
    let data = detail(&id(1)).to_string();
    assert_eq!(answer["data"], data);
    let digest = Sha256::digest(&data);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(answer["data_sha256"], hex);
    assert!(answer["fetched_at"].is_string());
    let codes =
        calls[1]["attempts"].as_array().unwrap().iter().map(|attempt| attempt["code"].as_str().unwrap());
    assert_eq!(codes.collect::<Vec<_>>(), ["HTTP 503", "Throttling.User", "OK"]);
    assert_eq!(calls[2]["day"], "2024-05-26", "the ledger's day; the file has that of the record");
}

#[test]
fn differences_have_the_values_of_both_sides_at_their_lines() {
    let bench = night();
    let calls = explained(&bench, &[]);
    for call in &calls {
        for row in call["rows"].as_array().unwrap() {
            for found in row["discrepancies"].as_array().unwrap() {
                let of_file = bench.discrepancies().into_iter().find(|of_file| {
                    cell(of_file, "call_id") == call["call_id"].as_str().unwrap()
                        && cell(of_file, "ledger_line").parse() == Ok(row["line"].as_u64().unwrap())
                        && cell(of_file, "kind") == found["kind"].as_str().unwrap()
                        && cell(of_file, "field") == found["field"].as_str().unwrap()
                });
                let of_file = of_file.unwrap();
                for name in ["expected", "actual", "message"] {
                    assert_eq!(found[name].as_str().unwrap_or_default(), cell(&of_file, name), "{name}");
                }
                assert_eq!(found["delta"].as_i64(), cell(&of_file, "delta").parse().ok());
                assert!(!found["rule"].as_str().unwrap().is_empty());
            }
        }
    }
    let lines: Vec<u64> =
        calls[0]["rows"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 6], "the later row of the call is with the first");
    let words = explain(&bench, &["--from", "details.discrepancies.csv"]);
    assert_eq!(words.code, Some(0));
    assert_eq!(words.stdout.matches("read as found").count(), 3, "{}", words.stdout);
    assert!(words.stdout.contains("mismatch duration_s: expected 999"), "{}", words.stdout);
    assert!(words.stderr.contains("1 row of the file names no call"), "{}", words.stderr);
}

#[test]
fn the_account_of_the_requests_is_named() {
    let bench = Bench::new(&(HEADER.to_owned() + &row(0, "2024-05-26 10:00:00", "13812345678,999")));
    bench.run(&["--account", "north"]).exits(0);
    let calls = explained(&bench, &[]);
    assert_eq!(
        (&calls[0]["account"], &calls[0]["attempts"][0]["account"]),
        (&json!("north"), &json!("north"))
    );
    let words = explain(&bench, &[&id(0)]).stdout;
    assert!(words.contains(", account north, 2024-05-26"), "{words}");
}

#[test]
fn a_workbook_gives_the_same_calls_as_the_csv() {
    let bench = night();
    let csv = explained(&bench, &[]);
    for file in ["x.xlsx", "x.jsonl", "x-rows.parquet"] {
        bench.run(&["--max-unusable", "9", "--discrepancies", file]).exits(0);
        let run = explain(&bench, &["--from", file, "--json"]);
        let calls: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rows = |calls: &[Value]| calls.iter().map(|call| call["rows"].clone()).collect::<Vec<_>>();
        assert_eq!(rows(&calls), rows(&csv), "{file}");
    }
}

#[test]
fn masked_explanations_have_no_phone_number_and_no_data() {
    let bench = night();
    for more in
        [&["--mask-phones", "partial"][..], &["--mask-phones", "token", "--mask-key-file", "mask.key"]]
    {
        bench.write("mask.key", "0123456789abcdef0123456789abcdef");
        let calls = explained(&bench, more);
        let text = serde_json::to_string(&calls).unwrap();
        assert!(!text.contains("13812345678") && !text.contains("18512348980"), "{text}");
        assert_eq!(calls[0]["answer"]["data"], Value::Null);
        assert!(calls[0]["answer"]["data_sha256"].is_string());
        let run = explain(&bench, &[&[id(0).as_str()], more].concat());
        assert!(!run.stdout.contains("18512348980"), "{}", run.stdout);
    }
    let full = explain(&bench, &[&id(0)]).stdout;
    assert!(full.contains(&detail(&id(0))["callee"].as_str().unwrap().to_owned()), "{full}");
    let from_environment = bench.run_exactly(&["explain", &id(0)], &[("RECONCILE_MASK_PHONES", "partial")]);
    assert!(!from_environment.stdout.contains("18512348980"));
}

#[test]
fn calls_that_the_store_does_not_know_are_noted() {
    let bench = night();
    bench.write("calls.csv", &(HEADER.to_owned() + &row(7, "2024-05-26 10:00:00", "13812345678,999")));
    bench.run(&["--out", "other.parquet", "--store", "other.db"]).exits(0);
    let run = explain(&bench, &["--from", "other.discrepancies.csv", "--json"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains("knows none of the 1 call of other.discrepancies.csv"), "{}", run.stderr);
    let text = std::fs::read_to_string(bench.path("other.discrepancies.csv")).unwrap();
    let own = std::fs::read_to_string(bench.path("details.discrepancies.csv")).unwrap();
    let rows = text.split_once('\n').unwrap().1;
    bench.write("both.csv", &(own + rows));
    let run = explain(&bench, &["--from", "both.csv", "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 4);
    let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["in_store"], &last["answer"]), (&json!(false), &Value::Null));
    assert!(run.stderr.contains("1 call of the file is not in the store"), "{}", run.stderr);
    let run = explain(&bench, &["--from", "details.parquet"]);
    assert!(run.code == Some(2) && run.stderr.contains("is no discrepancy file"), "{}", run.stderr);
}

#[test]
fn every_attempt_has_its_request_id_and_address() {
    let bench = night();
    let words = explain(&bench, &[&id(1)]).stdout;
    assert!(words.contains(&format!("\n  at {}:\n", bench.provider.endpoint())), "{words}");
    assert_eq!(words.matches("; request id ").count(), 2, "{words}");
    // Only an address is stored, never path or parameters. A password is refused.
    let secret = bench.provider.endpoint() + "/gate?token=s3cret";
    bench.run(&["--refresh", "--max-unusable", "9", "--endpoint", &secret]);
    assert_eq!(bench.number_in_store("SELECT count(*) FROM session WHERE endpoint LIKE 'http%'"), 2);
    let store = std::fs::read(bench.path("reconcile.db")).unwrap();
    assert!(!store.windows(6).any(|bytes| bytes == b"s3cret"));
    // A store of an earlier version knows neither; the answer's request id is that of its request.
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    store.execute_batch("UPDATE request SET request_id = NULL; UPDATE session SET endpoint = NULL").unwrap();
    drop(store);
    let calls = explained(&bench, &["--endpoint", "https://provider.example"]);
    for call in &calls {
        assert_eq!(call["endpoint"], "https://provider.example");
        let ids: Vec<&Value> =
            call["attempts"].as_array().unwrap().iter().map(|a| &a["request_id"]).collect();
        assert_eq!(ids.last(), Some(&&call["answer"]["request_id"]));
        assert_eq!(ids.iter().filter(|id| id.is_string()).count(), 1);
    }
}

#[test]
fn a_request_for_a_second_look_is_marked() {
    let bench = Bench::new(&(HEADER.to_owned() + &row(0, "2024-05-26 10:00:00", ",5")));
    bench.run(&[]).exits(0);
    bench.run(&["--recheck", "3d"]).exits(0);
    let run = explain(&bench, &[&id(0), "--json"]);
    let calls: Value = serde_json::from_str(&run.stdout).unwrap();
    let marks: Vec<&Value> =
        calls[0]["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["recheck"]).collect();
    assert_eq!(marks, [&json!(false), &json!(true)]);
    let text = explain(&bench, &[&id(0)]).stdout;
    assert_eq!(text.matches(" first (looked at again) for 2024-05-26").count(), 1, "{text}");
}
