//! A ledger that changes or disappears after the run has begun to send.
//!
//! A run uses the ledger as it was at the start. It ends with exit code 2 only if the rows that it
//! has read are changed. Then the old outputs stay, and every answer is stored.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::support::provider::Reply;
use crate::support::{Bench, Run, column, id, ledger, ledger_of};

/// Runs this ledger and changes it when the first request arrives.
fn run_and_change(bench: &Bench, text: &[u8], change: impl Fn(&Path) + Send + Sync + 'static) -> Run {
    fs::write(bench.path("calls.csv"), text).unwrap();
    let (path, first): (PathBuf, Once) = (bench.path("calls.csv"), Once::new());
    bench.provider.answer_with(move |_| {
        first.call_once(|| change(&path));
        Reply::record()
    });
    bench.run(&["--concurrency", "2"]).keeps_secrets(&bench.provider)
}

fn append(path: &Path, text: &[u8]) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text).unwrap();
}

fn row(i: usize) -> String {
    ledger_of([id(i)]).lines().nth(1).unwrap().to_owned()
}

/// Asserts that the details hold these calls, all found, and that no call was asked for twice.
#[track_caller]
fn assert_calls(bench: &Bench, calls: std::ops::Range<usize>) {
    let ids: Vec<String> = calls.map(id).collect();
    let details = bench.details();
    assert_eq!(column(&details, "call_id"), ids);
    assert_eq!(column(&details, "status"), vec!["found"; ids.len()]);
    for id in &ids {
        assert_eq!(bench.provider.asked_for(id).len(), 1, "requests for call {id}");
    }
    bench.summary().assert_totals();
}

/// Asserts that the outputs name the SHA-256 of exactly these bytes.
#[track_caller]
fn assert_input(bench: &Bench, text: &[u8]) {
    use sha2::Digest as _;
    let digest: String = sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(bench.summary().0.to_string().contains(&digest), "{:#}", bench.summary().0);
}

#[test]
fn rows_appended_in_mid_run_are_left_to_the_next_run() {
    let (bench, text) = (Bench::new(""), ledger(12));
    let more = format!("{}\n", row(12));
    let note =
        format!("{} bytes were appended to calls.csv after the start; the next run reads them", more.len());
    let run = run_and_change(&bench, text.as_bytes(), move |path| append(path, more.as_bytes()));
    run.exits(0).says(&format!("note: {note}"));
    assert_calls(&bench, 0..12);
    assert_input(&bench, text.as_bytes());
    assert!(bench.summary().0["notes"].to_string().contains(&note), "{:#}", bench.summary().0);
    bench.run(&[]).exits(0);
    assert_calls(&bench, 0..13);
}

#[test]
fn a_ledger_that_grows_all_the_time_ends_with_its_first_rows() {
    let (bench, text) = (Bench::new(""), ledger(12));
    fs::write(bench.path("calls.csv"), &text).unwrap();
    let path = bench.path("calls.csv");
    let next = std::sync::atomic::AtomicUsize::new(12);
    bench.provider.answer_with(move |_| {
        let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        append(&path, format!("{}\n", row(i)).as_bytes());
        Reply::record()
    });
    for calls in [12, 24, 36] {
        bench.run(&[]).exits(0);
        assert_calls(&bench, 0..calls);
    }
}

#[test]
fn a_half_written_last_row_is_left_to_the_next_run() {
    // At the start the last row lacks its end, and would name another call.
    let half = format!("{}{}", ledger(3), &row(3)[..20]);
    let bench = Bench::new("");
    let run = run_and_change(&bench, half.as_bytes(), |path| {
        append(path, format!("{}\n", &row(3)[20..]).as_bytes())
    });
    run.exits(0).says("note: the last row of calls.csv was not whole at the start; the next run reads it");
    assert_calls(&bench, 0..3);
    assert_eq!(bench.summary().number("rows"), 3);
    assert_input(&bench, ledger(3).as_bytes());
    bench.run(&[]).exits(0);
    assert_calls(&bench, 0..4);
}

#[test]
fn a_last_row_without_line_end_counts_if_it_was_whole() {
    let text = ledger(3);
    let text = text.trim_end();
    let bench = Bench::new("");
    // The line end that was missing comes with the next row.
    let run =
        run_and_change(&bench, text.as_bytes(), |path| append(path, format!("\n{}\n", row(3)).as_bytes()));
    run.exits(0);
    assert_calls(&bench, 0..3);
    bench.run(&[]).exits(0);
    assert_calls(&bench, 0..4);
}

