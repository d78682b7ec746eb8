//! `reconcile diff`: two nights of one ledger, in every form of the discrepancy file.

use std::fs;

use serde_json::{Value, json};

use crate::support::provider::Reply;
use crate::support::{Bench, Row, Run, cell, column, id, read_csv};

const HEADER: &str = "call_id,prod_id,called_at,callee,duration,note\n";

/// A row of the i-th call: callee, talk time and note.
fn row(i: usize, rest: &str) -> String {
    format!("{},11000000300006,2024-05-26 10:00:00,{rest}\n", id(i))
}

/// A bench whose provider gives every call 30 seconds of talk time.
fn bench() -> Bench {
    let bench = Bench::new(HEADER);
    bench.provider.by_default(Reply::ok(&json!({
        "callee": "13812345678", "gmtCreate": "2024-05-26 10:00:00", "startDate": "2024-05-26 10:00:08",
        "endDate": "2024-05-26 10:00:38", "duration": 30, "state": "200000"
    })));
    bench
}

/// Runs the job over these rows; its files begin with `name`.
fn night(bench: &Bench, name: &str, rows: &[String], more: &[&str]) {
    bench.write("calls.csv", &(HEADER.to_owned() + &rows.concat()));
    let out = format!("{name}.parquet");
    bench.run(&[&["--out", &out, "--max-unusable", "9"], more].concat()).exits(0);
}

fn diff(bench: &Bench, arguments: &[&str]) -> Run {
    bench.run_exactly(&[&["diff"], arguments].concat(), &[])
}

