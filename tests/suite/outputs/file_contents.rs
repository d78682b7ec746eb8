//! The contents of the four files, with a small ledger for each kind of row.

use crate::support::provider::{Reply, detail, talk_seconds};
use crate::support::{Bench, cell, column, id, ledger, ledger_of, parquet_metadata, read_parquet};

#[test]
fn the_details_are_in_ledger_order_with_one_row_per_call() {
    let bench = Bench::new(&ledger_of([id(4), id(1), id(4), id(9)]));
    bench.run(&[]).exits(0);
    let details = bench.details();
    assert_eq!(column(&details, "call_id"), [id(4), id(1), id(9)]);
    assert_eq!(column(&details, "ledger_line"), ["2", "3", "5"]);
    assert_eq!(column(&details, "discrepancies"), ["1", "0", "0"]);
    let row = &details[0];
    assert_eq!(cell(row, "call_date"), "2024-05-26");
    assert_eq!(cell(row, "product"), "voice-notification");
    assert_eq!(cell(row, "callee"), "18512348980");
    assert_eq!(row.get("caller"), None);
    assert_eq!(cell(row, "duration_s"), talk_seconds(&id(4)).to_string());
    assert_eq!(cell(row, "billable_minutes"), "1");
    assert_eq!(cell(row, "outcome"), "answered");
    assert_eq!(cell(row, "answered"), "true");
    assert_eq!(cell(row, "hangup_by"), "callee");
    // 17:00:58 in UTC+8.
    assert_eq!(cell(row, "created_at"), "1716714058000000");
    assert_eq!(cell(row, "raw"), detail(&id(4)).to_string(), "byte for byte");
    assert_eq!(bench.kinds(), [("duplicate".into(), String::new())]);
    assert_eq!(cell(&bench.discrepancies()[0], "ledger_line"), "4");
    bench.summary().assert_totals();
}

#[test]
fn a_mismatch_names_field_values_and_delta() {
    let right = talk_seconds(&id(0));
    let text = format!(
        "call_id,prod_id,called_at,callee,duration_s,answered,state,branch\n\
         {},11000000300006,2024-05-26,+86 185-1234-8980,{},no,200002,north\n",
        id(0),
        right + 7
    );
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    let rows = bench.discrepancies();
    assert!(rows.iter().all(|row| cell(row, "kind") == "mismatch" && cell(row, "ledger_branch") == "north"));
    let mut fields = column(&rows, "field");
    fields.sort_unstable();
    assert_eq!(fields, ["answered", "duration_s", "state"]);
    let duration = rows.iter().find(|row| cell(row, "field") == "duration_s").unwrap();
    assert_eq!(cell(duration, "expected"), (right + 7).to_string());
    assert_eq!(cell(duration, "actual"), right.to_string());
    assert_eq!(cell(duration, "delta"), "-7");
    let details = bench.details();
    assert_eq!(cell(&details[0], "discrepancies"), "3");
    assert_eq!(cell(&details[0], "ledger_branch"), "north");
    assert_eq!(bench.summary().number("with_discrepancies"), 1);
}

#[test]
fn values_within_the_tolerance_match() {
    let text = format!(
        "call_id,prod_id,called_at,duration_s\n{},11000000300006,2024-05-26,{}\n",
        id(0),
        talk_seconds(&id(0)) + 2
    );
    let bench = Bench::new(&text);
    bench.run(&["--duration-tolerance", "2"]).exits(0);
    assert!(bench.discrepancies().is_empty());
}

#[test]
fn contradictions_within_an_answer_are_reported() {
    let bench = Bench::new(&ledger(3));
    let mut longer = detail(&id(0));
    longer["duration"] = 59.into();
    let mut other = detail(&id(1));
    other["callId"] = id(7).into();
    let mut strange = detail(&id(2));
    strange["state"] = "299999".into();
    for (i, answer) in [longer, other, strange].iter().enumerate() {
        // A record of another call is asked for once more.
        bench.provider.script(&id(i), [Reply::ok(answer), Reply::ok(answer)]);
    }
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"; 3]);
    let rows = bench.discrepancies();
    let kinds = |i: usize| -> Vec<&str> {
        rows.iter().filter(|row| cell(row, "call_id") == id(i)).map(|row| cell(row, "kind")).collect()
    };
    assert_eq!(kinds(0), ["inconsistent"]);
    assert_eq!(kinds(1), ["inconsistent"]);
    assert!(kinds(2).contains(&"unknown_state"));
    assert_eq!(cell(&bench.details()[2], "outcome"), "unknown");
}

#[test]
fn an_unusable_row_is_reported_not_dropped() {
    let text = format!(
        "call_id,prod_id,called_at\n{},11000000300006,2024-05-26\n,11000000300006,2024-05-26\n\
         1^1,1.1E+13,2024-05-26\n2^2,11000000300006,yesterday\n3^3,11000000300006,2024-05-26,surplus\n",
        id(0)
    );
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    let rows = bench.discrepancies();
    assert_eq!(column(&rows, "kind"), ["invalid_row"; 4]);
    assert_eq!(column(&rows, "ledger_line"), ["3", "4", "5", "6"]);
    assert!(rows.iter().all(|row| !cell(row, "message").is_empty()));
    let summary = bench.summary();
    assert_eq!((summary.number("rows"), summary.number("invalid"), summary.number("calls")), (5, 4, 1));
    summary.assert_totals();
    assert_eq!(bench.provider.seen(), 1);
}

