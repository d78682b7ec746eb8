//! Several hosts under one cap, over virtual time: clocks of different speeds, frozen and killed
//! processes, restarts of machines, a way to the database that breaks, commits of unknown outcome,
//! and failovers that lose commits. The receiver counts. Wrong designs prove that this world
//! notices mistakes.
//!
//! Each process runs the program's own keeper and cap. The database and the network are models.
//! A process is never frozen between the check of its lease and the sending: only the receiver
//! could notice that.

mod database;
mod failovers;
mod host;
mod wrong_designs;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{FutureExt as _, LocalBoxFuture};
use reconcile::clock::Clock as _;
use reconcile::error::{Error, Result};
use reconcile::fetch::cap::{Cap, Place};
use reconcile::stop::{Reason, Stop};
use reconcile::store::lease::{
    Change, Claim, Keeper, Lease, RENEW_EVERY, Raised, Renewed, RowState, SessionRow, Step, Table,
};
use reconcile_core::rate::Rate;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep};

use crate::support::number_from_environment;
use database::{Database, End, Session, Shared};
use host::{Freezable, Host, HostCap, HostClock, HostTable, Way};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The program's design, or one that is wrong in one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Design {
    Right,
    /// A place is free one window after its request was sent.
    CountsFromSending,
    /// A session is dead if its own wall clock says that it renewed long ago.
    TakeOverByTheOthersClock,
    /// The cap has new places before the row.
    MemoryBeforeRow,
    /// New places are used before the others have renewed, even after a failover.
    NoRenewalsAwaited,
    /// After a failover new places are used at once.
    FailoverNotNoticed,
    /// A session goes on after a failover.
    LeaseOutlivesFailover,
    /// After a take-over places rest for one timeout, not for two.
    OneTimeoutAfterTakeOver,
    /// A place is free exactly one window after the reply.
    NoGuard,
    /// A row for each place says when it is free, by the clock of the database's server. A new
    /// primary has a clock that is 5 s ahead.
    PlacesOnTheServersClock,
}

/// What happens in a world.
#[derive(Debug, Clone)]
struct World {
    seed: u64,
    design: Design,
    rate: Rate,
    hosts: usize,
    accounts: usize,
    /// Requests of a process on the first host that may be in flight at once. Others wait with
    /// their row on disk.
    slots: usize,
    lasts: Duration,
    /// The longest delay in each direction, in milliseconds.
    delay_ms: u64,
    /// Of a thousand requests, how many get no reply.
    faults: u64,
    /// Of a thousand transactions, how many are lost, late or slow.
    lost_per_mille: u64,
    /// The mean time between two troubles; `None` means that there are none.
    trouble_every: Option<Duration>,
    troubles: &'static [Trouble],
    /// What happens at which second, to which host.
    plan: Vec<(u64, usize, Event)>,
    /// When the hosts start, in seconds. Those without a number start at once.
    starts_s: Vec<u64>,
    /// Only the first host has delays, faults and troubles.
    only_the_first_is_bad: bool,
    /// The longest time, in seconds, after which a process ends in order; others run on.
    lives_s: Option<u64>,
    /// The greatest difference of a clock's speed from the receiver's.
    skew_ppm: i64,
    /// By how many ppm the clock of each host is faster than the receiver's, and by how many
    /// seconds its wall clock is ahead. Those of other hosts are random.
    clocks: &'static [(i64, i64)],
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Event {
    Freeze(Duration),
    Kill,
    Restart,
    CutOff(Duration),
    /// The new primary lacks the commits of the last `lost`.
    FailOver {
        lost: Duration,
        down_for: Duration,
    },
    /// A second process on the same host, which works for this long.
    ComeAndGo(Duration),
}

/// A kind of [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Freeze,
    /// Longer than a lease and the rest after a take-over.
    LongFreeze,
    Kill,
    Restart,
    CutOff,
    FailOver,
    FailOverWithLoss,
    FailOverWithLongLoss,
    ComeAndGo,
}

