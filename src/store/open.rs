//! Which implementation serves a path. Today every path is a SQLite file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::origin::ExpectedOrigin;
use super::sqlite::{SqliteReader, SqliteStore};
use super::verbs::{Reader, Store};
use crate::clock::Clock;
use crate::error::Result;
use crate::place::resolve;

/// Opens the store and locks it for this process. Creates it, or upgrades it to this version's
/// schema.
///
/// # Errors
///
/// Exit 5 if another run holds the store; exit 2 if it has another origin, is newer than this
/// program, or is not a store; exit 6 if it is damaged, or cannot be read or written.
pub fn open(
    path: &Path,
    expected: impl Into<ExpectedOrigin>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open(path, expected.into(), clock)?))
}

/// Opens an existing store of any origin and locks it for this process.
///
/// # Errors
///
/// As [`open`]; exit 2 if there is no store.
pub fn open_existing(path: &Path, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open_existing(path, clock)?))
}

/// Opens a store for reading, even while another process writes to it. Returns `None` if there is
/// no store. Without `expected`, every origin is accepted.
///
/// # Errors
///
/// Exit 2 if it is not a store, or has another schema or origin; exit 6 if it cannot be read.
pub fn open_reader(path: &Path, expected: Option<ExpectedOrigin>) -> Result<Option<Box<dyn Reader>>> {
    Ok(SqliteReader::open(path, expected)?.map(|reader| Box::new(reader) as _))
}

/// The other files of the store at this path, with their names for messages. Not all of them need
/// exist.
pub fn files_beside(path: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let store = resolve(path).unwrap_or_else(|_| path.to_owned());
    let suffixes = [
        ("the store's log", "-wal"),
        ("the store's shared memory", "-shm"),
        ("the store's journal", "-journal"),
        ("the store's lock file", ".lock"),
    ];
    suffixes.into_iter().map(move |(name, suffix)| {
        let mut beside = store.clone().into_os_string();
        beside.push(suffix);
        (name, beside.into())
    })
}