#[track_caller]
fn as_json(bench: &Bench, arguments: &[&str]) -> Value {
    let run = diff(bench, &[arguments, &["--json"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Rows with a change: before, after.
fn rows(counts: &Value, change: &str) -> [u64; 3] {
    ["rows", "seconds_before", "seconds_after"].map(|key| counts[change][key].as_u64().unwrap())
}

/// The rows of each change: new, resolved, changed, unchanged.
fn rows_of(counts: &Value) -> [u64; 4] {
    ["new", "resolved", "changed", "unchanged"].map(|change| rows(counts, change)[0])
}

/// The first night: two wrong talk times, a call named twice, and two unusable rows.
fn first_night() -> Vec<String> {
    vec![
        row(0, "13812345678,31,a"),
        row(1, "13812345678,35,b"),
        row(2, "13812345678,30,c"),
        row(3, "13812345678,39,d"),
        row(2, "13812345678,30,later"),
        row(4, "13812345678,soon,e"),
        ",11000000300006,2024-05-26 10:00:00,,7,no id\n".to_owned(),
    ]
}

/// The second night. The first call is as before, the second has another talk time, the third is
/// wrong now, the fourth is right. One unusable row has moved, the other is right.
fn second_night() -> Vec<String> {
    vec![
        ",11000000300006,2024-05-26 10:00:00,,7,no id\n".to_owned(),
        row(0, "13812345678,31,a"),
        row(1, "13812345678,40,b"),
        row(2, "13812345670,75,c"),
        row(3, "13812345678,30,d"),
        row(2, "13812345670,75,later"),
        row(4, "13812345678,30,e"),
    ]
}

/// Every row of the changes, as change, line before, line after, kind, field, values.
fn changes(bench: &Bench, name: &str) -> Vec<[String; 8]> {
    let columns = [
        "change",
        "ledger_line_before",
        "ledger_line_after",
        "kind",
        "field",
        "expected_before",
        "expected_after",
        "seconds_at_stake_after",
    ];
    let of = |row: &Row| columns.map(|column| cell(row, column).to_owned());
    read_csv(&bench.path(name)).iter().map(of).collect()
}

#[test]
fn two_nights_compare_alike_in_every_form_of_their_files() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    let forms = ["csv", "jsonl", "parquet", "xlsx"];
    for form in forms {
        let (name, file) = (format!("b-{form}"), format!("b-{form}.{form}"));
        // A name of its own: the details are Parquet, too.
        let file = if form == "parquet" { "b-rows.parquet".to_owned() } else { file };
        night(&bench, &name, &second_night(), &["--discrepancies", &file]);
        let (summary, to) = (format!("{name}.summary.json"), format!("{form}.changes.csv"));
        let found = as_json(&bench, &["a.summary.json", &summary, "--to", &to]);
        assert_eq!(rows(&found, "new"), [2, 0, 45], "{form}");
        assert_eq!(rows(&found, "resolved"), [2, 9, 0], "{form}");
        assert_eq!(rows(&found, "changed"), [1, 5, 10], "{form}");
        assert_eq!(rows(&found, "unchanged"), [3, 31, 76], "{form}");
        let alone = as_json(&bench, &["a.discrepancies.csv", &file]);
        assert_eq!(alone["by_kind_and_field"], found["by_kind_and_field"], "{form}");
        assert_eq!(alone["headline"], Value::Null);
    }
    let found = changes(&bench, "csv.changes.csv");
    let wanted = [
        ["changed", "3", "4", "mismatch", "duration_s", "35", "40", "10"],
        ["new", "", "5", "mismatch", "callee", "", "13812345670", "0"],
        ["new", "", "5", "mismatch", "duration_s", "", "75", "45"],
        ["resolved", "5", "", "mismatch", "duration_s", "39", "", ""],
        ["resolved", "7", "", "invalid_row", "duration_s", "whole seconds", "", ""],
    ];
    assert_eq!(found, wanted.map(|row| row.map(str::to_owned)));
    let carried = column(&read_csv(&bench.path("csv.changes.csv")), "ledger_note").join(",");
    assert_eq!(carried, "b,c,c,d,e");
    // JSON lines have their keys in another order, so the rows are compared, not the bytes.
    let csv = read_csv(&bench.path("csv.changes.csv"));
    for form in forms {
        assert_eq!(read_csv(&bench.path(&format!("{form}.changes.csv"))), csv, "{form}");
    }
}

#[test]
fn summaries_add_headline_tie_out_and_largest_new() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    night(&bench, "b", &second_night(), &[]);
    let found = as_json(&bench, &["a.summary.json", "b.summary.json"]);
    let number = |list: &str, name: &str| {
        let number = found[list].as_array().unwrap().iter().find(|number| number["name"] == name).unwrap();
        [&number["before"], &number["after"]].map(|n| n.as_u64().unwrap())
    };
    let (a, b) = (bench.summary_at("a.summary.json"), bench.summary_at("b.summary.json"));
    for name in ["agree", "differ", "missing", "unusable_rows"] {
        let wanted = [&a, &b].map(|summary| summary.0["headline"][name].as_u64().unwrap());
        assert_eq!(number("headline", name), wanted, "{name}");
    }
    assert_eq!(number("headline", "unusable_rows"), [2, 1]);
    assert_eq!(number("tie_out", "discrepancies_total"), [6, 6]);
    let largest = found["largest_new"].as_array().unwrap();
    let wanted = json!({
        "ledger_line": 5, "call_id": id(2), "kind": "mismatch", "field": "duration_s", "expected": "75", "actual": "30",
        "delta": -45, "seconds_at_stake": 45, "message": "duration_s differs"
    });
    assert_eq!(largest[0], wanted);
    assert_eq!((&largest[1]["field"], &largest[1]["expected"]), (&json!("callee"), &json!("138****5670")));
    assert_eq!(found["notes"][0], "the ledgers differ: calls.csv in A, calls.csv in B");
    let words = diff(&bench, &["a.summary.json", "b.summary.json"]);
    for wanted in [
        "new        2, at stake 45 s",
        "resolved   2, at stake 9 s",
        "changed    1, at stake 5 -> 10 s",
        "unusable_rows  2 -> 1",
        "expected 138****5670, actual 138****5678",
    ] {
        assert!(words.stdout.contains(wanted), "{wanted}: {}", words.stdout);
    }
    assert!(!words.stdout.contains("13812345"), "{}", words.stdout);
}

#[test]
fn the_exit_code_tells_whether_anything_is_worse() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    night(&bench, "b", &second_night(), &[]);
    // Only resolved ones.
    night(&bench, "c", &second_night()[1..3], &[]);
    for (two, code) in [(["a", "b"], 1), (["a", "a"], 0), (["b", "c"], 0), (["c", "b"], 1)] {
        let files = two.map(|name| format!("{name}.summary.json"));
        let run = diff(&bench, &[&files[0], &files[1], "--exit-code"]);
        assert_eq!(run.code, Some(code), "{two:?}: {}", run.stdout);
        let run = diff(&bench, &[&files[0], &files[1]]);
        assert_eq!(run.code, Some(0), "{two:?}");
    }
}

#[test]
fn a_duplicate_that_disappears_leaves_the_others_unchanged() {
    let bench = bench();
    let with = |talk_times: &[u32]| -> Vec<String> {
        let later = talk_times.iter().map(|s| row(0, &format!("13812345678,{s},x")));
        std::iter::once(row(0, "13812345678,30,x")).chain(later).collect()
    };
    night(&bench, "a", &with(&[41, 42, 43, 43]), &[]);
    night(&bench, "b", &with(&[42, 43, 44]), &["--discrepancies", "b.jsonl"]);
    let found = as_json(&bench, &["a.discrepancies.csv", "b.jsonl", "--to", "c.csv"]);
    assert_eq!(rows_of(&found), [0, 1, 1, 2]);
    let found = changes(&bench, "c.csv");
    assert_eq!(found[0][..3], ["changed", "3", "5"]);
    assert_eq!(found[1][..3], ["resolved", "6", ""]);
}

#[test]
fn runs_that_are_hard_to_compare_are_noted() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    night(&bench, "masked", &first_night(), &["--mask-phones", "partial"]);
    bench.write("calls.csv", &(HEADER.to_owned() + &row(9, ",,")));
    bench.run(&["--offline", "--out", "open.parquet"]).exits(4);
    bench.run(&["--sandbox", "--out", "simulated.parquet", "--store", "s.db"]).exits(0);
    let notes = |one: &str, other: &str| {
        let files = [one, other].map(|name| format!("{name}.summary.json"));
        as_json(&bench, &[&files[0], &files[1]])["notes"].to_string()
    };
    night(&bench, "named", &first_night(), &["--account", "north", "--store", "n.db"]);
    night(&bench, "column", &first_night(), &["--map", "account=note"]);
    for (one, other, words) in [
        ("a", "named", "the accounts differ: none in A, north in B"),
        ("column", "a", "only A has a column `account`"),
        ("a", "a", "A and B are the same run"),
        ("a", "masked", "phone numbers are masked in different ways (none in A, partial in B)"),
        ("a", "open", "B is incomplete: "),
        ("open", "simulated", "A has real answers, B simulated ones"),
        ("a", "simulated", "the ledgers differ"),
    ] {
        assert!(notes(one, other).contains(words), "{words}: {}", notes(one, other));
    }
    assert_eq!(notes("a", "masked").matches("differ").count(), 1, "nothing else differs");
    let alone = as_json(&bench, &["a.summary.json", "masked.discrepancies.csv"])["notes"].to_string();
    assert!(alone.contains("only A has a summary"), "{alone}");
    let mut summary = bench.summary_at("a.summary.json").0;
    summary["version"] = json!("9.9.9");
    summary["started_at"] = json!("2020-01-01T00:00:00Z");
    bench.write("old.summary.json", &serde_json::to_string_pretty(&summary).unwrap());
    let old = notes("a", "old");
    assert!(old.contains("9.9.9 wrote B") && old.contains("B is older than A"), "{old}");
}

