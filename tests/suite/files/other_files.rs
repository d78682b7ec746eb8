//! Other files of the run or of the user: no output replaces them.

use std::fs::File;
use std::process::Stdio;

use crate::support::{Bench, duckdb, ledger};

/// A bench with every file that a run reads.
fn bench() -> Bench {
    let bench = Bench::new(&ledger(2));
    bench.write("mask.key", "0123456789abcdef0123456789abcdef");
    bench.write("c.toml", "lang = \"en\"\n");
    bench.write("ca.pem", "no certificate");
    std::fs::create_dir(bench.path("home/.aliyun")).unwrap();
    bench.write("home/.aliyun/config.json", "{}");
    std::os::unix::fs::symlink("c.toml", bench.path("alias.csv")).unwrap();
    std::fs::hard_link(bench.path("mask.key"), bench.path("hard.csv")).unwrap();
    bench
}

fn contents(bench: &Bench) -> Vec<Vec<u8>> {
    let names = ["calls.csv", "mask.key", "c.toml", "ca.pem", "home/.aliyun/config.json"];
    names.iter().map(|name| std::fs::read(bench.path(name)).unwrap()).collect()
}

#[test]
fn no_output_overwrites_a_file_that_the_run_reads() {
    let bench = bench();
    let before = contents(&bench);
    let read = ["--config", "c.toml", "--mask-phones", "token", "--mask-key-file", "mask.key"];
    for (option, path, words) in [
        ("--summary", "mask.key", "the summary mask.key is the same file as the key of masked numbers"),
        ("--discrepancies", "hard.csv", "the key of masked numbers"),
        ("--report", "c.toml", "the report c.toml is the same file as the configuration file"),
        ("--discrepancies", "alias.csv", "the configuration file"),
        ("--out", "home/../calls.csv", "the ledger"),
        ("--sql", "./calls.csv", "the ledger"),
        ("--record", "calls.csv", "the ledger"),
        ("--metrics-file", "mask.key", "the key of masked numbers"),
        ("--store", "c.toml", "the configuration file"),
        ("--summary", "home/.aliyun/config.json", "a file of credentials"),
        ("--report", "ca.pem", "the file of certificates"),
    ] {
        let mut arguments = [&read[..], &[option, path]].concat();
        if path == "ca.pem" {
            arguments.extend(["--ca-file", "ca.pem"]);
        }
        bench.run(&arguments).exits(2).says("is the same file as").says(words).says("to do: ");
        assert_eq!(contents(&bench), before, "{option} {path}");
    }
    assert_eq!(bench.provider.seen(), 0);
    assert!(!bench.path("reconcile.db").exists());
}

