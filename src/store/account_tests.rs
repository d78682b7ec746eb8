//! Tests of several accounts in one store: the requests of one never count for another.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::cap_audit::Verdict;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;
use tempfile::TempDir;

use super::*;
use crate::clock::SystemClock;

const TIMEOUT: Duration = Duration::from_secs(10);
/// The cap of every account. Its window is longer than a test.
const CAP: &str = "5/h";

fn rate() -> Rate {
    CAP.parse().unwrap()
}

fn cap_of(account: Option<&str>) -> AccountCap {
    AccountCap { account: account.map(str::to_owned), rate: rate() }
}

fn open_in(folder: &TempDir) -> Arc<dyn Store> {
    let path = folder.path().join("reconcile.db");
    open(&path.into(), Origin::Provider, Arc::new(SystemClock::new())).unwrap()
}

fn begin(store: &Arc<dyn Store>, ledger: &str, accounts: &[Option<&str>]) -> Vec<Scope> {
    let caps: Vec<AccountCap> = accounts.iter().map(|account| cap_of(*account)).collect();
    let identity = RunIdentity { input_sha256: ledger.into(), refresh: false };
    store.begin_sessions(&identity, &Destination { endpoint: None, timeout: TIMEOUT }, &caps).unwrap()
}

async fn send(store: &Arc<dyn Store>, scope: &Scope, call: usize) {
    let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
    let key = CallKey { call_id: format!("{call}^1"), prod_id: ProductId(11_000_000_300_006), day };
    let request = NewRequest { key, asked_date: day, purpose: Purpose::First, recheck: false };
    let begun = store.begin_request(scope, request).await.unwrap();
    let end = RequestEnd {
        at: store.moment(),
        provider_at: None,
        http_status: Some(200),
        code: "OK".into(),
        request_id: None,
        throttled: false,
        decision: Decision::GaveUp,
        pause: None,
    };
    store.end_request(scope, begun, end, None).await.unwrap();
}

fn verdicts(store: &Arc<dyn Store>) -> Vec<(Option<String>, Verdict, u64)> {
    let record = store.reader().unwrap().cap_record().unwrap();
    let verdict = |s: SessionEvidence| (s.account, s.evidence.verdict(s.rate), s.evidence.missing);
    record.sessions.into_iter().map(verdict).collect()
}

/// Sends the requests, each by the session with this number.
async fn sent_by(accounts: &[Option<&str>], requests: &[usize]) -> (TempDir, Arc<dyn Store>, Vec<Scope>) {
    let folder = TempDir::new().unwrap();
    let store = open_in(&folder);
    let scopes = begin(&store, "a", accounts);
    for (call, session) in requests.iter().enumerate() {
        send(&store, &scopes[*session], call).await;
    }
    (folder, store, scopes)
}

#[tokio::test]
async fn two_accounts_at_their_caps_hold_and_one_breaks() {
    // All orders of 4 + 5 requests, by the bits of a number.
    for bits in (0..1_u32 << 9).filter(|bits| bits.count_ones() == 5).step_by(7) {
        let requests: Vec<usize> = (0..9).map(|at| (bits >> at & 1) as usize).collect();
        let (_folder, store, scopes) = sent_by(&[Some("north"), Some("south")], &requests).await;
        let names = ["north", "south"].map(|name| (Some(name.to_owned()), Verdict::Held, 0));
        assert_eq!(verdicts(&store), names, "{requests:?}");
        let traffic = store.traffic_of_all(&scopes).unwrap();
        assert_eq!(traffic.iter().map(|t| t.requests).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(traffic.iter().map(|t| t.evidence.most_in_any_window).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(store.traffic(&scopes[1]).unwrap(), traffic[1]);

        let (_folder, store, _) = sent_by(&[Some("north")], &[0; 9]).await;
        assert_eq!(verdicts(&store), [(Some("north".to_owned()), Verdict::Broken, 0)]);
    }
}

#[tokio::test]
async fn a_session_without_an_account_counts_for_all() {
    for pair in [[None, Some("north")], [Some("north"), None], [None, None]] {
        let (_folder, store, _) = sent_by(&pair, &[0, 1, 0, 1, 0, 1]).await;
        let verdicts: Vec<Verdict> = verdicts(&store).into_iter().map(|(_, verdict, _)| verdict).collect();
        assert!(verdicts.contains(&Verdict::Broken), "{pair:?}: {verdicts:?}");
    }
}

#[tokio::test]
async fn only_places_of_the_own_account_are_taken() {
    let (folder, store, _) = sent_by(&[Some("north"), Some("south"), None], &[0, 0, 0, 1, 1, 2]).await;
    drop(store);
    let store = open_in(&folder);
    let scopes = begin(&store, "b", &[Some("north"), Some("south"), Some("west"), None]);
    let taken: Vec<usize> =
        scopes.iter().map(|scope| store.places_taken(scope, rate()).unwrap().len()).collect();
    assert_eq!(taken, [4, 3, 1, 6]);
    let reader = store.reader().unwrap();
    let clock = SystemClock::new();
    let previewed = reader.places_taken(&clock, &cap_of(Some("south"))).unwrap().len();
    assert_eq!(previewed, 3);
}

#[test]
fn every_account_of_a_deleted_store_waits_for_a_window() {
    let folder = TempDir::new().unwrap();
    let store = open_in(&folder);
    begin(&store, "a", &[Some("north"), Some("south")]);
    drop(store);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("reconcile.db{ending}")));
    }
    let store = open_in(&folder);
    let scopes = begin(&store, "a", &[Some("north"), Some("south")]);
    assert_eq!(scopes.iter().map(|scope| scope.session_no).collect::<Vec<_>>(), [3, 4]);
    for scope in &scopes {
        assert_eq!(store.places_taken(scope, rate()).unwrap().len(), 5);
    }
    drop(store);
    // The sessions after them know of all requests again.
    let store = open_in(&folder);
    let scopes = begin(&store, "a", &[Some("north")]);
    assert_eq!(store.places_taken(&scopes[0], rate()).unwrap(), []);
}

#[tokio::test]
async fn sessions_of_one_run_end_and_are_exported_apart() {
    let (_folder, store, scopes) = sent_by(&[Some("north"), Some("south")], &[0, 1]).await;
    let sessions = store.reader().unwrap().sessions().unwrap();
    assert_eq!((sessions.ended.len(), sessions.open), (0, vec![1, 2]));
    store.end_session(&scopes[0], Some(RunEnd::without_outputs(true))).unwrap();
    let sessions = store.reader().unwrap().sessions().unwrap();
    assert_eq!((sessions.ended.len(), sessions.open), (2, vec![]));
    assert_ne!(sessions.ended[0].started_at, sessions.ended[1].started_at);
    assert_eq!(sessions.ended[0].run_id, sessions.ended[1].run_id);
}
