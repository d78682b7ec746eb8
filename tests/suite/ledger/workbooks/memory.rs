//! Workbooks that claim or contain far more than they are worth, and large ones.
//!
//! The memory of the binary is limited from outside. So a file that takes too much ends it.

use std::process::Command;

use super::{Parts, text_row};
use crate::support::{Bench, Run};

/// Kilobytes of address space that the binary gets. A small ledger needs 150,000.
const LIMIT_KB: u64 = 240_000;

/// `plan` over a workbook, with limited memory.
fn plan(bytes: &[u8]) -> Run {
    let bench = Bench::new("");
    std::fs::write(bench.path("calls.xlsx"), bytes).unwrap();
    let mut command = Command::new("sh");
    let run = bench.command(&["plan", "--input", "calls.xlsx"]);
    command.args(["-c", &format!("ulimit -v {LIMIT_KB}; exec \"$0\" \"$@\"")]).arg(run.get_program());
    command.args(run.get_args()).current_dir(bench.path("")).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bench.start_command(command).wait_at_most(std::time::Duration::from_secs(200))
}

#[track_caller]
fn assert_plan(bytes: &[u8], words: &str) {
    let run = plan(bytes);
    assert!(run.code == Some(0) && run.stdout.contains(words), "{run:?}");
}

fn with_strings(strings: &str) -> Parts {
    let rows = text_row(1, &["call_id", "called_at", "prod_id"]) + &text_row(2, &["1^1", "2026-11-01", "7"]);
    let mut parts = Parts::of_rows(&rows);
    parts.set("xl/sharedStrings.xml", strings);
    parts
}

#[test]
fn workbooks_that_claim_or_contain_gigabytes_are_refused() {
    let claims = with_strings("<sst count=\"9000000000000\" uniqueCount=\"9000000000000\"/>");
    assert_plan(&claims.bytes(), "rows            1\n");
    let text = format!("<sst><si><t>{}</t></si></sst>", "1".repeat(3 << 20));
    plan(&with_strings(&text).bytes()).exits(2).says("it has a text that is longer than 1 MiB");
    let runs = "<r><t>".to_owned() + &"1".repeat(1_000) + "</t></r>";
    let text = format!("<sst><si>{}</si></sst>", runs.repeat(3_000));
    plan(&with_strings(&text).bytes()).exits(2).says("it has a text that is longer than 1 MiB");
    let attribute = format!("<sst a=\"{}\"/>", "1".repeat(3 << 20));
    plan(&with_strings(&attribute).bytes()).exits(2).says("it has a text that is longer than 1 MiB");
}

#[test]
fn a_part_that_is_not_as_long_as_the_directory_says_is_refused() {
    let rows = text_row(1, &["call_id"]) + &text_row(2, &["1^1"]);
    let bytes = Parts::of_rows(&rows).bytes();
    // The unpacked size of the last part in the directory, which the sheet is.
    let at = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap() + 24;
    let size = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let with_size = |size: u32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
        plan(&bytes).exits(2).says("Nothing was sent (exit 2).")
    };
    with_size(size - 20).says("a part of it is longer than its directory says");
    with_size(size + 20).says("a part of it does not match its checksum");
    let too_large = "unpacks to more than 256 MiB, the most that is allowed for a file of this size";
    with_size(300 << 20).says("`xl/worksheets/sheet1.xml`").says(too_large);
}

#[test]
fn a_long_row_is_one_unusable_row() {
    let long = "7".repeat(300_000);
    let row = |number: u64| text_row(number, &["1^1", &long, &long, &long, &long]);
    let rows = text_row(1, &["call_id", "a", "b", "c", "d"]) + &row(2) + &text_row(3, &["2^2"]) + &row(4);
    let found = super::lines(&Parts::of_rows(&rows).bytes());
    let why =
        "the row is longer than 1 MiB; check whether the file is damaged. Only its first 64 KiB are kept";
    assert!(
        found.contains(&format!("line 2: {why}\n")) && found.contains(&format!("line 4: {why}\n")),
        "{found}"
    );
    assert!(found.starts_with("2! - - \"\"\n3! called_at - \"\"\n4! - - \"\"\n"), "{found}");
}

#[test]
fn rows_are_not_kept_in_memory() {
    const ROWS: u64 = 12_000;
    let long = "7".repeat(10_000);
    let mut rows = text_row(1, &["call_id", "prod_id", "called_at", "note"]);
    (2..ROWS + 2).for_each(|row| rows += &text_row(row, &[&format!("{row}^1"), "7", "2026-11-01", &long]));
    let bytes = Parts::of_rows(&rows).zip(zip::CompressionMethod::Stored);
    assert!(bytes.len() > 120_000_000);
    assert_plan(&bytes, &format!("calls            {ROWS}\n"));
}