#[test]
fn no_two_files_of_a_run_are_the_same() {
    let bench = bench();
    for arguments in [
        &["--metrics-file", "reconcile.db"][..],
        &["--metrics-file", "reconcile.db-wal"],
        &["--summary", "reconcile.db-shm"],
        &["--report", "home/../reconcile.db.lock"],
        &["--record", "reconcile.db-journal"],
        &["--record", "r.prom", "--metrics-file", "r.prom"],
        &["--metrics-file", "details.report.html"],
        &["--record", "details.parquet"],
        &["--summary", ".details.parquet.unfinished"],
        &["--record", ".r.prom.unfinished", "--metrics-file", "r.prom"],
        &["--report", "details.rejects.csv"],
        &["--sql", "details.summary.json"],
        &["--store", "details.parquet"],
    ] {
        bench.run(arguments).exits(2).says("is the same file as").says("to do: ");
        assert!(!bench.path("reconcile.db").exists(), "{arguments:?}");
    }
    // A leftover of that name would be removed.
    std::fs::copy(bench.path("calls.csv"), bench.path(".details.parquet.unfinished")).unwrap();
    bench.run(&["--input", ".details.parquet.unfinished"]).exits(2).says("the temporary file of the details");
    assert!(bench.path(".details.parquet.unfinished").exists());
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn the_ledger_on_standard_input_is_not_overwritten() {
    let bench = bench();
    let before = contents(&bench);
    let command = bench.command(&["--input", "-", "--summary", "calls.csv"]);
    let input = Stdio::from(File::open(bench.path("calls.csv")).unwrap());
    bench.start_reading(command, input).wait().exits(2).says("the file of standard input");
    assert_eq!(contents(&bench), before);
}

#[test]
fn nothing_else_may_be_in_the_folder_of_days() {
    let bench = bench();
    let day = "days/call_date=2026-01-01";
    std::fs::create_dir_all(bench.path(day)).unwrap();
    let ledger = format!("{day}/calls.csv");
    std::fs::copy(bench.path("calls.csv"), bench.path(&ledger)).unwrap();
    let run = |arguments: &[&str]| {
        bench.run(&[&["--out", "days", "--partition-by", "call_date"], arguments].concat())
    };
    let words = "is in the details folder";
    run(&["--input", &ledger]).exits(2).says("the ledger").says(words);
    run(&["--store", &format!("{day}/r.db")]).exits(2).says("the store").says(words);
    run(&["--metrics-file", &format!("{day}/r.prom")]).exits(2).says("the metrics file").says(words);
    run(&["--summary", "home/../days/s.json"]).exits(2).says("the summary").says(words);
    assert!(bench.path(&ledger).exists());
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn an_unrelated_rejects_file_is_left_alone() {
    let bench = Bench::new(&ledger(2));
    bench.write("details.rejects.csv", "name,amount\nx,1\n");
    bench.run(&[]).exits(0).says("details.rejects.csv").says("left as it is");
    // With unusable rows it would be replaced.
    bench.write("calls.csv", &(ledger(3) + "x,11000000300006,soon\n"));
    bench.run(&[]).exits(2).says("details.rejects.csv").says("is no list of rejects").says("move it away");
    bench.run_exactly(&["plan", "-i", "calls.csv", "-o", "details.parquet"], &[]).exits(2).says("move it");
    assert_eq!(std::fs::read_to_string(bench.path("details.rejects.csv")).unwrap(), "name,amount\nx,1\n");
    assert_eq!(bench.provider.seen(), 2);

    std::fs::remove_file(bench.path("details.rejects.csv")).unwrap();
    bench.run(&[]).exits(0);
    assert!(bench.path("details.rejects.csv").exists());
    bench.write("calls.csv", &ledger(3));
    bench.run(&[]).exits(0);
    assert!(!bench.path("details.rejects.csv").exists(), "its own file is removed");
}

#[test]
fn a_control_character_in_a_name_is_refused() {
    let bench = Bench::new(&ledger(2));
    for name in ["a\n.shell echo x\n.parquet", "a\u{1b}[2J.parquet", "a\r.parquet"] {
        let run = bench.run(&["--sql", "--out", name]).exits(2).says("has a control character in its name");
        assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains("\n.shell"), "{}", run.stderr);
    }
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn signs_in_names_are_right_in_the_views() {
    let bench = Bench::new(&ledger(2));
    for name in ["it's; DROP--.parquet", "{{discrepancies}} {{self}}.parquet", "a[1]*?].parquet"] {
        bench.run(&["--sql", "v.sql", "--out", name]).exits(0);
        let query = "SELECT count(*) FROM details";
        let printed = duckdb::query(&bench.path("."), &["-csv", "-noheader", "-init", "v.sql"], query);
        assert_eq!(printed.trim(), "2", "{name}");
    }
}

#[test]
fn words_of_yes_and_no_are_no_path_of_the_views() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--sql=false"]).exits(0);
    assert!(!bench.path("false").exists() && !bench.path("details.sql").exists());
    bench.write("c.toml", "sql = true\n");
    bench.run(&["--config", "c.toml", "--sql=false"]).exits(0);
    assert!(!bench.path("details.sql").exists());
    for word in ["no", "0", "off", "YES"] {
        bench.run(&[&format!("--sql={word}")]).exits(2).says("--sql needs a path, true or false");
    }
    bench.run(&["--config", "c.toml"]).exits(0);
    assert!(bench.path("details.sql").exists());
}
