//! A thousand random calls around midnight, on machines in five time zones. The expected days come
//! from a calendar of whole numbers.
//!
//! The day is the call's day in UTC+8, and `QueryDate` is its midnight in milliseconds. The
//! neighbouring day is asked for only when it can help, and a record found there is reported. The
//! call's age decides between `pending` and `not_found`. The machine's time zone changes nothing.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, FixedOffset, Utc};
use fastrand::Rng;
use serde_json::json;

use crate::support::provider::Reply;
use crate::support::{Bench, cell};

const DAY: i64 = 86_400;
const UTC_8: i64 = 8 * 3_600;
const SETTLE: i64 = 30 * DAY;

/// Time zones of the machine, written as rules, which need no installed list; and zones of
/// `--timezone`.
const ZONES: [(&str, &str); 5] = [
    ("UTC0", "UTC"),
    ("CST-8", "+08:00"),
    ("PST8PDT,M3.2.0,M11.1.0", "America/Los_Angeles"),
    ("<+14>-14", "Pacific/Kiritimati"),
    ("<-11>11", "-11:00"),
];

/// The day in UTC+8, counted from 1970.
fn day(second: i64) -> i64 {
    (second + UTC_8).div_euclid(DAY)
}

fn query_date(day: i64) -> String {
    ((day * DAY - UTC_8) * 1_000).to_string()
}

fn date(day: i64) -> String {
    DateTime::from_timestamp(day * DAY, 0).unwrap().date_naive().to_string()
}

