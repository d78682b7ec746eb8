//! The cap at the receiver over virtual time: random delays, faults, kills, restarts, rates and
//! bursts, in more than a million requests. A simulated world drives the limiters; wrong limiters
//! prove that this world notices mistakes.
//!
//! A process takes a place, writes its request to disk and sends it. Later the request arrives or
//! is lost. After that the reply or the timeout comes. A killed process leaves requests in flight,
//! and the next process knows only what was on disk.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use futures::StreamExt as _;
use governor::clock::{Clock as _, FakeRelativeClock};
use governor::{Quota, RateLimiter};
use reconcile::fetch::cap::{Cap, Place};
use reconcile_core::rate::Rate;
use tokio::time::{Instant, sleep, sleep_until, timeout};

const TIMEOUT: Duration = Duration::from_secs(10);
/// The most kills per world. Later processes are not killed, so that the world ends.
const KILLS_AT_MOST: usize = 30;

/// Limits the requests that reach the network. Dropping the permit means that the reply, or the
/// failure, has come.
trait Limiter: Sized {
    type Permit<'a>
    where
        Self: 'a;
    /// Starts the limiter of a new process. `taken` says how long requests of earlier processes
    /// still hold places.
    fn start(rate: Rate, burst: NonZeroU32, taken: &[Duration]) -> Self;
    fn take(&self, is_retry: bool) -> impl Future<Output = Self::Permit<'_>>;
    fn sending(_permit: &mut Self::Permit<'_>) {}
    fn throttled(&self, _permit: &Self::Permit<'_>) {}
}

/// The limiter under test.
impl Limiter for Cap {
    type Permit<'a> = Place<'a>;

    fn start(rate: Rate, burst: NonZeroU32, taken: &[Duration]) -> Self {
        Self::new(rate, burst, taken)
    }

    async fn take(&self, _is_retry: bool) -> Place<'_> {
        self.take().await
    }

    fn throttled(&self, place: &Place<'_>) {
        self.throttled(place.taken_at(), None);
    }
}

/// The network, the provider and the processes.
#[derive(Debug, Clone, Copy)]
struct World {
    seed: u64,
    rate: Rate,
    burst: u32,
    concurrency: usize,
    /// The longest delay in each direction, in milliseconds.
    delay_ms: u64,
    /// The number of faulty requests per thousand.
    faults: u64,
    requests: usize,
    /// Each process is killed within this number of windows; `None` means never.
    killed_within: Option<f64>,
    /// How much slower the receiver's clock runs than the client's, in parts per million.
    slower_ppm: i128,
}

/// What happens to one request.
enum Fate {
    Answered {
        retry: bool,
    },
    /// The provider throttles although the cap holds.
    Throttled,
    /// It arrives; no reply comes back.
    NoReply,
    /// It never arrives.
    NotConnected,
}

/// One request as the store records it.
struct OnDisk {
    replied: Option<Instant>,
}

/// State that all processes of a world share.
struct State {
    world: World,
    random: RefCell<fastrand::Rng>,
    arrivals: RefCell<Vec<Instant>>,
    disk: RefCell<Vec<OnDisk>>,
    left: Cell<usize>,
}

impl State {
    fn random(&self, range: std::ops::RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.random.borrow_mut().u64(range))
    }

    fn fate(&self) -> Fate {
        let mut random = self.random.borrow_mut();
        if random.u64(0..1_000) >= self.world.faults {
            return Fate::Answered { retry: false };
        }
        match random.u8(0..8) {
            0 => Fate::Throttled,
            1 => Fate::NoReply,
            2 => Fate::NotConnected,
            _ => Fate::Answered { retry: true },
        }
    }

    /// Asks for one call until it has an answer, in at most three attempts.
    async fn call<L: Limiter>(&self, limiter: &L) {
        for attempt in 0..3 {
            let mut permit = limiter.take(attempt > 0).await;
            let no = self.disk.borrow().len();
            self.disk.borrow_mut().push(OnDisk { replied: None });
            let commit = self.random(0..=20);
            sleep(commit).await;
            L::sending(&mut permit);
            let (there, back) = (self.random(0..=self.world.delay_ms), self.random(0..=self.world.delay_ms));
            let (fate, sent) = (self.fate(), Instant::now());
            if !matches!(fate, Fate::NotConnected) {
                self.arrivals.borrow_mut().push(sent + there);
            }
            match fate {
                Fate::NoReply => sleep(TIMEOUT).await,
                _ => sleep(there + back).await,
            }
            self.disk.borrow_mut()[no].replied = Some(Instant::now());
            if matches!(fate, Fate::Throttled) {
                limiter.throttled(&permit);
            }
            drop(permit);
            if matches!(fate, Fate::Answered { retry: false }) {
                break;
            }
        }
        self.left.set(self.left.get().saturating_sub(1));
    }