#[test]
fn files_that_are_none_of_a_run_are_refused() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    night(&bench, "b", &second_night(), &[]);
    let refused = |one: &str, words: &str| {
        let run = diff(&bench, &[one, "b.summary.json", "--to", "changes.csv"]);
        assert_eq!(run.code, Some(2), "{one}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(words), "{one}: {}", run.stderr);
        assert!(run.stderr.contains("to do:"), "{one}: {}", run.stderr);
        assert!(!bench.path("changes.csv").exists(), "{one}");
    };
    refused("nothing.csv", "there is no file nothing.csv");
    refused("a.parquet", "a.parquet is no discrepancy file: it has no column `kind`");
    refused("a.rejects.csv", "a.rejects.csv is no discrepancy file: it has no column `ledger_line`");
    refused("a.report.html", "cannot read a.report.html");
    refused(".", "cannot read .");
    bench.write("empty.csv", "");
    refused("empty.csv", "empty.csv is no discrepancy file");
    let mut summary = bench.summary_at("a.summary.json").0;
    let write = |name: &str, summary: &Value| {
        bench.write(name, &serde_json::to_string_pretty(summary).unwrap());
    };
    let text = fs::read_to_string(bench.path("a.discrepancies.csv")).unwrap();
    bench.write("a.discrepancies.csv", &text.replacen(",35,", ",36,", 1));
    refused("a.summary.json", "a.discrepancies.csv has changed since the run");
    as_json(&bench, &["a.discrepancies.csv", "b.summary.json"]);
    bench.write("half.csv", &text[..text.len() - 40]);
    refused("half.csv", "half.csv is no whole table: its row on line 7");
    bench.write("lost.csv", &text.replace(",11000000300006,", ",1.1E+13,"));
    refused("lost.csv", "names no kind, or no call");
    fs::remove_file(bench.path("a.discrepancies.csv")).unwrap();
    refused("a.summary.json", "a.discrepancies.csv is missing, which the summary a.summary.json names");
    summary["schema_version"] = json!("2");
    write("later.json", &summary);
    refused("later.json", "have another schema: `2` instead of `1`");
    summary["program"] = json!("other");
    write("other.json", &summary);
    refused("other.json", "other.json is no summary");
    bench.write("no.json", "[1");
    refused("no.json", "it is no JSON");
    for (to, words) in
        [("nowhere/x.csv", "create its folder"), ("home", "it is a folder"), ("/dev/full", "it is")]
    {
        let run = diff(&bench, &["b.summary.json", "b.summary.json", "--to", to]);
        assert!(run.code == Some(2) && run.stderr.contains(words), "{to}: {}", run.stderr);
    }
    for own in ["b.summary.json", "b.discrepancies.csv"] {
        let before = fs::read(bench.path(own)).unwrap();
        let run = diff(&bench, &["b.summary.json", "b.summary.json", "--to", own]);
        assert_eq!((run.code, fs::read(bench.path(own)).unwrap() == before), (Some(2), true));
    }
}

