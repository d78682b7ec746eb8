//! Failures in the morning's words: their cause, the old outputs, what to do, and `-q`.

use std::time::Duration;

use crate::support::provider::{DEAD_ENDPOINT, Reply, detail};
use crate::support::{Bench, Run, column, id, ledger, ledger_of};

fn cause(bench: &Bench) -> Option<String> {
    bench.summary().0.get("cause").map(|cause| cause.as_str().unwrap().to_owned())
}

fn page(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path("details.report.html")).unwrap()
}

#[track_caller]
fn one_line(run: &Run) {
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[test]
fn the_most_frequent_cause_is_named_in_all_places() {
    let bench = Bench::new(&ledger(6));
    let busy = || Reply::code(500, "isp.SYSTEM_ERROR", "system busy, callee 13812345678");
    for n in [1, 3, 4] {
        bench.provider.script(&id(n), vec![busy(); 2]);
    }
    bench.provider.script(&id(5), [Reply::code(400, "InvalidParameters", "The parameter is wrong.")]);
    let run = bench.run(&["--max-attempts", "2"]).exits(4);
    let words = "isp.SYSTEM_ERROR: system busy, callee 138****5678";
    let run = run.says(&format!("incomplete: 3 calls failed on every attempt: {words}"));
    assert!(!run.stderr.contains("most frequent cause"), "{}", run.stderr);
    assert_eq!(cause(&bench).as_deref(), Some(words));
    let because = bench.summary().0["incomplete_because"].to_string();
    assert!(because.contains(words), "{because}");
    assert!(page(&bench).contains(&format!("<strong>Most frequent cause of failures: </strong>{words}.")));

    // Then only the refused call is left.
    bench
        .run(&["--max-attempts", "2", "--lang", "zh"])
        .exits(0)
        .says("the most frequent cause of failures: InvalidP");
    assert_eq!(cause(&bench).as_deref(), Some("InvalidParameters: The parameter is wrong."));
    assert!(page(&bench).contains(
        "<strong>最常见的失败原因：</strong>服务商返回 InvalidParameters：“The parameter is wrong”。"
    ));
}

#[test]
fn a_cause_without_a_response_is_in_words_with_advice() {
    let bench = Bench::new(&ledger(4));
    bench.provider.script(&id(2), vec![Reply::stall(); 2]);
    let run = bench.run(&["--max-attempts", "2", "--timeout", "1s"]).exits(4);
    run.says("1 call failed on every attempt: timed out after 1 s").says("to do: check the network");
    assert_eq!(cause(&bench).as_deref(), Some("timed out after 1 s"));
}

#[test]
fn a_night_without_failures_has_no_cause() {
    let bench = Bench::new(&ledger(4));
    bench.run(&[]).exits(0);
    assert_eq!(cause(&bench), None);
    assert!(!page(&bench).contains("cause of failures"));
    // A failure that was made good is named, too.
    bench.provider.script(&id(2), [Reply::empty(503)]);
    bench.run(&["--refresh"]).exits(0).says("the most frequent cause of failures: HTTP 503: empty body");
    assert_eq!(cause(&bench).as_deref(), Some("HTTP 503: empty body"));
}

/// A folder with the outputs of an earlier night, and the ledger of the next one.
fn after_a_good_night() -> Bench {
    let bench = Bench::new(&ledger(2));
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger_of((10..16).map(id)));
    bench
}

