//! `reconcile diff` with the ids of runs: the store says where their files are.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::postgres::Database;
use crate::support::{Bench, Run, id, ledger_of};

fn diff(bench: &Bench, arguments: &[&str]) -> Run {
    bench.run_exactly(&[&["diff"], arguments].concat(), &[])
}

#[track_caller]
fn as_json(bench: &Bench, arguments: &[&str]) -> Value {
    let run = diff(bench, &[arguments, &["--json"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// The message of a comparison that is refused.
#[track_caller]
fn refused(bench: &Bench, arguments: &[&str]) -> String {
    let run = diff(bench, arguments);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    run.stderr
}

/// Runs over these calls with the files in a folder of this name. Returns the run's id.
fn night(bench: &Bench, folder: &str, calls: std::ops::Range<usize>, store: &str) -> String {
    fs::create_dir_all(bench.path(folder)).unwrap();
    // A call that is named twice is a discrepancy.
    let twice = calls.clone().take(1);
    bench.write("calls.csv", &ledger_of(calls.chain(twice).map(id)));
    let out = format!("{folder}/details.parquet");
    bench.run(&["--out", &out, "--store", store]).exits(0);
    let summary = bench.summary_at(&format!("{folder}/details.summary.json"));
    summary.0["run_id"].as_str().unwrap().to_owned()
}

/// Two nights with files of their own. Returns their ids.
fn two_nights(bench: &Bench, store: &str) -> [String; 2] {
    [night(bench, "monday", 0..3, store), night(bench, "tuesday", 1..5, store)]
}

/// Ids, and their beginnings, give the same comparison as the paths of the summaries.
fn ids_stand_for_the_summaries(bench: &Bench, store: &str) {
    let [before, after] = two_nights(bench, store);
    let (monday, tuesday) = ("monday/details.summary.json", "tuesday/details.summary.json");
    let mut by_path = as_json(bench, &[monday, tuesday]);
    assert_eq!((by_path["new"]["rows"].as_u64(), by_path["resolved"]["rows"].as_u64()), (Some(1), Some(1)));
    for side in ["before", "after"] {
        let path = bench.path(by_path[side]["file"].as_str().unwrap()).display().to_string();
        by_path[side]["file"] = path.into();
    }
    let upper = after.to_ascii_uppercase();
    for [a, b] in [[&*before, &*after], [&before[..8], &after[..13]], [monday, &after], [&before, &upper]] {
        let mut by_id = as_json(bench, &[a, b, "--store", store]);
        if a == monday {
            by_id["before"]["file"] = by_path["before"]["file"].clone();
        }
        assert_eq!(by_id, by_path, "{a} {b}");
    }
}

#[test]
fn run_ids_stand_for_the_summaries_of_runs() {
    let bench = Bench::new("");
    ids_stand_for_the_summaries(&bench, "reconcile.db");
    // The store in the working directory is the default.
    let [before, after] = ["monday", "tuesday"].map(|folder| {
        bench.summary_at(&format!("{folder}/details.summary.json")).0["run_id"].as_str().unwrap().to_owned()
    });
    as_json(&bench, &[&before, &after]);
    let to = format!("{}/changes.csv", "tuesday");
    as_json(&bench, &[&before, &after, "--to", &to]);
    assert!(fs::read_to_string(bench.path(&to)).unwrap().starts_with("change,"));
    assert!(
        refused(&bench, &[&before, &after, "--to", "monday/details.discrepancies.csv"]).contains("compared")
    );
}

#[test]
fn run_ids_work_with_a_database() {
    let Some(database) = Database::create() else { return };
    ids_stand_for_the_summaries(&Bench::new(""), &database.url());
}

#[test]
fn overwritten_files_are_named_with_the_run_that_did_it() {
    let bench = Bench::new("");
    let [first, second] = [0..3, 1..5].map(|calls| night(&bench, "out", calls, "reconcile.db"));
    let said = refused(&bench, &[&first, &second]);
    let path = bench.path("out/details.summary.json").display().to_string();
    assert!(
        said.contains(&format!("run {second} has overwritten the files of run {first}: {path}")),
        "{said}"
    );
    assert!(said.contains("a folder of its own"), "{said}");
    // A summary that somebody put there is no run of the store.
    let other = bench.summary_at("out/details.summary.json").0;
    let mut other = other.as_object().unwrap().clone();
    other.insert("run_id".into(), "13812345678".into());
    fs::write(bench.path("out/details.summary.json"), serde_json::to_string_pretty(&other).unwrap()).unwrap();
    let said = refused(&bench, &[&second, &second]);
    assert!(said.contains("138****5678 has overwritten the files of run"), "{said}");
}

#[test]
fn a_run_whose_files_are_unknown_says_what_to_do() {
    let bench = Bench::new("");
    let [before, after] = two_nights(&bench, "reconcile.db");
    let execute =
        |sql: &str| Connection::open(bench.path("reconcile.db")).unwrap().execute_batch(sql).unwrap();
    let said = refused(&bench, &["c0ffee00", &after]);
    assert!(said.contains("there is no file c0ffee00, and the store reconcile.db knows no run"), "{said}");
    let said = refused(&bench, &[&before, &after, "--store", "other.db"]);
    assert!(said.contains("there is no store other.db"), "{said}");
    // Too short for an id: a missing file.
    assert!(refused(&bench, &[&before[..7], &after]).contains("give the summary of a run"));

    fs::rename(bench.path("monday"), bench.path("moved")).unwrap();
    let said = refused(&bench, &[&before, &after]);
    assert!(said.contains(&format!("the summary of run {before} is not at ")), "{said}");
    as_json(&bench, &["moved/details.summary.json", &after]);

    let figures = |figures: &str| {
        execute(&format!(
            "UPDATE run_figures SET figures = '{figures}' WHERE run_no = (SELECT run_no FROM run WHERE run_id = '{before}')"
        ));
    };
    figures(r#"{"summary": "s3://night/lake/runs/1/details.summary.json"}"#);
    assert!(refused(&bench, &[&before, &after]).contains("in object storage: s3://night/lake/runs/1/"));
    for unknown in ["{}", "{", r#"{"summary": 7}"#] {
        figures(unknown);
        assert!(refused(&bench, &[&before, &after]).contains("does not know where the files"), "{unknown}");
    }
    execute(&format!("UPDATE run SET ended_at = NULL, complete = NULL WHERE run_id = '{before}'"));
    assert!(refused(&bench, &[&before, &after]).contains("has not ended"));
    execute(&format!("UPDATE run SET run_id = '{}-copy' WHERE run_id = '{before}'", &after[..8]));
    let said = refused(&bench, &[&after[..8], &after]);
    assert!(said.contains("the ids of several runs begin with") && said.contains(&after), "{said}");
}

#[test]
fn a_file_is_never_taken_for_a_run_id() {
    let bench = Bench::new("");
    let [before, _] = two_nights(&bench, "reconcile.db");
    // This file is damaged, and it has the name of a run.
    bench.write(&before, "no discrepancies");
    let said = refused(&bench, &[&before, "tuesday/details.summary.json"]);
    assert!(!said.contains("store"), "{said}");
    fs::copy(bench.path("monday/details.discrepancies.csv"), bench.path(&before)).unwrap();
    let compared = as_json(&bench, &[&before, "tuesday/details.discrepancies.csv"]);
    assert_eq!(compared["before"]["run_id"], Value::Null);
}
