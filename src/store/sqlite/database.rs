//! The writing connection. The thread that commits requests shares it.
//!
//! Every transaction first checks that the store is still the one that this process opened, and
//! that no other process has begun a session in it. So a lost store stops the run at once.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::{Connection, TransactionBehavior};

use super::errors::{InStore as _, Lost, failed, log_in_use, lost};
use super::lock::StoreLock;
use super::record;
use crate::error::{Error, Result};
use crate::locked::lock;
use crate::store::group_commit::{Batches, Command};
use crate::store::request::BegunRequest;

/// The file, open for writing and locked.
///
/// After a panic inside SQLite's bindings, a transaction may still be open. Then the next one fails
/// with an error; nothing is damaged.
///
/// The fields are dropped in this order, so the lock is released after the file is closed.
pub(super) struct Database {
    connection: Mutex<Connection>,
    path: PathBuf,
    lock: StoreLock,
    /// The session of this process; 0 before it begins.
    session_no: AtomicI64,
}

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum WriteError {
    Sqlite(rusqlite::Error),
    Lost(Lost),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Database {
    /// Uses this connection to the file.
    pub(super) fn new(path: PathBuf, connection: Connection, lock: StoreLock) -> Self {
        Self { connection: Mutex::new(connection), path, lock, session_no: AtomicI64::new(0) }
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock of the store.
    pub(super) fn lock(&self) -> &StoreLock {
        &self.lock
    }

    /// Notes that this process has begun a session.
    ///
    /// The session is copied from the log into the file. So after a kill the next process can tell
    /// whether file and log belong together: see [`super::checks::check_log`].
    ///
    /// # Errors
    ///
    /// Exit 6 if SQLite fails or the lock file cannot be written.
    pub(super) fn has_begun(&self, session_no: i64) -> Result<()> {
        self.session_no.store(session_no, Ordering::Relaxed);
        // A passive checkpoint does not wait for readers. If one is in the way, it copies a part.
        let is_in_file = lock(&self.connection)
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                let (busy, frames, copied): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(busy == 0 && frames == copied)
            })
            .in_store(&self.path, "write")?;
        self.lock.note_session(session_no, is_in_file)
    }

    /// Checks that the store is still the file that this process opened.
    ///
    /// # Errors
    ///
    /// Exit 6 if it was removed or replaced.
    pub(super) fn check_held(&self) -> Result<()> {
        self.lock.check().map_err(|what| lost(&self.path, what))
    }

    /// Runs `work`, which only reads.
    ///
    /// # Errors
    ///
    /// Exit 6 if SQLite fails.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&lock(&self.connection)).in_store(&self.path, "read")
    }

    /// Runs `work`, which may write, in one transaction.
    ///
    /// # Errors
    ///
    /// Exit 6 if SQLite fails or the store is lost. Then nothing is written.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.try_write(work).map_err(|error| self.failed(&error))
    }

    /// As [`Database::write`], with an error that several tasks can share.
    fn try_write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, WriteError> {
        let mut connection = lock(&self.connection);
        // It waits for other writers now. Begun as a reader it could not wait later.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.check_ours(&transaction)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    fn check_ours(&self, c: &Connection) -> Result<(), WriteError> {
        self.lock.check().map_err(WriteError::Lost)?;
        let ours = self.session_no.load(Ordering::Relaxed);
        let newest: i64 = c
            .prepare_cached("SELECT coalesce(max(session_no), 0) FROM session")?
            .query_row([], |row| row.get(0))?;
        if ours > 0 && newest != ours { Err(WriteError::Lost(Lost::TakenOver)) } else { Ok(()) }
    }

    /// Rewrites the whole file and empties its log. Afterwards no free page contains erased data.
    ///
    /// # Errors
    ///
    /// Exit 6 if SQLite fails, or if another program reads the store for too long: the log then
    /// still has the erased data. It needs as much free space as the size of the file.
    pub(super) fn shrink(&self) -> Result<()> {
        let connection = lock(&self.connection);
        connection.execute_batch("VACUUM").in_store(&self.path, "shrink")?;
        // It waits for readers as long as for locks, and says in a column that it gave up.
        let is_busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .in_store(&self.path, "shrink")?;
        if is_busy { Err(log_in_use(&self.path)) } else { Ok(()) }
    }
}

impl Batches for Database {
    type Failure = WriteError;

    fn commit(&self, commands: Vec<Command>) -> Result<Vec<BegunRequest>, WriteError> {
        self.try_write(|c| commands.into_iter().map(|command| record::write(c, command)).collect())
    }

    fn failed(&self, failure: &WriteError) -> Error {
        match failure {
            WriteError::Lost(what) => lost(&self.path, *what),
            WriteError::Sqlite(cause) => failed(&self.path, "write", cause),
        }
    }

    fn stopped(&self) -> Error {
        Error::bug(format!("cannot write the store {}: its thread has stopped", self.path.display()))
    }
}