fn local(second: i64) -> String {
    DateTime::from_timestamp(second + UTC_8, 0).unwrap().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The first days of years and months, 29 February and the day after it.
const SPECIAL: [&str; 6] =
    ["2024-01-01", "2024-02-29", "2024-03-01", "2025-01-01", "2025-03-01", "2026-01-01"];

struct Call {
    id: String,
    /// When the call was made.
    at: i64,
    /// The day on which the provider has its record.
    record_day: Option<i64>,
}

impl Call {
    fn random(random: &mut Rng, i: usize, now: i64) -> Self {
        let midnight = if random.u8(..3) == 0 {
            let day = random.choice(SPECIAL).unwrap().parse::<chrono::NaiveDate>().unwrap();
            day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp() - UTC_8
        } else {
            (day(now) - random.i64(2..60)) * DAY - UTC_8
        };
        let near = [-601, -600, -599, -1, 0, 1, 599, 600, 601];
        let at =
            midnight + if random.bool() { *random.choice(&near).unwrap() } else { random.i64(-1_200..1_200) };
        let neighbour = if at < midnight { day(at) + 1 } else { day(at) - 1 };
        let record_day = *random.choice(&[Some(day(at)), Some(day(at)), Some(neighbour), None]).unwrap();
        Self { id: format!("{i:012}^{i:012}"), at, record_day }
    }

    /// The neighbouring day, for calls within ten minutes of midnight.
    fn neighbour(&self) -> Option<i64> {
        let second = (self.at + UTC_8).rem_euclid(DAY);
        match second {
            0..=600 => Some(day(self.at) - 1),
            85_800.. => Some(day(self.at) + 1),
            _ => None,
        }
    }

    /// The call's time in one of six formats of a ledger.
    fn called_at(&self, i: usize) -> String {
        let utc = DateTime::from_timestamp(self.at, 0).unwrap();
        let with =
            |hours: i32| utc.with_timezone(&FixedOffset::east_opt(hours * 3_600).unwrap()).to_rfc3339();
        match i % 6 {
            0 => format!("{}000", self.at),
            1 => self.at.to_string(),
            2 => with(0),
            3 => with(-11),
            4 => with(14),
            _ => local(self.at),
        }
    }

    /// Expected status, day, and number of requests.
    fn expected(&self, now: i64) -> (&'static str, i64, usize) {
        let (own, neighbour) = (day(self.at), self.neighbour());
        if self.record_day == Some(own) {
            return ("found", own, 1);
        }
        let requests = 1 + usize::from(neighbour.is_some());
        if let Some(on) = self.record_day.filter(|on| neighbour == Some(*on)) {
            return ("found", on, requests);
        }
        (if now - self.at < SETTLE { "pending" } else { "not_found" }, own, requests)
    }
}

fn calls(now: i64) -> Vec<Call> {
    let mut random = Rng::with_seed(24);
    // No call is near the deciding age, so the duration of the test does not matter.
    let clear = |call: &Call| (now - call.at - SETTLE).abs() > 3_600;
    (0..).map(|i| Call::random(&mut random, i, now)).filter(clear).take(1_000).collect()
}

#[test]
fn day_and_status_are_right_in_every_time_zone() {
    let now = Utc::now().timestamp();
    let calls = calls(now);
    let mut text = String::from("call_id,prod_id,called_at\n");
    for (i, call) in calls.iter().enumerate() {
        text.push_str(&format!("{},11000000300006,{}\n", call.id, call.called_at(i)));
    }
    for (zone, shown) in ZONES {
        let bench = Bench::new(&text);
        let records: HashMap<(String, String), String> = calls
            .iter()
            .filter_map(|call| Some(((call.id.clone(), query_date(call.record_day?)), local(call.at))))
            .collect();
        bench.provider.answer_with(move |request| {
            let asked = (request.call_id().to_owned(), request.param("QueryDate").to_owned());
            records.get(&asked).map_or_else(Reply::without_data, |created| {
                Reply::ok(&json!({"callId": asked.0, "gmtCreate": created, "state": "200003", "duration": 0}))
            })
        });
        let mut command = bench.command(&["--settle", "30d", "--timezone", shown]);
        command.env("TZ", zone);
        bench.start_command(command).wait().exits(0);
        assert_run(&bench, &calls, now, zone);
    }
}

/// Asserts days, statuses, requests and discrepancies of a run.
fn assert_run(bench: &Bench, calls: &[Call], now: i64, zone: &str) {
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in bench.provider.requests() {
        asked.entry(request.call_id().to_owned()).or_default().push(request.param("QueryDate").to_owned());
    }
    let (mut other_days, mut seen) = (Vec::new(), BTreeMap::new());
    let details = bench.details();
    assert_eq!(details.len(), calls.len());
    for (call, row) in calls.iter().zip(&details) {
        let at = local(call.at);
        let (status, on, requests) = call.expected(now);
        assert_eq!(
            (cell(row, "status"), cell(row, "call_date")),
            (status, date(on).as_str()),
            "{at} in {zone}"
        );
        let days = std::iter::once(day(call.at)).chain(call.neighbour()).take(requests).map(query_date);
        assert_eq!(asked[&call.id], days.collect::<Vec<_>>(), "{at} in {zone}");
        if status == "found" {
            assert_eq!(cell(row, "created_at"), (call.at * 1_000_000).to_string(), "{at} in {zone}");
            other_days.extend((on != day(call.at)).then(|| (call.id.clone(), date(day(call.at)), date(on))));
        }
        *seen.entry((status, on != day(call.at), requests)).or_insert(0) += 1;
    }
    let reported = bench.discrepancies().into_iter().filter(|row| cell(row, "kind") == "other_day");
    let reported: Vec<_> = reported
        .map(|row| (cell(&row, "call_id").into(), cell(&row, "expected").into(), cell(&row, "actual").into()))
        .collect();
    assert_eq!(reported, other_days, "{zone}");
    let unexpected = |kind: &str| !matches!(kind, "other_day" | "pending" | "not_found");
    assert!(!bench.kinds().iter().any(|(kind, _)| unexpected(kind)), "{zone}: {:?}", bench.kinds());
    bench.summary().assert_totals();
    // All six cases occur: found on its own day or on the other day, and not found or pending with
    // one request or two.
    assert!(seen.len() == 6 && seen.values().all(|n| *n >= 20), "{seen:?}");
}

#[test]
fn the_machine_knows_the_time_zones_of_the_test() {
    // The program ignores TZ, so another program says whether the machine reads these rules.
    let mut offsets = std::collections::BTreeSet::new();
    for (zone, _) in ZONES {
        let output = std::process::Command::new("date").arg("+%z").env("TZ", zone).output().unwrap();
        offsets.insert(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(offsets.len(), 5, "{offsets:?}");
}

#[test]
fn a_day_that_has_not_begun_is_not_asked_for() {
    let tomorrow = day(Utc::now().timestamp()) + 1;
    let late = local(tomorrow * DAY - UTC_8 + DAY - 300);
    let bench = Bench::new(&format!("call_id,prod_id,called_at\n1^1,11000000300006,{late}\n"));
    bench.provider.by_default(Reply::without_data());
    bench.run(&[]).exits(0);
    assert_eq!(bench.provider.seen(), 1);
    assert_eq!(cell(&bench.details()[0], "status"), "pending");
}
