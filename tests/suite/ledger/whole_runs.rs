//! Whole runs over unusual ledgers: standard input, unknown columns, and the file of rejects.

use std::fs::File;
use std::process::Stdio;

use super::cases::gz;
use crate::support::{Bench, cell, column, id, ledger};

#[test]
fn a_compressed_ledger_is_read_from_standard_input() {
    let bench = Bench::new("");
    std::fs::write(bench.path("in.gz"), gz(ledger(3))).unwrap();
    let stdin = Stdio::from(File::open(bench.path("in.gz")).unwrap());
    let run = bench.start_reading(bench.command(&["--input", "-"]), stdin).wait();
    run.exits(0).says("unpacked from gzip").says("3 calls in standard input");
    assert_eq!(column(&bench.details(), "status"), ["found"; 3]);
    assert!(!bench.path("details.rejects.csv").exists());
}

#[test]
fn corrected_rejects_are_read_as_a_ledger() {
    let bench = Bench::new("");
    let rows = format!(
        "通话ID;prod_id;gmt_create;备注\r\n{};11000000300006;2024-05-26;好\r\n{};1.1E+13;2024-05-26;张;伟\r\n\
         {};11000000300006;5月26日;\"坏\r\n",
        id(0),
        id(1),
        id(2)
    );
    std::fs::write(bench.path("calls.csv"), encoding_rs::GB18030.encode(&rows).0).unwrap();
    let run = bench.run(&[]).exits(0);
    run.says("the ledger is read as GB18030, separated by `;`")
        .says("2 rows cannot be used; details.rejects.csv");
    assert_eq!(bench.kinds().len(), 2);
    let rejects = std::fs::read_to_string(bench.path("details.rejects.csv")).unwrap();
    let fields = "\"the row has 5 fields, but the header has 4; put quotes around a value that contains the \
                  delimiter (byte 88)\"";
    let quote = "\"a quote is never closed; close it, or double it inside a value (byte 140)\"";
    let wanted = format!(
        "\u{feff}通话ID;prod_id;gmt_create;备注;reconcile_reason\n{};1.1E+13;2024-05-26;张;伟;{fields}\n\
         \"{};11000000300006;5月26日;\"\"坏\";{quote}\n",
        id(1),
        id(2)
    );
    assert_eq!(rejects, wanted);

    // The run would overwrite this file while it reads it.
    bench.run(&["--input", "details.rejects.csv"]).exits(2).says("is the same file as the ledger");
    let mended = rejects.replace("1.1E+13;2024-05-26;张;伟", "11000000300006;2024-05-26;\"张;伟\"");
    let unclosed = format!("\"{};11000000300006;5月26日;\"\"坏\"", id(2));
    assert!(mended.contains(&unclosed));
    let mended = mended.replace(&unclosed, &format!("{};11000000300006;2024-05-26;坏", id(2)));
    bench.write("mended.csv", &mended);
    bench.run(&["--input", "mended.csv"]).exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(1), id(2)]);
    assert_eq!(column(&bench.details(), "ledger_备注"), ["张;伟", "坏"]);
    // This run has no rejects, so the file of the previous run is deleted.
    assert!(!bench.path("details.rejects.csv").exists());
}

#[test]
fn a_reject_names_line_column_byte_and_reason() {
    let text = ledger(1) + &format!("{},11000000300006,soon\n", id(1));
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    let discrepancies = bench.discrepancies();
    assert_eq!(cell(&discrepancies[0], "ledger_line"), "3");
    assert_eq!(cell(&discrepancies[0], "actual"), "soon");
    let offset = text.find(&id(1)).unwrap();
    assert!(
        cell(&discrepancies[0], "message").ends_with(&format!("(column 3, byte {offset})")),
        "{discrepancies:?}"
    );
}

