//! Records that are not the usual ones: in the spelling of a sibling operation, or filled in later.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use reconcile::clock::SystemClock;
use reconcile::store::{Decision, NewRequest, Origin, Purpose, RequestEnd, RunEnd, RunIdentity, open};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, cell, column, id};

const HEADER: &str = "call_id,prod_id,called_at,callee,state,duration,started_at,ended_at\n";

#[test]
fn a_record_in_sibling_spelling_is_compared_in_full() {
    let record = |state, end: &str, duration| {
        json!({
            "startDate": end.replace(":38", ":08"), "stateDesc": "用户接听", "statusCode": state, "EndDate": end,
            "callee": "12510000000", "Duration": duration, "gmtCreate": "2024-05-26 10:00:00",
            "hangupDirection": "1", "tags": ""
        })
    };
    let row = |i, rest: &str| format!("{},11000000300006,2024-05-26 10:00:00,12510000000,{rest}\n", id(i));
    let text = [
        HEADER.to_owned(),
        row(0, "200000,30,2024-05-26 10:00:08,2024-05-26 10:00:38"),
        row(1, "200003,0,,"),
        row(2, "200000,30,2024-05-26 10:00:08,2024-05-26 10:00:38"),
    ];
    let bench = Bench::new(&text.concat());
    bench.provider.script(&id(0), [Reply::ok(&record("200000", "2024-05-26 10:00:38", 30))]);
    bench.provider.script(&id(1), [Reply::ok(&record("200003", "", 0))]);
    let mut two = record("200000", "2024-05-26 10:00:38", 30);
    two["state"] = "200003".into();
    bench.provider.script(&id(2), [Reply::ok(&two)]);
    bench.run(&[]).exits(0);
    let summary = bench.summary();
    assert_eq!((summary.number("clean"), summary.number("failed")), (2, 1));
    assert_eq!(
        (&summary.0["fields"]["state"]["equal"], &summary.0["fields"]["ended_at"]["equal"]),
        (&2.into(), &1.into())
    );
    assert_eq!(bench.kinds(), [("malformed".to_owned(), String::new())]);
    assert!(cell(&bench.discrepancies()[0], "message").contains("the field state of Data occurs twice"));
}

/// A time in the provider's form.
fn provider_text(at: DateTime<Utc>) -> String {
    at.with_timezone(&FixedOffset::east_opt(8 * 3_600).unwrap()).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A call that was answered this long ago and takes 30 seconds; without its duration and end.
struct Answered {
    created: DateTime<Utc>,
}

impl Answered {
    fn ago(age: TimeDelta) -> Self {
        Self { created: Utc::now() - age }
    }

    fn at(&self, seconds: i64) -> String {
        provider_text(self.created + TimeDelta::seconds(seconds))
    }

    fn ledger(&self) -> String {
        let (called, started, ended) = (self.at(0), self.at(8), self.at(38));
        format!("{HEADER}{},11000000300006,{called},12510000000,200000,30,{started},{ended}\n", id(0))
    }

    fn record(&self) -> Value {
        json!({"callee": "12510000000", "gmtCreate": self.at(0), "startDate": self.at(8), "state": "200000"})
    }

    fn filled(&self, duration: u64) -> Value {
        let mut record = self.record();
        record["duration"] = duration.into();
        record["endDate"] = self.at(8 + i64::try_from(duration).unwrap()).into();
        record
    }
}

#[test]
fn a_duration_that_is_filled_in_later_is_asked_for_again() {
    let call = Answered::ago(TimeDelta::hours(30));
    let bench = Bench::new(&call.ledger());
    bench.provider.script(&id(0), [Reply::ok(&call.record()), Reply::ok(&call.filled(29))]);
    bench.run(&[]).exits(0);
    assert_eq!(bench.kinds(), [("pending".to_owned(), "duration_s".to_owned())]);
    assert!(cell(&bench.discrepancies()[0], "message").contains("its record has no duration yet"));
    let summary = bench.summary();
    summary.assert_totals();
    assert_eq!((summary.number("pending"), summary.number("clean")), (1, 0));
    assert_eq!(summary.0["fields"]["callee"]["compared"], 0, "a record that may change is not compared");
    // The run of the next night.
    bench.run(&[]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["found"]);
    let fields: Vec<_> = bench.kinds().into_iter().map(|(_, field)| field).collect();
    assert_eq!(fields, ["duration_s", "ended_at"]);
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 2, "a full record is final");
}

#[test]
fn after_three_days_a_record_without_duration_is_found() {
    let call = Answered::ago(TimeDelta::hours(73));
    let bench = Bench::new(&call.ledger());
    bench.provider.script(&id(0), [Reply::ok(&call.record())]);
    bench.run(&[]).exits(0);
    assert_eq!((bench.kinds(), bench.summary().number("clean")), (vec![], 1));
    assert_eq!(bench.summary().0["fields"]["duration_s"]["not_comparable"], 1);
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 1);
}

/// Stores the record as final, as an older version did.
fn store_as_final(path: &Path, day: NaiveDate, record: &Value) {
    let store = open(&path.into(), Origin::Provider, Arc::new(SystemClock::new())).unwrap();
    let identity = RunIdentity { input_sha256: "of an older ledger".into(), refresh: false };
    let rate = "100000/min".parse().unwrap();
    let scope = store.begin_session(&identity, rate, Duration::from_secs(10)).unwrap();
    let key = CallKey { call_id: id(0), prod_id: ProductId(11_000_000_300_006), day };
    let answer = NewAnswer {
        kind: AnswerKind::Final,
        found_date: day,
        next_date: None,
        request_id: None,
        code: "OK".into(),
        message: "OK".into(),
        data: Some(record.to_string()),
    };
    let stored = async {
        let request = NewRequest { key, asked_date: day, purpose: Purpose::First, recheck: false };
        let begun = store.begin_request(&scope, request).await?;
        let (at, decision) = (store.moment(), Decision::Answered);
        let (http_status, code) = (Some(200), "OK".to_owned());
        let end = RequestEnd {
            at,
            provider_at: None,
            http_status,
            code,
            request_id: None,
            throttled: false,
            decision,
            pause: None,
        };
        store.end_request(&scope, begun, end, Some(answer)).await
    };
    tokio::runtime::Runtime::new().unwrap().block_on(stored).unwrap();
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
}

#[test]
fn a_store_of_an_older_version_asks_again_within_three_days() {
    let call = Answered::ago(TimeDelta::hours(30));
    let bench = Bench::new(&call.ledger());
    bench.provider.script(&id(0), [Reply::ok(&call.filled(30))]);
    let day = call.at(0)[..10].parse().unwrap();
    store_as_final(&bench.path("reconcile.db"), day, &call.record());
    bench.run(&["--offline"]).exits(0);
    assert_eq!(column(&bench.details(), "status"), ["pending"]);
    bench.run(&[]).exits(0);
    assert_eq!((bench.provider.seen(), bench.summary().number("clean")), (1, 1));
}
