//! The pictures of the report in `docs/`. They are made of the sample run:
//!
//! ```text
//! RECONCILE_WRITE_DOCS=1 cargo test --test suite report_pictures
//! ```

use std::fs;
use std::path::Path;

use crate::house::readme::sample_run_with;
use crate::support::browser::{Task, open};
use crate::support::rust_files::root;
use crate::support::venv;

const PICTURES: [&str; 5] =
    ["report.png", "report-390.png", "report-dark.png", "report-print.png", "report-zh.png"];

/// Takes the pictures and makes them small.
fn take(folder: &Path) {
    let (en, zh) = (sample_run_with(&[]), sample_run_with(&["--lang", "zh"]));
    let report = "out/details.report.html";
    let shot = |name: &str| Some(folder.join(name));
    let wide = Task::new(&en.path(report));
    let tasks = [
        Task { shot: shot("report.png"), print: shot("print.pdf"), ..wide.clone() },
        Task { shot: shot("report-390.png"), width: 390, ..wide.clone() },
        Task { shot: shot("report-dark.png"), dark: true, ..wide },
        Task { shot: shot("report-zh.png"), ..Task::new(&zh.path(report)) },
    ];
    open(&tasks).expect("the pictures need npm and Chromium");
    let mut reduce = venv::python_with_pictures();
    reduce.arg(root().join("tests/browser/pictures.py")).arg(folder);
    venv::output(&mut reduce, "pictures get few colours");
}

#[test]
fn the_pictures_of_the_report_are_there_and_small() {
    if std::env::var_os("RECONCILE_WRITE_DOCS").is_some() {
        let folder = tempfile::TempDir::new().unwrap();
        take(folder.path());
        for name in PICTURES {
            fs::copy(folder.path().join(name), root().join("docs").join(name)).unwrap();
        }
    }
    let page = fs::read_to_string(root().join("docs/outputs.md")).unwrap();
    for name in PICTURES {
        let picture = fs::read(root().join("docs").join(name)).unwrap();
        // A PNG says its type of colour after the size; 3 is a palette.
        assert_eq!((&picture[1..4], picture[25]), (&b"PNG"[..], 3), "{name}");
        assert!(picture.len() < 200_000, "{name} has {} bytes", picture.len());
        assert!(page.contains(&format!("({name})")), "docs/outputs.md does not show {name}");
    }
}
