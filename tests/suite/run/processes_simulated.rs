//! Fetch stage and store over virtual time: an account that another client shares, and processes
//! that use one store in turn. They meet kills, restarts of the machine and steps of its clock. The
//! simulated account judges at the receiver.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use reconcile::clock::{Clock, Moment};
use reconcile::error::Result;
use reconcile::fetch::cap::Cap;
use reconcile::fetch::outage::{Outage, OutagePolicy};
use reconcile::fetch::retry::Policy;
use reconcile::fetch::{Anomalies, CallLimits, Concurrency, Ended, Fetcher, Job, Monitor, Slots};
use reconcile::provider::wire::Reply;
use reconcile::provider::{LostReason, LostRequest, Provider, Question};
use reconcile::stop::{Reason, Stop};
use reconcile::store::{
    BegunRequest, NewRequest, Origin, RequestEnd, RequestLog, RunEnd, RunIdentity, Store, open,
};
use reconcile_core::answer::{AnswerKind, NewAnswer};
use reconcile_core::ask_again::{NextRequest, Scope};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::rate::Rate;
use reconcile_core::traffic::{Slowdown, Traffic};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::support::provider::detail;

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// The machine's clocks on top of tokio's. Tests step the wall clock and restart the machine.
struct Machine {
    began: Instant,
    boot: AtomicU64,
    booted_us: AtomicI64,
    wall_us: AtomicI64,
}

impl Machine {
    fn new() -> Arc<Self> {
        // The machine has been up for an hour.
        let booted_us = AtomicI64::new(-3_600_000_000);
        let wall_us = AtomicI64::new(1_795_000_000_000_000);
        Arc::new(Self { began: Instant::now(), boot: AtomicU64::new(1), booted_us, wall_us })
    }

    fn elapsed_us(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    fn step_wall(&self, seconds: i64) {
        self.wall_us.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

/// One process's view of the clocks. It reads the boot id once, as the real clock does.
struct ProcessClock(Arc<Machine>, String);

impl Clock for ProcessClock {
    fn now(&self) -> Moment {
        let us = self.0.elapsed_us();
        let wall = DateTime::from_timestamp_micros(self.0.wall_us.load(Ordering::Relaxed) + us).unwrap();
        Moment { wall, boot_us: us - self.0.booted_us.load(Ordering::Relaxed) }
    }

    fn boot_id(&self) -> &str {
        &self.1
    }

    fn boot_us_is_uptime(&self) -> bool {
        true
    }
}

/// Keeps paused time from moving during a commit. Tokio moves paused time whenever no task is
/// ready, and it does not know that another thread is committing.
pub(super) struct BusyLog(pub(super) Arc<dyn Store>);

/// Polls until the work is done, so that its task stays ready.
async fn busily<T>(mut work: BoxFuture<'_, T>) -> T {
    loop {
        if let Some(done) = (&mut work).now_or_never() {
            return done;
        }
        tokio::task::yield_now().await;
    }
}

impl RequestLog for BusyLog {
    fn moment(&self) -> Moment {
        self.0.moment()
    }

    fn admit(&self, answer: Origin) -> Result<()> {
        self.0.admit(answer)
    }

    fn may_send(&self) -> bool {
        self.0.may_send()
    }

    fn until_may_send(&self) -> BoxFuture<'_, ()> {
        self.0.until_may_send()
    }

    fn begin_request<'a>(
        &'a self,
        scope: &'a Scope,
        request: NewRequest,
    ) -> BoxFuture<'a, Result<BegunRequest>> {
        busily(self.0.begin_request(scope, request)).boxed()
    }

    fn end_request<'a>(
        &'a self,
        scope: &'a Scope,
        begun: BegunRequest,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> BoxFuture<'a, Result<()>> {
        busily(self.0.end_request(scope, begun, end, answer)).boxed()
    }
}

/// The provider's side of the account: throttles each request above its limit in any window.
pub(super) struct Account {
    limit: usize,
    window: Duration,
    /// Arrivals of all clients that were not throttled.
    counted: Mutex<VecDeque<Instant>>,
    /// Our arrivals, each with whether it was throttled.
    pub(super) ours: Mutex<Vec<(Instant, bool)>>,
    random: Mutex<fastrand::Rng>,
    delay_ms: u64,
    faults: u64,
}

impl Account {
    pub(super) fn new(delay_ms: u64, faults: u64) -> Arc<Self> {
        Arc::new(Self {
            limit: 100,
            window: MINUTE,
            counted: Mutex::default(),
            ours: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(11)),
            delay_ms,
            faults,
        })
    }

    /// Counts an arriving request. Returns false when it is throttled.
    fn lets_through(&self) -> bool {
        let now = Instant::now();
        let mut counted = self.counted.lock().unwrap();
        while counted.front().is_some_and(|first| now - *first >= self.window) {
            counted.pop_front();
        }
        let free = counted.len() < self.limit;
        if free {
            counted.push_back(now);
        }
        free
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().u64(10..=self.delay_ms.max(10)))
    }

    pub(super) fn most_in_any_window(&self) -> usize {
        let mut arrivals: Vec<Instant> = self.ours.lock().unwrap().iter().map(|(at, _)| *at).collect();
        arrivals.sort_unstable();
        let in_window =
            |i: usize| arrivals[i..].iter().take_while(|at| **at - arrivals[i] < self.window).count();
        (0..arrivals.len()).map(in_window).max().unwrap_or(0)
    }
}

