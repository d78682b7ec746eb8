//! Ledgers in which one cause explains many discrepancies. It is named once, with its count, in the
//! summary and on the page in both languages.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, id};

const CALLS: usize = 40;

/// What the provider knows of a call.
struct Call {
    created: NaiveDateTime,
    started: NaiveDateTime,
    ended: NaiveDateTime,
}

impl Call {
    fn of(i: usize) -> Self {
        let i = i64::try_from(i).unwrap();
        let seconds = TimeDelta::seconds;
        let created = NaiveDate::from_ymd_opt(2024, 5, 26).unwrap().and_hms_opt(10, 0, 0).unwrap();
        let created = created + seconds(i * 98 + i % 7);
        let started = created + seconds(5 + i * 7 % 13);
        Self { created, started, ended: started + seconds(7 + i * 53 % 150) }
    }

    fn talk(&self) -> i64 {
        (self.ended - self.started).num_seconds()
    }

    fn record(&self) -> Value {
        json!({
            "callee": "12510000000", "gmtCreate": text(self.created), "startDate": text(self.started),
            "endDate": text(self.ended), "duration": self.talk(), "state": "200000"
        })
    }
}

fn text(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A ledger's line: called_at, duration, started_at, ended_at, system.
type Line = [String; 5];

fn agreeing(call: &Call) -> Line {
    [text(call.created), call.talk().to_string(), text(call.started), text(call.ended), "A".into()]
}

/// Runs over a ledger whose lines `change` makes, and returns the only pattern and its sentence.
#[track_caller]
fn only_pattern(lang: &str, change: impl Fn(usize, &Call) -> Line) -> (Value, String) {
    let mut ledger = String::from("call_id,prod_id,called_at,duration,started_at,ended_at,system\n");
    for i in 0..CALLS {
        ledger += &format!("{},11000000300006,{}\n", id(i), change(i, &Call::of(i)).join(","));
    }
    let bench = Bench::new(&ledger);
    for i in 0..CALLS {
        bench.provider.script(&id(i), [Reply::ok(&Call::of(i).record())]);
    }
    bench.run(&["--lang", lang]).exits(0);
    let summary = bench.summary();
    summary.assert_totals();
    let patterns = summary.0["patterns"].as_array().unwrap().clone();
    assert_eq!(patterns.len(), 1, "{patterns:#?}");
    let page = std::fs::read_to_string(bench.path("details.report.html")).unwrap();
    let causes = page.split("class=\"causes\">").nth(1).unwrap_or_default();
    (patterns[0].clone(), causes.split("</ul>").next().unwrap().replace("&#x27;", "'").replace("&#x2f;", "/"))
}

/// Asserts the only pattern: its word, the discrepancies that it explains, and its words on the
/// pages.
#[track_caller]
fn assert_named(pattern: &str, rows: u64, words: [&str; 2], change: impl Fn(usize, &Call) -> Line) -> Value {
    let (found, english) = only_pattern("en", &change);
    assert_eq!((&found["pattern"], &found["rows"]), (&pattern.into(), &rows.into()), "{found:#}");
    let (same, chinese) = only_pattern("zh", &change);
    assert_eq!(found, same);
    for (page, words) in [(english, words[0]), (chinese, words[1])] {
        assert!(page.contains(words) && page.contains(&rows.to_string()), "{words}: {page}");
    }
    found
}

fn with_duration(call: &Call, duration: i64) -> Line {
    let mut line = agreeing(call);
    line[1] = duration.to_string();
    line
}

/// How many of the calls have another duration after this rounding.
fn changed(round: impl Fn(i64) -> i64) -> u64 {
    (0..CALLS).map(Call::of).filter(|call| round(call.talk()) != call.talk()).count() as u64
}

#[test]
fn ringing_included_is_one_cause() {
    let words = ["durations count the ringing in", "通话时长一律计入了振铃"];
    let found = assert_named("ringing_included", 40, words, |_, call| {
        with_duration(call, (call.ended - call.created).num_seconds())
    });
    assert_eq!(found["fields"], json!(["duration_s"]));
    assert_eq!((&found["discrepancies"], &found["compared"]), (&40.into(), &40.into()));
}

#[test]
fn always_two_seconds_is_one_cause() {
    let words = ["durations are always 2 seconds too short", "通话时长一律少 2 秒"];
    let found =
        assert_named("constant_difference", 40, words, |_, call| with_duration(call, call.talk() - 2));
    assert_eq!(found["seconds"], 2);
}

#[test]
fn increments_of_6_of_30_and_6_and_of_60_are_one_cause() {
    let up = |s: i64, step: i64| (s + step - 1) / step * step;
    let after = |s: i64, first: i64, step: i64| if s <= first { first } else { first + up(s - first, step) };
    for (first, step, words) in [
        (6, 6, ["rounded up to steps of 6 seconds (6/6)", "按 6 秒向上取整（6/6）"]),
        (30, 6, ["at least 30 seconds, and then rounded up to steps of 6 seconds (30/6)", "（30/6）"]),
        (60, 60, ["rounded up to whole minutes (60/60)", "向上取整到分钟（60/60）"]),
        (30, 30, ["rounded up to steps of 30 seconds (30/30)", "（30/30）"]),
        (15, 15, ["rounded up to steps of 15 seconds (15/15)", "（15/15）"]),
        (10, 10, ["rounded up to steps of 10 seconds (10/10)", "（10/10）"]),
    ] {
        let round = |s| after(s, first, step);
        let found = assert_named("durations_rounded_up", changed(round), words, |_, call| {
            with_duration(call, round(call.talk()))
        });
        assert_eq!(found["increments"], format!("{first}/{step}"));
    }
}

#[test]
fn durations_rounded_down_or_to_the_nearest_are_one_cause() {
    let down = |s: i64| s / 60 * 60;
    let words = ["rounded down to whole minutes", "向下取整到分钟"];
    assert_named("durations_rounded_down", changed(down), words, |_, call| {
        with_duration(call, down(call.talk()))
    });
    let nearest = |s: i64| (s + 30) / 60 * 60;
    let words = ["durations are rounded to whole minutes", "四舍五入到分钟"];
    assert_named("durations_rounded", changed(nearest), words, |_, call| {
        with_duration(call, nearest(call.talk()))
    });
}

#[test]
fn seconds_gone_is_one_cause() {
    let cut = |at: NaiveDateTime| at.format("%Y/%m/%d %H:%M").to_string();
    let mut rows = 0;
    for call in (0..CALLS).map(Call::of) {
        let times = [call.created, call.started, call.ended];
        rows += times.iter().filter(|at| at.format("%S").to_string() != "00").count() as u64;
    }
    let words = ["times have no seconds: they are cut to the minute", "没有秒（截断到分钟）"];
    let found = assert_named("times_without_seconds", rows, words, |_, call| {
        let mut line = agreeing(call);
        (line[0], line[2], line[3]) = (cut(call.created), cut(call.started), cut(call.ended));
        line
    });
    assert_eq!(found["fields"], json!(["called_at", "ended_at", "started_at"]));
    assert_eq!(found["discrepancies"], rows);
}

#[test]
fn half_the_rows_in_utc_are_one_cause() {
    let words = ["some of the ledger's times are 8 hours early", "台账的部分时间早 8 小时"];
    let found = assert_named("times_shifted", 60, words, |i, call| {
        if i % 2 == 1 {
            return agreeing(call);
        }
        let utc = |at: NaiveDateTime| text(at - TimeDelta::hours(8));
        [utc(call.created), call.talk().to_string(), utc(call.started), utc(call.ended), "B".into()]
    });
    assert_eq!((&found["hours"], &found["compared"]), (&8.into(), &120.into()));
}

#[test]
fn a_clock_that_is_wrong_by_seconds_is_one_cause() {
    let words = ["times are always 1 minute 30 seconds late", "时间一律晚 1 分钟 30 秒"];
    let found = assert_named("constant_difference", 120, words, |_, call| {
        let late = |at: NaiveDateTime| text(at + TimeDelta::seconds(90));
        [late(call.created), call.talk().to_string(), late(call.started), late(call.ended), String::new()]
    });
    assert_eq!((&found["seconds"], &found["hours"]), (&(-90).into(), &0.into()));
}
