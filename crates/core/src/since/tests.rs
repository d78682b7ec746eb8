#![allow(clippy::unwrap_used)]
use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::call::CallKey;
use crate::discrepancy_identity::Subject;
use crate::product::ProductId;
use crate::status::Failure;

/// What the run learned of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Found,
    NotFound,
    Rejected,
    Pending,
    Malformed,
    Exhausted,
    Deferred,
}

use Outcome::*;

const OUTCOMES: [Outcome; 7] = [Found, NotFound, Rejected, Pending, Malformed, Exhausted, Deferred];

fn lookup(outcome: Outcome) -> Lookup {
    let failed = |kind| Some(Failure { kind, code: "C".into(), message: "m".into() });
    let (status, failure) = match outcome {
        Found => (Status::Found, None),
        NotFound => (Status::NotFound, None),
        Pending => (Status::Pending, None),
        Deferred => (Status::Deferred, None),
        Rejected => (Status::Failed, failed(FailureKind::Rejected)),
        Malformed => (Status::Failed, failed(FailureKind::Malformed)),
        Exhausted => (Status::Failed, failed(FailureKind::Exhausted)),
    };
    Lookup { status, failure, ..Lookup::deferred(day(0), 1) }
}

fn day(night: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 16).unwrap() + chrono::Days::new(night as u64)
}

#[test]
fn a_call_that_was_not_asked_resolves_nothing_but_duplicates() {
    let judged = |outcome| -> Vec<&str> {
        let kinds = Kind::ALL.into_iter().filter(|kind| judges(&lookup(outcome), *kind));
        kinds.map(Kind::as_str).collect()
    };
    assert_eq!(judged(Deferred), ["duplicate"]);
    assert_eq!(judged(Exhausted), ["deferred", "duplicate"]);
    for answered in [Pending, Malformed] {
        assert_eq!(
            judged(answered),
            ["deferred", "duplicate", "failed", "malformed", "not_found", "pending"],
            "{answered:?}"
        );
    }
    for lasting in [Found, NotFound, Rejected] {
        // All but unusable rows and calls that only receipts name.
        assert_eq!(judged(lasting).len(), Kind::ALL.len() - 2, "{lasting:?}");
    }
}

/// A discrepancy that a night may have, by the number of its call or row.
type Identity = (bool, usize, &'static str, &'static str);

