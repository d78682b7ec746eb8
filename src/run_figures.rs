//! The figures of a run as the store keeps them, in JSON: its numbers for the trend, and where its
//! summary is.
//!
//! A reader ignores unknown keys, and a missing key is an unknown value. So other versions of the
//! program can read each other's figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::StoredRun;
use reconcile_core::calendar::day_of;
use reconcile_core::trend::{Night, NightFigures};

/// Longest name of a ledger in the name of a series, in characters.
const MAX_NAME: usize = 100;

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeptFigures {
    /// The day of the first run over its ledger, in UTC+8.
    pub(crate) day: Option<NaiveDate>,
    /// The absolute path or the URL of its summary; `None` if it is not known.
    pub(crate) summary: Option<String>,
    #[serde(flatten)]
    pub(crate) night: NightFigures,
}

impl KeptFigures {
    /// The figures as JSON.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written as JSON, which is a bug.
    pub(crate) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::bug("cannot note the figures of the run").because(e))
    }

    /// The figures of a stored run; `None` if they are missing or cannot be read.
    pub(crate) fn of(run: &StoredRun) -> Option<Self> {
        serde_json::from_str(run.figures.as_ref()?).ok()
    }
}

/// The series of a ledger, by its first file. Ledgers whose names differ only in digits are of one
/// series, if the same account is asked: `calls-2026-11-25.csv` and `calls-2026-11-26.csv`.
pub(crate) fn series(ledger: &[PathBuf], account: Option<&str>) -> String {
    let first = ledger.first().map_or(Path::new(""), PathBuf::as_path);
    let name = first.file_name().unwrap_or(first.as_os_str()).to_string_lossy();
    let name: String = name.chars().filter(|c| !c.is_numeric()).take(MAX_NAME).collect();
    account.map_or_else(|| name.clone(), |account| format!("{account}: {name}"))
}

/// The nights of these runs, which come newest first. A day has one night: its newest run, with the
/// duration of its longest. So a run that publishes stored answers again changes no duration.
pub(crate) fn nights(runs: &[StoredRun]) -> Vec<Night> {
    let mut nights: BTreeMap<NaiveDate, Night> = BTreeMap::new();
    for run in runs {
        let Some(kept) = KeptFigures::of(run) else { continue };
        let day = kept.day.unwrap_or_else(|| day_of(run.started_at));
        let night = nights.entry(day).or_insert_with(|| Night {
            day,
            run_id: run.run_id.clone(),
            is_complete: run.complete.unwrap_or_default(),
            figures: kept.night,
        });
        night.figures.duration_s = night.figures.duration_s.max(kept.night.duration_s);
    }
    nights.into_values().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn run(id: &str, complete: bool, figures: &str) -> StoredRun {
        let started_at = "2026-11-25T16:30:00Z".parse().unwrap();
        let figures = Some(figures.to_owned());
        StoredRun { run_id: id.into(), started_at, complete: Some(complete), figures }
    }

    #[test]
    fn ledgers_whose_names_differ_in_digits_are_one_series() {
        let of = |ledger: &str| series(&[PathBuf::from(ledger)], None);
        assert_eq!(of("in/calls-2026-11-25.csv"), "calls---.csv");
        assert_eq!(of("in/calls-2026-11-25.csv"), of("s3://b/x/calls-2026-11-26.csv"));
        assert_eq!(of("/a/话单１１月.csv"), "话单月.csv");
        assert_eq!((of("-").as_str(), of("13812345678").as_str()), ("-", ""));
        assert_ne!(of("calls.csv"), of("bills.csv"));
        assert_eq!(series(&[PathBuf::from("calls.csv")], Some("shop1")), "shop1: calls.csv");
        assert!(of(&"长".repeat(9_000)).chars().count() <= MAX_NAME);
    }

    #[test]
    fn a_day_has_its_newest_run_and_its_longest_duration() {
        let runs = [
            run("newest", false, r#"{"day": "2026-11-24", "calls": 9, "duration_s": 2}"#),
            run("damaged", true, "{"),
            run("other", true, r#"{"calls": 5}"#),
            run("older", true, r#"{"day": "2026-11-24", "calls": 8, "missing": 3, "duration_s": 700}"#),
        ];
        let nights = nights(&runs);
        let seen: Vec<_> =
            nights.iter().map(|night| (night.day.to_string(), night.run_id.as_str())).collect();
        // 16:30 in UTC is the next day in UTC+8.
        assert_eq!(seen, [("2026-11-24".to_owned(), "newest"), ("2026-11-26".to_owned(), "other")]);
        let figures = nights[0].figures;
        assert_eq!((figures.calls, figures.missing, figures.duration_s), (Some(9), None, Some(700)));
        assert!(!nights[0].is_complete && nights[1].is_complete);
    }

    #[test]
    fn kept_figures_are_read_as_they_were_written_and_small() {
        let all = Some(u64::MAX);
        let night = NightFigures {
            calls: all,
            agree: all,
            differ: all,
            not_compared: all,
            missing: all,
            waiting: all,
            failed: all,
            unusable_rows: all,
            at_stake_s: all,
            duration_s: all,
            requests: all,
        };
        let (day, summary) = (NaiveDate::from_ymd_opt(2026, 11, 26), Some("/out/对账.summary.json".into()));
        let kept = KeptFigures { day, summary, night };
        let json = kept.to_json().unwrap();
        assert!(json.len() < 1_000, "{json}");
        assert_eq!(KeptFigures::of(&run("r", true, &json)), Some(kept));
        let unknown = KeptFigures::of(&run("r", true, r#"{"later": {}, "calls": 3}"#)).unwrap();
        assert_eq!((unknown.day, unknown.night.calls), (None, Some(3)));
    }
}
