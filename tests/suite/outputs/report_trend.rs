//! The section of the report on the nights before: 34 nights in a store, of which it shows 30.

use chrono::{Days, NaiveDate};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::report_in_browser::{assert_number, between};
use crate::house::readme::{sample_run, sample_run_with};
use crate::support::Bench;
use crate::support::browser::{Task, assert_sound, open};

const STORE: &str = "out/reconcile.sandbox.db";
const REPORT: &str = "out/details.report.html";
const NIGHTS: u64 = 34;
/// This many nights ago a run was incomplete.
const INCOMPLETE: u64 = 17;

/// The sample run after many nights. More calls were missing tonight than before, and a day in
/// between had no night.
fn after_many_nights(options: &[&str]) -> (Bench, Value) {
    let bench = sample_run();
    let summary = || bench.summary_at("out/details.summary.json").0;
    let today: NaiveDate = summary()["trend"]["nights"][0]["day"].as_str().unwrap().parse().unwrap();
    let store = Connection::open(bench.path(STORE)).unwrap();
    for ago in (1..=NIGHTS).filter(|ago| *ago != 9) {
        let no = (1_000 - ago).cast_signed();
        let figures = json!({
            "day": today - Days::new(ago), "calls": 80 + ago % 7, "agree": 60, "differ": 18, "missing": ago % 2,
            "at_stake_s": 500 + 20 * (ago % 5), "duration_s": ago % 3, "unknown": {"key": []},
        });
        let (digest, complete) = (no.to_string(), ago != INCOMPLETE);
        store
            .execute(
                "INSERT INTO run VALUES (?1, ?2, ?1, ?3, 0, ?1, ?1, ?4)",
                params![no, format!("{no:08}-0000-4000-8000-000000000000"), digest, complete],
            )
            .unwrap();
        store
            .execute("INSERT INTO run_figures VALUES (?1, 'calls.csv', ?2)", params![no, figures.to_string()])
            .unwrap();
    }
    drop(store);
    bench.run(&[&["--sandbox", "--offline", "--out", "out/details.parquet"], options].concat());
    let summary = summary();
    (bench, summary)
}

#[test]
fn the_trend_shows_the_summarys_numbers_and_is_accessible() {
    let (bench, summary) = after_many_nights(&["--fail-above", "1d"]);
    let dom = "return document.querySelector('#trend').outerHTML";
    let page = Task { axe: true, ..Task::new(&bench.path(REPORT)).step(dom) };
    let opened = "document.querySelector('#trend details').open = true";
    let narrow = Task { width: 390, ..page.clone() }.step(opened);
    let tasks = [Task { validate: true, ..page.clone() }, Task { dark: true, ..page }, narrow];
    let Some(opened) = open(&tasks) else { return };
    for page in &opened {
        assert_sound(page);
        assert!(!page.overflows && page.axe.is_empty(), "{:?}", page.axe);
    }
    assert_eq!(opened[0].validate, Vec::<String>::new());
    let section = opened[0].steps[0].as_str().unwrap();
    let numbers: Vec<(&str, &str)> =
        between(section, "<data ", "</data>").map(|inner| inner.split_once('>').unwrap()).collect();
    // 30 nights with six values, without five of the incomplete one; medians and both ends.
    assert_eq!(numbers.len(), 30 * 6 - 5 + 3 * 6);
    numbers.iter().for_each(|(tag, shown)| assert_number(&summary, tag, shown));
    let nights = summary["trend"]["nights"].as_array().unwrap();
    assert_eq!((nights.len(), &nights[29]["run_id"]), (30, &summary["run_id"]));
    assert_eq!(section.matches("<span class=\"soft\">Incomplete</span>").count(), 1);
}

#[test]
fn every_chart_has_a_dot_for_each_night_within_its_frame() {
    let (bench, summary) = after_many_nights(&[]);
    assert_eq!(summary["trend"]["unusual"], json!(["missing_percent"]));
    let page = std::fs::read_to_string(bench.path(REPORT)).unwrap();
    let charts: Vec<&str> = between(&page, "<svg class=\"strip\"", "</svg>").collect();
    assert_eq!(charts.len(), 6);
    for (at, chart) in charts.iter().enumerate() {
        let places = |name: &str| {
            let start = format!(" {name}=\"");
            between(chart, &start, "\"").map(|n| n.parse().unwrap()).collect::<Vec<f64>>()
        };
        let (across, down) = (places("cx"), places("cy"));
        assert_eq!(across.len(), if at == 0 { 30 } else { 29 }, "{chart}");
        assert!(across.is_sorted() && across.iter().all(|x| (20.0..=350.0).contains(x)), "{across:?}");
        assert!(down.iter().all(|y| (12.0..=64.0).contains(y)), "{down:?}");
        // The line has a gap at the incomplete night.
        assert_eq!(chart.matches("<polyline").count(), if at == 0 { 1 } else { 2 });
        let marks = ["tonight", "unusual"].map(|class| chart.matches(&format!("class=\"{class}\"")).count());
        assert_eq!(marks, if at == 3 { [0, 1] } else { [1, 0] }, "chart {at}");
        assert!(chart.contains("<title>") && chart.contains("<desc>") && !chart.contains("NaN"));
    }
}

#[test]
fn the_chinese_trend_is_chinese() {
    let (bench, _) = after_many_nights(&["--lang", "zh"]);
    let page = std::fs::read_to_string(bench.path(REPORT)).unwrap();
    let section = between(&page, "<section id=\"trend\"", "</section>\n\n<section").next().unwrap();
    assert_eq!(super::chinese::english_sentence(section), None);
    assert!(section.contains("<h2 id=\"h-trend\">历次对比</h2>"), "{section}");
    assert!(page.contains("；异于往日：服务商无记录 4.7%（往日 0% 至 "), "the first sentence names it");
    let first = sample_run_with(&["--lang", "zh"]);
    assert!(!std::fs::read_to_string(first.path(REPORT)).unwrap().contains("历次对比"));
}
