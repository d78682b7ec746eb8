//! A host: its clocks, its way to the database, its freezes. And the table as a process on it sees
//! it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::DateTime;
use reconcile::clock::{Clock, Moment};
use reconcile::error::{Error, Result};
use reconcile::fetch::cap::Cap;
use reconcile::store::Places;
use reconcile::store::lease::{Change, Claim, LEASE, Raised, Renewed, SessionRow, Table};
use reconcile_core::rate::Rate;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::database::{Database, Reading, Shared};
use super::{Design, TIMEOUT};

/// A machine with a clock of its own speed.
pub(super) struct Host {
    pub(super) no: usize,
    began: Instant,
    /// How much faster its clock runs than the receiver's, in parts per million.
    pub(super) faster_ppm: i64,
    /// How far its wall clock is ahead.
    pub(super) ahead_us: i64,
    pub(super) boot: Cell<u64>,
    booted_us: Cell<i64>,
    pub(super) frozen_until: Cell<Option<Instant>>,
    pub(super) cut_off_until: Cell<Option<Instant>>,
}

impl Host {
    pub(super) fn new(no: usize, faster_ppm: i64, ahead_us: i64) -> Rc<Self> {
        Rc::new(Self {
            no,
            began: Instant::now(),
            faster_ppm,
            ahead_us,
            boot: Cell::new(1),
            booted_us: Cell::new(-i64::try_from(no).unwrap() * 777_000_000),
            frozen_until: Cell::default(),
            cut_off_until: Cell::default(),
        })
    }

    fn elapsed_us(&self) -> i64 {
        let elapsed = i64::try_from(self.began.elapsed().as_micros()).unwrap();
        elapsed + elapsed * self.faster_ppm / 1_000_000
    }

    pub(super) fn reading(&self) -> Reading {
        Reading {
            boot: (self.no, self.boot.get()),
            boot_us: self.elapsed_us() - self.booted_us.get(),
            wall_us: 1_795_000_000_000_000 + self.elapsed_us() + self.ahead_us,
        }
    }

    /// The machine starts again.
    pub(super) fn restart(&self) {
        self.boot.set(self.boot.get() + 1);
        self.booted_us.set(self.elapsed_us());
    }

    /// A duration that this host measures, by the receiver's clock.
    pub(super) fn by_receiver(&self, duration: Duration) -> Duration {
        let nanos = i128::try_from(duration.as_nanos()).unwrap() * 1_000_000;
        // Rounded down: the host measures no longer than it says.
        Duration::from_nanos(u64::try_from(nanos / i128::from(1_000_000 + self.faster_ppm)).unwrap())
    }
}

/// The clocks of a process on a host.
pub(super) struct HostClock {
    began: Instant,
    faster_ppm: i64,
    booted_us: i64,
}

impl HostClock {
    pub(super) fn of(host: &Host) -> Arc<Self> {
        let Host { began, faster_ppm, .. } = *host;
        Arc::new(Self { began, faster_ppm, booted_us: host.booted_us.get() })
    }
}

impl Clock for HostClock {
    fn now(&self) -> Moment {
        let elapsed = i64::try_from(self.began.elapsed().as_micros()).unwrap();
        let boot_us = elapsed + elapsed * self.faster_ppm / 1_000_000 - self.booted_us;
        Moment { wall: DateTime::from_timestamp_micros(1_795_000_000_000_000).unwrap(), boot_us }
    }

    fn boot_id(&self) -> &'static str {
        "a boot"
    }

    fn boot_us_is_uptime(&self) -> bool {
        true
    }
}

/// The cap of a process on a host: Tokio's time is the receiver's, so its durations are converted.
pub(super) struct HostCap {
    pub(super) cap: Arc<Cap>,
    pub(super) faster_ppm: i64,
}

impl Places for HostCap {
    fn shrink(&self, target: u32) -> u32 {
        self.cap.shrink(target)
    }

    fn grow(&self, places: u32, resting: &[Duration]) {
        let by_receiver = |rest: &Duration| {
            Duration::from_secs_f64(rest.as_secs_f64() / (1.0 + self.faster_ppm as f64 / 1e6))
        };
        self.cap.grow(places, &resting.iter().map(by_receiver).collect::<Vec<_>>());
    }
}

/// A process that does not run while its host is frozen. What it has sent goes on.
pub(super) struct Freezable {
    process: Pin<Box<dyn Future<Output = ()>>>,
    host: Rc<Host>,
    thaw: Option<Pin<Box<Sleep>>>,
}

impl Freezable {
    pub(super) fn new(host: Rc<Host>, process: impl Future<Output = ()> + 'static) -> Self {
        Self { process: Box::pin(process), host, thaw: None }
    }
}

impl Future for Freezable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        while let Some(until) = self.host.frozen_until.get().filter(|until| Instant::now() < *until) {
            let mut thaw = Box::pin(sleep_until(until));
            let is_over = thaw.as_mut().poll(context).is_ready();
            self.thaw = Some(thaw);
            if !is_over {
                return Poll::Pending;
            }
        }
        self.process.as_mut().poll(context)
    }
}