const ALL_TROUBLES: &[Trouble] = &[
    Trouble::Freeze,
    Trouble::LongFreeze,
    Trouble::Kill,
    Trouble::Restart,
    Trouble::CutOff,
    Trouble::FailOver,
    Trouble::FailOverWithLoss,
    Trouble::ComeAndGo,
];

/// What tries the leases' hardest promise: a failover may lose commits.
const FAILOVERS: &[Trouble] =
    &[Trouble::FailOver, Trouble::FailOverWithLoss, Trouble::FailOverWithLongLoss, Trouble::LongFreeze];

/// What the processes of a world share.
struct Shop {
    world: World,
    random: Rc<RefCell<fastrand::Rng>>,
    database: Shared,
    /// By account, when each request arrived.
    arrivals: RefCell<BTreeMap<String, Vec<Instant>>>,
    lost: Cell<usize>,
}

impl Shop {
    fn millis(&self, range: std::ops::RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.random.borrow_mut().u64(range))
    }

    /// How long a process works before it ends in order.
    fn life(&self) -> Duration {
        self.world.lives_s.map_or(self.world.lasts * 2, |most| self.millis(1_000..=most * 1_000))
    }

    fn sends(&self, account: &str, arrives: Instant) {
        self.arrivals.borrow_mut().entry(account.to_owned()).or_default().push(arrives);
    }
}

/// What the workers of a process share.
struct Process {
    shop: Rc<Shop>,
    host: Rc<Host>,
    way: Way,
    account: String,
    session_no: i64,
    next_request: Cell<i64>,
    cap: Arc<Cap>,
    slots: Semaphore,
    lease: Arc<Lease>,
    stop: Stop,
}

impl Process {
    /// Sends requests until the process stops.
    async fn work(&self) {
        loop {
            let place = tokio::select! {
                biased;
                () = self.stop.stopped() => return,
                place = self.cap.take() => place,
            };
            if !self.lease.may_send() {
                place.give_back();
                tokio::select! {
                    biased;
                    () = self.stop.stopped() => return,
                    () = self.lease.until_may_send() => continue,
                }
            }
            if self.request(place).await.is_none() {
                return;
            }
        }
    }

    /// Asks once; `None` if the session was taken over.
    async fn request(&self, place: Place<'_>) -> Option<()> {
        let (session_no, request_no) = (self.session_no, self.next_request.get());
        self.next_request.set(request_no + 1);
        self.commit(move |database| database.begin_request(session_no, request_no)).await?;
        let slot = self.slots.acquire().await.unwrap();
        if !self.lease.may_send() || self.stop.reason().is_some() {
            drop(slot);
            self.end(request_no, false, false).await?;
            place.give_back();
            return Some(());
        }
        let shop = &self.shop;
        let is_first = self.host.no == 0;
        let faults = if is_first || !shop.world.only_the_first_is_bad { shop.world.faults } else { 0 };
        let fate = shop.random.borrow_mut().u64(0..1_000);
        let sent = Instant::now();
        if fate < faults {
            // It may arrive until one timeout after its failure.
            let earliest_ms = if shop.world.only_the_first_is_bad { 17_000 } else { 0 };
            shop.sends(&self.account, sent + shop.millis(earliest_ms..=19_999));
            sleep(TIMEOUT).await;
            drop(slot);
            place.rest(TIMEOUT);
            return self.end(request_no, true, false).await;
        }
        if fate < faults * 2 {
            sleep(shop.millis(0..=9_000)).await;
            drop(slot);
            place.give_back();
            return self.end(request_no, false, false).await;
        }
        let delay_ms = if is_first || !shop.world.only_the_first_is_bad { shop.world.delay_ms } else { 50 };
        let (there, back) = (shop.millis(0..=delay_ms), shop.millis(0..=delay_ms));
        shop.sends(&self.account, sent + there);
        let mut place = Some(place);
        if shop.world.design == Design::CountsFromSending {
            place.take();
        }
        sleep(there + back).await;
        drop(slot);
        drop(place);
        self.end(request_no, true, true).await
    }

    async fn end(&self, request_no: i64, was_sent: bool, has_reply: bool) -> Option<()> {
        let (session_no, at_us) = (self.session_no, self.host.reading().boot_us);
        let end = End { at_us, was_sent, has_reply };
        self.commit(move |database| database.end_request(session_no, request_no, end)).await
    }