#[test]
fn a_night_without_any_answer_leaves_the_old_outputs() {
    let stalls = ["--timeout", "1s", "--max-duration", "4s"];
    let nights: [(&[&str], Reply, &str); 4] = [
        (&["--max-attempts", "2"], Reply::code(500, "isp.SYSTEM_ERROR", "busy"), "isp.SYSTEM_ERROR: busy"),
        (&stalls, Reply::stall(), "timed out after 1 s"),
        (&["--endpoint", DEAD_ENDPOINT, "--max-duration", "3s"], Reply::record(), "connection refused"),
        (&["--max-duration", "1ns"], Reply::record(), "maximum duration"),
    ];
    for (options, reply, says) in nights {
        let bench = after_a_good_night();
        let old = bench.output_bytes();
        bench.provider.by_default(reply);
        let run = bench.run(&[options, &["-q"]].concat()).exits(4);
        let run = run.says("no call was answered: ").says(says).says("the old outputs stay");
        let last = run.stderr.lines().last().unwrap();
        assert!(last.contains("error: no call was answered") && last.contains("(exit 4)"), "{}", run.stderr);
        assert_eq!(bench.output_bytes(), old, "{says}");
        let beside = std::fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = beside.filter(|name| name.to_string_lossy().contains("unfinished")).collect();
        assert!(left.is_empty(), "{left:?}");
        // The same command asks for them.
        bench.provider.by_default(Reply::record());
        bench.run(&[]).exits(0);
        bench.assert_all_found(6);
    }
}

#[test]
fn one_answer_is_worth_new_outputs() {
    let bench = after_a_good_night();
    bench.provider.by_default(Reply::code(500, "isp.SYSTEM_ERROR", "busy"));
    bench.provider.script(&id(12), [Reply::record()]);
    bench.run(&["--max-attempts", "2"]).exits(4).says("5 calls failed on every attempt");
    assert_eq!(column(&bench.details(), "call_id").len(), 6);
    // So is a stored one.
    let bench = after_a_good_night();
    bench.write("calls.csv", &ledger_of([0, 10, 11].map(id)));
    bench.provider.by_default(Reply::code(500, "isp.SYSTEM_ERROR", "busy"));
    bench.run(&["--max-attempts", "2"]).exits(4);
    assert_eq!(column(&bench.details(), "status"), ["found", "failed", "failed"]);
}

#[test]
fn without_old_outputs_a_failed_night_writes_them() {
    let bench = Bench::new(&ledger(3));
    bench.provider.by_default(Reply::code(500, "isp.SYSTEM_ERROR", "busy"));
    bench.run(&["--max-attempts", "1"]).exits(4);
    assert_eq!(column(&bench.details(), "status"), ["failed"; 3]);
}

#[test]
fn an_offline_run_does_not_advise_the_same_command() {
    let bench = after_a_good_night();
    let run = bench.run(&["--offline"]).exits(4);
    assert!(!run.stderr.contains("same command"), "{}", run.stderr);
    run.says("6 calls have no stored answer").says("to do: run it without offline");
    let summary = bench.summary().0;
    assert_eq!((summary.get("go_on"), &summary["complete"]), (None, &false.into()));
    let page = page(&bench);
    assert!(page.contains("Run it without offline") && !page.contains("To go on"));
}

#[test]
fn open_calls_of_earlier_ledgers_are_named_at_the_end() {
    let bench = Bench::new(&ledger(5));
    for n in 0..4 {
        bench.provider.script(&id(n), vec![Reply::without_data(); 9]);
    }
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger_of((4..7).map(id)));
    let says = "4 open calls of earlier ledgers are not in this one";
    bench.run(&[]).exits(0).says(&format!("note: {says}"));
    let quiet = bench.run(&["-q"]).exits(0);
    assert_eq!(quiet.stderr, "");
    bench.write("calls.csv", &ledger_of((1..7).map(id)));
    bench.run(&[]).exits(0).says("note: 1 open call of an earlier ledger is not in this one");
    bench.write("calls.csv", &ledger_of((0..7).map(id)));
    assert!(!bench.run(&[]).exits(0).stderr.contains("earlier ledger"));
}

