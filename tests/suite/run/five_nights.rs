//! Five nights with one store: a provider that changes a record, loses one and finds a pending one,
//! and decisions that are used, go stale and match nothing. Every output counts the same.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::{Arc, Mutex};

use chrono::{NaiveDate, TimeDelta, Utc};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, Row, cell, id, read_csv, read_parquet};

const DECISIONS: &str =
    "call_id,prod_id,call_date,kind,field,expected,actual,decision,reason,by,on,until,ticket";

/// The talk time of each call at the provider, which changes from night to night.
type Provider = Arc<Mutex<HashMap<String, i64>>>;

struct Nights {
    bench: Bench,
    provider: Provider,
    /// The discrepancy file's name.
    file: &'static str,
    /// The day of all calls: yesterday.
    day: NaiveDate,
    today: NaiveDate,
}

impl Nights {
    fn new(file: &'static str) -> Self {
        let bench = Bench::new("");
        let today = (Utc::now() + TimeDelta::hours(8)).date_naive();
        let day = today - TimeDelta::days(1);
        let provider = Provider::default();
        let known = provider.clone();
        bench.provider.answer_with(move |request| match known.lock().unwrap().get(request.call_id()) {
            Some(talk_s) => record(day, *talk_s),
            None => Reply::without_data(),
        });
        Self { bench, provider, file, day, today }
    }

    /// The provider's talk time of a call from now on; `None` if it has no record.
    fn provider_says(&self, call: usize, talk_s: Option<i64>) {
        let mut known = self.provider.lock().unwrap();
        match talk_s {
            Some(talk_s) => known.insert(id(call), talk_s),
            None => known.remove(&id(call)),
        };
    }

    fn row(&self, call: usize, talk: &str) -> String {
        format!("{},11000000300006,{},{talk},12510000000\n", id(call), self.day)
    }

    /// The ledger of the next night: these calls, each of 30 s, and these other rows.
    fn ledger(&self, calls: &[usize], more: &str) {
        let rows: String = calls.iter().map(|call| self.row(*call, "30")).collect();
        self.bench.write("calls.csv", &format!("call_id,prod_id,called_at,duration,callee\n{rows}{more}"));
    }

    fn accepted(&self, call: usize, actual: i64) -> String {
        format!(
            "{},11000000300006,{},mismatch,duration_s,30,{actual},accepted,known,,,,\n",
            id(call),
            self.day
        )
    }

    /// A night. Returns the calls that were asked for, in order of their ids.
    fn runs(&self, options: &[&str]) -> Vec<String> {
        let seen = self.bench.provider.seen();
        let usual = ["--discrepancies", self.file, "--metrics-file", "r.prom", "--settle", "72h"];
        self.bench.run(&[&usual[..], options].concat()).exits(0);
        self.bench.summary().assert_totals();
        let mut asked: Vec<String> =
            self.bench.provider.requests()[seen..].iter().map(|r| r.call_id().to_owned()).collect();
        asked.sort();
        asked
    }

    /// Everything in the store becomes a day older.
    fn a_day_passes(&self) {
        Connection::open(self.bench.path("reconcile.db"))
            .unwrap()
            .execute_batch(
                "UPDATE open_item SET first_seen_at = first_seen_at - 86400000000;
                 UPDATE open_discrepancy SET since = date(since, '-1 day');
                 UPDATE run SET started_at = started_at - 86400000000, ended_at = ended_at - 86400000000;",
            )
            .unwrap();
    }

    fn rows(&self) -> Vec<Row> {
        let path = self.bench.path(self.file);
        if self.file.ends_with(".csv") { read_csv(&path) } else { read_parquet(&path) }
    }

    /// Call, kind, field, age in days and decision of each row of the file.
    fn found(&self) -> Vec<(usize, String, String, i64, String)> {
        let calls: BTreeMap<String, usize> = (0..10).map(|call| (id(call), call)).collect();
        let text = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
        let found = self.rows().into_iter().map(|row| {
            let since: NaiveDate = cell(&row, "since").parse().unwrap();
            let age = (self.today - since).num_days();
            (
                calls[cell(&row, "call_id")],
                text(&row, "kind"),
                text(&row, "field"),
                age,
                text(&row, "resolution"),
            )
        });
        found.collect()
    }

    /// Asserts that summary, page and metrics have these counts.
    fn counts(&self, new: u64, recurring: u64, resolved: u64) {
        let counts = json!({ "new": new, "recurring": recurring, "resolved": resolved });
        assert_eq!(self.summary("since_last"), counts);
        assert_eq!(self.rows().len() as u64, new + recurring);
        self.shown("since_last", &counts, "reconcile_since_last", "change");
    }

    fn summary(&self, key: &str) -> Value {
        self.bench.summary().0[key].clone()
    }

    /// Asserts that page and metrics have these counts of the summary.
    fn shown(&self, key: &str, counts: &Value, metric: &str, label: &str) {
        let page = fs::read_to_string(self.bench.path("details.report.html")).unwrap();
        let metrics = fs::read_to_string(self.bench.path("r.prom")).unwrap();
        let is_empty = counts.as_object().unwrap().values().all(|count| count == 0);
        for (name, count) in counts.as_object().unwrap() {
            let place = format!("<data value=\"{count}\" data-at=\"/{key}/{name}\"");
            // A page without discrepancies has no bar of them.
            assert!(is_empty || page.contains(&place), "{place}");
            let line = format!("{metric}{{{label}=\"{name}\"}} {count}\n");
            assert!(metrics.contains(&line), "{line}: {metrics}");
        }
    }
}