#[test]
fn a_guarded_file_is_compared_and_gives_a_guarded_one() {
    let bench = bench();
    let formula = |note: &str| vec![row(0, &format!("13812345678,31,{note}")), row(1, "13812345678,31,x")];
    night(&bench, "a", &formula("=1+1"), &[]);
    night(&bench, "b", &formula("=1+1"), &["--csv-guard"]);
    let found = as_json(&bench, &["a.summary.json", "b.summary.json", "--to", "same.csv"]);
    assert_eq!(rows(&found, "unchanged"), [2, 2, 2]);
    night(&bench, "c", &[row(0, "13812345678,32,=1+1")], &["--csv-guard"]);
    for (one, other, note) in [("a", "c", "'=1+1"), ("a", "b", ""), ("c", "c", "")] {
        let files = [one, other].map(|name| format!("{name}.summary.json"));
        as_json(&bench, &[&files[0], &files[1], "--to", "changes.csv"]);
        let changes = read_csv(&bench.path("changes.csv"));
        assert_eq!(changes.first().map_or("", |row| cell(row, "ledger_note")), note);
    }
}

#[test]
fn a_workbook_continues_on_its_next_sheets() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    let text = fs::read_to_string(bench.path("a.discrepancies.csv")).unwrap();
    let records = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).into_records();
    let rows: Vec<Vec<String>> =
        records.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let (header, rows) = rows.split_first().unwrap();
    let write = |name: &str, next_header: &[String]| {
        let mut book = rust_xlsxwriter::Workbook::new();
        book.add_worksheet().set_name("Night").unwrap();
        for (at, rows) in rows.chunks(rows.len().div_ceil(3)).enumerate() {
            let sheet = book.add_worksheet();
            sheet.set_name(if at == 0 { "all".to_owned() } else { format!("all ({})", at + 1) }).unwrap();
            let header = if at == 0 { header } else { next_header };
            let lines = std::iter::once(header).chain(rows.iter().map(Vec::as_slice));
            for (row, texts) in (0..).zip(lines) {
                for (column, text) in (0..).zip(texts).filter(|(_, text)| !text.is_empty()) {
                    sheet.write_string(row, column, text).unwrap();
                }
            }
        }
        book.save(bench.path(name)).unwrap();
    };
    write("three.xlsx", header);
    let found = as_json(&bench, &["a.summary.json", "three.xlsx", "--to", "changes.csv"]);
    assert_eq!(rows_of(&found), [0, 0, 0, rows.len() as u64]);
    write("mixed.xlsx", &header[1..]);
    let run = diff(&bench, &["a.summary.json", "mixed.xlsx"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("its sheets have different columns"), "{}", run.stderr);
}

