//! Group commit: one thread writes requests and answers, and commits all waiting ones together.
//!
//! Commands that arrive during a commit share the next one. So thousands of commands a second are
//! possible, although each commit waits for the disk.

use std::io;
use std::iter::once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use reconcile_core::answer::NewAnswer;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::database::{Database, WriteError};
use super::record;
use crate::clock::Moment;
use crate::locked::lock;
use crate::store::request::{BegunRequest, NewRequest, RequestEnd};
use crate::threads;

/// A command to the committing thread: what to write for one request.
pub(super) enum Command {
    Begin { session_no: i64, request: NewRequest, at: Moment },
    End { session_no: i64, begun: BegunRequest, end: RequestEnd, answer: Option<NewAnswer> },
}

/// The result of the commit, for the task that waits for it.
type Reply = oneshot::Sender<Result<BegunRequest, Arc<WriteError>>>;

/// Starts the committing thread with the first command, and stops it when dropped.
///
/// There is never a second thread: two threads that take turns need twice the memory.
pub(super) struct GroupCommit {
    database: Arc<Database>,
    committer: Mutex<Option<Committer>>,
}

/// The committing thread. It ends when `commands` is dropped.
struct Committer {
    commands: Sender<(Command, Reply)>,
    thread: JoinHandle<()>,
}

impl GroupCommit {
    /// Commits to this database.
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database, committer: Mutex::default() }
    }

    /// Queues a command. If the thread has panicked, the reply is dropped.
    ///
    /// # Errors
    ///
    /// The system refuses to start another thread.
    pub(super) fn submit(&self, command: Command, reply: Reply) -> io::Result<()> {
        let mut committer = lock(&self.committer);
        let committer = match &mut *committer {
            Some(committer) => committer,
            none => none.insert(Committer::start(self.database.clone())?),
        };
        let _ = committer.commands.send((command, reply));
        Ok(())
    }

    /// Commits the queue and ends the thread, which frees its memory. The next command starts
    /// another thread.
    pub(super) fn stop(&self) {
        if let Some(Committer { commands, thread }) = lock(&self.committer).take() {
            drop(commands);
            // A panic was printed already, and the waiting tasks got no reply.
            let _ = thread.join();
        }
    }
}

impl Drop for GroupCommit {
    /// Waits for the thread: the file must be closed before the store's lock is released.
    fn drop(&mut self) {
        self.stop();
    }
}

impl Committer {
    fn start(database: Arc<Database>) -> io::Result<Self> {
        let (commands, received) = channel();
        let thread = threads::start("store", move || commit_all(&database, &received))?;
        Ok(Self { commands, thread })
    }
}

/// Commits all commands. Each round commits every command that has arrived.
fn commit_all(database: &Database, received: &Receiver<(Command, Reply)>) {
    while let Ok(first) = received.recv() {
        let (commands, replies): (Vec<_>, Vec<_>) = once(first).chain(received.try_iter()).unzip();
        match database.try_write(|c| write(c, commands)) {
            Ok(begun) => replies.into_iter().zip(begun).for_each(|(reply, no)| drop(reply.send(Ok(no)))),
            Err(e) => {
                let e = Arc::new(e);
                replies.into_iter().for_each(|reply| drop(reply.send(Err(e.clone()))));
            }
        }
    }
}

fn write(c: &Connection, commands: Vec<Command>) -> rusqlite::Result<Vec<BegunRequest>> {
    let write = |command| match command {
        Command::Begin { session_no, request, at } => record::begin_request(c, session_no, request, at),
        Command::End { session_no, begun, end, answer } => {
            record::end_request(c, &begun, &end)?;
            if let Some(answer) = answer {
                let fetched_at = end.provider_at.unwrap_or(end.at.wall);
                record::store_answer(c, session_no, &begun, &answer, fetched_at)?;
            }
            Ok(begun)
        }
    };
    commands.into_iter().map(write).collect()
}