#[test]
fn a_quiet_run_says_one_line_for_every_bad_end() {
    let bench = Bench::new(&ledger(3));
    bench.provider.script(&id(1), [Reply::empty(503)]);
    one_line(&bench.run(&["-q", "--max-attempts", "1"]).exits(4).says("(exit 4)"));
    one_line(&bench.run(&["-q", "--offline", "--refresh"]).says("(exit 2)"));
    one_line(&bench.run(&["-q", "--no-such"]).exits(2).says("(exit 2)"));
    one_line(&bench.run(&["-q", "--input", "nowhere.csv"]).exits(2).says("(exit 2)"));
    bench.provider.by_default(Reply::code(403, "Forbidden.RAM", "no"));
    one_line(&bench.run(&["-q", "--refresh"]).exits(3).says("(exit 3)"));
    bench.provider.by_default(Reply::record().after(Duration::from_secs(2)));
    let holds = bench.start(&["-q", "--refresh"]);
    let seen = bench.provider.seen();
    bench.provider.wait_for(seen + 1);
    one_line(&bench.run(&["-q"]).exits(5).says("(exit 5)"));
    let ended = holds.wait().exits(0);
    assert_eq!(ended.stderr, "");
    one_line(&bench.run(&["-q", "--out", "/nowhere/d.parquet"]).says("exit"));
}

#[test]
fn a_limited_callee_holds_back_and_fails_its_call_alone() {
    let bench = Bench::new(&ledger(30));
    let limited =
        || Reply::code(200, "isv.BUSINESS_LIMIT_CONTROL", "该被叫号触发被叫流控,partnerId=,prodId=");
    // One call passes in the end, the other one does not; a hint holds only its call, too.
    bench.provider.script(&id(3), [limited(), limited().header("x-acs-retry-after", "1500")]);
    bench.provider.script(&id(7), vec![limited(); 3]);
    let run = bench.run(&["--max-attempts", "3", "--concurrency", "1"]).exits(4);
    let run = run.says("1 call failed on every attempt: isv.BUSINESS_LIMIT_CONTROL: 该被叫号触发被叫流控");
    assert!(!run.stderr.contains("throttled") && !run.stderr.contains("account"), "{}", run.stderr);
    let summary = bench.summary();
    assert_eq!((summary.number("throttled"), summary.number("retries")), (0, 4));
    assert_eq!(summary.0["slowdown"]["halvings"], 0);
    assert_eq!(bench.kinds(), [("failed".into(), String::new())]);
    // Neither held up the others, although only one call is in work at once.
    let asked: Vec<String> = bench.provider.requests().iter().map(|r| r.call_id().to_owned()).collect();
    let last = asked.iter().rposition(|call| *call == id(29)).unwrap();
    assert!(asked[last..].contains(&id(7)), "{asked:?}");
    let attempts = column(&bench.details(), "attempts").iter().filter(|n| **n == "1").count();
    assert_eq!(attempts, 28);
    // The next run asks for it again.
    bench.run(&[]).exits(0);
    bench.assert_all_found(30);
}

#[test]
fn a_record_that_cannot_be_renewed_makes_the_run_incomplete() {
    let bench = Bench::new(&ledger(3));
    let in_progress = detail(&id(2)).to_string().replace("200000", "200103");
    bench.provider.script(&id(2), [Reply::data(&in_progress)]);
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found", "found", "pending"]);

    let busy = || vec![Reply::code(500, "isp.SYSTEM_ERROR", "busy"); 2];
    let says = "1 call failed on every attempt: isp.SYSTEM_ERROR: busy";
    bench.provider.script(&id(2), busy());
    bench.run(&["--max-attempts", "2"]).exits(4).says(says);
    // It keeps what is known.
    assert_eq!(column(&bench.details(), "status"), ["found", "found", "pending"]);
    bench.provider.script(&id(0), busy());
    bench.run(&["--refresh", "--max-attempts", "2"]).exits(4).says(says);
    assert_eq!(column(&bench.details(), "status"), ["found"; 3]);
    assert_eq!(bench.summary().0["complete"], false);
    // The next run asks again for this call only.
    let seen = bench.provider.seen();
    bench.run(&["--refresh"]).exits(0);
    assert_eq!(bench.provider.seen() - seen, 1);
}