#[test]
fn a_night_without_discrepancies_resolves_all_of_them() {
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    for form in ["csv", "jsonl", "xlsx", "parquet"] {
        let file = format!("clean-rows.{form}");
        night(&bench, "clean", &[row(0, "13812345678,30,a")], &["--discrepancies", &file]);
        let found = as_json(&bench, &["a.summary.json", "clean.summary.json"]);
        let wanted = bench.summary_at("a.summary.json").number("discrepancies_total");
        assert_eq!(rows(&found, "resolved")[0], wanted, "{form}");
        assert_eq!(rows(&as_json(&bench, &["clean.summary.json", "a.summary.json"]), "new")[0], wanted);
    }
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let bench = bench();
    let mut random = fastrand::Rng::with_seed(11);
    night(&bench, "b", &second_night(), &[]);
    for form in ["csv", "jsonl", "parquet", "xlsx"] {
        let file = format!("rows.{form}");
        night(&bench, "a", &first_night(), &["--discrepancies", &file]);
        let whole = fs::read(bench.path(&file)).unwrap();
        for _ in 0..12 {
            let mut bytes = whole.clone();
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes[at] ^= 1 << random.u8(..8),
                1 => bytes.truncate(at),
                _ => drop(bytes.drain(at..bytes.len().min(at + 9))),
            }
            fs::write(bench.path(&file), bytes).unwrap();
            let run = diff(&bench, &[&file, "b.discrepancies.csv"]);
            assert!(matches!(run.code, Some(0 | 2)), "{form}: {:?} {}", run.code, run.stderr);
            assert!(!run.stderr.contains("bug"), "{form}: {}", run.stderr);
            let run = diff(&bench, &["a.summary.json", "b.summary.json"]);
            assert_eq!(run.code, Some(2), "{form}: {}", run.stderr);
            assert!(run.stderr.contains("has changed") || run.stderr.contains(&file), "{}", run.stderr);
        }
    }
}

/// Peak memory in MiB of a comparison of two files with a million rows each.
#[test]
#[ignore = "two million rows take more than a minute without optimization"]
#[cfg(target_os = "linux")]
fn a_million_rows_a_side_take_under_128_mb() {
    use std::io::Write as _;

    const ROWS: u64 = 1_000_000;
    let bench = bench();
    night(&bench, "a", &first_night(), &[]);
    let text = fs::read_to_string(bench.path("a.discrepancies.csv")).unwrap();
    let header = text.lines().next().unwrap();
    for (name, shift) in [("one.csv", 0), ("two.csv", ROWS / 10)] {
        let mut file = std::io::BufWriter::new(fs::File::create(bench.path(name)).unwrap());
        writeln!(file, "{header}").unwrap();
        for line in 0..ROWS {
            // A tenth is new, a tenth resolved, a ninth of the rest changed.
            let call = line + shift;
            let expected = if call % 9 == 0 { 40 + shift / (ROWS / 10) } else { 31 };
            writeln!(
                file,
                "{call:012}^102816313060,{},mismatch,duration_s,{expected},30,{},duration_s differs,2024-05-26,\
                 11000000300006,found,voice-notification,13812345678,2024-05-26 10:00:00+08:00,{},note {call}",
                line + 2,
                30_i64 - i64::try_from(expected).unwrap(),
                expected - 30
            )
            .unwrap();
        }
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(["diff", "one.csv", "two.csv", "--to", "changes.csv", "--json"]);
    command.current_dir(bench.path("")).env_clear();
    let running = bench.start_command(command);
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while let Ok(text) = fs::read_to_string(&status) {
        let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
        peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    let run = running.wait_at_most(std::time::Duration::from_secs(300));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    let count = |change: &str| rows(&found, change)[0];
    assert_eq!((count("new"), count("resolved")), (ROWS / 10, ROWS / 10));
    assert_eq!(count("changed") + count("unchanged"), ROWS * 9 / 10);
    assert_eq!(count("changed"), ROWS / 10);
    let lines = read_csv(&bench.path("changes.csv")).len() as u64;
    assert_eq!(lines, ROWS * 3 / 10);
    assert!(peak > 0 && peak * 1_024 < 128_000_000, "{} MB", peak * 1_024 / 1_000_000);
}
