//! What every store remembers of open discrepancies from run to run.

use reconcile_core::discrepancy::{Kind, Since};
use reconcile_core::discrepancy_identity::{Subject, call_id_digest};
use reconcile_core::since::{Marks, OpenBefore, SinceLast};
use reconcile_core::status::Lookup;

use super::*;

/// A discrepancy of a night.
#[derive(Clone, Copy)]
enum Found {
    /// Of the call with this number.
    Call(u32, Kind, &'static str),
    /// An unusable row that names the call with this number.
    Row(u32),
}

use Found::{Call, Row};

fn subject(n: u32) -> i64 {
    Subject::of_call(&key(n)).digest()
}

fn row_subject(n: u32) -> i64 {
    Subject::Row { call_id: &key(n).call_id, value: "x", carried: &[] }.digest()
}

/// What a run over these calls with these discrepancies does to the store, and since when each is
/// open.
fn compare(before: OpenBefore, calls: &[(u32, Status)], found: &[Found]) -> (DiscrepancyChanges, Vec<Since>) {
    let (mut marks, mut new, mut dates) = (Marks::default(), NewDiscrepancies::default(), Vec::new());
    for (n, status) in calls {
        let lookup = Lookup { status: *status, ..Lookup::deferred(key(*n).day, 1) };
        before.name_call(subject(*n), &lookup, &mut marks);
        before.name_call_id(&key(*n).call_id, &mut marks);
    }
    for found in found {
        let (subject, kind, field, call_date, named) = match *found {
            Call(n, kind, field) => (subject(n), kind, field, Some(key(n).day), None),
            Row(n) => {
                (row_subject(n), Kind::InvalidRow, "prod_id", None, Some(call_id_digest(&key(n).call_id)))
            }
        };
        let since = before.since(subject, kind, field, &mut marks);
        if since.is_new {
            new.push(&NewDiscrepancy { subject, kind, field: field.into(), call_date, named }).unwrap();
        }
        dates.push(since);
    }
    (DiscrepancyChanges { before, marks, new, told: Vec::new() }, dates)
}

/// A whole run. Returns the counts, and the days since which the discrepancies are open.
fn run(
    store: &Arc<dyn Store>,
    sha: &str,
    calls: &[(u32, Status)],
    found: &[Found],
) -> (SinceLast, Vec<String>) {
    let scope = store.begin_session(&identity(sha), rate(), TIMEOUT).unwrap();
    let (changes, dates) = compare(store.open_before(&scope).unwrap(), calls, found);
    let mut counts = SinceLast { resolved: changes.before.resolved(&changes.marks), ..SinceLast::default() };
    dates.iter().for_each(|since| counts.add(*since));
    end_run(store, &scope, changes);
    (counts, dates.iter().map(|since| since.day.to_string()).collect())
}

fn end_run(store: &Arc<dyn Store>, scope: &Scope, changes: DiscrepancyChanges) {
    store.end_session(scope, Some(RunEnd::with_outputs(true, changes))).unwrap();
}

fn counts(new: u64, recurring: u64, resolved: u64) -> SinceLast {
    SinceLast { new, recurring, resolved }
}

const DAY: i64 = 86_400;

#[test]
fn every_discrepancy_keeps_the_day_of_the_run_that_saw_it_first() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let all = [
        Call(1, Kind::Mismatch, "caller"),
        Call(1, Kind::Mismatch, "duration_s"),
        Call(2, Kind::NotFound, ""),
        // A column of the ledger may have any name.
        Call(3, Kind::Duplicate, "ledger_a\0\u{10FFFF}备注"),
        Call(3, Kind::Duplicate, "ledger_a\0\u{10FFFF}备注"),
        Row(4),
        Row(5),
    ];
    let calls = [(1, Status::Found), (2, Status::NotFound), (3, Status::Found)];
    let (first, days) = run(&store, "a", &calls, &all);
    assert_eq!((first, days[0].as_str()), (counts(7, 0, 0), "2026-11-18"));
    machine.clock.pass(DAY);
    let (second, days) = run(&store, "b", &calls, &all);
    assert_eq!((second, days), (counts(0, 7, 0), vec!["2026-11-18".to_owned(); 7]));
    // Call 1 has one mismatch less, call 2 is not named, call 3 is deferred, row 4 is replaced.
    machine.clock.pass(DAY);
    let calls = [(1, Status::Found), (3, Status::Deferred), (4, Status::Found)];
    let (third, days) = run(&store, "c", &calls, &[all[0], Call(4, Kind::Mismatch, "caller")]);
    assert_eq!(third, counts(1, 1, 1 + 1 + 1));
    assert_eq!(days, ["2026-11-18", "2026-11-20"]);
    machine.clock.pass(DAY);
    let (_, days) = run(&store, "d", &[(2, Status::NotFound)], &[all[2], Row(5), all[1]]);
    assert_eq!(days, ["2026-11-18", "2026-11-18", "2026-11-21"]);
}