#[test]
fn an_empty_ledger_gives_four_files_without_rows() {
    let bench = Bench::new("call_id,prod_id,called_at\n");
    bench.run(&["--allow-empty"]).exits(0);
    assert!(bench.output_bytes().iter().all(Option::is_some));
    assert!(bench.details().is_empty() && bench.discrepancies().is_empty());
    bench.summary().assert_totals();
}

#[test]
fn a_run_without_discrepancies_writes_only_the_header() {
    let bench = Bench::new(&ledger(3));
    bench.run(&[]).exits(0);
    let text = std::fs::read_to_string(bench.path("details.discrepancies.csv")).unwrap();
    let header = "call_id,ledger_line,kind,field,expected,actual,delta,message,call_date,prod_id,\
                  status,product,callee,called_at,seconds_at_stake,since,resolution,reason";
    assert_eq!(text.trim_start_matches('\u{feff}').trim_end(), header);
    let summary = bench.summary();
    assert_eq!((summary.number("clean"), summary.number("with_discrepancies")), (0, 0));
    assert_eq!(summary.number("not_compared"), 3);
}

#[test]
fn the_report_masks_numbers_and_needs_no_network() {
    let text = format!("call_id,prod_id,called_at,callee\n{},11000000300006,2024-05-26,13812345678\n", id(0));
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    let report = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    for number in ["18512348980", "13812345678", "testsecret"] {
        assert!(!report.contains(number), "{number} is in the report");
    }
    for reference in ["src=\"http", "<link", "@import", "url(http"] {
        assert!(!report.contains(reference), "{reference} is in the report");
    }
}

#[test]
fn the_parquet_metadata_names_version_and_input() {
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    let metadata = parquet_metadata(&bench.path("details.parquet"));
    let all = format!("{metadata:?}");
    assert!(all.contains(env!("CARGO_PKG_VERSION")), "{all}");
    let sha256 = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(metadata.values().any(sha256), "{all}");
}

#[test]
fn discrepancies_may_be_json_lines_or_parquet() {
    let text = format!("call_id,prod_id,called_at,duration_s\n{},11000000300006,2024-05-26,999\n", id(0));
    let bench = Bench::new(&text);
    bench.run(&["--discrepancies", "d.jsonl"]).exits(0);
    let line = std::fs::read_to_string(bench.path("d.jsonl")).unwrap();
    let row: serde_json::Value = serde_json::from_str(line.trim_end()).unwrap();
    assert_eq!((row["kind"].as_str(), row["field"].as_str()), (Some("mismatch"), Some("duration_s")));
    bench.run(&["--discrepancies", "d.parquet"]).exits(0);
    let rows = read_parquet(&bench.path("d.parquet"));
    assert_eq!(column(&rows, "field"), ["duration_s"]);
}

#[test]
fn one_cause_of_many_discrepancies_is_named_once_above_them() {
    let row = |i: usize| {
        let minutes = talk_seconds(&id(i)).div_ceil(60) * 60;
        format!("{},11000000300006,2024-05-26 09:00:58,{minutes}\n", id(i))
    };
    let rows: String = (0..5).map(row).collect();
    let bench = Bench::new(&format!("call_id,prod_id,called_at,duration_s\n{rows}"));
    bench.run(&[]).exits(0);
    let patterns = &bench.summary().0["patterns"];
    assert_eq!(patterns[0]["pattern"], "times_shifted");
    assert_eq!((&patterns[0]["hours"], &patterns[0]["rows"]), (&8.into(), &5.into()));
    assert_eq!(patterns[1]["pattern"], "durations_rounded_up");
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    for words in ["8 hours early", "rounded up to whole minutes"] {
        assert_eq!(page.matches(words).count(), 1, "{words}");
        assert!(
            page.find(words) < page.find("<code class=\"code\">mismatch</code>"),
            "the cause is above the rows that it explains"
        );
    }
}

#[test]
fn matches_within_tolerance_are_counted_with_the_largest() {
    let row =
        |i: usize, off: u64| format!("{},11000000300006,2024-05-26,{}\n", id(i), talk_seconds(&id(i)) + off);
    let rows = [row(0, 0), row(1, 1), row(2, 2), row(3, 4)].concat();
    let bench = Bench::new(&format!("call_id,prod_id,called_at,duration_s\n{rows}"));
    bench.run(&["--duration-tolerance", "3"]).exits(0);
    let within = &bench.summary().0["within_tolerance"]["duration_s"];
    assert_eq!(*within, serde_json::json!({"tolerance": 3, "matches": 2, "largest": 2}));
    assert_eq!(bench.kinds(), [("mismatch".into(), "duration_s".into())]);
}
