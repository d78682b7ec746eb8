//! A connection on a thread of its own.
//!
//! The client library waits by an event loop of its own, and panics inside another one. The verbs
//! of the store are called from Tokio's tasks. So their work is sent to the connection's thread,
//! and the caller waits for the result. The committing thread is in no event loop: it uses the
//! connection itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::{Client, Statement};

use super::connect::connect;
use super::errors::{Done, Failure, InStore as _};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::locked::lock;
use crate::threads;

/// The longest time that a server may take for a commit, or for other short work. Locks are waited
/// for half as long.
pub(super) const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Work for a connection. It sends its own result.
type Job = Box<dyn FnOnce(&mut Link) + Send>;

/// An open connection, on its own thread.
pub(super) struct Link {
    pub(super) client: Client,
    /// Statements that the server has planned, by their text.
    prepared: HashMap<&'static str, Statement>,
}

impl Link {
    /// The planned statement for this text. Only the first use asks the server.
    ///
    /// # Errors
    ///
    /// The server refuses it, or the connection is lost.
    pub(super) fn prepared(&mut self, sql: &'static str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// A connection to the database. Dropping it closes it.
pub(super) struct Connection {
    /// `None` only while it is dropped: then its thread closes the connection.
    link: Option<Arc<Mutex<Link>>>,
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// True once the server did not answer in time. Its thread may never end.
    is_silent: AtomicBool,
    /// The URL without user and password, for messages.
    store: String,
}

impl Connection {
    /// Connects to the database.
    ///
    /// # Errors
    ///
    /// Exit 2 if the database cannot be used as it is configured; exit 6 if it cannot be reached,
    /// or the system refuses another thread.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let (jobs, received) = channel::<Job>();
        let (report, connected) = channel();
        let limit = settings.answer_within();
        let (store, settings) = (settings.shown.clone(), settings.clone());
        let work = move || match connect(&settings) {
            Ok(client) => {
                let link = Arc::new(Mutex::new(Link { client, prepared: HashMap::new() }));
                let _ = report.send(Ok(link.clone()));
                received.iter().for_each(|job| job(&mut lock(&link)));
            }
            Err(error) => drop(report.send(Err(error))),
        };
        let thread = threads::start("database", work).map_err(Error::no_more_threads)?;
        let link = match connected.recv_timeout(limit) {
            Ok(link) => link?,
            // The thread waits on. It does not delay the end of the process.
            Err(RecvTimeoutError::Timeout) => Err(Failure::Silent).in_store(&store, "open")?,
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Stopped).in_store(&store, "open")?,
        };
        let is_silent = AtomicBool::new(false);
        Ok(Self { link: Some(link), jobs: Some(jobs), thread: Some(thread), is_silent, store })
    }

    /// The URL without user and password, for messages.
    pub(super) fn store(&self) -> &str {
        &self.store
    }

    /// Runs `work` on the connection's thread, and waits for its result.
    ///
    /// # Errors
    ///
    /// Why the work failed.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> Done<T> + Send + 'static,
    ) -> Done<T> {
        self.submit(work)?.recv().map_err(|_| Failure::Stopped)?
    }

    /// Runs `work`. If it takes longer than `limit`, the server counts as silent.
    ///
    /// # Errors
    ///
    /// Why the work failed.
    pub(super) fn run_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&mut Link) -> Done<T> + Send + 'static,
    ) -> Done<T> {
        self.submit(work)?.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                self.fall_silent();
                Failure::Silent
            }
            RecvTimeoutError::Disconnected => Failure::Stopped,
        })?
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> Done<T> + Send + 'static,
    ) -> Done<Receiver<Done<T>>> {
        if self.is_silent() {
            return Err(Failure::Silent);
        }
        let (sender, result) = channel();
        let job: Job = Box::new(move |link| drop(sender.send(work(link))));
        self.jobs.as_ref().ok_or(Failure::Stopped)?.send(job).map_err(|_| Failure::Stopped)?;
        Ok(result)
    }

    /// Notes that the server does not answer. From now on all work fails.
    pub(super) fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    /// True if the server did not answer in time.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::SeqCst)
    }

    /// Runs `work` on this thread, which must not be in an event loop.
    ///
    /// # Errors
    ///
    /// Why the work failed.
    pub(super) fn run_here<T>(&self, work: impl FnOnce(&mut Link) -> Done<T>) -> Done<T> {
        if self.is_silent() {
            return Err(Failure::Silent);
        }
        work(&mut lock(self.link.as_ref().ok_or(Failure::Stopped)?))
    }

    /// Runs short `work`, which only reads.
    ///
    /// # Errors
    ///
    /// Exit 6 if the database fails, or does not answer in time.
    pub(super) fn read_short<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.run_within(LONGEST_ANSWER, work).in_store(&self.store, "read")
    }

    /// Runs `work`, which only reads.
    ///
    /// # Errors
    ///
    /// Exit 6 if the database fails.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.run(work).in_store(&self.store, "read")
    }
}

impl Drop for Connection {
    /// Waits until the connection is closed.
    fn drop(&mut self) {
        drop(self.link.take());
        drop(self.jobs.take());
        let is_silent = self.is_silent();
        if let Some(thread) = self.thread.take().filter(|_| !is_silent) {
            // A panic was printed already, and its caller got an error.
            let _ = thread.join();
        }
    }
}