    /// Commits until the outcome is known; `None` if the session was taken over.
    async fn commit(&self, work: impl Fn(&mut Database) -> bool + Clone + 'static) -> Option<()> {
        loop {
            match self.way.transact(work.clone()).await {
                Ok(true) => return Some(()),
                Ok(false) => {
                    self.stop.stop(Reason::Signal("taken over"));
                    return None;
                }
                Err(_) if self.lease.is_lost() => return None,
                Err(_) => sleep(Duration::from_millis(300)).await,
            }
        }
    }
}

/// Runs one process over its own ledger until it has worked for `lives`, or is lost.
async fn process(shop: Rc<Shop>, host: Rc<Host>, account: String, lives: Duration) {
    let world = &shop.world;
    let way = Way {
        host: host.clone(),
        database: shop.database.clone(),
        random: shop.random.clone(),
        lost_per_mille: world.lost_per_mille,
    };
    let timeout = if world.design == Design::OneTimeoutAfterTakeOver { TIMEOUT / 2 } else { TIMEOUT };
    let (session_no, beat) = begin(&way, &account).await;
    let clock = HostClock::of(&host);
    let lease = Arc::new(Lease::new(clock.clone()));
    let mut keeper = Keeper::new(clock, lease.clone());
    keeper.add((session_no, beat), &account, world.rate, timeout);
    let cap = Arc::new(host_cap(world, &host));
    let places = Arc::new(HostCap { cap: cap.clone(), faster_ppm: host.faster_ppm });
    keeper.hold(session_no, places.clone());
    let mut table = HostTable {
        way: way.clone(),
        design: world.design,
        account: account.clone(),
        rate: world.rate,
        places,
    };
    let process = Process {
        shop: shop.clone(),
        host: host.clone(),
        way: way.clone(),
        account,
        session_no,
        next_request: Cell::new(1),
        cap,
        slots: Semaphore::new(if host.no == 0 { world.slots } else { 12 }),
        lease,
        stop: Stop::default(),
    };
    let keeping = async {
        loop {
            let step = keeper.step(&mut table).await;
            match step {
                Step::Done => sleep(host.by_receiver(RENEW_EVERY)).await,
                Step::Away(_) => sleep(Duration::from_secs(1)).await,
                Step::Lost(_) => return shop.lost.set(shop.lost.get() + 1),
            }
        }
    };
    let working = async {
        let workers = futures::future::join_all((0..12).map(|_| process.work()));
        let retiring = async {
            sleep(lives).await;
            process.stop.stop(Reason::Signal("retired"));
        };
        tokio::join!(workers, retiring);
    };
    tokio::select! {
        biased;
        () = keeping => {}
        () = working => {}
    }
    for claim in keeper.claims() {
        let _ = way.transact(move |database| database.end(&claim)).await;
    }
}

/// A process of the design [`Design::PlacesOnTheServersClock`].
async fn process_on_servers_clock(shop: Rc<Shop>, host: Rc<Host>, account: String) {
    let (database, random) = (shop.database.clone(), shop.random.clone());
    let way = Way { host, database, random, lost_per_mille: 0 };
    let (n, cooldown) = (shop.world.rate.requests.get(), shop.world.rate.cooldown());
    let work = async || loop {
        let of = account.clone();
        let Ok(Some(place)) = way.transact(move |database| database.take_place(&of, n)).await else {
            sleep(Duration::from_millis(400)).await;
            continue;
        };
        let (there, back) = (shop.millis(0..=100), shop.millis(0..=100));
        shop.sends(&account, Instant::now() + there);
        sleep(there + back).await;
        let of = account.clone();
        let _ = way.transact(move |database| database.free_place(&of, place, cooldown)).await;
    };
    futures::future::join_all((0..12).map(|_| work())).await;
}