fn record(day: NaiveDate, talk_s: i64) -> Reply {
    let at = |seconds: i64| {
        let at = day.and_hms_opt(10, 0, 40).unwrap() + TimeDelta::seconds(seconds);
        at.format("%F %T").to_string()
    };
    Reply::ok(&json!({
        "callee": "12510000000", "gmtCreate": at(-40), "startDate": at(0), "endDate": at(talk_s),
        "duration": talk_s, "state": "200000"
    }))
}

fn rows(rows: &[(usize, &str, &str, i64, &str)]) -> Vec<(usize, String, String, i64, String)> {
    rows.iter()
        .map(|(call, kind, field, age, word)| (*call, (*kind).into(), (*field).into(), *age, (*word).into()))
        .collect()
}

#[test]
fn five_nights_say_what_is_new_explained_and_moved() {
    five_nights(&Nights::new("d.csv"));
}

#[test]
fn five_nights_in_parquet_say_the_same() {
    five_nights(&Nights::new("d.parquet"));
}

fn five_nights(n: &Nights) {
    // Night 1: two calls differ, one has no record yet, and a row cannot be used.
    n.ledger(&[0, 1, 2, 3, 4, 5], &n.row(9, "half a minute"));
    for (call, talk_s) in [(0, 30), (1, 31), (2, 35), (4, 30), (5, 30)] {
        n.provider_says(call, Some(talk_s));
    }
    n.runs(&[]);
    n.counts(4, 0, 0);
    assert_eq!(
        n.found(),
        rows(&[
            (1, "mismatch", "duration_s", 0, ""),
            (2, "mismatch", "duration_s", 0, ""),
            (3, "pending", "", 0, ""),
            (9, "invalid_row", "duration_s", 0, ""),
        ])
    );

    // Night 2: the same ledger, with a decision. A record is found, one has changed, one is lost.
    n.a_day_passes();
    n.provider_says(3, Some(30));
    n.provider_says(4, Some(40));
    n.provider_says(5, None);
    n.bench.write("decisions.csv", &format!("{DECISIONS}\n{}", n.accepted(1, 31)));
    let asked = n.runs(&["--recheck", "3d", "--resolutions", "decisions.csv"]);
    assert_eq!(asked, [0, 1, 2, 3, 4, 5].map(id), "each call once");
    n.counts(4, 3, 1);
    assert_eq!(
        n.found(),
        rows(&[
            (1, "mismatch", "duration_s", 1, "accepted"),
            (2, "mismatch", "duration_s", 1, ""),
            (4, "amended", "duration_s", 0, ""),
            (4, "amended", "ended_at", 0, ""),
            (4, "mismatch", "duration_s", 0, ""),
            (5, "amended", "status", 0, ""),
            (9, "invalid_row", "duration_s", 1, ""),
        ])
    );

    // Night 3: another ledger. The row is mended, and a call has no record yet.
    n.a_day_passes();
    n.ledger(&[6, 7, 9], "");
    n.provider_says(7, Some(30));
    n.provider_says(9, Some(30));
    assert_eq!(n.runs(&[]), [6, 7, 9].map(id));
    n.counts(1, 0, 1);
    assert_eq!(n.found(), rows(&[(6, "pending", "", 0, "")]));

    // Night 4: the ledger does not name the call, but it is asked for.
    n.a_day_passes();
    n.ledger(&[8], "");
    n.provider_says(6, Some(30));
    n.provider_says(8, Some(30));
    assert_eq!(n.runs(&[]), [6, 8].map(id));
    n.counts(0, 0, 0);
    let earlier = n.summary("earlier_calls");
    assert_eq!(earlier, json!({ "open": 1, "asked": 1, "settled": 1, "still_open": 0, "not_asked": 0 }));

    // Night 5: a decision is stale, since the record has changed; one matches nothing.
    n.a_day_passes();
    n.ledger(&[0, 1, 2, 3, 4, 5, 6], "");
    n.provider_says(1, Some(33));
    let decisions = [n.accepted(1, 31), n.accepted(2, 35), n.accepted(7, 31)].concat();
    n.bench.write("decisions.csv", &format!("{DECISIONS}\n{decisions}"));
    let asked = n.runs(&["--recheck", "3d", "--resolutions", "decisions.csv"]);
    assert_eq!(asked, (0..10).map(id).collect::<Vec<_>>(), "the whole store is looked at again");
    n.counts(2, 3, 1);
    assert_eq!(
        n.found(),
        rows(&[
            (1, "amended", "duration_s", 0, ""),
            (1, "amended", "ended_at", 0, ""),
            (1, "mismatch", "duration_s", 4, ""),
            (2, "mismatch", "duration_s", 4, "accepted"),
            (4, "mismatch", "duration_s", 3, ""),
        ])
    );
    let resolutions = n.summary("resolutions");
    let wanted = json!({ "accepted": 1, "disputed": 0, "corrected": 0, "written_off": 0, "open": 4, "stale": 1, "unused": 1 });
    for (name, count) in wanted.as_object().unwrap() {
        assert_eq!(&resolutions[name], count, "{name}");
    }
    n.shown("resolutions", &wanted, "reconcile_resolutions", "decision");
}
