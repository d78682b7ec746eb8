//! A night of 42,000 calls with receipts over virtual time, with the real stages: receipts and
//! ledger are joined, the fetch stage asks for the rest under the cap, and the files are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use reconcile::collect::{AskedAccount, Beside, BesideWanted, CallSource, JobSource, collect, workloads};
use reconcile::fetch::cap::Cap;
use reconcile::fetch::outage::{Outage, OutagePolicy};
use reconcile::fetch::retry::Policy;
use reconcile::fetch::{Anomalies, CallLimits, Concurrency, Fetcher, Slots};
use reconcile::ledger::{Input, Options, ScannedLedger};
use reconcile::output::Paths;
use reconcile::provider::{Provider, Question, wire::Reply};
use reconcile::publish::Rules;
use reconcile::receipts::{JoinedReceipts, LedgerCalls, Receipts};
use reconcile::stop::Stop;
use reconcile::store::{RunIdentity, Store};
use reconcile_core::ask_again::{ReceiptUse, Scope};
use reconcile_core::call::CallKey;
use reconcile_core::compare::Tolerances;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;
use reconcile_core::receipt::{Receipt, ReceiptsTrust};
use tokio::time::{Instant, sleep};

use super::outages_simulated::record;
use super::processes_simulated::{Account, BusyLog, NoMonitor, SharedStore, TIMEOUT};
use crate::outputs::planted_discrepancies::publish_with;
use crate::support::provider::talk_seconds;
use crate::support::{Row, cell, id, read_csv, read_parquet};

const CALLS: usize = 42_000;
const TRUST: &str = "sample=2%";
/// Draws the sample.
const SEED: u64 = 7;

/// Columns in which a call with a receipt differs: those of the request, and what a receipt lacks.
const OF_SOURCE: [&str; 8] =
    ["source", "request_id", "attempts", "fetched_at", "raw", "created_at", "state_desc", "hangup_by"];

/// A provider that answers at once, and notes when requests arrive.
struct Arrivals(Arc<Account>);

impl Provider for Arrivals {
    async fn ask(&self, question: &Question) -> Reply {
        sleep(Duration::from_millis(50)).await;
        self.0.ours.lock().unwrap().push((Instant::now(), false));
        sleep(Duration::from_millis(50)).await;
        record(question)
    }
}

fn has_receipt(call: usize) -> bool {
    call % 20 != 3
}

/// The record of a call as a receipt.
fn receipt(call_id: &str) -> String {
    let seconds = talk_seconds(call_id);
    let end = format!("2024-05-26 17:01:{:02}", 2 + seconds);
    format!(
        r#"{{"call_id":"{call_id}","originate_time":"2024-05-26 17:00:59","status_code":"200000","start_time":"2024-05-26 17:01:02","end_time":"{end}","duration":"{seconds}","callee":"18512348980","callee_show_num":"0571000018363","b_ring_time":"2024-05-26 17:00:59","b_start_time":"2024-05-26 17:01:02","b_end_time":"{end}"}}"#
    )
}

/// Writes ledger and receipts. One of 100 calls has another duration in the ledger.
fn write_night(folder: &Path) {
    let mut ledger = String::from("call_id,prod_id,called_at,duration,callee\n");
    let mut receipts = String::new();
    for call in 0..CALLS {
        let (call_id, wrong) = (id(call), u64::from(call % 100 == 9) * 5);
        let seconds = talk_seconds(&call_id) + wrong;
        writeln!(ledger, "{call_id},11000000300006,2024-05-26,{seconds},18512348980").unwrap();
        if has_receipt(call) {
            writeln!(receipts, "{}", receipt(&call_id)).unwrap();
        }
    }
    std::fs::write(folder.join("calls.csv"), ledger).unwrap();
    std::fs::write(folder.join("receipts.jsonl"), receipts).unwrap();
}

fn key(call: usize) -> CallKey {
    let day = NaiveDate::from_ymd_opt(2024, 5, 26).unwrap();
    CallKey { call_id: id(call), prod_id: ProductId(11_000_000_300_006), day }
}

/// A run over the ledger of this folder.
struct Night {
    store: Arc<dyn Store>,
    scope: Scope,
    account: Arc<Account>,
    took: Duration,
}

