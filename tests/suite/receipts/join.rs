//! Receipts joined with the calls of a ledger.

use std::path::{Path, PathBuf};

use reconcile::ledger::{Input, Options, ScannedLedger};
use reconcile::receipts::{JoinedReceipts, LedgerCalls};
use reconcile_core::receipt::JoinCounts;
use reconcile_core::receipt::ReceiptField;

use super::{collect, receipt, write};

fn joined(folder: &Path, ledger: &str, receipts: &[PathBuf]) -> JoinedReceipts {
    let path = write(folder, "ledger.csv", ledger);
    let ledger = ScannedLedger::scan(Input::open(&path).unwrap(), Options::default()).unwrap();
    let calls = LedgerCalls::of(&ledger, Some(folder)).unwrap();
    JoinedReceipts::join(collect(receipts), calls, Some(folder)).unwrap()
}

/// Place, CallId, product and duration of each answered call.
fn answered(joined: &JoinedReceipts) -> Vec<(u64, String, i64, String)> {
    let each = |call: reconcile::receipts::AnsweredCall| {
        assert_eq!(call.key.call_id, call.receipt.call_id());
        let duration = call.receipt.text(ReceiptField::Duration).unwrap_or_default().to_owned();
        (call.place, call.key.call_id, call.key.prod_id.0, duration)
    };
    joined.answered().map(|call| each(call.unwrap())).collect()
}

fn missing(joined: &JoinedReceipts) -> Vec<String> {
    joined.missing().map(|receipt| receipt.unwrap().call_id().to_owned()).collect()
}

#[test]
fn each_receipt_is_one_thing_to_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = "call_id,prod_id,called_at\n\
                  1^1,7,2026-11-16 10:00:00\n\
                  1^2,7,2026-11-17\n\
                  1^3,7,2026-11-16\n\
                  1^3,8,2026-11-16\n\
                  1^4,7,yesterday\n\
                  1^5,7,2026-11-16\n\
                  1^5,7,2026-11-16\n\
                  1^6,7,2026-11-16\n\
                  ,7,2026-11-16\n";
    let lines = [
        receipt("1^6", "00:00:10", 6),
        receipt("9^1", "12:00:00", 91),
        receipt("1^1", "10:00:02", 1),
        receipt("1^2", "10:00:02", 2),
        receipt("1^3", "10:00:02", 3),
        receipt("1^4", "10:00:02", 4),
        receipt("1^5", "10:00:02", 5),
        receipt("1^5", "10:00:02", 5),
        r#"{"call_id":"9^2","originate_time":"2026-11-18 00:00:00","duration":1}"#.into(),
        r#"{"call_id":"9^3","duration":1,"status_code":"200000"}"#.into(),
        r#"{"call_id":"9^0","originate_time":"2026-11-17 23:59:59","duration":1}"#.into(),
        r#"{"call_id":"9^4","originate_time":"2026-11-16 00:00:59","duration":1}"#.into(),
        "broken".into(),
    ];
    let receipts = write(folder.path(), "receipts.jsonl", lines.join("\n"));
    let joined = joined(folder.path(), ledger, &[receipts]);
    let wanted = JoinCounts {
        receipts: 12,
        duplicates: 1,
        calls: 11,
        contradicted: 0,
        answering: 2,
        not_answering: 4,
        missing: 2,
        outside: 2,
        undated: 1,
    };
    assert_eq!(joined.counts, wanted);
    assert_eq!(answered(&joined), [(0, "1^1".into(), 7, "1".into()), (5, "1^5".into(), 7, "5".into())]);
    assert_eq!(missing(&joined), ["9^1", "9^0"], "in the order of the file");
}

#[test]
fn the_fuller_receipt_counts_in_any_order_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = "call_id,prod_id,called_at\n1^1,7,2026-11-16 10:00:00\n";
    let early = r#"{"call_id":"1^1","originate_time":"2026-11-16 10:00:02","status_code":"200103"}"#;
    let paths = [
        write(folder.path(), "a.json", early),
        write(folder.path(), "b.json", receipt("1^1", "10:00:02", 9)),
    ];
    for paths in [paths.clone(), [paths[1].clone(), paths[0].clone()]] {
        let joined = joined(folder.path(), ledger, &paths);
        assert_eq!(answered(&joined), [(0, "1^1".into(), 7, "9".into())]);
        assert_eq!((joined.counts.duplicates, joined.counts.contradicted), (1, 1));
    }
}

#[test]
fn planted_relations_come_out_exactly_and_in_ledger_order() {
    for seed in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut ledger, mut lines) = (String::from("call_id,prod_id,called_at\n"), Vec::new());
        let (mut wanted, mut duplicates) = (Vec::new(), 0);
        for place in 0..random.u64(1..3_000) {
            let id = format!("{place}^{}", random.u32(..));
            ledger += &format!("{id},7,2026-11-16 10:00:00\n");
            if random.u32(..10) > 0 {
                lines.push(receipt(&id, "10:00:02", random.u32(1..99)));
                wanted.push((place, id));
                if random.u32(..10) == 0 {
                    lines.push(lines[lines.len() - 1].clone());
                    duplicates += 1;
                }
            }
        }
        let extra: Vec<String> = (0..random.u32(..500)).map(|n| format!("x{n}^1")).collect();
        lines.extend(extra.iter().map(|id| receipt(id, "10:00:02", 1)));
        random.shuffle(&mut lines);
        let order: Vec<String> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("{\"call_id\":\"x")?.split_once('"'))
            .map(|(id, _)| format!("x{id}"))
            .collect();
        let (left, right) = lines.split_at(lines.len() / 2);
        let paths = [("1.jsonl", left), ("2.jsonl", right)];
        let paths = paths.map(|(name, lines)| write(folder.path(), name, lines.join("\n")));
        let joined = joined(folder.path(), &ledger, &paths);
        let found: Vec<(u64, String)> =
            answered(&joined).into_iter().map(|(place, id, ..)| (place, id)).collect();
        assert_eq!(found, wanted, "seed {seed}");
        assert_eq!(missing(&joined), order, "seed {seed}");
        assert_eq!((joined.counts.duplicates, joined.counts.missing), (duplicates, extra.len() as u64));
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 3, "temporary files have no names");
    }
}
