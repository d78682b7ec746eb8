//! Group commit: one thread writes requests and answers, and commits all waiting ones together.
//!
//! Commands that arrive during a commit share the next one. So thousands of commands a second are
//! possible, although each commit waits for the disk, or for a database.

use std::iter::once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::BoxFuture;
use reconcile_core::answer::NewAnswer;
use reconcile_core::ask_again::Scope;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::request::{BegunRequest, NewRequest, RequestEnd};
use crate::clock::Moment;
use crate::error::{Error, Result};
use crate::locked::lock;
use crate::threads;

/// A command to the committing thread: what to write for one request.
#[allow(clippy::large_enum_variant, reason = "each request has one of both, so boxes would only cost")]
pub(super) enum Command {
    /// A request that will be sent.
    Begin { session_no: i64, request: NewRequest, at: Moment },
    /// The end of a request, and the call's answer if there is one.
    End { session_no: i64, begun: BegunRequest, end: RequestEnd, answer: Option<NewAnswer> },
}

/// A database that commits commands together.
pub(super) trait Batches: Send + Sync + 'static {
    /// Why a commit failed.
    type Failure: Send + Sync + 'static;

    /// Writes all commands, or none. They are on disk when this returns. Returns their requests in
    /// their order.
    ///
    /// # Errors
    ///
    /// Why nothing is written.
    fn commit(&self, commands: Vec<Command>) -> Result<Vec<BegunRequest>, Self::Failure>;

    /// The error of a failed commit, for the user.
    fn failed(&self, failure: &Self::Failure) -> Error;

    /// The error for a thread that has stopped.
    fn stopped(&self) -> Error;

    /// How long a commit may take before the database counts as silent; `None` without a limit.
    fn longest_commit(&self) -> Option<Duration> {
        None
    }

    /// Notes that the database is silent. From now on all its work fails. Returns the error for the
    /// user.
    fn fall_silent(&self) -> Error {
        self.stopped()
    }

    /// True if the database is silent: its threads may never end.
    fn is_silent(&self) -> bool {
        false
    }
}

/// The result of the commit, for the task that waits for it.
type Reply<D> = oneshot::Sender<Result<BegunRequest, Arc<<D as Batches>::Failure>>>;

/// Starts the committing thread with the first command, and stops it when dropped.
///
/// There is never a second thread: two threads that take turns need twice the memory.
pub(super) struct GroupCommit<D: Batches> {
    database: Arc<D>,
    committer: Mutex<Option<Committer<D>>>,
}

/// The committing thread. It ends when `commands` is dropped.
struct Committer<D: Batches> {
    commands: Sender<(Command, Reply<D>)>,
    thread: JoinHandle<()>,
}

impl<D: Batches> GroupCommit<D> {
    /// Commits to this database.
    pub(super) fn new(database: Arc<D>) -> Self {
        Self { database, committer: Mutex::default() }
    }

    /// Records a request of this session, as [`super::verbs::RequestLog::begin_request`] promises.
    pub(super) fn begin(
        &self,
        scope: &Scope,
        request: NewRequest,
        at: Moment,
    ) -> BoxFuture<'_, Result<BegunRequest>> {
        Box::pin(self.commit(Command::Begin { session_no: scope.session_no, request, at }))
    }

    /// Records the end of a request, as [`super::verbs::RequestLog::end_request`] promises.
    pub(super) fn end(
        &self,
        scope: &Scope,
        begun: BegunRequest,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> BoxFuture<'_, Result<()>> {
        let command = Command::End { session_no: scope.session_no, begun, end, answer };
        Box::pin(async move { self.commit(command).await.map(drop) })
    }

    /// Waits until a command is on disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the database fails, or the system refuses another thread.
    async fn commit(&self, command: Command) -> Result<BegunRequest> {
        let committed = self.submit(command)?;
        let committed = match self.database.longest_commit() {
            None => committed.await,
            Some(limit) => match timeout(limit, committed).await {
                Ok(committed) => committed,
                Err(_) => return Err(self.database.fall_silent()),
            },
        };
        match committed {
            Ok(done) => done.map_err(|failure| self.database.failed(&failure)),
            Err(_) => Err(self.database.stopped()),
        }
    }

    /// Queues a command. If the thread has panicked, the reply is dropped.
    fn submit(&self, command: Command) -> Result<oneshot::Receiver<Result<BegunRequest, Arc<D::Failure>>>> {
        let (reply, committed) = oneshot::channel();
        let mut committer = lock(&self.committer);
        let committer = match &mut *committer {
            Some(committer) => committer,
            none => none.insert(Committer::start(self.database.clone())?),
        };
        let _ = committer.commands.send((command, reply));
        Ok(committed)
    }

    /// Commits the queue and ends the thread, which frees its memory. The next command starts
    /// another thread.
    pub(super) fn stop(&self) {
        if let Some(Committer { commands, thread }) = lock(&self.committer).take() {
            drop(commands);
            // A panic was printed already, and the waiting tasks got no reply.
            if !self.database.is_silent() {
                let _ = thread.join();
            }
        }
    }
}

impl<D: Batches> Drop for GroupCommit<D> {
    /// Waits for the thread: a file must be closed before the store's lock is released.
    fn drop(&mut self) {
        self.stop();
    }
}

impl<D: Batches> Committer<D> {
    fn start(database: Arc<D>) -> Result<Self> {
        let (commands, received) = channel();
        let thread = threads::start("store", move || commit_all(database.as_ref(), &received))
            .map_err(Error::no_more_threads)?;
        Ok(Self { commands, thread })
    }
}

/// Commits all commands. Each round commits every command that has arrived.
fn commit_all<D: Batches>(database: &D, received: &Receiver<(Command, Reply<D>)>) {
    while let Ok(first) = received.recv() {
        let (commands, replies): (Vec<_>, Vec<_>) = once(first).chain(received.try_iter()).unzip();
        match database.commit(commands) {
            Ok(begun) => replies.into_iter().zip(begun).for_each(|(reply, no)| drop(reply.send(Ok(no)))),
            Err(failure) => {
                let failure = Arc::new(failure);
                replies.into_iter().for_each(|reply| drop(reply.send(Err(failure.clone()))));
            }
        }
    }
}