/// The account behind a network.
struct Network(Arc<Account>);

impl Provider for Network {
    async fn ask(&self, question: &Question) -> Reply {
        let account = &self.0;
        // The request arrives even if its sender has been killed.
        let (there, judge) = (account.delay(), account.clone());
        let arrival = tokio::spawn(async move {
            sleep(there).await;
            let through = judge.lets_through();
            judge.ours.lock().unwrap().push((Instant::now(), !through));
            through
        });
        let through = arrival.await.unwrap();
        sleep(account.delay()).await;
        let body = |value: serde_json::Value| value.to_string().into_bytes();
        if !through {
            let said =
                serde_json::json!({"Code": "Throttling.User", "Message": "flow control", "RequestId": "R"});
            return Reply::received(400, body(said));
        }
        if account.random.lock().unwrap().u64(0..1_000) < account.faults {
            return Reply::Lost(LostRequest { reason: LostReason::Cut, message: String::new() });
        }
        let data = detail(&question.call_id).to_string();
        let said = serde_json::json!({"Code": "OK", "Message": "OK", "RequestId": "R", "Data": data});
        Reply::received(200, body(said))
    }
}

pub(super) struct NoMonitor;

impl Monitor for NoMonitor {
    fn came_back(&self, _code: &str) {}
    fn throttled(&self) {}
    fn ended(&self, _kind: AnswerKind) {}
    fn receipts_are_refuted(&self, _calls: u64) {}
    fn begins_beside(&self, _calls: u64) {}
    fn ended_beside(&self) {}
}

fn job(n: usize) -> Job {
    let day = NaiveDate::from_ymd_opt(2024, 5, 26).unwrap();
    let key = CallKey { call_id: crate::support::id(n), prod_id: ProductId(11_000_000_300_006), day };
    Job { key, first_day: day, other_day: None, recheck: false, has_record: false }
}

/// A store and the processes that use it.
pub(super) struct SharedStore {
    dir: TempDir,
    machine: Arc<Machine>,
    account: Arc<Account>,
    rate: Rate,
    concurrency: Concurrency,
}

impl SharedStore {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            machine: Machine::new(),
            account,
            rate: "100/min".parse().unwrap(),
            concurrency: Concurrency::Fixed(NonZeroUsize::new(16).unwrap()),
        }
    }

    /// The same with this cap.
    pub(super) fn with_rate(self, rate: &str) -> Self {
        Self { rate: rate.parse().unwrap(), ..self }
    }

    /// The same with this number of slots.
    pub(super) fn with_concurrency(self, concurrency: Concurrency) -> Self {
        Self { concurrency, ..self }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("reconcile.db")
    }

    pub(super) fn open(&self) -> Arc<dyn Store> {
        let boot = self.machine.boot.load(Ordering::Relaxed).to_string();
        let clock = Arc::new(ProcessClock(self.machine.clone(), boot));
        open(&self.path().into(), Origin::Provider, clock).unwrap()
    }

    /// Runs one process over all calls without an answer. Returns how many calls ended in each way.
    async fn process(&self, calls: usize) -> BTreeMap<String, usize> {
        let network = Network(self.account.clone());
        let Ran { ended, traffic, .. } = self.process_with(network, calls, OutagePolicy::default()).await;
        assert!(traffic.evidence.most_in_any_window <= 100, "the audit: {traffic:?}");
        ended
    }

    /// As [`Self::process`], with this provider.
    pub(super) async fn process_with<P: Provider>(
        &self,
        provider: P,
        calls: usize,
        outage: OutagePolicy,
    ) -> Ran {
        self.process_through(provider, calls, outage, |store| Arc::new(BusyLog(store))).await
    }

    /// As [`Self::process_with`]. The fetch stage sees the store through `log`.
    pub(super) async fn process_through<P: Provider>(
        &self,
        provider: P,
        calls: usize,
        outage: OutagePolicy,
        log: impl FnOnce(Arc<dyn Store>) -> Arc<dyn RequestLog>,
    ) -> Ran {
        let store = self.open();
        let identity = RunIdentity { input_sha256: "ledger".into(), refresh: false };
        let scope = store.begin_session(&identity, self.rate, TIMEOUT).unwrap();
        let taken = store.places_taken(&scope, self.rate).unwrap();
        let cap = Arc::new(Cap::new(self.rate, self.rate.requests, &taken));
        let reader = store.reader().unwrap();
        let left = (0..calls).map(job).filter(|job| {
            scope.next_request(reader.lookup(&job.key).unwrap().as_ref()) != NextRequest::Nothing
        });
        let left: Vec<Job> = left.collect();
        let fetcher = Fetcher {
            provider,
            cap: cap.clone(),
            slots: Slots::new(self.concurrency, self.rate),
            policy: Policy::default(),
            outage: Outage::new(outage),
            call_limits: CallLimits::default(),
            store: log(store.clone()),
            scope: scope.clone(),
            monitor: Arc::new(NoMonitor),
            anomalies: Anomalies::default(),
            stop: Stop::default(),
        };
        let mut ended = BTreeMap::new();
        let jobs = futures::stream::iter(left).then(async |job| (job, fetcher.slots.enter().await));
        let fetched = jobs.map(|(job, call)| fetcher.fetch(job, call)).buffer_unordered(calls + 1);
        let mut fetched = pin!(fetched);
        while let Some(how) = fetched.next().await {
            let word = match how {
                Ended::Answered(kind) => kind.as_str(),
                Ended::Deferred => "deferred",
            };
            *ended.entry(word.to_owned()).or_default() += 1;
        }
        let traffic = store.traffic(&scope).unwrap();
        store.end_session(&scope, Some(RunEnd::without_outputs(true))).unwrap();
        Ran {
            ended,
            traffic,
            stopped: fetcher.stop.reason(),
            notes: fetcher.outage.note().iter().map(ToString::to_string).collect(),
            slowdown: cap.slowdown(),
        }
    }
}

