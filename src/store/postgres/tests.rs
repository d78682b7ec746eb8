//! Tests of what is special to a database: take-overs, repeated commits, texts, upgrades.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;

use super::connection::Connection;
use super::record::{self, Batch, NumberedRequest};
use super::schema::{self, Found};
use super::settings::Settings;
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::store::test_database::Database;
use crate::store::*;

fn location(database: &Database) -> StoreLocation {
    StoreLocation::parse(database.url().as_ref())
}

fn open_store(database: &Database) -> Arc<dyn Store> {
    open(&location(database), Origin::Provider, Arc::new(SystemClock::new())).unwrap()
}

fn connect(database: &Database) -> Connection {
    let StoreLocation::Database(url) = location(database) else { unreachable!() };
    Connection::open(&Settings::of_process(&url).unwrap()).unwrap()
}

fn begin(store: &Arc<dyn Store>, ledger: &str) -> Scope {
    let identity = RunIdentity { input_sha256: ledger.into(), refresh: false };
    store.begin_session(&identity, "100/min".parse().unwrap(), Duration::from_secs(10)).unwrap()
}

fn request(call_id: &str) -> NewRequest {
    let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
    let key = CallKey { call_id: call_id.into(), prod_id: ProductId(11_000_000_300_006), day };
    NewRequest { key, asked_date: day, purpose: Purpose::First, recheck: false }
}

fn ended(store: &Arc<dyn Store>) -> RequestEnd {
    RequestEnd {
        at: store.moment(),
        provider_at: None,
        http_status: Some(200),
        code: "OK".into(),
        request_id: None,
        throttled: false,
        decision: Decision::Answered,
        pause: None,
    }
}

fn answer(data: &str) -> NewAnswer {
    NewAnswer {
        kind: AnswerKind::Final,
        found_date: request("").key.day,
        next_date: None,
        request_id: Some("R".into()),
        code: "OK".into(),
        message: "OK".into(),
        data: Some(data.into()),
    }
}

#[tokio::test]
async fn a_session_that_was_taken_over_writes_nothing_more() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let scope = begin(&store, "a");
    let begun = store.begin_request(&scope, request("1")).await.unwrap();
    let before = "SELECT md5(string_agg(r::text, ',') || string_agg(c::text, ','))
                  FROM reconcile.request AS r, reconcile.call AS c";
    database.execute("UPDATE reconcile.session SET fence = fence + 1, ended_at = 1");
    let rows = database.value(before);
    let end = store.end_request(&scope, begun, ended(&store), Some(answer("{}"))).await.unwrap_err();
    let new = store.begin_request(&scope, request("2")).await.unwrap_err();
    let item = OpenItem {
        key: request("1").key,
        status: reconcile_core::status::Status::Pending,
        seconds: 0,
        account: None,
    };
    let open = store.note_open(&scope, &[item]).unwrap_err();
    let last = store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap_err();
    for refusal in [end, new, open, last] {
        assert_eq!(refusal.exit, Exit::Output);
        assert!(refusal.what.contains("taken over"), "{refusal}");
    }
    assert_eq!(database.value(before), rows);
    assert_eq!(database.value("SELECT ended_at IS NULL FROM reconcile.run"), "t");
}

/// A take-over waits for the writer, and a renewal does not.
#[tokio::test]
async fn a_renewal_passes_an_open_writer() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    begin(&store, "a");
    let writer = connect(&database);
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let writing = std::thread::spawn(move || {
        writer.run(move |link| {
            let mut writer = link.client.transaction()?;
            writer.execute("SELECT FROM session WHERE session_no = 1 AND fence = 0 FOR KEY SHARE", &[])?;
            locked.send(()).unwrap();
            released.recv().unwrap();
            Ok(writer.commit()?)
        })
    });
    is_locked.recv().unwrap();
    let other = connect(&database);
    let renewed = other.run(|link| {
        link.client.batch_execute("SET lock_timeout = '100ms'")?;
        let renewal = "UPDATE session SET beat = beat + 1 WHERE session_no = 1 AND fence = 0";
        let renewed = link.client.execute(renewal, &[])?;
        let take_over = link.client.execute("UPDATE session SET fence = fence + 1 WHERE session_no = 1", &[]);
        Ok((renewed, take_over.is_err()))
    });
    assert_eq!(renewed.unwrap(), (1, true));
    release.send(()).unwrap();
    assert!(writing.join().unwrap().is_ok());
}

