//! Tests of final records that are looked at again, and of the calls that a run may ask beside its
//! ledger.

use super::*;

use reconcile_core::since::OpenBefore;

const RECORD: &str = r#"{"state":"200000","duration":7,"callee":"13800138000"}"#;
const CHANGED: &str = r#"{"state":"200000","duration":9,"callee":"13800138000"}"#;

/// Looks at a call again: one request with this answer.
async fn look_again(store: &Arc<dyn Store>, scope: &Scope, n: u32, kind: AnswerKind, data: Option<&str>) {
    let request = NewRequest { recheck: true, ..request(n, Purpose::First) };
    let begun = store.begin_request(scope, request).await.unwrap();
    store.end_request(scope, begun, end(store, "OK"), Some(answer(kind, data))).await.unwrap();
}

/// The call, and the durations before and after it changed in this run.
type Change = (u32, Option<String>, Option<String>);

fn changes_of(store: &Arc<dyn Store>, run_no: i64) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut each = |amendment: Amendment| {
        let no = amendment.key.call_id.split('^').next().unwrap().parse().unwrap();
        changes.push((
            no,
            amendment.before.answer.data,
            amendment.after.map(|after| after.answer.data.unwrap()),
        ));
        Ok(())
    };
    store.reader().unwrap().amended(run_no, &mut each).unwrap();
    changes
}

fn finals(store: &Arc<dyn Store>) -> Vec<FinalCall> {
    let reader = store.reader().unwrap();
    let windows = reader.call_windows().unwrap();
    windows.iter().flat_map(|window| reader.final_calls(window).unwrap()).collect()
}

/// A store in which a first run, which has ended, found the calls 1 to 4.
async fn night(machine: &Machine) -> Arc<dyn Store> {
    let store = machine.open();
    let scope = begin(&store);
    for n in 1..=4 {
        ask(&store, &scope, n, AnswerKind::Final, Some(RECORD)).await;
    }
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    machine.clock.pass(1_000);
    store
}

/// Ends a run whose outputs tell all changes.
fn tell_all(store: &Arc<dyn Store>, scope: &Scope, complete: bool) {
    let mut told = Vec::new();
    let mut each = |amendment: Amendment| {
        told.push(amendment.no);
        Ok(())
    };
    store.reader().unwrap().amended(scope.run_no, &mut each).unwrap();
    let (marks, new) = Default::default();
    let changes = DiscrepancyChanges { before: OpenBefore::new(NaiveDate::default()), marks, new, told };
    store.end_session(scope, Some(RunEnd::with_outputs(complete, changes))).unwrap();
}

#[tokio::test]
async fn a_second_look_keeps_both_answers() {
    let Some(machine) = Machine::new() else { return };
    let store = night(&machine).await;
    let scope = begin(&store);
    let first = stored(&store, 1).unwrap().answer.unwrap();
    look_again(&store, &scope, 1, AnswerKind::Final, Some(&RECORD.replace(':', " : "))).await;
    look_again(&store, &scope, 2, AnswerKind::Final, Some(CHANGED)).await;
    look_again(&store, &scope, 3, AnswerKind::NoRecord, None).await;
    look_again(&store, &scope, 4, AnswerKind::Exhausted, None).await;

    assert_eq!(stored(&store, 1).unwrap().answer.unwrap(), first, "an equal record keeps its time");
    assert_eq!(stored(&store, 2).unwrap().answer.unwrap().session_no, scope.session_no);
    for n in [3, 4] {
        let kept = stored(&store, n).unwrap().answer.unwrap();
        assert_eq!((kept.session_no, kept.answer.data.as_deref()), (first.session_no, Some(RECORD)));
    }
    let some = |data: &str| Some(data.to_owned());
    let wanted = vec![(2, some(RECORD), some(CHANGED)), (3, some(RECORD), None)];
    assert_eq!(changes_of(&store, scope.run_no), wanted);
    let looked: Vec<i64> = finals(&store).iter().map(|call| call.looked_at_by).collect();
    let (now, before) = (scope.session_no, first.session_no);
    assert_eq!(looked, [now, now, now, before], "a failure is no look");
    let rechecked = store.reader().unwrap().rechecked_calls(scope.run_no).unwrap();
    assert_eq!(rechecked, RecheckedCalls { seen: 3, failed: 1 });

    // The next run: a loss is noted once, and what no outputs have told is still to be told.
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    let scope = begin(&store);
    look_again(&store, &scope, 3, AnswerKind::NoRecord, None).await;
    look_again(&store, &scope, 2, AnswerKind::Final, Some(RECORD)).await;
    let back = (2, some(CHANGED), some(RECORD));
    assert_eq!(changes_of(&store, scope.run_no), vec![wanted[0].clone(), back, wanted[1].clone()]);

    // A run over the same ledger replaces these outputs if it goes on with an incomplete run, or
    // begins on the same day. So it tells the changes again.
    tell_all(&store, &scope, false);
    let scope = begin(&store);
    assert_eq!(changes_of(&store, scope.run_no).len(), 3);
    tell_all(&store, &scope, true);
    let scope = begin(&store);
    assert_eq!(changes_of(&store, scope.run_no).len(), 3);
    tell_all(&store, &scope, true);
    machine.clock.pass(86_400);
    let scope = begin(&store);
    assert_eq!(changes_of(&store, scope.run_no), vec![], "they are told once");
    let known = store.reader().unwrap().calls_named("2^2").unwrap();
    let history: Vec<_> = known[0].others.iter().map(|other| other.stored.answer.data.clone()).collect();
    assert_eq!(history, [some(RECORD), some(CHANGED)]);
}