#[test]
fn a_half_row_in_quotes_or_utf_16_is_recognized() {
    let quoted = ("call_id,prod_id,called_at,note\n", ",\"one\ntwo\"");
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let whole = format!("{}{}{}\n", quoted.0, row(0), quoted.1);
    // Cut before the line end inside the quotes.
    let cut = whole.find("\ntwo").unwrap();
    let first = format!("{}{},x\n", quoted.0, row(1));
    for (start, rest) in [
        (format!("{first}{}", &whole[quoted.0.len()..cut]).into_bytes(), whole.as_bytes()[cut..].to_vec()),
        (utf16(&format!("\u{feff}{first}{}", &row(0)[..9])), utf16(&format!("{},\n", &row(0)[9..]))),
    ] {
        let bench = Bench::new("");
        let run = run_and_change(&bench, &start, move |path| append(path, &rest));
        run.exits(0).says("was not whole at the start");
        assert_calls(&bench, 1..2);
        bench.run(&[]).exits(0);
        assert_eq!(column(&bench.details(), "call_id"), [id(1), id(0)]);
    }
}

#[test]
fn a_packed_ledger_that_grows_by_a_member_keeps_its_first_rows() {
    let pack = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let bench = Bench::new("");
    let (first, more) = (pack(&ledger(3)), pack(&format!("{}\n", row(3))));
    run_and_change(&bench, &first, move |path| append(path, &more))
        .exits(0)
        .says("were appended to calls.csv");
    assert_calls(&bench, 0..3);
    bench.run(&[]).exits(0);
    assert_calls(&bench, 0..4);

    // In the middle of a row nothing proves that the first part was whole.
    let bench = Bench::new("");
    let (first, more) = (pack(ledger(3).trim_end()), pack("1\n"));
    let run = run_and_change(&bench, &first, move |path| append(path, &more));
    assert_refused(&bench, run);
}

#[test]
fn a_ledger_replaced_in_mid_run_is_read_to_its_old_end() {
    let bench = Bench::new("");
    let run = run_and_change(&bench, ledger(12).as_bytes(), |path| {
        let other = path.with_extension("new");
        fs::write(&other, ledger_of((5..15).map(id))).unwrap();
        fs::rename(&other, path).unwrap();
    });
    run.exits(0).says("note: calls.csv was replaced after the start; the next run reads the new file");
    assert_calls(&bench, 0..12);
    bench.run(&[]).exits(0);
    assert_calls(&bench, 5..15);
}

#[test]
fn a_ledger_removed_in_mid_run_is_read_to_its_end() {
    let bench = Bench::new("");
    let run = run_and_change(&bench, ledger(12).as_bytes(), |path| fs::remove_file(path).unwrap());
    run.exits(0).says("note: calls.csv was removed after the start");
    assert_calls(&bench, 0..12);
}

/// Asserts that the run refuses a changed ledger in true words and loses nothing.
#[track_caller]
fn assert_refused(bench: &Bench, run: Run) {
    let run = run.exits(2).says("the ledger calls.csv changed during the run");
    let run = run.says("Stored answers are kept; the old outputs stay (exit 2).");
    assert!(!run.stderr.to_lowercase().contains("nothing was sent"), "{}", run.stderr);
    let answers = bench.number_in_store("SELECT count(*) FROM call WHERE answer = 'final'");
    assert_eq!(answers, i64::try_from(bench.provider.seen()).unwrap(), "every answer is stored");
}

#[test]
fn rows_changed_in_mid_run_are_refused_in_true_words() {
    let overwrite = |path: &Path| {
        let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(ledger(11).len() as u64 + 3)).unwrap();
        file.write_all(b"9").unwrap();
    };
    let truncate = |path: &Path| {
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(ledger(11).len() as u64).unwrap();
    };
    let rewrite = |path: &Path| fs::write(path, ledger_of((5..25).map(id))).unwrap();
    for change in [overwrite as fn(&Path), truncate, rewrite] {
        let bench = Bench::new(&ledger(2));
        bench.run(&[]).exits(0);
        let old = bench.output_bytes();
        let run = run_and_change(&bench, ledger(12).as_bytes(), change);
        assert_refused(&bench, run);
        assert_eq!(bench.output_bytes(), old, "the old outputs stay");
        // The same ledger again: no call is asked for twice.
        bench.write("calls.csv", &ledger(12));
        bench.run(&[]).exits(0);
        assert_calls(&bench, 0..12);
    }
}