#[test]
fn only_the_end_of_a_run_changes_what_is_open() {
    let Some(machine) = Machine::new() else { return };
    let mut store = machine.open();
    let calls = [(1, Status::Found), (2, Status::Found)];
    run(&store, "a", &calls, &[Call(1, Kind::Mismatch, "caller")]);
    // Each session of the next run finds the same, on the day of its start: 23:56 in UTC+8.
    machine.clock.pass(DAY + 4 * 3_600 + 50 * 60);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let scope = begin(&store);
        let (changes, dates) =
            compare(store.open_before(&scope).unwrap(), &calls, &[Call(2, Kind::Mismatch, "caller")]);
        seen.push((
            scope.run_no,
            changes.before.len(),
            changes.before.resolved(&changes.marks),
            dates[0].day,
        ));
        // An error ends the first session, a kill the second.
        if seen.len() == 1 {
            store.end_session(&scope, None).unwrap();
        }
        drop(store);
        machine.clock.pass(3_600);
        store = machine.open();
    }
    let day = NaiveDate::from_ymd_opt(2026, 11, 19).unwrap();
    assert_eq!(seen, [(2, 1, 1, day); 3]);
    // A run that keeps its old outputs changes nothing.
    let scope = begin(&store);
    store.end_session(&scope, Some(RunEnd::without_outputs(false))).unwrap();
    let (counts_now, days) = run(&store, "a", &calls, &[Call(1, Kind::Mismatch, "caller")]);
    assert_eq!((counts_now, days), (counts(0, 1, 0), vec!["2026-11-18".to_owned()]));
}

#[test]
fn what_no_ledger_names_for_ninety_days_is_forgotten() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let found = [Call(1, Kind::Mismatch, "caller"), Call(2, Kind::Mismatch, "caller"), Row(3)];
    run(&store, "a", &[(1, Status::Found), (2, Status::Found)], &found);
    machine.clock.pass(60 * DAY);
    // Call 1 is named, but not asked.
    assert_eq!(run(&store, "b", &[(1, Status::Deferred)], &[]).0, counts(0, 0, 0));
    machine.clock.pass(31 * DAY);
    let (later, days) = run(&store, "c", &[(1, Status::Found), (2, Status::Found)], &found);
    assert_eq!(later, counts(2, 1, 0));
    assert_eq!(days, ["2026-11-18", "2027-02-17", "2027-02-17"]);
    machine.clock.pass(90 * DAY);
    assert_eq!(run(&store, "d", &[(1, Status::Found)], &[]).0, counts(0, 0, 1), "90 days are not more");
    machine.clock.pass(1);
    let scope = begin(&store);
    assert_eq!(store.open_before(&scope).unwrap().len(), 0);
}

#[test]
fn thousands_are_written_and_read_in_parts() {
    const CALLS: u32 = 10_000;
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let calls: Vec<_> = (0..CALLS).map(|n| (n, Status::Found)).collect();
    let found: Vec<_> = (0..CALLS).map(|n| Call(n, Kind::Mismatch, "caller")).collect();
    let all = u64::from(CALLS);
    assert_eq!(run(&store, "a", &calls, &found).0, counts(all, 0, 0));
    assert_eq!(run(&store, "b", &calls, &found).0, counts(0, all, 0));
    assert_eq!(run(&store, "c", &calls, &found[..5_000]).0, counts(0, 5_000, 5_000));
    assert_eq!(run(&store, "d", &calls, &[]).0, counts(0, 0, 5_000));
    let scope = begin(&store);
    assert!(store.open_before(&scope).unwrap().is_empty());
}

