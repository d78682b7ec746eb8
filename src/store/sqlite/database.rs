//! The writing connection. The thread that commits requests shares it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::errors::InStore as _;
use crate::error::Result;
use crate::locked::lock;

/// The file, open for writing.
///
/// After a panic inside SQLite's bindings, a transaction may still be open. Then the next one fails
/// with an error; nothing is damaged.
pub(super) struct Database {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Database {
    /// Uses this connection to the file.
    pub(super) fn new(path: &Path, connection: Connection) -> Self {
        Self { path: path.to_owned(), connection: Arc::new(Mutex::new(connection)) }
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for the thread that commits requests.
    pub(super) fn connection(&self) -> Arc<Mutex<Connection>> {
        self.connection.clone()
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
    /// Exit 6 if SQLite fails. Then nothing is written.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let in_transaction = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        in_transaction(&mut lock(&self.connection)).in_store(&self.path, "write")
    }

    /// Rewrites the whole file and empties its log. Afterwards no free page contains erased data.
    ///
    /// # Errors
    ///
    /// Exit 6 if SQLite fails. It needs as much free space as the size of the file.
    pub(super) fn shrink(&self) -> Result<()> {
        lock(&self.connection)
            .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
            .in_store(&self.path, "shrink")
    }
}
