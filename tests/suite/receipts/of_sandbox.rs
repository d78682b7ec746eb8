//! The receipts that the sandbox writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use reconcile::ledger::{Input, Options, ScannedLedger};
use reconcile::receipts::{JoinedReceipts, LedgerCalls};
use reconcile_core::compare::Tolerances;
use reconcile_core::receipt::JoinCounts;
use reconcile_core::receipt::{Receipt, differences};

use super::{collect, write};
use crate::support::sandbox::Server;

/// A ledger of 2,000 calls, from minute to minute.
fn ledger() -> String {
    let mut text = String::from("call_id,prod_id,called_at,callee,duration\n");
    for n in 0..2_000 {
        let (hour, minute) = (8 + n / 200, n % 60);
        writeln!(text, "{n}^1,7,2026-11-16 {hour:02}:{minute:02}:00,1250000{n:04},{}", n % 3 * 10).unwrap();
    }
    text
}

/// Starts a sandbox that writes its receipts, and reads them.
fn receipts_of(folder: &Path, arguments: &[&str]) -> String {
    let file = folder.join("receipts.jsonl");
    let ledger = folder.join("ledger.csv");
    let own = ["--calls", ledger.to_str().unwrap(), "--receipts-out", file.to_str().unwrap()];
    let _server = Server::start(&[&own, arguments].concat());
    std::fs::read_to_string(file).unwrap()
}

fn joined(folder: &Path) -> JoinedReceipts {
    let ledger = ScannedLedger::scan(Input::open(&folder.join("ledger.csv")).unwrap(), Options::default());
    let calls = LedgerCalls::of(&ledger.unwrap(), None).unwrap();
    JoinedReceipts::join(collect(&[folder.join("receipts.jsonl")]), calls, None).unwrap()
}

fn by_call(text: &str) -> BTreeMap<String, Vec<Receipt>> {
    let mut calls = BTreeMap::<String, Vec<Receipt>>::new();
    for line in text.lines() {
        let receipt = Receipt::from_json(line.as_bytes()).unwrap();
        calls.entry(receipt.call_id().to_owned()).or_default().push(receipt);
    }
    calls
}

#[test]
fn every_call_has_a_receipt_that_agrees_with_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ledger.csv", ledger());
    let text = receipts_of(folder.path(), &[]);
    assert_eq!(text.lines().count(), 2_000);
    let joined = joined(folder.path());
    let wanted = JoinCounts { receipts: 2_000, calls: 2_000, answering: 2_000, ..JoinCounts::default() };
    assert_eq!(joined.counts, wanted);
    for (n, call) in (0..).zip(joined.answered()) {
        let call = call.unwrap();
        assert_eq!((call.place, call.key.call_id), (n, format!("{n}^1")));
        let detail = call.receipt.detail().unwrap();
        assert_eq!(detail.duration_s, Some(i64::try_from(n % 3 * 10).unwrap()));
        assert_eq!(detail.callee.as_deref(), Some(format!("1250000{n:04}").as_str()));
    }
    assert_eq!(receipts_of(folder.path(), &[]), text, "the same seed gives the same file");
}

#[test]
fn faults_take_exactly_the_same_calls_with_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ledger.csv", ledger());
    let perfect = by_call(&receipts_of(folder.path(), &["--seed", "7"]));
    let faults = "receipt-lost=5%,receipt-doubled=2%,receipt-late=3%,receipt-differs=1%,503=2%";
    let text = receipts_of(folder.path(), &["--seed", "7", "--faults", faults]);
    let (mut doubled, mut late, mut differing) = (0, 0, 0);
    let found = by_call(&text);
    for (call_id, receipts) in &found {
        let whole = &perfect[call_id][0];
        match receipts.as_slice() {
            [one, other] if one == other => doubled += 1,
            [short, other] => {
                late += 1;
                assert!(short != whole && other == whole);
            }
            [one] if one == whole => {}
            [one] => {
                differing += 1;
                let found = differences(one, &whole.detail().unwrap(), Tolerances::default());
                assert!(!found.is_empty(), "{one:?}");
            }
            _ => panic!("{receipts:?}"),
        }
    }
    let lost = perfect.len() - found.len();
    assert_eq!((lost, doubled, late, differing), LOST_DOUBLED_LATE_DIFFERING);
    let joined = joined(folder.path());
    assert_eq!(joined.counts.answering, 2_000 - lost as u64);
    assert_eq!(joined.counts.duplicates, doubled + late);
    assert_eq!(joined.counts.contradicted, late, "the state of a short receipt");
    assert_ne!(receipts_of(folder.path(), &["--seed", "8", "--faults", faults]), text);
}

/// With seed 7.
const LOST_DOUBLED_LATE_DIFFERING: (usize, u64, u64, u64) = (106, 25, 62, 22);

#[test]
fn planted_calls_without_a_record_have_no_receipt() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ledger.csv", ledger());
    let file = folder.path().join("receipts.jsonl");
    let ledger = folder.path().join("ledger.csv");
    let server = Server::start(&[
        "--plant",
        "10%",
        "--calls",
        ledger.to_str().unwrap(),
        "--receipts-out",
        file.to_str().unwrap(),
    ]);
    let planted = server.page("planted");
    let found = by_call(&std::fs::read_to_string(&file).unwrap());
    let mut without = 0;
    for plant in planted["planted"].as_array().unwrap() {
        let has_receipt = found.contains_key(plant["call_id"].as_str().unwrap());
        assert_eq!(has_receipt, plant["kind"] == "mismatch", "{plant}");
        without += usize::from(!has_receipt);
    }
    assert!(without > 20);
    assert_eq!(found.len(), 2_000 - without);
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        let output =
            command.current_dir(folder.path()).args(["sandbox", "--port", "0"]).args(arguments).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, says) = run(&["--receipts-out", "."]);
    assert!(code == Some(6) && says.contains("cannot write the receipts"), "{says}");
    let (code, says) = run(&["--receipts-out", "r.jsonl", "--faults", "receipt-los=1%"]);
    assert!(code == Some(2) && says.contains("did you mean `receipt-lost`"), "{says}");
}
