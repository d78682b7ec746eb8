//! Exports of receipts: files of their own, which `forget` searches like the others.

use super::export::{export, files, rows};
use crate::support::provider::talk_seconds;
use crate::support::{Bench, cell, column, id, ledger};

/// A run over ten calls, of which the first six have receipts.
fn with_receipts() -> Bench {
    let bench = Bench::new(&ledger(10));
    let receipt = |call: usize| crate::receipts::planted::receipt(&id(call), 26, talk_seconds(&id(call)));
    bench.write("receipts.jsonl", &(0..6).map(receipt).collect::<Vec<_>>().join("\n"));
    bench.run(&["--receipts", "receipts.jsonl", "--receipts-trust", "full"]).exits(0);
    bench
}

#[test]
fn receipts_are_exported_once_and_apart() {
    let bench = with_receipts();
    assert_eq!(export(&bench), "exported 10 answers to lake, in 2 new files\n");
    let lake = bench.path("lake");
    let names: Vec<String> =
        files(&lake).iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("-receipts.parquet")).count(), 1, "{names:?}");
    let all = rows(&lake);
    let mut ids = column(&all, "call_id");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10, "each call is exported");
    for row in all.iter().filter(|row| cell(row, "source") == "receipt") {
        assert_eq!((cell(row, "attempts"), cell(row, "answer")), ("0", "final"));
        assert_eq!((cell(row, "code"), cell(row, "request_id")), ("", ""));
        assert!(cell(row, "data").contains("status_code"), "{row:?}");
    }
    assert_eq!(column(&all, "source").iter().filter(|source| **source == "receipt").count(), 6);
    assert_eq!(export(&bench), "no new answers for lake\n");

    // The same receipts stay those of their session; a fuller one is a row of the later session.
    bench.run(&["--receipts", "receipts.jsonl", "--receipts-trust", "full"]).exits(0);
    assert_eq!(export(&bench), "no new answers for lake\n");
    let fuller = crate::receipts::planted::receipt(&id(0), 26, talk_seconds(&id(0)))
        .replace('}', r#","callee_show_num":"0571000018363"}"#);
    bench.write("fuller.jsonl", &fuller);
    bench.run(&["--receipts", "fuller.jsonl", "--receipts-trust", "full"]).exits(0);
    assert_eq!(export(&bench), "exported 1 answer to lake, in 1 new file\n");
    assert_eq!(rows(&lake).iter().filter(|row| cell(row, "call_id") == id(0)).count(), 2);
}

#[test]
fn forget_names_exported_receipts_with_the_number() {
    let bench = with_receipts();
    export(&bench);
    let run = bench.run_exactly(&["forget", "18512348980", "--exports", "lake"], &[]);
    let said = run.stdout + &run.stderr;
    assert!(said.contains("-receipts.parquet"), "{said}");
}

#[test]
fn a_damaged_receipt_is_left_out_and_counted() {
    let bench = with_receipts();
    let store = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    store.execute("UPDATE receipt SET data = '{}' WHERE call_id = ?1", [id(1)]).unwrap();
    drop(store);
    let run = bench.run_exactly(&["export", "--to", "lake"], &[]);
    let said = run.stdout + &run.stderr;
    assert!(said.contains("exported 9 answers") && said.contains("1 stored answer is damaged"), "{said}");
}
