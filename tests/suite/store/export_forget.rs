//! `reconcile forget --exports`: names the exported files in which a number still is.

use std::fs;

use super::export::{EXPORT, export, files, rows, stored};
use crate::support::provider::{Reply, detail};
use crate::support::{Bench, Run, column, id, ledger, ledger_of};

const NUMBER: &str = "13812345678";
const FORGET: [&str; 4] = ["forget", NUMBER, "--exports", "lake"];

/// Two sessions, with one file each; the number is in the first one, and in none of the second.
fn exported() -> Bench {
    let bench = Bench::new(&ledger(3));
    let mut record = detail(&id(1));
    record["callee"] = "+86 138-1234-5678".into();
    bench.provider.script(&id(1), [Reply::ok(&record)]);
    bench.run(&[]).exits(0);
    bench.write("calls.csv", &ledger(5));
    bench.run(&[]).exits(0);
    export(&bench);
    assert_eq!(files(&bench.path("lake")).len(), 2);
    bench
}

#[test]
fn the_files_with_the_number_are_named_and_can_be_written_again() {
    let bench = exported();
    let named = files(&bench.path("lake")).remove(0);
    let other = fs::read(files(&bench.path("lake")).remove(1)).unwrap();
    let named = named.strip_prefix(bench.path("")).unwrap().to_str().unwrap();
    let said = bench.bare(&FORGET);
    let mut lines = said.lines();
    assert!(lines.next().unwrap().starts_with("deleted the answers of 1 call with 138****5678; "), "{said}");
    assert_eq!(
        lines.next(),
        Some(
            "1 exported file still contains the number; delete it, then export again; rows that the store no longer \
             has are lost with it:"
        )
    );
    assert_eq!(lines.collect::<Vec<_>>(), [format!("  {named}")]);
    assert!(!said.contains(NUMBER));
    assert!(
        rows(&bench.path("lake")).iter().any(|row| row["data"].contains("1234-5678")),
        "no file is changed"
    );

    // What it says to do.
    fs::remove_file(bench.path(named)).unwrap();
    assert_eq!(export(&bench), "exported 3 answers to lake, in 1 new file\n");
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
    assert!(column(&rows(&bench.path("lake")), "code").contains(&"Forgotten"));
    assert_eq!(fs::read(files(&bench.path("lake")).remove(1)).unwrap(), other);
    let said = bench.bare(&FORGET);
    assert!(said.ends_with("\nno exported file contains the number; 2 files searched\n"), "{said}");
}

#[test]
fn a_number_in_any_exported_text_is_found() {
    let call_id = format!("{NUMBER}^1");
    let bench = Bench::new(&ledger_of([call_id.clone()]));
    bench.run(&[]).exits(0);
    export(&bench);
    bench.write("calls.csv", &ledger(3));
    bench.provider.script(&id(0), [Reply::code(400, "isv.LIMIT_13812345678", "limited")]);
    bench.run(&[]).exits(0);
    export(&bench);
    bench.write("calls.csv", &ledger_of([id(7)]));
    bench.provider.script(&id(7), [Reply::code(400, "isv.LIMIT", "the number 138 1234 5678 is limited")]);
    bench.run(&[]).exits(0);
    export(&bench);
    let said = bench.bare(&FORGET);
    assert!(
        said.contains("\n3 exported files still contain the number; delete them, then export again; rows that the store no longer has are lost with them:\n"),
        "{said}"
    );
    assert_eq!(said.lines().filter(|line| line.starts_with("  lake/call_date=2024-05-26/")).count(), 3);
    // The call with the number as its id is not in the store any more.
    files(&bench.path("lake")).iter().for_each(|file| fs::remove_file(file).unwrap());
    export(&bench);
    assert_eq!(rows(&bench.path("lake")), stored(&bench));
    assert!(!column(&rows(&bench.path("lake")), "call_id").contains(&call_id.as_str()));
}

#[test]
fn a_file_that_cannot_be_read_may_contain_the_number() {
    let bench = exported();
    let all = files(&bench.path("lake"));
    let whole = fs::read(&all[1]).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", &whole[whole.len() / 3..]] {
        fs::write(&all[1], damaged).unwrap();
        let Run { code, stdout, stderr } = bench.run_exactly(&FORGET, &[]);
        assert_eq!(code, Some(6), "{stderr}");
        assert!(stdout.contains("1 exported file still contains the number"), "{stdout}");
        let name = all[1].file_name().unwrap().to_str().unwrap();
        assert!(
            stdout.contains("1 exported file cannot be read:\n  lake/") && stdout.contains(name),
            "{stdout}"
        );
        assert!(stderr.contains("may still be in 1 exported file") && stderr.contains("to do: "), "{stderr}");
    }
    let mut flipped = fastrand::Rng::with_seed(5);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..8 {
            bytes[flipped.usize(0..whole.len())] ^= 1 << flipped.u8(0..8);
        }
        fs::write(&all[1], bytes).unwrap();
        let Run { code, stderr, .. } = bench.run_exactly(&FORGET, &[]);
        assert!(matches!(code, Some(0 | 6)) && !stderr.contains("panicked"), "{code:?} {stderr}");
    }
    fs::write(&all[1], whole).unwrap();
    // What a killed export left, by its name.
    let leftover =
        all[1].with_file_name(format!(".{}.unfinished", all[1].file_name().unwrap().to_str().unwrap()));
    fs::write(&leftover, NUMBER).unwrap();
    let run = bench.run_exactly(&FORGET, &[]);
    assert_eq!(run.code, Some(6), "{}", run.stderr);
    assert!(run.stdout.contains("1 exported file cannot be read:") && run.stdout.ends_with(".unfinished\n"));
    export(&bench);
    assert!(!leftover.exists());
    bench.bare(&FORGET);
}

#[test]
fn nothing_is_erased_if_the_exports_cannot_be_searched() {
    let bench = exported();
    let calls = || bench.number_in_store("SELECT count(*) FROM call WHERE code = 'Forgotten'");
    for (exports, code, words) in [
        ("none", 2, "the export folder none does not exist"),
        (".", 2, "contains another kind of file"),
        ("calls.csv", 2, "is a file"),
    ] {
        let run = bench.run_exactly(&["forget", NUMBER, "--exports", exports], &[]);
        assert_eq!((run.code, calls()), (Some(code), 0), "{}", run.stderr);
        assert!(run.stderr.contains(words) && run.stdout.is_empty(), "{}", run.stderr);
    }
    // An export that works now could write what is erased here.
    let lock = fs::File::create(bench.path("lake/.export.unfinished")).unwrap();
    lock.lock().unwrap();
    let run = bench.run_exactly(&FORGET, &[]);
    assert_eq!((run.code, calls()), (Some(6), 0), "{}", run.stderr);
    drop(lock);
    assert_eq!(bench.run_exactly(&EXPORT, &[]).code, Some(0));
    bench.bare(&FORGET);
    assert_eq!(calls(), 1);
}
