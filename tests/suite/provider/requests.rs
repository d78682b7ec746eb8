//! The parameters of a request, and the days that a call is asked for on.

use crate::support::keys::assert_signed_with;
use crate::support::provider::{Reply, detail};
use crate::support::{Bench, SECRET, column, id, ledger};

/// 00:00 on 26 and on 25 May 2024 in UTC+8, in milliseconds.
const DAY: &str = "1716652800000";
const DAY_BEFORE: &str = "1716566400000";

#[test]
fn a_request_asks_for_the_calls_day_in_milliseconds() {
    let bench = Bench::new(&ledger(1));
    bench.run(&[]).exits(0);
    let requests = bench.provider.requests();
    let asked = &requests[0];
    assert!(["GET", "POST"].contains(&asked.method.as_str()));
    assert_eq!(asked.param("Action"), "QueryCallDetailByCallId");
    assert_eq!(asked.param("Version"), "2017-05-25");
    assert_eq!(asked.param("CallId"), id(0));
    assert_eq!(asked.param("ProdId"), "11000000300006");
    assert_eq!(asked.param("QueryDate"), DAY);
    assert_eq!(asked.param("Format"), "JSON");
    assert_eq!(asked.param("AccessKeyId"), "testid");
    assert_signed_with(asked, SECRET);
}

#[test]
fn a_call_just_after_midnight_is_found_on_the_day_before() {
    let ledger = format!("call_id,prod_id,called_at\n{},11000000300006,2024-05-26 00:00:03\n", id(0));
    let bench = Bench::new(&ledger);
    let mut late = detail(&id(0));
    for (name, time) in [
        ("gmtCreate", "2024-05-25 23:59:58"),
        ("bRingTime", "2024-05-25 23:59:59"),
        ("startDate", "2024-05-26 00:00:02"),
        ("bStartTime", "2024-05-26 00:00:02"),
        ("endDate", "2024-05-26 00:00:06"),
        ("bEndTime", "2024-05-26 00:00:06"),
    ] {
        late[name] = time.into();
    }
    late["duration"] = 4.into();
    bench.provider.script(&id(0), [Reply::without_data(), Reply::ok(&late)]);
    bench.run(&["--time-tolerance", "60"]).exits(0);
    let days: Vec<String> =
        bench.provider.requests().iter().map(|r| r.param("QueryDate").to_owned()).collect();
    assert_eq!(days, [DAY, DAY_BEFORE]);
    let details = bench.details();
    assert_eq!(column(&details, "status"), ["found"]);
    assert_eq!(column(&details, "call_date"), ["2024-05-25"]);
    assert_eq!(column(&bench.discrepancies(), "kind"), ["other_day"]);
    let summary = bench.summary();
    assert_eq!((summary.number("other_day_tries"), summary.number("requests")), (1, 2));
    summary.assert_totals();
}

#[test]
fn a_call_far_from_midnight_is_asked_for_on_one_day_only() {
    let bench =
        Bench::new(&format!("call_id,prod_id,called_at\n{},11000000300006,2024-05-26 12:00\n", id(0)));
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 1);
    assert_eq!(column(&bench.details(), "status"), ["not_found"]);
}
