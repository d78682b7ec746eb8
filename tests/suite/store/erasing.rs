//! Erasing while another program reads the store.

use std::fs;

use crate::support::{Bench, ledger};

/// The callee of every good record.
const NUMBER: &str = "18512348980";

/// Whether a file of the store contains the number.
fn is_in_store(bench: &Bench) -> bool {
    ["reconcile.db", "reconcile.db-wal"].iter().any(|name| {
        let bytes = fs::read(bench.path(name)).unwrap_or_default();
        bytes.windows(NUMBER.len()).any(|window| window == NUMBER.as_bytes())
    })
}

#[test]
fn erased_data_in_the_log_of_a_reader_is_reported() {
    let bench = Bench::new(&ledger(3));
    bench.run(&[]).exits(0);
    assert!(is_in_store(&bench));
    let reader = rusqlite::Connection::open(bench.path("reconcile.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM call").unwrap();
    for command in [&["forget", NUMBER][..], &["purge", "--older-than", "1d"]] {
        let run = bench.run_exactly(command, &[]);
        assert_eq!(run.code, Some(6), "{run:?}");
        assert!(run.stderr.contains("its log reconcile.db-wal still has it"), "{}", run.stderr);
        assert!(run.stderr.contains("close that program"), "{}", run.stderr);
        assert!(is_in_store(&bench), "the reader still sees the old data");
    }
    drop(reader);
    let run = bench.run_exactly(&["forget", NUMBER], &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!is_in_store(&bench));
}
