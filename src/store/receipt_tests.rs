//! Tests of receipts in the store.

use super::*;
use reconcile_core::receipt::Receipt;

fn receipt(n: u32, more: &str) -> (CallKey, Receipt) {
    let json = format!(r#"{{"call_id":"{n}^{n}","originate_time":"2026-11-16 10:00:00"{more}}}"#);
    (key(n), Receipt::from_json(json.as_bytes()).unwrap())
}

/// The data of a call's receipt.
fn data(store: &Arc<dyn Store>, n: u32) -> Option<String> {
    stored(store, n)?.receipt?.answer.data
}

const BUSY: &str = r#","status_code":"200005","duration":0"#;

#[tokio::test]
async fn a_receipt_and_an_answer_leave_each_other_alone() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    ask(&store, &scope, 1, AnswerKind::NoRecord, None).await;
    store.keep_receipts(&scope, &[receipt(2, BUSY), receipt(1, BUSY)]).unwrap();
    ask(&store, &scope, 2, AnswerKind::Final, Some("{}")).await;
    for (n, kind, attempts) in [(1, AnswerKind::NoRecord, 1), (2, AnswerKind::Final, 1)] {
        let call = stored(&store, n).unwrap();
        assert_eq!((call.answer.unwrap().answer.kind, call.attempts), (kind, attempts));
        assert_eq!(call.receipt.unwrap().answer.data, Some(receipt(n, BUSY).1.to_data()));
    }
    store.keep_receipts(&scope, &[receipt(3, BUSY)]).unwrap();
    let alone = stored(&store, 3).unwrap();
    assert_eq!((alone.attempts, alone.answer), (0, None));
    assert_eq!(alone.receipt.unwrap().session_no, scope.session_no);
    let keys: Vec<CallKey> = [4, 3, 1].map(key).into();
    let found = store.reader().unwrap().lookup_all(&keys.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true]);
    let named = store.reader().unwrap().calls_named("3^3").unwrap();
    assert!(named.len() == 1 && named[0].stored.receipt.is_some() && named[0].attempts.is_empty());
    assert_eq!(store.reader().unwrap().similar_call_ids("3^").unwrap(), ["3^3"]);
    drop(store);
    assert!(data(&machine.open(), 3).is_some(), "it outlives the process");
}

#[tokio::test]
async fn a_later_receipt_adds_to_the_stored_one() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    store.keep_receipts(&scope, &[receipt(1, BUSY)]).unwrap();
    let first = stored(&store, 1).unwrap();
    machine.clock.pass(60);
    store.keep_receipts(&scope, &[receipt(1, BUSY)]).unwrap();
    assert_eq!(stored(&store, 1).unwrap(), first, "the same receipt keeps its time");
    store.keep_receipts(&scope, &[receipt(1, r#","callee":"13800138000""#)]).unwrap();
    let both = receipt(1, &format!(r#"{BUSY},"callee":"13800138000""#)).1.to_data();
    assert_eq!(data(&store, 1), Some(both.clone()));
    assert!(stored(&store, 1).unwrap().receipt.unwrap().fetched_at > first.receipt.unwrap().fetched_at);
    store.keep_receipts(&scope, &[receipt(1, "")]).unwrap();
    assert_eq!(data(&store, 1), Some(both));
}

#[tokio::test]
async fn a_settled_call_is_no_longer_open() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let open = |n| OpenItem { key: key(n), status: Status::Deferred, seconds: 5, account: None };
    let scope = begin(&store);
    store.note_open(&scope, &[open(1), open(2), open(3)]).unwrap();
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    let scope = begin(&store);
    let talking = receipt(2, r#","status_code":"200103""#);
    store.keep_receipts(&scope, &[receipt(1, BUSY), talking]).unwrap();
    let items = store.open_items(&scope).unwrap();
    assert_eq!((items.cleared, items.elsewhere), (1, 2), "that of call 2 may still change");
}

#[tokio::test]
async fn purge_and_forget_reach_receipts() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    ask(&store, &scope, 1, AnswerKind::Final, Some("{}")).await;
    let with_number = format!(r#"{BUSY},"callee":"+86 138-1234-5678""#);
    let receipts = [receipt(1, &with_number), receipt(2, &with_number), receipt(3, BUSY)];
    store.keep_receipts(&scope, &receipts).unwrap();
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    assert_eq!(store.forget("13812345678").unwrap().calls, 2);
    for n in [1, 2] {
        let erased = stored(&store, n).unwrap().receipt.unwrap().answer;
        assert_eq!((erased.kind, erased.data), (AnswerKind::Rejected, None), "it is not asked again");
    }
    assert!(stored(&store, 1).unwrap().answer.unwrap().answer.data.is_some());
    let scope = begin(&store);
    store.keep_receipts(&scope, &receipts).unwrap();
    assert_eq!((data(&store, 2), data(&store, 3)), (None, Some(receipt(3, BUSY).1.to_data())));
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    assert_eq!(store.purge(NaiveDate::from_ymd_opt(2026, 11, 16).unwrap()).unwrap().calls, 0);
    assert_eq!(store.purge(NaiveDate::from_ymd_opt(2026, 11, 17).unwrap()).unwrap().calls, 3);
    assert_eq!((1..=3).filter_map(|n| stored(&store, n)).count(), 0);
}

#[tokio::test]
async fn receipts_are_read_in_the_order_of_their_calls() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let reader = || store.reader().unwrap();
    assert_eq!(reader().receipts_after(None).unwrap(), []);
    let scope = begin(&store);
    // More than one reading returns.
    let receipts: Vec<_> = (1..=5_000).map(|n| receipt(n, BUSY)).collect();
    store.keep_receipts(&scope, &receipts).unwrap();
    let (mut all, mut readings) = (Vec::new(), 0);
    loop {
        let next = reader().receipts_after(all.last().map(|kept: &KeptReceipt| &kept.key)).unwrap();
        if next.is_empty() {
            break;
        }
        all.extend(next);
        readings += 1;
    }
    assert!(readings > 1 && all.is_sorted_by_key(|kept| kept.key.call_id.clone()));
    assert_eq!(all.len(), receipts.len());
    let kept = all.iter().find(|kept| kept.key == key(7)).unwrap();
    assert_eq!(kept.session_no, scope.session_no);
    assert_eq!(kept.answer.as_ref().unwrap().answer.data, Some(receipt(7, BUSY).1.to_data()));
}