    /// The places that earlier processes still hold, as the store counts them.
    fn taken(&self) -> Vec<Duration> {
        let now = Instant::now();
        let mut disk = self.disk.borrow_mut();
        for request in disk.iter_mut() {
            request.replied.get_or_insert(now + TIMEOUT);
        }
        let free = |request: &OnDisk| request.replied.map(|at| at + self.world.rate.cooldown());
        disk.retain(|request| free(request) > Some(now));
        disk.iter().filter_map(free).map(|at| at - now).collect()
    }

    /// Runs one process until it is done or killed.
    async fn process<L: Limiter>(&self, may_be_killed: bool) {
        let burst = NonZeroU32::new(self.world.burst).unwrap();
        let limiter = L::start(self.world.rate, burst, &self.taken());
        let all = futures::stream::iter(0..self.left.get())
            .for_each_concurrent(self.world.concurrency, |_| self.call(&limiter));
        let killed_within = self.world.killed_within.filter(|_| may_be_killed);
        let Some(windows) = killed_within else { return all.await };
        let lives = self.world.rate.window.mul_f64(windows * self.random.borrow_mut().f64());
        let _ = timeout(lives, all).await;
        sleep(self.random(0..=2_000)).await;
    }
}

/// Arrivals at the receiver.
struct Seen {
    requests: usize,
    /// The most requests in any window.
    most: usize,
    took: Duration,
}

/// Runs a world to its end in virtual time.
fn simulate<L: Limiter>(world: World) -> Seen {
    let run_time = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    run_time.unwrap().block_on(async {
        let state = State {
            world,
            random: RefCell::new(fastrand::Rng::with_seed(world.seed)),
            arrivals: RefCell::default(),
            disk: RefCell::default(),
            left: Cell::new(world.requests),
        };
        let begin = Instant::now();
        let mut kills = 0..KILLS_AT_MOST;
        while state.left.get() > 0 {
            state.process::<L>(kills.next().is_some()).await;
        }
        let took = begin.elapsed();
        let mut arrivals: Vec<Duration> =
            state.arrivals.take().into_iter().map(|at| by_receivers_clock(at - begin, world)).collect();
        arrivals.sort_unstable();
        Seen { requests: arrivals.len(), most: most_in_any(&arrivals, world.rate.window), took }
    })
}

/// A time of the client's clock on the receiver's clock.
fn by_receivers_clock(at: Duration, world: World) -> Duration {
    let nanos = at.as_nanos().cast_signed() * (1_000_000 - world.slower_ppm) / 1_000_000;
    Duration::from_nanos(u64::try_from(nanos).unwrap())
}

/// The most arrivals within less than one window.
fn most_in_any(arrivals: &[Duration], window: Duration) -> usize {
    let (mut from, mut most) = (0, 0);
    for (to, at) in arrivals.iter().enumerate() {
        while *at - arrivals[from] >= window {
            from += 1;
        }
        most = most.max(to - from + 1);
    }
    most
}

/// A world with random settings.
fn random_world(seed: u64, requests: usize) -> World {
    let mut random = fastrand::Rng::with_seed(seed);
    let windows = ["1s", "4s", "15s", "min", "10min", "h"];
    let n = *random.choice(&[1, 2, 7, 10, 25, 60, 100, 100, 250]).unwrap();
    let rate: Rate = format!("{n}/{}", random.choice(windows).unwrap()).parse().unwrap();
    World {
        seed,
        rate,
        burst: if random.bool() { n } else { random.u32(1..=n) },
        concurrency: random.usize(1..=40),
        delay_ms: *random.choice(&[0, 5, 200, 400, 3_000]).unwrap(),
        faults: *random.choice(&[0, 50, 300]).unwrap(),
        requests,
        killed_within: *random.choice(&[None, Some(0.3), Some(3.0), Some(20.0)]).unwrap(),
        slower_ppm: *random.choice(&[0, 100, -100]).unwrap(),
    }
}

/// Runs one world per seed. Returns how many requests arrived in all of them.
fn simulate_random_worlds(seeds: std::ops::Range<u64>) -> usize {
    let simulate_one = |seed| {
        let world = random_world(seed, 2_000);
        let seen = simulate::<Cap>(world);
        let n = world.rate.requests.get() as usize;
        assert!(seen.most <= n, "{} in a window: {world:?}", seen.most);
        seen.requests
    };
    seeds.map(simulate_one).sum()
}

#[test]
fn the_cap_holds_in_random_worlds_1() {
    assert!(simulate_random_worlds(0..125) >= 250_000);
}

#[test]
fn the_cap_holds_in_random_worlds_2() {
    assert!(simulate_random_worlds(1_000..1_125) >= 250_000);
}