/// How a process ended.
pub(super) struct Ran {
    /// How many calls ended in each way.
    pub(super) ended: BTreeMap<String, usize>,
    pub(super) traffic: Traffic,
    pub(super) stopped: Option<Reason>,
    /// The outages in words.
    pub(super) notes: Vec<String>,
    pub(super) slowdown: Slowdown,
}

/// Another client, which uses half of the account's cap.
fn another_client(account: &Arc<Account>, at_once: u32) {
    let account = account.clone();
    tokio::spawn(async move {
        loop {
            (0..at_once).for_each(|_| {
                account.lets_through();
            });
            sleep(MINUTE * at_once / 50).await;
        }
    });
}

async fn share_the_account(at_once: u32) {
    let account = Account::new(150, 0);
    another_client(&account, at_once);
    let (shared, begin) = (SharedStore::new(account.clone()), Instant::now());
    assert_eq!(shared.process(800).await, BTreeMap::from([("final".to_owned(), 800)]));
    assert!(begin.elapsed() < MINUTE * 40, "{:?}", begin.elapsed());
    let ours = account.ours.lock().unwrap();
    let late: Vec<bool> =
        ours.iter().filter(|(at, _)| *at - begin > MINUTE * 2).map(|(_, throttled)| *throttled).collect();
    let throttled = late.iter().filter(|throttled| **throttled).count();
    assert!(throttled * 20 < late.len(), "{throttled} of {} after two minutes", late.len());
}

#[tokio::test(start_paused = true)]
async fn beside_an_even_client_few_requests_are_throttled() {
    share_the_account(1).await;
}

#[tokio::test(start_paused = true)]
async fn beside_a_bursty_client_few_requests_are_throttled() {
    share_the_account(50).await;
}

#[tokio::test(start_paused = true)]
async fn consecutive_processes_share_one_cap() {
    let account = Account::new(3_000, 50);
    let shared = SharedStore::new(account.clone());
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20 {
        // Killed with requests in flight.
        let _ = timeout(Duration::from_secs(random.u64(1..90)), shared.process(1_500)).await;
        match random.u8(0..3) {
            0 => shared.machine.step_wall(random.i64(-20_000..20_000)),
            1 => {
                // The machine restarts, which takes a while. Then its clock is wrong until it is
                // set.
                let up = Duration::from_secs(random.u64(0..120));
                sleep(up).await;
                shared.machine.boot.fetch_add(1, Ordering::Relaxed);
                let up = i64::try_from(up.as_micros()).unwrap();
                shared.machine.booted_us.store(shared.machine.elapsed_us() - up, Ordering::Relaxed);
                shared.machine.step_wall(random.i64(-20_000..20_000));
            }
            _ => sleep(Duration::from_millis(random.u64(0..5_000))).await,
        }
    }
    let ended = shared.process(1_500).await;
    assert!(ended.keys().all(|how| how == "final"), "{ended:?}");
    assert!(account.most_in_any_window() <= 100, "{}", account.most_in_any_window());
    assert_eq!(account.ours.lock().unwrap().iter().filter(|(_, throttled)| *throttled).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_or_restored_store_waits_for_one_window() {
    let account = Account::new(50, 0);
    let shared = SharedStore::new(account.clone());
    shared.process(50).await;
    let backup = std::fs::read(shared.path()).unwrap();
    for restored in [None, Some(backup)] {
        shared.process(100).await;
        std::fs::remove_file(shared.path()).unwrap();
        if let Some(bytes) = restored {
            std::fs::write(shared.path(), bytes).unwrap();
        }
        shared.process(100).await;
    }
    assert!(account.most_in_any_window() <= 100, "{}", account.most_in_any_window());
}
