//! The report for everybody: axe-core and html-validate find nothing, on wide and narrow, light and
//! dark screens, in both languages, with and without JavaScript.

use crate::house::readme::sample_run_with;
use crate::support::Bench;
use crate::support::browser::{Opened, Task, assert_sound, open};

/// Asserts that the page has no finding on any screen.
#[track_caller]
pub(super) fn assert_accessible(bench: &Bench, report: &str) {
    let mut tasks = Vec::new();
    for (width, dark, script) in
        [(1_280, false, true), (1_280, true, false), (390, false, false), (390, true, true)]
    {
        // Also what is folded is checked.
        let unfold = "document.querySelectorAll('details').forEach((part) => { part.open = true; });
            document.querySelectorAll('#rows td button').forEach((button, i) => i < 5 && button.click())";
        let task = Task { width, dark, script, axe: true, ..Task::new(&bench.path(report)) };
        tasks.push(Task { validate: tasks.is_empty(), ..task.step(unfold) });
    }
    let Some(opened) = open(&tasks) else { return };
    for (task, Opened { axe, validate, overflows, .. }) in tasks.iter().zip(&opened) {
        let screen = (task.width, task.dark, task.script);
        assert!(axe.is_empty() && validate.is_empty(), "{screen:?}: {axe:#?} {validate:#?}");
        assert!(!overflows, "{screen:?}: the page is wider than the window");
    }
    opened.iter().for_each(assert_sound);
}

#[test]
fn the_english_report_is_accessible_on_every_screen() {
    assert_accessible(&sample_run_with(&[]), "out/details.report.html");
}

#[test]
fn the_chinese_report_is_accessible_on_every_screen() {
    assert_accessible(&sample_run_with(&["--lang", "zh"]), "out/details.report.html");
}

#[test]
fn an_incomplete_report_without_any_record_is_accessible() {
    let bench = Bench::new("call_id,prod_id,called_at,duration_s\n1^1,11000000300006,2026-11-16,9\n");
    bench.run(&["--offline"]).exits(4);
    assert_accessible(&bench, "details.report.html");
}

#[test]
fn the_first_screen_has_sentence_bridge_and_causes() {
    let bench = sample_run_with(&[]);
    let bottom = |selector: &str| {
        format!("return document.querySelector('{selector}').getBoundingClientRect().bottom")
    };
    let task = Task::new(&bench.path("out/details.report.html"));
    let task = task.step(&bottom(".lead")).step(&bottom(".bridge tbody tr:nth-child(5)"));
    let task = task.step(&bottom(".first > div:last-child"));
    let Some(opened) = open(&[task]) else { return };
    for bottom in &opened[0].steps {
        assert!(bottom.as_f64().unwrap() <= 800.0, "{:?}", opened[0].steps);
    }
}
