//! The thread that keeps the leases of this process, with a connection of its own.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use super::keeper::{Keeper, Loss, Step};
use super::table::{Claim, Table};
use super::terms::RENEW_EVERY;
use crate::error::{Error, Result};
use crate::stop::{Reason, Stop};
use crate::store::places::Places;
use crate::threads;

/// Time between two tries while the database is away.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A run ends after this time without a renewal: the database is away. Nothing was sent for most of
/// it.
const LONGEST_AWAY: Duration = Duration::from_secs(30);

/// How long the end of the thread is waited for: it may wait for a database that does not answer.
const LONGEST_STEP: Duration = Duration::from_secs(20);

/// An order to the thread.
enum Order {
    /// The session has requests to send. The reply comes after the first try.
    Hold { session_no: i64, places: Arc<dyn Places>, stop: Stop, reply: Sender<Result<()>> },
    /// The sessions have nothing to send any more.
    Release,
}

/// The running thread. It ends when `orders` is dropped, and returns what the rows say.
pub(in crate::store) struct KeeperThread {
    orders: Sender<Order>,
    thread: JoinHandle<Vec<Claim>>,
}

/// The error of a lost session, for the user.
type LossError = Box<dyn Fn(Loss) -> Error + Send>;

impl KeeperThread {
    /// Starts the thread. The operations on `table` must not wait for an event loop.
    ///
    /// # Errors
    ///
    /// The system refuses another thread.
    pub(in crate::store) fn start<T: Table + Send + 'static>(
        keeper: Keeper,
        table: T,
        error_of: impl Fn(Loss) -> Error + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, received) = channel();
        let renewed_at = Instant::now();
        let error_of = Box::new(error_of);
        let mut work = Work { keeper, table, stops: Vec::new(), lost: None, renewed_at, error_of };
        let thread = threads::start("lease", move || work.run(&received))?;
        Ok(Self { orders, thread })
    }

    /// Gives the session its places, now and while it sends. Waits for the first try.
    ///
    /// # Errors
    ///
    /// Exit 6 if the session is lost.
    pub(in crate::store) fn hold(&self, session_no: i64, places: Arc<dyn Places>, stop: Stop) -> Result<()> {
        let (reply, tried) = channel();
        let stopped = || Error::bug("the thread of the lease has stopped");
        self.orders.send(Order::Hold { session_no, places, stop, reply }).map_err(|_| stopped())?;
        tried.recv().map_err(|_| stopped())?
    }

    /// Gives the places of all sessions to others as they become free.
    pub(in crate::store) fn release(&self) {
        // A thread that has stopped was reported already.
        let _ = self.orders.send(Order::Release);
    }

    /// Ends the thread. Returns what the rows of its sessions say; `None` if the database keeps
    /// the thread waiting.
    pub(in crate::store) fn end(self) -> Option<Vec<Claim>> {
        drop(self.orders);
        threads::join_within(self.thread, LONGEST_STEP)
    }
}

/// What the thread works with.
struct Work<T> {
    keeper: Keeper,
    table: T,
    stops: Vec<Stop>,
    lost: Option<Loss>,
    renewed_at: Instant,
    error_of: LossError,
}

impl<T: Table> Work<T> {
    fn run(&mut self, orders: &Receiver<Order>) -> Vec<Claim> {
        let mut next = Instant::now();
        loop {
            match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Order::Hold { session_no, places, stop, reply }) => {
                    self.keeper.hold(session_no, places);
                    self.stops.push(stop);
                    next = Instant::now() + self.step();
                    let _ = reply.send(self.lost.map_or(Ok(()), |loss| Err((self.error_of)(loss))));
                }
                Ok(Order::Release) => self.keeper.release_all(),
                Err(RecvTimeoutError::Timeout) => next = Instant::now() + self.step(),
                Err(RecvTimeoutError::Disconnected) => return self.keeper.claims(),
            }
        }
    }

    /// One step. Returns the time until the next one.
    fn step(&mut self) -> Duration {
        let began = Instant::now();
        match self.keeper.step(&mut self.table).now_or_never() {
            Some(Step::Done) => {
                self.renewed_at = began;
                RENEW_EVERY.saturating_sub(began.elapsed())
            }
            Some(Step::Away(error)) => {
                tracing::debug!("the lease was not renewed: {error}");
                if self.renewed_at.elapsed() >= LONGEST_AWAY {
                    let reason = Reason::Failed(Arc::new(error));
                    self.stops.iter().for_each(|stop| stop.stop(reason.clone()));
                }
                TRY_AGAIN_AFTER
            }
            Some(Step::Lost(loss)) => {
                self.lost = Some(loss);
                for stop in &self.stops {
                    stop.stop(Reason::Failed(Arc::new((self.error_of)(loss))));
                }
                RENEW_EVERY
            }
            // The operations of this table never wait.
            None => TRY_AGAIN_AFTER,
        }
    }
}