#[tokio::test]
async fn a_repeated_commit_changes_nothing() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let scope = begin(&store, "a");
    let numbered = |no, id| NumberedRequest {
        session_no: scope.session_no,
        request_no: no,
        request: request(id),
        at: store.moment(),
    };
    let batch = Batch { new: vec![numbered(1, "1"), numbered(2, "2"), numbered(3, "1")], ended: Vec::new() };
    let connection = connect(&database);
    let write = |batch: Batch| connection.run(move |link| record::write(link, &batch)).unwrap();
    let first = write(batch.clone());
    assert_eq!((first.len(), first[&(1, 1)] == first[&(1, 3)]), (3, true));
    assert_eq!(write(batch), first);
    let attempts = "SELECT string_agg(attempts::text, ',' ORDER BY call_id) FROM reconcile.call";
    assert_eq!(database.value(attempts), "2,1");
}

#[tokio::test]
async fn texts_with_a_nul_are_stored_byte_for_byte() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let scope = begin(&store, "a");
    let data = "{\"a\0b\": \"\u{10FFFF}0\"}";
    let begun = store.begin_request(&scope, request("1\0")).await.unwrap();
    store.end_request(&scope, begun, ended(&store), Some(answer(data))).await.unwrap();
    let reader = store.reader().unwrap();
    let found = reader.lookup(&request("1\0").key).unwrap().unwrap();
    assert_eq!(found.answer.unwrap().answer.data.as_deref(), Some(data));
    assert_eq!(reader.calls_named("1\0").unwrap().len(), 1);
    assert_eq!(reader.similar_call_ids("1").unwrap(), ["1\0"]);
}

#[tokio::test]
async fn a_damaged_answer_is_no_answer() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let scope = begin(&store, "a");
    let begun = store.begin_request(&scope, request("1")).await.unwrap();
    store.end_request(&scope, begun, ended(&store), Some(answer("{}"))).await.unwrap();
    database.execute("UPDATE reconcile.call SET data = '{} '");
    let reader = store.reader().unwrap();
    assert_eq!(reader.lookup(&request("1").key).unwrap().unwrap().answer, None);
    let damaged = reader.take_damaged();
    assert_eq!(damaged.len(), 1);
    store.discard(&damaged).unwrap();
    assert_eq!(database.value("SELECT answer IS NULL FROM reconcile.call"), "t");
}

#[tokio::test]
async fn runs_over_two_ledgers_share_their_calls() {
    let Some(database) = Database::create() else { return };
    let stores = ["a", "b"].map(|ledger| {
        let store = open_store(&database);
        let scope = begin(&store, ledger);
        (store, scope)
    });
    // Both ask for the same calls, in opposite orders: neither may be the victim of a deadlock.
    let ask = |(store, scope): &(Arc<dyn Store>, Scope), n: usize| {
        let (store, scope) = (store.clone(), scope.clone());
        async move {
            let begun = store.begin_request(&scope, request(&n.to_string())).await.unwrap();
            store.end_request(&scope, begun, ended(&store), Some(answer("{}"))).await.unwrap();
        }
    };
    let (first, second) = (0..300).map(|n| (ask(&stores[0], n), ask(&stores[1], 299 - n))).unzip();
    let (first, second): (Vec<_>, Vec<_>) = (first, second);
    futures::join!(futures::future::join_all(first), futures::future::join_all(second));
    assert_eq!(database.value("SELECT sum(attempts) FROM reconcile.call"), "600");
    for (store, scope) in &stores {
        let traffic = store.traffic(scope).unwrap();
        assert_eq!((traffic.requests, traffic.evidence.missing), (300, 0));
    }
    let sessions = stores[0].0.reader().unwrap().sessions().unwrap();
    assert_eq!((sessions.ended.len(), sessions.open), (0, vec![1, 2]));
}

#[tokio::test]
async fn a_missing_request_is_evidence() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let scope = begin(&store, "a");
    for id in ["1", "2", "3"] {
        store.begin_request(&scope, request(id)).await.unwrap();
    }
    database.execute("DELETE FROM reconcile.request WHERE request_no = 2");
    assert_eq!(store.traffic(&scope).unwrap().evidence.missing, 1);
}