async fn run(
    folder: &Path,
    shared: &SharedStore,
    account: Arc<Account>,
    rate: Rate,
    receipts: bool,
) -> Night {
    let (store, began) = (shared.open(), Instant::now());
    let identity = RunIdentity { input_sha256: "ledger".into(), refresh: false };
    let scope = store.begin_session(&identity, rate, TIMEOUT).unwrap();
    let input = Input::open(&folder.join("calls.csv")).unwrap();
    let ledger = Arc::new(ScannedLedger::scan(input, Options::default()).unwrap());
    if receipts {
        let given = Receipts::collect(&[folder.join("receipts.jsonl")], Some(folder)).unwrap();
        let calls = LedgerCalls::of(&ledger, Some(folder)).unwrap();
        let joined = JoinedReceipts::join(given, calls, Some(folder)).unwrap();
        let kept: Vec<(CallKey, Receipt)> =
            joined.answered().map(|call| call.map(|call| (call.key, call.receipt)).unwrap()).collect();
        kept.chunks(4_096).for_each(|part| store.keep_receipts(&scope, part).unwrap());
    }
    let receipts = ReceiptUse { trust: ReceiptsTrust::parse(TRUST).unwrap(), seed: SEED };
    let rules = Rules { settle: TimeDelta::minutes(5), tolerances: Tolerances::default() };
    let reader = store.reader().unwrap();
    let source =
        CallSource { ledger: &ledger, scope: &scope, reader: Some(&*reader), receipts, rules, accounts: &[] };
    let workload = workloads(source).unwrap().remove(0);
    let wanted = BesideWanted {
        scope: scope.clone(),
        open_days: NaiveDate::MAX..=NaiveDate::MIN,
        records_since: None,
        sample_percent: None,
        accounts: vec![None],
    };
    let fetcher = Fetcher {
        provider: Arrivals(account.clone()),
        cap: Arc::new(Cap::new(rate, rate.requests, &[])),
        slots: Slots::new(Concurrency::Auto, rate),
        policy: Policy::default(),
        outage: Outage::new(OutagePolicy::default()),
        call_limits: CallLimits::default(),
        store: Arc::new(BusyLog(store.clone())),
        scope: scope.clone(),
        monitor: Arc::new(NoMonitor),
        anomalies: Anomalies::default(),
        stop: Stop::default(),
    };
    let jobs = JobSource {
        ledger,
        scope: scope.clone(),
        reader,
        receipts,
        rules,
        accounts: Vec::new(),
        beside: Arc::new(Beside::new(store.reader().unwrap(), wanted)),
        stop: fetcher.stop.clone(),
    };
    let (order, refutable) = (workload.order(false), workload.refutable(false));
    let asked = [AskedAccount { fetcher: &fetcher, order, refutable }];
    assert_eq!(collect(jobs, &asked).await, [true]);
    Night { store, scope, account, took: began.elapsed() }
}

/// The rows of details and discrepancies.
fn published(folder: &Path, night: &Night) -> (Vec<Row>, Vec<Row>) {
    let paths = Paths::beside(folder.join("details.parquet"), None, None, None);
    publish_with(2, &paths, folder, night.store.as_ref(), &night.scope);
    let mut found = read_csv(&folder.join("details.discrepancies.csv"));
    // The ledger has only days, so this is the details' `created_at`.
    found.iter_mut().for_each(|row| drop(row.remove("called_at")));
    (read_parquet(&folder.join("details.parquet")), found)
}

#[tokio::test(start_paused = true)]
async fn receipts_make_a_night_of_42_000_calls_short() {
    let folder = tempfile::TempDir::new().unwrap();
    let folder = folder.path();
    write_night(folder);
    let sample = ReceiptsTrust::parse(TRUST).unwrap();
    let needed: BTreeSet<usize> = (0..CALLS)
        .filter(|call| !has_receipt(*call) || sample.asks(key(*call).fingerprint(), SEED))
        .collect();
    let without = CALLS / 20;
    assert!((without + 600..without + 1_000).contains(&needed.len()), "5 % and the sample: {}", needed.len());

    let (account, shared) = (Account::new(0, 0), SharedStore::new(Account::new(0, 0)));
    let night = run(folder, &shared, account, "100/min".parse().unwrap(), true).await;
    assert_eq!(night.account.ours.lock().unwrap().len(), needed.len());
    assert!(night.account.most_in_any_window() <= 100);
    // 100 at once, then 100 a minute.
    let minutes = needed.len().div_ceil(100) as u32;
    assert!(night.took <= Duration::from_secs(60) * (minutes + 1), "{:?}", night.took);
    let (with, found) = published(folder, &night);

    let (account, shared) = (Account::new(0, 0), SharedStore::new(Account::new(0, 0)));
    let plain = run(folder, &shared, account, "1000000/min".parse().unwrap(), false).await;
    assert_eq!(plain.account.ours.lock().unwrap().len(), CALLS);
    let (details, discrepancies) = published(folder, &plain);
    assert_eq!(with.len(), CALLS);
    let mut differing = BTreeMap::<&str, usize>::new();
    for (call, (with, plain)) in with.iter().zip(&details).enumerate() {
        let is_asked = needed.contains(&call);
        assert_eq!(cell(with, "source"), if is_asked { "query" } else { "receipt" }, "{call}");
        assert!(is_asked || cell(with, "raw").is_empty());
        for (column, value) in plain {
            if with.get(column) != Some(value) {
                assert!(OF_SOURCE.contains(&column.as_str()), "{call}: {column}");
                *differing.entry(column).or_default() += 1;
            }
        }
    }
    assert_eq!(differing["raw"], CALLS - needed.len());
    assert_eq!((found.len(), &found), (CALLS / 100, &discrepancies));
}
