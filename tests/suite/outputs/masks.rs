//! Masked runs: no file or message holds a full number of the ledger or a secret. The ledger has
//! numbers in every spelling and column, and a scan reads all that a run writes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::keys::mode;
use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Row, SECRET, cell, column, id, parquet_metadata, read_parquet};

/// Numbers of ledger and provider as digits: mobile, landline, without area code, and short.
const NUMBERS: [&str; 6] =
    ["13912345678", "13712344321", "057188886666", "88887777", "13600001111", "15512340987"];
const KEY: &str = "a secret key of the night";

/// A ledger with numbers in every spelling: in their columns, in carried columns, in place of a
/// CallId, and in invalid or duplicate rows.
fn planted() -> Bench {
    let row = |i: usize, caller: &str, callee: &str, shown: &str, note: &str| {
        format!("{},11000000300006,2024-05-26,{caller},{callee},{shown},7,{note}\n", id(i))
    };
    let header = "call_id,prod_id,called_at,caller,callee,callee_show_number,duration_s,note\n";
    let rows = [
        row(0, "13912345678", "+86 137-1234-4321", "0571-88886666", "asked for 139 1234 5678 twice"),
        row(1, "0086-13912345678", "8613712344321", "0571 8888 6666", "13912345678"),
        row(2, "139\u{3000}1234\u{a0}5678", "１３７１２３４４３２１", "88887777", "8888-7777/ext. 3"),
        row(3, "139-1234-5678", "137 1234 4321", "057188886666", "id20240526139123456780571"),
        row(4, "", "", "", "someone else's (0571)88886666 and 137.1234.4321 or +8613600001111"),
        row(0, "13600001111", "13712344321", "057188886666", "later: 1-3-6-0-0-0-0-1-1-1-1"),
        "13912345678,11000000300006,2024-05-26,,,,,the wrong column\n".to_owned(),
        ",11000000300006,2024-05-26,13912345678,13712344321,,,no id 13912345678\n".to_owned(),
        format!("{},11000000300006,13712344321,,,,,its time is a number\n", id(6)),
        row(7, "13912345678", "13712344321", "", "failed"),
        row(8, "13912345678", "13712344321", "", "malformed"),
    ];
    let bench = Bench::new(&format!("{header}{}", rows.concat()));
    let mut other = detail(&id(0));
    other["caller"] = "15512340987".into();
    other["callee"] = 13_712_344_321_u64.into();
    other["stateDesc"] = "called 155-1234-0987 back".into();
    bench.provider.script(&id(0), [Reply::ok(&other)]);
    bench.provider.script(
        &id(7),
        [Reply::code(400, "isv.BUSINESS_LIMIT", "callee 137 1234 4321 of caller 13912345678 is limited")],
    );
    bench.provider.script(&id(8), [Reply::data("{\"callee\":\"137\\u00312344321 13712344321")]);
    bench.write("mask.key", KEY);
    bench
}

/// Collects every file below a folder except the store, the ledger and the key.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            files(&path, found);
        } else if !name.starts_with("reconcile.") && !["calls.csv", "mask.key"].contains(&name) {
            found.push(path);
        }
    }
}

/// The text with full-width digits as ASCII.
fn with_ascii_digits(text: &str) -> String {
    let ascii = |c: char| match c {
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap(),
        _ => c,
    };
    text.chars().map(ascii).collect()
}

/// Asserts that the text holds no secret and no number, even with separators between its digits.
#[track_caller]
fn assert_hidden(text: &str, place: &str) {
    let text = with_ascii_digits(text);
    for secret in [SECRET, KEY, "Signature=", "SignatureNonce"] {
        assert!(!text.contains(secret), "{place}: {secret}");
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    for number in NUMBERS {
        assert!(!digits.contains(number), "{place}: {number} in {text}");
    }
}

/// Scans the bytes of all files, and the values in compressed files.
fn scan(bench: &Bench) {
    let mut found = Vec::new();
    files(&bench.path(""), &mut found);
    assert!(found.len() >= 6, "{found:?}");
    for path in found {
        let place = path.display().to_string();
        let bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            for row in read_parquet(&path) {
                row.iter().for_each(|(column, value)| assert_hidden(value, &format!("{place}, {column}")));
            }
            parquet_metadata(&path).values().for_each(|value| assert_hidden(value, &place));
            for number in NUMBERS {
                assert!(!bytes.windows(number.len()).any(|w| w == number.as_bytes()), "{place}: {number}");
            }
        } else {
            // Each value is checked alone: digits of neighbouring values form no number.
            String::from_utf8_lossy(&bytes).lines().for_each(|line| {
                line.split([',', '<', '>', '"']).for_each(|value| assert_hidden(value, &place));
            });
        }
    }
}

