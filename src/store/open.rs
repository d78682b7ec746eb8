//! Which implementation serves a location.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::location::StoreLocation;
use super::origin::ExpectedOrigin;
use super::postgres::{PostgresReader, PostgresStore};
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
    location: &StoreLocation,
    expected: impl Into<ExpectedOrigin>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Store>> {
    match location {
        StoreLocation::File(path) => Ok(Arc::new(SqliteStore::open(path, expected.into(), clock)?)),
        StoreLocation::Database(url) => Ok(Arc::new(PostgresStore::open(url, Some(expected.into()), clock)?)),
    }
}

/// Opens an existing store of any origin and locks it for this process.
///
/// # Errors
///
/// As [`open`]; exit 2 if there is no store.
pub fn open_existing(location: &StoreLocation, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    match location {
        StoreLocation::File(path) => Ok(Arc::new(SqliteStore::open_existing(path, clock)?)),
        StoreLocation::Database(url) => Ok(Arc::new(PostgresStore::open(url, None, clock)?)),
    }
}

/// Opens a store for reading, even while another process writes to it. Returns `None` if there is
/// no store. Without `expected`, every origin is accepted.
///
/// # Errors
///
/// Exit 2 if it is not a store, or has another schema or origin; exit 6 if it cannot be read.
pub fn open_reader(
    location: &StoreLocation,
    expected: Option<ExpectedOrigin>,
) -> Result<Option<Box<dyn Reader>>> {
    match location {
        StoreLocation::File(path) => {
            Ok(SqliteReader::open(path, expected)?.map(|reader| Box::new(reader) as _))
        }
        StoreLocation::Database(url) => {
            Ok(PostgresReader::open(url, expected)?.map(|reader| Box::new(reader) as _))
        }
    }
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