#[test]
fn the_cap_holds_in_random_worlds_3() {
    assert!(simulate_random_worlds(2_000..2_125) >= 250_000);
}

#[test]
fn the_cap_holds_in_random_worlds_4() {
    assert!(simulate_random_worlds(3_000..3_125) >= 250_000);
}

/// An ordinary run: 100 a minute over the internet, with occasional faults.
fn ordinary_world() -> World {
    World {
        seed: 42,
        rate: "100/min".parse().unwrap(),
        burst: 100,
        concurrency: 16,
        delay_ms: 200,
        faults: 100,
        requests: 3_000,
        killed_within: None,
        slower_ppm: 0,
    }
}

#[test]
fn an_ordinary_run_uses_the_whole_cap_and_no_more() {
    assert_eq!(simulate::<Cap>(World { faults: 0, ..ordinary_world() }).most, 100);
}

/// The shortest time that the cap allows for this number of requests, with this round trip and this
/// concurrency.
fn shortest(world: &World, round_trip: Duration) -> Duration {
    let n = world.rate.requests.get() as usize;
    let (windows, last) = ((world.requests - 1) / n, (world.requests - 1) % n + 1);
    let rounds = last.div_ceil(world.concurrency);
    world.rate.window * u32::try_from(windows).unwrap() + round_trip * u32::try_from(rounds).unwrap()
}

/// Elapsed time divided by the shortest time, with a fixed round trip.
async fn relative_time<L: Limiter>(world: World, round_trip: Duration) -> f64 {
    let limiter = L::start(world.rate, NonZeroU32::new(world.burst).unwrap(), &[]);
    let begin = Instant::now();
    let ask = |_| async {
        let mut permit = limiter.take(false).await;
        L::sending(&mut permit);
        sleep(round_trip).await;
    };
    futures::stream::iter(0..world.requests).for_each_concurrent(world.concurrency, ask).await;
    begin.elapsed().as_secs_f64() / shortest(&world, round_trip).as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn the_run_time_is_close_to_the_shortest_possible() {
    // A place is taken for a window, the round trip and the guard: at 300 ms 0.52 % longer than a
    // window.
    for (ms, longest) in [(20, 1.005), (50, 1.005), (250, 1.005), (300, 1.0052)] {
        let stretched = relative_time::<Cap>(ordinary_world(), Duration::from_millis(ms)).await;
        assert!((1.0..=longest).contains(&stretched), "{ms} ms: {stretched}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_within_the_cap_do_not_wait() {
    let world = World { requests: 100, concurrency: 100, ..ordinary_world() };
    let begin = Instant::now();
    relative_time::<Cap>(world, Duration::from_millis(300)).await;
    assert_eq!(begin.elapsed(), Duration::from_millis(300));
}

/// governor's default for a hundred a minute: a bucket of a hundred that refills while it drains.
struct TokenBucket {
    clock: FakeRelativeClock,
    last: Cell<Instant>,
    limiter: RateLimiter<
        governor::state::NotKeyed,
        governor::state::InMemoryState,
        FakeRelativeClock,
        governor::middleware::NoOpMiddleware<governor::nanos::Nanos>,
    >,
}

impl Limiter for TokenBucket {
    type Permit<'a> = ();

    fn start(rate: Rate, _burst: NonZeroU32, _taken: &[Duration]) -> Self {
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(rate.window / rate.requests.get()).unwrap().allow_burst(rate.requests);
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        Self { clock, last: Cell::new(Instant::now()), limiter }
    }

    async fn take(&self, _is_retry: bool) {
        loop {
            let now = Instant::now();
            self.clock.advance(now - self.last.replace(now));
            let Err(not_yet) = self.limiter.check() else { return };
            sleep(not_yet.wait_time_from(self.clock.now())).await;
        }
    }
}

/// An exact log at the client: at most N requests are *sent* in any window.
struct LogAtTheClient {
    rate: Rate,
    sent: RefCell<VecDeque<Instant>>,
}

impl Limiter for LogAtTheClient {
    type Permit<'a> = ();

    fn start(rate: Rate, _burst: NonZeroU32, taken: &[Duration]) -> Self {
        let now = Instant::now();
        let mut sent: Vec<Instant> =
            taken.iter().map(|left| now - rate.window.saturating_sub(*left)).collect();
        sent.sort_unstable();
        Self { rate, sent: RefCell::new(sent.into()) }
    }

    async fn take(&self, _is_retry: bool) {
        loop {
            let now = Instant::now();
            let n = self.rate.requests.get() as usize;
            let wait = {
                let mut sent = self.sent.borrow_mut();
                while sent.front().is_some_and(|first| now - *first >= self.rate.window) {
                    sent.pop_front();
                }
                if sent.len() < n {
                    sent.push_back(now);
                    return;
                }
                sent[0] + self.rate.window
            };
            sleep_until(wait).await;
        }
    }
}

/// The right limiter, used only for first attempts.
struct FreeRetries(Cap);

impl Limiter for FreeRetries {
    type Permit<'a> = Option<Place<'a>>;

    fn start(rate: Rate, burst: NonZeroU32, taken: &[Duration]) -> Self {
        Self(Cap::new(rate, burst, taken))
    }

    async fn take(&self, is_retry: bool) -> Option<Place<'_>> {
        if is_retry { None } else { Some(self.0.take().await) }
    }
}

/// The right limiter, but a place is freed when its request is sent.
struct FreedAtSending(Cap);

impl Limiter for FreedAtSending {
    type Permit<'a> = Option<Place<'a>>;

    fn start(rate: Rate, burst: NonZeroU32, taken: &[Duration]) -> Self {
        Self(Cap::new(rate, burst, taken))
    }

    async fn take(&self, _is_retry: bool) -> Option<Place<'_>> {
        Some(self.0.take().await)
    }

    fn sending(permit: &mut Option<Place<'_>>) {
        permit.take();
    }
}

/// The right limiter in a process that forgets the requests of earlier processes.
struct Forgetful(Cap);

impl Limiter for Forgetful {
    type Permit<'a> = Place<'a>;

    fn start(rate: Rate, burst: NonZeroU32, _taken: &[Duration]) -> Self {
        Self(Cap::new(rate, burst, &[]))
    }

    async fn take(&self, _is_retry: bool) -> Place<'_> {
        self.0.take().await
    }
}