#[test]
fn a_masked_run_writes_no_full_number_and_no_secret() {
    for arguments in
        [&["--mask-phones", "partial"][..], &["--mask-phones", "token", "--mask-key-file", "mask.key"]]
    {
        let bench = planted();
        for discrepancies in ["d.csv", "d.parquet", "d.jsonl"] {
            let given = [arguments, &["--discrepancies", discrepancies, "-v"][..]].concat();
            let run = bench.run(&given).exits(0).keeps_secrets(&bench.provider);
            assert_hidden(&run.stderr, "standard error");
        }
        scan(&bench);
        let details = bench.details();
        assert!(details.iter().all(|row| !row.contains_key("raw")), "raw is left out");
        assert_eq!(details.len(), 8);
        bench.summary().assert_totals();
    }
}

#[test]
fn the_scan_finds_numbers_in_a_run_without_masking() {
    let bench = planted();
    bench.run(&["--mask-phones", "none"]).exits(0);
    let scanned = std::panic::catch_unwind(|| scan(&bench));
    assert!(scanned.is_err(), "the scan finds no number in a run without masking");
    assert!(bench.details().iter().any(|row| cell(row, "callee") == "13712344321"));
}

#[test]
fn partial_keeps_the_first_three_digits_and_the_last_four() {
    let bench = planted();
    bench.run(&["--mask-phones", "partial"]).exits(0);
    let first = &bench.details()[0];
    assert_eq!((cell(first, "caller"), cell(first, "callee")), ("155****0987", "137****4321"));
    assert_eq!(cell(first, "call_id"), id(0), "a CallId is no number");
    assert_eq!(cell(first, "state_desc"), "called 155****0987 back");
    assert_eq!(cell(first, "ledger_note"), "asked for 139****5678 twice");
    let rows = bench.discrepancies();
    let caller = rows.iter().find(|row| cell(row, "field") == "caller").unwrap();
    assert_eq!((cell(caller, "expected"), cell(caller, "actual")), ("139****5678", "155****0987"));
    let metadata = parquet_metadata(&bench.path("details.parquet"));
    assert_eq!(metadata["reconcile.mask_phones"], "partial");
}

#[test]
fn one_number_has_one_token_per_key_in_all_files() {
    let token = |bench: &Bench, key: &str| -> (Row, Vec<Row>, String) {
        bench.write("mask.key", key);
        bench.run(&["--mask-phones", "token", "--mask-key-file", "mask.key", "--refresh"]).exits(0);
        let metadata = parquet_metadata(&bench.path("details.parquet"));
        assert_eq!(bench.summary().0["mask_key_id"], metadata["reconcile.mask_key_id"]);
        (bench.details()[1].clone(), bench.discrepancies(), metadata["reconcile.mask_key_id"].clone())
    };
    let bench = planted();
    let (first, discrepancies, key_id) = token(&bench, KEY);
    assert_eq!(cell(&first, "callee").len(), 36);
    let (again, _, same_id) = token(&bench, &format!("{KEY}\n"));
    assert_eq!((cell(&first, "callee"), &key_id), (cell(&again, "callee"), &same_id));
    let (other, _, other_id) = token(&bench, "another secret key");
    assert_ne!(cell(&first, "callee"), cell(&other, "callee"));
    assert_ne!(key_id, other_id);
    // Three rows spell one number in three ways.
    let callers: Vec<&Row> = discrepancies.iter().filter(|row| cell(row, "field") == "callee").collect();
    let tokens = column(&discrepancies, "expected");
    assert!(callers.iter().all(|row| cell(row, "expected").starts_with("tok_")), "{tokens:?}");
    let spelled: std::collections::BTreeSet<&str> = callers.iter().map(|row| cell(row, "expected")).collect();
    assert_eq!(spelled.len(), 1, "one number, one token: {spelled:?}");
}

#[test]
fn a_missing_short_or_unused_mask_key_is_refused() {
    let bench = planted();
    bench.write("short.key", "0123456789abcde\n");
    let run = |arguments: &[&str], words: &str| {
        bench.run(arguments).exits(2).says(words);
    };
    run(&["--mask-phones", "token"], "needs --mask-key-file");
    run(&["--mask-phones", "token", "--mask-key-file", "none.key"], "none.key cannot be read");
    run(&["--mask-phones", "token", "--mask-key-file", "short.key"], "fewer than 16 bytes");
    run(&["--mask-phones", "partial", "--mask-key-file", "mask.key"], "only for --mask-phones token");
    assert_eq!(bench.provider.seen(), 0);
}

#[cfg(unix)]
#[test]
fn a_mask_key_that_others_can_read_causes_a_warning() {
    let bench = planted();
    let arguments = ["--mask-phones", "token", "--mask-key-file", "mask.key"];
    mode(&bench.path("mask.key"), 0o644);
    bench.run(&arguments).exits(0).says("others can read the mask key");
    mode(&bench.path("mask.key"), 0o600);
    assert!(!bench.run(&arguments).exits(0).stderr.contains("others can read"));
}
