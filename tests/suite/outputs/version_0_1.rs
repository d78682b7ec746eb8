//! What a user of version 0.1.0 still has: the files of a night, written by that version's program,
//! and a configuration that it accepted. Its stores are in `tests/stores`.

use std::fs;

use serde_json::Value;

use crate::house::readme::sample_run;
use crate::support::rust_files::root;
use crate::support::{Bench, ledger};

#[test]
fn a_night_of_0_1_compares_with_one_of_today() {
    let bench = sample_run();
    for name in ["summary.json", "discrepancies.csv"] {
        let kept = root().join("tests/outputs").join(format!("0.1.0.{name}"));
        fs::copy(kept, bench.path(&format!("old.{name}"))).unwrap();
    }
    let today = "out/details.summary.json";
    let json = bench.bare(&["diff", "old.discrepancies.csv", today, "--json"]);
    let found: Value = serde_json::from_str(&json).unwrap();
    let rows = |change: &str| found[change]["rows"].as_u64().unwrap();
    let all = bench.summary_at(today).number("discrepancies_total");
    // The sample's ledger and records are those of 0.1.0.
    assert_eq!((rows("new"), rows("resolved"), rows("changed") + rows("unchanged")), (0, 0, all), "{found}");
    // Its summary does not name its discrepancy file.
    let run = bench.run_exactly(&["diff", "old.summary.json", today], &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("give the discrepancy file itself"), "{}", run.stderr);
}

#[test]
fn a_configuration_of_0_1_is_read_as_it_is() {
    let bench = Bench::new(&ledger(0));
    let kept = fs::read_to_string(root().join("tests/configurations/0.1.0.toml")).unwrap();
    bench.write("kept.toml", &kept);
    let shown = bench.bare(&["config", "--config", "kept.toml"]);
    let options: Vec<&str> = kept.lines().filter(|line| line.contains(" = ")).collect();
    assert!(options.len() >= 40, "{} options", options.len());
    for option in options {
        // The address may hold a secret.
        let words = if option.starts_with("notify-url") { "# notify-url is set" } else { option };
        let is_shown = shown.lines().any(|line| line.starts_with(words) && line.contains("# kept.toml:"));
        assert!(is_shown, "{option}: {shown}");
    }
}