#[test]
fn erasing_waits_for_no_run_but_refuses() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let scope = begin(&store, "a");
    let other = open_existing(&location(&database), Arc::new(SystemClock::new())).unwrap();
    let refusal = other.forget("13800138000").unwrap_err();
    assert_eq!(refusal.exit, Exit::Busy);
    assert!(refusal.what.contains(&format!("pid {}", std::process::id())), "{refusal}");
    store.end_session(&scope, None).unwrap();
    other.forget("13800138000").unwrap();
}

#[test]
fn an_older_store_is_upgraded_once() {
    let Some(database) = Database::create() else { return };
    drop(open_store(&database));
    let upgrades = ["CREATE TABLE second ()", "CREATE TABLE third ()"];
    let upgrade = || {
        let connection = connect(&database);
        std::thread::spawn(move || connection.run(move |link| schema::upgrade(&mut link.client, &upgrades)))
    };
    let both = [upgrade(), upgrade()].map(|upgrade| upgrade.join().unwrap());
    assert!(both.iter().all(Result::is_ok), "{both:?}");
    let found = connect(&database).run(|link| schema::find(&mut link.client)).unwrap();
    assert_eq!(found, Found::Version(3));
    let refusal = open(&location(&database), Origin::Provider, Arc::new(SystemClock::new())).err().unwrap();
    assert_eq!(refusal.exit, Exit::Usage);
    assert!(refusal.what.contains("newer"), "{refusal}");
}

#[test]
fn of_two_first_answers_one_decides_the_origin() {
    let Some(database) = Database::create() else { return };
    let open_either =
        || open(&location(&database), ExpectedOrigin::Either, Arc::new(SystemClock::new())).unwrap();
    let (first, second) = (open_either(), open_either());
    first.admit(Origin::Provider).unwrap();
    assert_eq!(second.admit(Origin::Sandbox).unwrap_err().exit, Exit::Usage);
    assert_eq!(second.origin(), Origin::Provider);
}

#[test]
fn a_reader_needs_no_other_privilege_than_select() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    begin(&store, "a");
    let role = format!("{}_analyst", database.name);
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA reconcile TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA reconcile TO {role}"
    ));
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let location = StoreLocation::parse(url.as_ref());
    let reader = open_reader(&location, None).unwrap().unwrap();
    assert_eq!(reader.sessions().unwrap().open, [1]);
    let writer = open(&location, Origin::Provider, Arc::new(SystemClock::new())).unwrap();
    let identity = RunIdentity { input_sha256: "b".into(), refresh: false };
    let refusal = writer.begin_session(&identity, "1/s".parse().unwrap(), Duration::ZERO).unwrap_err();
    assert!(refusal.hint.unwrap().contains("GRANT"));
    drop((reader, writer));
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[tokio::test]
async fn an_account_counts_its_own_requests() {
    let Some(database) = Database::create() else { return };
    let store = open_store(&database);
    let rate = "100/min".parse().unwrap();
    let begin_for = |accounts: &[&str]| {
        let caps: Vec<_> =
            accounts.iter().map(|name| AccountCap { account: Some((*name).to_owned()), rate }).collect();
        let identity = RunIdentity { input_sha256: "a".into(), refresh: false };
        let destination = Destination { endpoint: None, timeout: Duration::from_secs(10) };
        store.begin_sessions(&identity, &destination, &caps).unwrap()
    };
    let scopes = begin_for(&["east", "west", ""]);
    for (scope, calls) in scopes.iter().zip([1, 2, 4]) {
        for n in 0..calls {
            let begun = store.begin_request(scope, request(&n.to_string())).await.unwrap();
            store.end_request(scope, begun, ended(&store), None).await.unwrap();
        }
    }
    store.end_session(&scopes[0], Some(RunEnd::without_outputs(false))).unwrap();
    // Requests without an account count for each.
    for (scope, taken) in begin_for(&["east", "west", "north"]).iter().zip([5, 6, 4]) {
        assert_eq!(store.places_taken(scope, rate).unwrap().len(), taken);
    }
    let sessions = store.reader().unwrap().cap_record().unwrap().sessions;
    let most: Vec<_> = sessions.iter().map(|session| session.evidence.most_in_any_window).collect();
    // The four without an account were sent last. All requests count for their session.
    assert_eq!(most, [1, 2, 7]);
}