async fn begin(way: &Way, account: &str) -> (i64, i64) {
    let beat = way.random.borrow_mut().i64(0..1 << 62);
    loop {
        let now = way.host.reading();
        let session = Session {
            account: account.to_owned(),
            boot: now.boot,
            beat,
            places: 0,
            wants: false,
            state: RowState::Live,
            timeout: TIMEOUT,
            renewed_at_us: now.wall_us,
        };
        match way.transact(move |database| database.begin(session)).await {
            Ok(session_no) => return (session_no, beat),
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// The cap of a process, whose durations its host measures.
fn host_cap(world: &World, host: &Host) -> Cap {
    let window = match world.design {
        Design::NoGuard => world.rate.window.mul_f64(1.0 / 1.0002),
        _ => world.rate.window,
    };
    let rate = Rate { window: host.by_receiver(window), ..world.rate };
    Cap::without_places(rate, rate.requests)
}

/// The most arrivals within less than one window.
fn most_in_any(arrivals: &mut [Instant], window: Duration) -> usize {
    arrivals.sort_unstable();
    let (mut from, mut most) = (0, 0);
    for (to, at) in arrivals.iter().enumerate() {
        while *at - arrivals[from] >= window {
            from += 1;
        }
        most = most.max(to - from + 1);
    }
    most
}

/// What the receiver saw, and traces of what happened.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The most requests of an account in any window.
    most: usize,
    requests: usize,
    lost: usize,
    /// Transactions of the database.
    statements: u64,
    /// A number that depends on every random number before it.
    last_random: u64,
    /// By account, when each request arrived, since the world began.
    arrivals: BTreeMap<String, Vec<Duration>>,
}

/// A running process, and where it runs.
struct Running {
    host: Rc<Host>,
    account: String,
    task: JoinHandle<()>,
}

impl Running {
    fn start(shop: &Rc<Shop>, host: Rc<Host>, account: String, lives: Duration) -> Self {
        Self::start_after(Duration::ZERO, shop, host, account, lives)
    }

    fn start_after(
        pause: Duration,
        shop: &Rc<Shop>,
        host: Rc<Host>,
        account: String,
        lives: Duration,
    ) -> Self {
        let (with, on, of) = (shop.clone(), host.clone(), account.clone());
        let process: LocalBoxFuture<'static, ()> = match shop.world.design {
            Design::PlacesOnTheServersClock => process_on_servers_clock(with, on, of).boxed_local(),
            _ => process(with, on, of, lives).boxed_local(),
        };
        let process = async move {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            process.await;
        };
        let task = tokio::task::spawn_local(Freezable::new(host.clone(), process));
        Self { host, account, task }
    }
}

/// Runs a world to its end. It depends on nothing but the world: one thread, virtual time, one
/// generator of random numbers, and no `select!` without `biased`.
fn simulate(world: World) -> Seen {
    let run_time = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    LocalSet::new().block_on(&run_time.unwrap(), live(world))
}

async fn live(world: World) -> Seen {
    let begin = Instant::now();
    let random = Rc::new(RefCell::new(fastrand::Rng::with_seed(world.seed)));
    let shop = Rc::new(Shop {
        world: world.clone(),
        random: random.clone(),
        database: Rc::new(RefCell::new(Database::default())),
        arrivals: RefCell::default(),
        lost: Cell::new(0),
    });
    let mut running: Vec<Running> = (0..world.hosts)
        .map(|no| {
            let mut random = random.borrow_mut();
            let ppm = if world.skew_ppm == 0 { 0 } else { random.i64(-world.skew_ppm..=world.skew_ppm) };
            let ahead_us = random.i64(-60_000_000..=60_000_000);
            let given = world.clocks.get(no).map(|(ppm, ahead_s)| (*ppm, ahead_s * 1_000_000));
            let (ppm, ahead_us) = given.unwrap_or((ppm, ahead_us));
            let host = Host::new(no, ppm, ahead_us);
            (host, format!("account {}", no % world.accounts))
        })
        .map(|(host, account)| {
            let pause = Duration::from_secs(world.starts_s.get(host.no).copied().unwrap_or(0));
            Running::start_after(pause, &shop, host, account, shop.life())
        })
        .collect();
    let mut plan = world.plan.iter().copied().peekable();
    let pause = || world.trouble_every.map(|every| every.mul_f64(2.0 * random.borrow_mut().f64()));
    let mut next = pause();
    while begin.elapsed() < world.lasts {
        sleep(Duration::from_secs(1)).await;
        while let Some((_, no, event)) = plan.next_if(|(at_s, ..)| begin.elapsed().as_secs() >= *at_s) {
            happen(&shop, &running[no], event).await;
        }
        if next.is_some_and(|next| begin.elapsed() >= next) {
            let range = if world.only_the_first_is_bad { 1 } else { running.len() };
            let index = random.borrow_mut().usize(0..range);
            let event = random_event(&mut random.borrow_mut(), world.troubles);
            happen(&shop, &running[index], event).await;
            next = pause().map(|pause| begin.elapsed() + pause);
        }
        // What has ended starts again.
        for process in &mut running {
            if process.task.is_finished() {
                let (host, account) = (process.host.clone(), process.account.clone());
                *process = Running::start(&shop, host, account, shop.life());
            }
        }
    }
    running.iter().for_each(|process| process.task.abort());
    let mut seen = Seen {
        lost: shop.lost.get(),
        statements: shop.database.borrow().statements,
        last_random: random.borrow_mut().u64(..),
        ..Seen::default()
    };
    for (account, mut arrivals) in shop.arrivals.take() {
        seen.most = seen.most.max(most_in_any(&mut arrivals, world.rate.window));
        seen.requests += arrivals.len();
        seen.arrivals.insert(account, arrivals.into_iter().map(|at| at - begin).collect());
    }
    seen
}

/// An event of one of these kinds.
fn random_event(random: &mut fastrand::Rng, troubles: &[Trouble]) -> Event {
    let trouble = *random.choice(troubles).unwrap();
    let mut millis = |range| Duration::from_millis(random.u64(range));
    match trouble {
        Trouble::Freeze => Event::Freeze(millis(500..=40_000)),
        Trouble::LongFreeze => Event::Freeze(millis(50_000..=120_000)),
        Trouble::Kill => Event::Kill,
        Trouble::Restart => Event::Restart,
        Trouble::CutOff => Event::CutOff(millis(500..=40_000)),
        Trouble::FailOver => Event::FailOver { lost: Duration::ZERO, down_for: millis(0..=12_000) },
        Trouble::FailOverWithLoss => {
            Event::FailOver { lost: millis(1..=5_000), down_for: millis(0..=12_000) }
        }
        Trouble::FailOverWithLongLoss => {
            Event::FailOver { lost: millis(1..=110_000), down_for: millis(0..=40_000) }
        }
        Trouble::ComeAndGo => Event::ComeAndGo(millis(5_000..=200_000)),
    }
}

async fn happen(shop: &Rc<Shop>, process: &Running, event: Event) {
    let host = &process.host;
    match event {
        Event::Freeze(long) => host.frozen_until.set(Some(Instant::now() + long)),
        Event::CutOff(long) => host.cut_off_until.set(Some(Instant::now() + long)),
        Event::Kill => process.task.abort(),
        Event::Restart => {
            process.task.abort();
            sleep(Duration::from_millis(1)).await;
            host.restart();
        }
        Event::FailOver { lost, down_for } => shop.database.borrow_mut().fail_over(lost, down_for),
        Event::ComeAndGo(lives) => {
            Running::start(shop, host.clone(), process.account.clone(), lives);
        }
    }
}

/// A world with random settings and all troubles.
fn random_world(seed: u64) -> World {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let n = *random.choice(&[3, 10, 30, 60, 100]).unwrap();
    let window = *random.choice(&["15s", "min", "min"]).unwrap();
    World {
        seed,
        design: Design::Right,
        rate: format!("{n}/{window}").parse().unwrap(),
        hosts: random.usize(2..=6),
        accounts: random.usize(1..=2),
        slots: *random.choice(&[2, 12]).unwrap(),
        lasts: Duration::from_secs(2_400),
        delay_ms: *random.choice(&[5, 200, 3_000]).unwrap(),
        faults: *random.choice(&[0, 30]).unwrap(),
        lost_per_mille: *random.choice(&[0, 5, 30]).unwrap(),
        trouble_every: Some(Duration::from_secs(*random.choice(&[20, 60, 150]).unwrap())),
        troubles: ALL_TROUBLES,
        plan: Vec::new(),
        starts_s: Vec::new(),
        only_the_first_is_bad: false,
        lives_s: *random.choice(&[None, None, Some(300)]).unwrap(),
        skew_ppm: 199,
        clocks: &[],
    }
}

/// A random world in which sessions are short, delays are long, and one kind of trouble may be
/// frequent.
fn harsh_world(seed: u64) -> World {
    let world = random_world(seed);
    let mut random = fastrand::Rng::with_seed(seed ^ 0xbad);
    let index = random.usize(0..ALL_TROUBLES.len());
    let few = &ALL_TROUBLES[index..random.usize(index + 1..=ALL_TROUBLES.len())];
    World {
        rate: format!("{}/15s", random.u32(3..40)).parse().unwrap(),
        hosts: random.usize(1..=4),
        lasts: Duration::from_secs(*random.choice(&[150, 400, 1_200]).unwrap()),
        delay_ms: *random.choice(&[5, 3_000, 9_000]).unwrap(),
        faults: *random.choice(&[0, 30, 400]).unwrap(),
        trouble_every: Some(Duration::from_secs(*random.choice(&[8, 15, 30, 60]).unwrap())),
        troubles: random.choice(&[ALL_TROUBLES, few, FAILOVERS]).unwrap(),
        lives_s: *random.choice(&[None, Some(20), Some(60), Some(200)]).unwrap(),
        ..world
    }
}

/// A random world that is so young that a few things go wrong before places rest for anything else.
fn young_world(seed: u64) -> World {
    let world = harsh_world(seed);
    let mut random = fastrand::Rng::with_seed(seed ^ 0xcafe);
    let mut plan: Vec<_> = (0..random.usize(1..=4))
        .map(|_| {
            let (at_s, host) = (random.u64(1..=100), random.usize(0..world.hosts));
            (at_s, host, random_event(&mut random, &[world.troubles, FAILOVERS].concat()))
        })
        .collect();
    plan.sort_unstable_by_key(|(at_s, ..)| *at_s);
    World {
        accounts: 1,
        lasts: Duration::from_secs(250),
        trouble_every: None,
        plan,
        starts_s: (0..world.hosts).map(|_| random.u64(0..=60)).collect(),
        ..world
    }
}

#[test]
fn the_cap_holds_in_harsh_worlds() {
    let check = |seed| {
        let world = if seed % 3 == 0 { harsh_world(seed) } else { young_world(seed) };
        let seen = simulate(world.clone());
        let n = world.rate.requests.get() as usize;
        assert!(seen.most <= n, "RECONCILE_FUZZ_SEED={seed}: {} in a window: {world:?}", seen.most);
        seen.requests
    };
    if let Some(seed) = number_from_environment("RECONCILE_FUZZ_SEED") {
        check(seed);
        return;
    }
    let seconds = number_from_environment("RECONCILE_FUZZ_SECONDS");
    // The suite always uses the same seeds.
    let first = seconds.map_or(0, |_| u64::from(fastrand::u32(..)) << 32);
    let end = std::time::Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let (mut seed, mut requests) = (first, 0);
    while seed < first + 20 || std::time::Instant::now() < end {
        requests += check(seed);
        seed += 1;
    }
    assert!(requests > 1_000, "{requests} requests");
    #[allow(clippy::print_stdout)]
    if seconds.is_some() {
        println!("{} worlds from seed {first}, {requests} requests: the cap held", seed - first);
    }
}

fn the_cap_holds(seeds: std::ops::Range<u64>) {
    let mut lost = 0;
    for seed in seeds {
        let world = random_world(seed);
        let seen = simulate(world.clone());
        let n = world.rate.requests.get() as usize;
        assert!(seen.most <= n, "{} in a window: {world:?}", seen.most);
        assert!(seen.requests > n, "{} requests: {world:?}", seen.requests);
        lost += seen.lost;
    }
    assert!(lost > 0, "no session was ever lost");
}

#[test]
fn the_cap_holds_over_several_hosts_1() {
    the_cap_holds(0..12);
}

#[test]
fn the_cap_holds_over_several_hosts_2() {
    the_cap_holds(100..112);
}

#[test]
fn the_cap_holds_over_several_hosts_3() {
    the_cap_holds(200..212);
}

#[test]
fn the_cap_holds_over_several_hosts_4() {
    the_cap_holds(300..312);
}

#[test]
fn a_world_is_the_same_each_time() {
    let worlds = (0..6).map(random_world).chain(wrong_designs::worlds());
    for world in worlds.map(|world| World { lasts: world.lasts.min(Duration::from_secs(600)), ..world }) {
        let again = |world: World| std::thread::spawn(|| simulate(world));
        let here = simulate(world.clone());
        let threads = [again(world.clone()), again(world.clone())];
        for there in threads {
            assert!(there.join().unwrap() == here, "it differs: {world:?}");
        }
        assert!(here.requests > 0 && here.statements > 0);
    }
}

/// Four hosts with 100 a minute, and no trouble.
fn quiet_world() -> World {
    World {
        seed: 42,
        design: Design::Right,
        rate: "100/min".parse().unwrap(),
        hosts: 4,
        accounts: 1,
        slots: 12,
        lasts: Duration::from_secs(1_800),
        delay_ms: 100,
        faults: 0,
        lost_per_mille: 0,
        trouble_every: None,
        troubles: &[],
        plan: Vec::new(),
        starts_s: Vec::new(),
        only_the_first_is_bad: false,
        lives_s: None,
        skew_ppm: 0,
        clocks: &[],
    }
}

/// Requests of the first account that arrived within these seconds, as a part of what the cap
/// allows.
fn used(seen: &Seen, rate: Rate, seconds: std::ops::Range<u64>) -> f64 {
    let range = Duration::from_secs(seconds.start)..Duration::from_secs(seconds.end);
    let arrived = seen.arrivals["account 0"].iter().filter(|at| range.contains(at)).count();
    let windows = (seconds.end - seconds.start) as f64 / rate.window.as_secs_f64();
    arrived as f64 / (windows * f64::from(rate.requests.get()))
}

#[test]
fn several_hosts_use_the_whole_cap() {
    for hosts in [1, 2, 4, 7] {
        let world = World { hosts, ..quiet_world() };
        let seen = simulate(world.clone());
        assert!(seen.most <= 100, "{hosts} hosts: {}", seen.most);
        let used = used(&seen, world.rate, 240..1_800);
        assert!(used >= 0.97, "{hosts} hosts use {used}");
    }
}

/// A table with one session, whose renewals take ten seconds.
struct SlowTable;

impl Table for SlowTable {
    async fn renew(&mut self, claims: &[Claim]) -> Result<Renewed> {
        sleep(Duration::from_secs(10)).await;
        let session_nos = claims.iter().map(|claim| claim.session_no).collect();
        Ok(Renewed { session_nos, timeline: "1".to_owned() })
    }

    async fn read(&mut self, _mine: &[i64], _known: &[i64]) -> Result<Vec<SessionRow>> {
        Err(Error::output("away"))
    }

    async fn lower(&mut self, _change: &Change) -> Result<bool> {
        Ok(false)
    }

    async fn raise(&mut self, _change: &Change, _cap: u32) -> Result<Option<Raised>> {
        Ok(None)
    }

    async fn settle(&mut self, _session_no: i64, _timeline: &str) -> Result<()> {
        Ok(())
    }

    async fn take_over(&mut self, _session_no: i64, _beat: i64) -> Result<bool> {
        Ok(false)
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_counts_from_before_the_renewal() {
    let clock = HostClock::of(&Host::new(0, 0, 0));
    let before_us = clock.now().boot_us;
    let lease = Arc::new(Lease::new(clock.clone()));
    let mut keeper = Keeper::new(clock, lease.clone());
    keeper.add((1, 0), "a", "100/min".parse().unwrap(), TIMEOUT);
    assert!(matches!(keeper.step(&mut SlowTable).await, Step::Away(_)));
    let deadline_us = before_us + 15_000_000;
    assert!(lease.may_send_at(deadline_us) && !lease.may_send_at(deadline_us + 1));
}