#[test]
fn conflicting_duplicates_name_the_field() {
    let (a, b) = (id(0), id(1));
    let text = format!(
        "call_id,prod_id,called_at,callee,部门\n{a},11000000300006,2024-05-26,,甲\n{b},11000000300006,2024-05-26,,甲\n\
         {a},11000000300006,2024-05-26,,乙\n{b},11000000300006,２０２４/5/26,,甲\n"
    );
    let bench = Bench::new("");
    std::fs::write(bench.path("calls.csv"), encoding_rs::GB18030.encode(&text).0).unwrap();
    bench.run(&[]).exits(0);
    let duplicates = bench.discrepancies();
    assert_eq!(column(&duplicates, "kind"), ["duplicate", "duplicate"]);
    assert_eq!(column(&duplicates, "field"), ["ledger_部门", ""]);
    assert_eq!(column(&duplicates, "ledger_line"), ["4", "5"]);
}

#[test]
fn a_parquet_ledger_is_reconciled_like_a_csv_ledger() {
    let bench = Bench::new(&ledger(2));
    crate::support::duckdb::query(
        &bench.path(""),
        &[],
        "COPY (SELECT call_id, prod_id, called_at::DATE AS called_at, 'x' AS team FROM read_csv('calls.csv', all_varchar = true)) \
         TO 'calls.parquet' (FORMAT parquet)",
    );
    bench.run(&["--input", "calls.parquet"]).exits(0).says("read as Parquet");
    assert_eq!(column(&bench.details(), "status"), ["found"; 2]);
    assert_eq!(column(&bench.details(), "ledger_team"), ["x"; 2]);
    assert_eq!(column(&bench.details(), "ledger_line"), ["2", "3"]);
}

#[test]
fn an_invalid_delimiter_is_refused() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--delimiter", "::"]).exits(2).says("needs one of , ; | tab");
    bench.write("calls.csv", &ledger(1).replace(',', "\t"));
    bench.run(&["--delimiter", "tab"]).exits(0).says("separated by tab");
}

#[test]
fn a_missing_folder_for_temporary_files_is_an_error() {
    let bench = Bench::new(&ledger(1));
    let mut command = bench.command(&["--input", "-"]);
    command.env("TMPDIR", "nowhere");
    let stdin = Stdio::from(File::open(bench.path("calls.csv")).unwrap());
    let run = bench.start_reading(command, stdin).wait().exits(6);
    let messages: Vec<&str> = run.stderr.lines().filter(|line| !line.contains("because")).collect();
    crate::support::snapshot::shows("ledgers_no_room", &messages.join("\n"));
}

#[test]
fn a_ledger_without_call_ids_is_refused() {
    let bench = Bench::new("prod_id,called_at\n11000000300006,2024-05-26\n");
    bench.run(&[]).exits(2).says("call_id");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn a_missing_ledger_is_refused() {
    let bench = Bench::new(&ledger(1));
    bench.run(&["--input", "nowhere.csv"]).exits(2).says("nowhere.csv");
    assert_eq!(bench.provider.seen(), 0);
}

#[test]
fn headers_are_recognized_in_all_spellings() {
    let text =
        format!("\u{feff}呼叫ID,Product,查询日期,Bill No\n{},voice-notification,2024-05-26,B7\n", id(0));
    let bench = Bench::new(&text);
    bench.run(&[]).exits(0);
    let details = bench.details();
    assert_eq!(column(&details, "status"), ["found"]);
    assert_eq!(column(&details, "prod_id"), ["11000000300006"]);
    assert!(details[0].iter().any(|(name, value)| name.starts_with("ledger_") && value == "B7"));
}

#[test]
fn columns_can_be_mapped_and_defaults_given() {
    let bench = Bench::new(&format!("Ticket\n{}\n", id(0)));
    bench
        .run(&["--map", "call_id=Ticket", "--prod-id", "voice-notification", "--call-date", "2024-05-26"])
        .exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(0)]);
    assert_eq!(cell(&bench.details()[0], "call_date"), "2024-05-26");
}

#[test]
fn the_ledger_may_come_from_standard_input() {
    let bench = Bench::new(&ledger(3));
    let file = File::open(bench.path("calls.csv")).unwrap();
    bench.start_reading(bench.command(&["--input", "-"]), file.into()).wait().exits(0);
    assert_eq!(column(&bench.details(), "call_id"), [id(0), id(1), id(2)]);
}