/// The way from a host to the database. It is slow at times, and breaks.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) host: Rc<Host>,
    pub(super) database: Shared,
    pub(super) random: Rc<RefCell<fastrand::Rng>>,
    /// Of a thousand transactions, how many have an unknown outcome.
    pub(super) lost_per_mille: u64,
}

impl Way {
    fn delay(&self) -> Duration {
        let mut random = self.random.borrow_mut();
        let is_slow = random.u64(0..1_000) < self.lost_per_mille;
        Duration::from_millis(random.u64(1..=if is_slow { 4_000 } else { 10 }))
    }

    fn is_broken(&self) -> bool {
        self.database.borrow().is_down()
            || self.host.cut_off_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// One transaction.
    pub(super) async fn transact<T: 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> T + 'static,
    ) -> Result<T> {
        let away = || Err(Error::output("the database is away"));
        sleep(self.delay()).await;
        if self.is_broken() {
            sleep(Duration::from_millis(500)).await;
            return away();
        }
        let fate = self.random.borrow_mut().u64(0..3_000);
        if fate < self.lost_per_mille {
            return away();
        }
        if fate < self.lost_per_mille * 2 {
            // The connection breaks, and the statement is executed later.
            let (database, late) = (self.database.clone(), self.delay());
            let timeline = database.borrow().timeline;
            tokio::task::spawn_local(async move {
                sleep(late).await;
                let mut database = database.borrow_mut();
                if database.timeline == timeline && !database.is_down() {
                    work(&mut database);
                }
            });
            return away();
        }
        self.database.borrow_mut().statements += 1;
        let done = work(&mut self.database.borrow_mut());
        sleep(self.delay()).await;
        if fate < self.lost_per_mille * 3 || self.is_broken() {
            return away();
        }
        Ok(done)
    }
}

/// The table as a process sees it, and what a wrong design makes of it.
pub(super) struct HostTable {
    pub(super) way: Way,
    pub(super) design: Design,
    pub(super) account: String,
    pub(super) rate: Rate,
    /// The places, for a design that raises memory first.
    pub(super) places: Arc<HostCap>,
}

impl HostTable {
    /// The rows as this design sees them.
    fn seen(&self, mut rows: Vec<SessionRow>) -> Vec<SessionRow> {
        if self.design == Design::OneTimeoutAfterTakeOver {
            rows.iter_mut().for_each(|row| row.timeout = TIMEOUT / 2);
        }
        rows
    }
}

impl Table for HostTable {
    async fn renew(&mut self, claims: &[Claim]) -> Result<Renewed> {
        let (claims, wall_us) = (claims.to_vec(), self.way.host.reading().wall_us);
        let renewed = self.way.transact(move |database| database.renew(&claims, wall_us)).await?;
        Ok(match self.design {
            Design::LeaseOutlivesFailover => Renewed { timeline: String::new(), ..renewed },
            _ => renewed,
        })
    }

    async fn read(&mut self, mine: &[i64], known: &[i64]) -> Result<Vec<SessionRow>> {
        if self.design == Design::TakeOverByTheOthersClock {
            let (account, wall_us) = (self.account.clone(), self.way.host.reading().wall_us);
            let lease_us = i64::try_from(LEASE.as_micros()).unwrap();
            let mine = mine.to_vec();
            self.way
                .transact(move |database| {
                    let overdue = database.overdue_by_wall(&account, wall_us, lease_us);
                    let others = overdue.into_iter().filter(|(no, _)| !mine.contains(no));
                    others.for_each(|(no, beat)| {
                        database.take_over(no, beat);
                    });
                })
                .await?;
        }
        let (mine, known) = (mine.to_vec(), known.to_vec());
        let rows = self.way.transact(move |database| database.read(&mine, &known)).await?;
        Ok(self.seen(rows))
    }

    async fn lower(&mut self, change: &Change) -> Result<bool> {
        let change = *change;
        self.way.transact(move |database| database.lower(&change)).await
    }

    async fn raise(&mut self, change: &Change, _cap: u32) -> Result<Option<Raised>> {
        let (change, rate, now) = (*change, self.rate, self.way.host.reading());
        if self.design == Design::MemoryBeforeRow {
            self.places.grow(change.places, &[]);
        }
        let raised = self.way.transact(move |database| database.raise(&change, rate, now)).await?;
        let Some(mut raised) = raised else { return Ok(None) };
        raised.live = self.seen(raised.live);
        match self.design {
            Design::NoRenewalsAwaited => {
                raised.live.retain(|row| row.session_no == change.from.session_no);
                raised.unsettled = None;
            }
            Design::FailoverNotNoticed => raised.unsettled = None,
            Design::OneTimeoutAfterTakeOver => {
                raised.fenced_lately = raised.fenced_lately.map(|timeout| timeout / 2);
            }
            _ => {}
        }
        Ok(Some(raised))
    }

    async fn settle(&mut self, session_no: i64, timeline: &str) -> Result<()> {
        let timeline = timeline.to_owned();
        self.way.transact(move |database| database.settle(session_no, timeline)).await
    }

    async fn take_over(&mut self, session_no: i64, beat: i64) -> Result<bool> {
        self.way.transact(move |database| database.take_over(session_no, beat)).await
    }
}
