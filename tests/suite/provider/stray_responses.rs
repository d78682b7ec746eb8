//! A gateway out of step: about a millisecond after each response it sends the same response once
//! more, on the same connection. No call may get the answer to another one.

use std::time::Duration;

use serde_json::Value;

use crate::support::provider::{Reply, Request, detail};
use crate::support::{Bench, cell, id, ledger};

const CALLS: usize = 2_000;
const LATER: Duration = Duration::from_millis(1);

/// Runs all calls against a gateway out of step that answers with this function.
fn out_of_step(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Bench {
    let bench = Bench::new(&ledger(CALLS));
    bench.provider.answer_with(move |request| answer(request).then_again(LATER));
    bench.run(&["--rate", "1000000/min", "--timeout", "20s"]).exits(0);
    bench.summary().assert_totals();
    bench
}

/// The number at the end of a CallId of this test.
fn number(call_id: &str) -> usize {
    (0..CALLS).find(|i| id(*i) == call_id).unwrap()
}

/// The calls whose details are not the ones that this function expects.
fn wrong(bench: &Bench, is_right: impl Fn(&str, &str, &Value) -> bool) -> usize {
    let details = bench.details();
    assert_eq!(details.len(), CALLS);
    let right = details.iter().filter(|row| {
        let raw = serde_json::from_str(cell(row, "raw")).unwrap_or(Value::Null);
        is_right(cell(row, "call_id"), cell(row, "status"), &raw)
    });
    CALLS - right.count()
}

#[test]
fn after_stray_responses_every_call_has_its_own_record() {
    let bench = out_of_step(|_| Reply::record());
    let wrong = wrong(&bench, |call_id, status, raw| status == "found" && raw["callId"] == call_id);
    assert_eq!(wrong, 0, "of {CALLS} calls have the record of another one");
    assert_eq!(bench.kinds(), [], "every record agrees with its question");
}

#[test]
fn stray_records_without_a_call_id_reach_no_other_call() {
    let bench = out_of_step(|request| {
        let mut record = detail(request.call_id());
        record.as_object_mut().unwrap().remove("callId");
        record["stateDesc"] = request.call_id().into();
        Reply::ok(&record)
    });
    let wrong = wrong(&bench, |call_id, status, raw| status == "found" && raw["stateDesc"] == call_id);
    assert_eq!(wrong, 0, "of {CALLS} calls have the record of another one");
}

#[test]
fn stray_answers_without_a_record_reach_no_other_call() {
    let bench = out_of_step(|request| match number(request.call_id()) % 4 {
        0 => Reply::without_data(),
        1 => Reply::code(400, "InvalidParameters", "No such thing."),
        _ => Reply::record(),
    });
    let wrong = wrong(&bench, |call_id, status, _| {
        let expected = match number(call_id) % 4 {
            0 => "not_found",
            1 => "failed",
            _ => "found",
        };
        status == expected
    });
    assert_eq!(wrong, 0, "of {CALLS} calls have the status of another one");
}