/// The kind and the field of a discrepancy.
type KindAndField = (Kind, &'static str);

/// One night: the calls with their outcomes, their discrepancies, and the unusable rows with the
/// call that their CallId names.
#[derive(Debug, Clone)]
struct Night {
    calls: Vec<(usize, Outcome, Vec<KindAndField>)>,
    rows: Vec<(usize, Option<usize>)>,
}

fn night() -> impl Strategy<Value = Night> {
    let found = [
        (Kind::Mismatch, "caller"),
        (Kind::Mismatch, "duration_s"),
        (Kind::Duplicate, ""),
        (Kind::OtherDay, "call_date"),
        (Kind::Pending, ""),
        (Kind::NotFound, ""),
        (Kind::Deferred, ""),
    ];
    let found = prop::collection::vec(prop::sample::select(found.to_vec()), 0..4);
    let call = (0..6_usize, prop::sample::select(&OUTCOMES[..]), found);
    let calls = prop::collection::vec(call, 0..5).prop_map(|mut calls| {
        calls.sort_by_key(|call| call.0);
        calls.dedup_by_key(|call| call.0);
        calls
    });
    let rows = prop::collection::vec((0..4_usize, prop::option::of(0..6_usize)), 0..4);
    (calls, rows).prop_map(|(calls, rows)| Night {
        calls,
        // A row with this number always has the same text.
        rows: rows.into_iter().map(|(row, _)| (row, (row % 2 == 0).then_some(row))).collect(),
    })
}

fn call_id(call: usize) -> String {
    format!("{call}^{call}")
}

fn subject_of_call(call: usize) -> i64 {
    let key = CallKey { call_id: call_id(call), prod_id: ProductId(7), day: day(0) };
    Subject::of_call(&key).digest()
}

fn subject_of_row(row: usize) -> i64 {
    let text = row.to_string();
    Subject::Row { call_id: "", value: &text, carried: &[] }.digest()
}

/// The store: subject, kind and field, with since and the digest of the CallId.
type Stored = HashMap<(i64, String, String), (NaiveDate, Option<i64>)>;

/// The rule under test over one night, in two parts. Returns the `since` of each row.
fn run(store: &mut Stored, tonight: &Night, today: NaiveDate) -> (SinceLast, Vec<(Identity, Since)>) {
    let mut before = OpenBefore::new(today);
    before.reserve(store.len());
    for ((subject, kind, field), (since, named)) in &*store {
        before.push(OpenKey { subject: *subject, kind, field }, *since, *named);
    }
    let before = before.sorted();
    let (mut parts, mut rows, mut counts) =
        ([Marks::default(), Marks::default()], Vec::new(), SinceLast::default());
    let mut new = Stored::new();
    let mut note =
        |marks: &mut Marks, subject, named, (is_row, no, kind, field): (bool, usize, Kind, &'static str)| {
            let since = before.since(subject, kind, field, marks);
            counts.add(since);
            rows.push(((is_row, no, kind.as_str(), field), since));
            if since.is_new {
                new.insert((subject, kind.as_str().into(), field.into()), (since.day, named));
            }
        };
    for (call, outcome, found) in &tonight.calls {
        let marks = &mut parts[call % 2];
        before.name_call(subject_of_call(*call), &lookup(*outcome), marks);
        before.name_call_id(&call_id(*call), marks);
        for (kind, field) in found {
            note(marks, subject_of_call(*call), None, (false, *call, *kind, *field));
        }
    }
    for (row, named) in &tonight.rows {
        let named = named.map(|call| call_id_digest(&call_id(call)));
        note(&mut parts[row % 2], subject_of_row(*row), named, (true, *row, Kind::InvalidRow, "call_id"));
    }
    let [mut marks, other] = parts.clone();
    marks.merge(other);
    let [first, mut reversed] = parts;
    reversed.merge(first);
    assert_eq!(marks, reversed, "the order of the parts changes nothing");
    counts.resolved = before.resolved(&marks);
    for (key, fate) in before.fates(&marks) {
        if fate == Fate::Resolved {
            store.remove(&(key.subject, key.kind.into(), key.field.into())).unwrap();
        }
    }
    store.extend(new);
    (counts, rows)
}

/// Whether the night tells if this discrepancy is still there, in other words than the rule.
fn is_told(tonight: &Night, (is_row, no, kind, _): Identity) -> bool {
    if is_row {
        return no % 2 == 0 && tonight.calls.iter().any(|call| call.0 == no);
    }
    tonight.calls.iter().filter(|call| call.0 == no).any(|(_, outcome, _)| match outcome {
        _ if kind == "duplicate" => true,
        Found | NotFound | Rejected => true,
        Pending | Malformed => ["pending", "not_found", "deferred"].contains(&kind),
        Exhausted => kind == "deferred",
        Deferred => false,
    })
}

proptest! {
    #[test]
    fn every_night_agrees_with_a_list_of_open_ones(nights in prop::collection::vec(night(), 1..9)) {
        let (mut store, mut open) = (Stored::new(), HashMap::<Identity, NaiveDate>::new());
        for (no, tonight) in nights.iter().enumerate() {
            let (counts, rows) = run(&mut store, tonight, day(no));
            let seen: HashSet<Identity> = rows.iter().map(|(identity, _)| *identity).collect();
            for (identity, since) in &rows {
                let wanted = Since {
                    day: open.get(identity).copied().unwrap_or(day(no)),
                    is_new: !open.contains_key(identity),
                };
                prop_assert_eq!(*since, wanted);
            }
            let gone = |identity: &Identity| !seen.contains(identity) && is_told(tonight, *identity);
            prop_assert_eq!(counts.resolved, open.keys().filter(|one| gone(one)).count() as u64);
            prop_assert_eq!(counts.new + counts.recurring, rows.len() as u64);
            prop_assert_eq!(counts.new, rows.iter().filter(|(_, since)| since.is_new).count() as u64);
            open.retain(|identity, _| !gone(identity));
            for identity in seen {
                open.entry(identity).or_insert(day(no));
            }
            prop_assert_eq!(store.len(), open.len());
        }
    }
}

#[test]
fn each_of_many_is_found_by_its_subject_and_no_other_is() {
    // Some are next to each other or at the ends; most are spread evenly, as digests are.
    let narrow = (-20..20).chain([i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]);
    let spread = (0..5_000_i64).map(|no| no.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()));
    let subjects: HashSet<i64> = narrow.chain(spread).collect();
    for every in [1, 7, 3_000] {
        let mut open = OpenBefore::new(day(9));
        let known = |subject: i64| subject.rem_euclid(every) == 0;
        for subject in subjects.iter().copied().filter(|subject| known(*subject)) {
            for field in ["callee", "state"] {
                open.push(OpenKey { subject, kind: "mismatch", field }, day(1), None);
            }
        }
        let open = open.sorted();
        for subject in subjects.iter().copied() {
            let (places, mut marks) = (open.places(subject), Marks::default());
            assert_eq!(places.len(), if known(subject) { 2 } else { 0 }, "{subject}");
            assert!(open.entries[places].iter().all(|entry| entry.subject == subject), "{subject}");
            let since = open.since(subject, Kind::Mismatch, "state", &mut marks);
            assert_eq!((since.day == day(1), since.is_new), (known(subject), !known(subject)), "{subject}");
        }
    }
}

#[test]
fn a_kind_that_this_version_does_not_know_stays() {
    let (subject, mut marks) = (subject_of_call(1), Marks::default());
    let mut before = OpenBefore::new(day(1));
    before.push(OpenKey { subject, kind: "from_tomorrow", field: "" }, day(0), None);
    let before = before.sorted();
    before.name_call(subject, &lookup(Found), &mut marks);
    assert_eq!((before.resolved(&marks), before.fates(&marks).count()), (0, 0));
}

#[test]
fn two_million_need_34_mb() {
    let buckets = (MAX_REMEMBERED / ENTRIES_PER_BUCKET).next_power_of_two();
    assert_eq!(size_of::<Entry>() * MAX_REMEMBERED, 32_000_000);
    assert_eq!(size_of::<u32>() * buckets, 2_097_152);
}