#[tokio::test]
async fn a_refresh_notes_what_it_changes() {
    let Some(machine) = Machine::new() else { return };
    let store = night(&machine).await;
    let scope = begin(&store);
    for (n, kind, data) in [
        (1, AnswerKind::Final, Some(RECORD)),
        (2, AnswerKind::Final, Some(CHANGED)),
        (3, AnswerKind::NoRecord, None),
        (4, AnswerKind::Malformed, Some("?")),
    ] {
        ask(&store, &scope, n, kind, data).await;
    }
    let sessions: Vec<i64> = (1..=4).map(|n| stored(&store, n).unwrap().answer.unwrap().session_no).collect();
    let now = scope.session_no;
    assert_eq!(sessions, [now, now, now - 1, now - 1], "an equal record is fetched anew");
    let changed: Vec<u32> = changes_of(&store, scope.run_no).into_iter().map(|(n, ..)| n).collect();
    assert_eq!(changed, [2, 3]);
}

#[tokio::test]
async fn an_answer_that_was_not_final_is_replaced_silently() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let scope = begin(&store);
    ask(&store, &scope, 1, AnswerKind::Interim, Some(RECORD)).await;
    ask(&store, &scope, 2, AnswerKind::NoRecord, None).await;
    for n in 1..=2 {
        ask(&store, &scope, n, AnswerKind::Final, Some(CHANGED)).await;
    }
    assert_eq!(changes_of(&store, scope.run_no), vec![]);
    assert_eq!(stored(&store, 2).unwrap().answer.unwrap().answer.data.as_deref(), Some(CHANGED));
}

#[tokio::test]
async fn erasing_reaches_earlier_answers() {
    let Some(machine) = Machine::new() else { return };
    let store = night(&machine).await;
    let scope = begin(&store);
    let other = |number: &str| RECORD.replace("13800138000", number);
    look_again(&store, &scope, 1, AnswerKind::Final, Some(&other("13900139000"))).await;
    look_again(&store, &scope, 2, AnswerKind::Final, Some(CHANGED)).await;
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    store.release_writer();
    assert_eq!(store.forget("13900139000").unwrap().calls, 1, "the answer that counts");
    let known = |n: u32| store.reader().unwrap().calls_named(&key(n).call_id).unwrap().remove(0);
    assert_eq!((known(1).others, known(2).others.len()), (vec![], 1));
    let scope = begin(&store);
    look_again(&store, &scope, 3, AnswerKind::Final, Some(&other("13700137000"))).await;
    store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
    store.release_writer();
    let forgotten = store.forget("13800138000").unwrap().calls;
    assert_eq!(forgotten, 3, "an earlier answer of call 3, both of call 2, and that of call 4");
    assert_eq!(known(3).others, vec![]);
    assert_eq!(known(3).stored.answer.unwrap().answer.data.as_deref(), Some(&*other("13700137000")));
    assert_eq!(changes_of(&store, scope.run_no), vec![]);
    assert_eq!(store.purge(key(0).day.succ_opt().unwrap()).unwrap().calls, 4);
    assert_eq!(changes_of(&store, 2), vec![]);
}

#[tokio::test]
async fn earlier_open_calls_are_found_with_their_account() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let identity = |sha: &str| RunIdentity { input_sha256: sha.into(), refresh: false };
    let caps = ["team-1", "team-2"].map(|name| AccountCap { account: Some(name.into()), rate: rate() });
    let destination = Destination { endpoint: None, timeout: TIMEOUT };
    let scopes = store.begin_sessions(&identity("a"), &destination, &caps).unwrap();
    ask(&store, &scopes[1], 2, AnswerKind::NoRecord, None).await;
    let item = |n: u32, account: Option<&str>| OpenItem {
        key: key(n),
        status: Status::NotFound,
        seconds: 0,
        account: account.map(Into::into),
    };
    let items = [item(1, Some("team-1")), item(2, None), item(3, None), item(4, Some("team-2"))];
    store.note_open(&scopes[0], &items).unwrap();
    store.end_session(&scopes[0], Some(RunEnd::without_outputs(true))).unwrap();

    let scopes = store.begin_sessions(&identity("b"), &destination, &caps).unwrap();
    store.note_open(&scopes[0], &[item(4, None)]).unwrap();
    let reader = store.reader().unwrap();
    let (run_no, day) = (scopes[0].run_no, key(0).day);
    let days = |first: NaiveDate, last| reader.open_days(run_no, first..=last).unwrap();
    assert_eq!(days(day, day), [day]);
    assert_eq!(days(day.succ_opt().unwrap(), day.succ_opt().unwrap()), []);
    let open = |after| reader.open_calls(&OpenCallsOf { run_no, day, after }).unwrap();
    let found: Vec<_> = open(None).into_iter().map(|call| (call.key, call.account)).collect();
    let wanted = [(1, Some("team-1")), (2, Some("team-2")), (3, None)];
    assert_eq!(found, wanted.map(|(n, account)| (key(n), account.map(str::to_owned))));
    assert_eq!(open(Some(key(2))).len(), 1);
    assert_eq!(open(Some(key(3))), []);
}