#[tokio::test]
async fn purge_and_forget_reach_open_discrepancies() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    let with_number = |day| CallKey { call_id: "13812345678^1".into(), prod_id: ProductId(7), day };
    let (old, new) = (key(0).day, NaiveDate::from_ymd_opt(2026, 11, 18).unwrap());
    let mut changes = NewDiscrepancies::default();
    let mut push = |key: Option<&CallKey>, field: &str| {
        let subject = key.map_or_else(|| row_subject(1), |key| Subject::of_call(key).digest());
        let (kind, call_date) = (Kind::Mismatch, key.map(|key| key.day));
        changes.push(&NewDiscrepancy { subject, kind, field: field.into(), call_date, named: None }).unwrap();
    };
    let scope = begin(&store);
    // One call is only an open item, one is stored, one has no number.
    let [open, asked] = [with_number(new), with_number(new.succ_opt().unwrap())];
    store
        .note_open(
            &scope,
            &[OpenItem { key: open.clone(), status: Status::Deferred, seconds: 0, account: None }],
        )
        .unwrap();
    let request =
        NewRequest { key: asked.clone(), asked_date: asked.day, purpose: Purpose::First, recheck: false };
    let begun = store.begin_request(&scope, request).await.unwrap();
    store
        .end_request(&scope, begun, end(&store, "OK"), Some(answer(AnswerKind::NoRecord, None)))
        .await
        .unwrap();
    let other = CallKey { day: new, ..key(1) };
    [&open, &asked, &other, &key(2)].into_iter().for_each(|key| push(Some(key), "caller"));
    push(Some(&other), "ledger_13812345678");
    push(None, "prod_id");
    let before = store.open_before(&scope).unwrap();
    end_run(
        &store,
        &scope,
        DiscrepancyChanges { before, marks: Marks::default(), new: changes, told: Vec::new() },
    );
    let left = || {
        let scope = begin(&store);
        let left = store.open_before(&scope).unwrap().len();
        store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
        left
    };
    assert_eq!(left(), 6);
    // Only the old call goes: the run that saw the unusable row is as young as this day.
    store.purge(old.succ_opt().unwrap()).unwrap();
    assert_eq!(left(), 5);
    store.forget("13812345678").unwrap();
    assert_eq!(left(), 1);
    store.purge(new.succ_opt().unwrap()).unwrap();
    assert_eq!(left(), 0);
}

#[test]
fn old_unusable_rows_are_purged() {
    let Some(machine) = Machine::new() else { return };
    let store = machine.open();
    run(&store, "a", &[], &[Row(1)]);
    store.purge(NaiveDate::from_ymd_opt(2026, 11, 18).unwrap()).unwrap();
    assert_eq!(run(&store, "b", &[], &[]).0, counts(0, 0, 0));
    assert_eq!(store.open_before(&begin(&store)).unwrap().len(), 1);
    store.purge(NaiveDate::from_ymd_opt(2026, 11, 19).unwrap()).unwrap();
    assert_eq!(store.open_before(&begin(&store)).unwrap().len(), 0);
}

/// Only a database lets two runs work at the same time.
#[test]
fn of_two_runs_at_once_the_earlier_day_stays() {
    if !IS_DATABASE {
        return;
    }
    let Some(machine) = Machine::new() else { return };
    let (one, two) = (machine.open(), machine.open());
    let first = one.begin_session(&identity("a"), rate(), TIMEOUT).unwrap();
    machine.clock.pass(DAY);
    let second = two.begin_session(&identity("b"), rate(), TIMEOUT).unwrap();
    let found = [Call(1, Kind::Mismatch, "caller")];
    let compared = [(&two, second), (&one, first)].map(|(store, scope)| {
        let (changes, dates) = compare(store.open_before(&scope).unwrap(), &[(1, Status::Found)], &found);
        assert!(dates[0].is_new);
        (store, scope, changes)
    });
    compared.into_iter().for_each(|(store, scope, changes)| end_run(store, &scope, changes));
    let (later, days) = run(&one, "c", &[(1, Status::Found)], &found);
    assert_eq!((later, days), (counts(0, 1, 0), vec!["2026-11-18".to_owned()]));
}