/// The places of version 0.1: a guard of 10 ms, counted from sending. A slow request with a fast
/// reply has no guard.
struct GuardFromSending {
    rate: Rate,
    in_flight: Cell<usize>,
    cooling: RefCell<Vec<Instant>>,
}

struct OldPlace<'a> {
    limiter: &'a GuardFromSending,
    sent: Instant,
}

impl Limiter for GuardFromSending {
    type Permit<'a> = OldPlace<'a>;

    fn start(rate: Rate, _burst: NonZeroU32, _taken: &[Duration]) -> Self {
        Self { rate, in_flight: Cell::new(0), cooling: RefCell::default() }
    }

    async fn take(&self, _is_retry: bool) -> OldPlace<'_> {
        loop {
            let now = Instant::now();
            self.cooling.borrow_mut().retain(|free_at| *free_at > now);
            if self.in_flight.get() + self.cooling.borrow().len() < self.rate.requests.get() as usize {
                self.in_flight.set(self.in_flight.get() + 1);
                return OldPlace { limiter: self, sent: now };
            }
            let next_reply = now + Duration::from_millis(10);
            let earliest = self.cooling.borrow().iter().min().copied();
            sleep_until(earliest.unwrap_or(next_reply)).await;
        }
    }

    fn sending(place: &mut OldPlace<'_>) {
        place.sent = Instant::now();
    }
}

impl Drop for OldPlace<'_> {
    fn drop(&mut self) {
        let replied_or_guard = Instant::now().max(self.sent + Duration::from_millis(10));
        self.limiter.in_flight.set(self.limiter.in_flight.get() - 1);
        self.limiter.cooling.borrow_mut().push(replied_or_guard + self.limiter.rate.window);
    }
}

#[test]
fn wrong_limiters_are_caught() {
    let killed = World { killed_within: Some(3.0), ..ordinary_world() };
    let rate = "100/10min".parse().unwrap();
    let slower = World { slower_ppm: 100, rate, requests: 1_000, ..ordinary_world() };
    let seen = [
        ("a token bucket alone", simulate::<TokenBucket>(ordinary_world()).most),
        ("a log at the client", simulate::<LogAtTheClient>(ordinary_world()).most),
        ("retries without places", simulate::<FreeRetries>(ordinary_world()).most),
        ("places freed at sending", simulate::<FreedAtSending>(ordinary_world()).most),
        ("a restart that forgets", simulate::<Forgetful>(killed).most),
        ("a guard counted from sending", simulate::<GuardFromSending>(slower).most),
    ];
    for (limiter, most) in seen {
        assert!(most > 100, "{limiter}: {most}");
    }
    // The right limiter keeps the cap in the same worlds.
    for world in [ordinary_world(), killed, slower] {
        assert!(simulate::<Cap>(world).most <= 100);
    }
}

#[test]
fn a_run_with_throttling_still_ends() {
    let seen = simulate::<Cap>(World { faults: 300, requests: 1_000, ..ordinary_world() });
    assert!(seen.most <= 100 && seen.requests > 1_000 && seen.took > Duration::ZERO);
}
