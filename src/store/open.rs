//! Which implementation serves a location.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copy::{self, Copied, CopySide, key};
use super::location::StoreLocation;
use super::origin::{ExpectedOrigin, Origin};
use super::postgres::{PostgresCopy, PostgresReader, PostgresStore};
use super::reader::Reader;
use super::sqlite::{SqliteCopy, SqliteReader, SqliteStore, copies_beside, names_of_next_copies};
use super::stored_word::Word as _;
use super::verbs::Store;
use super::wait::{Wait, stand_by};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::place::resolve;
use crate::stop::Stop;

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
    open_or_wait(location, expected, clock, None, &Stop::default())
}

/// As [`open`], but stands by while another run holds the store or, in a database, the ledger.
/// Blocks the thread. `stop` ends any waiting for another run.
///
/// # Errors
///
/// As [`open`]; exit 4 if the run is stopped while it stands by.
pub fn open_or_wait(
    location: &StoreLocation,
    expected: impl Into<ExpectedOrigin>,
    clock: Arc<dyn Clock>,
    wait: Option<Wait>,
    stop: &Stop,
) -> Result<Arc<dyn Store>> {
    let expected = expected.into();
    match location {
        StoreLocation::File(path) => {
            let open = || SqliteStore::open(path, expected, clock.clone());
            Ok(Arc::new(stand_by(wait, stop, open)?))
        }
        StoreLocation::Database(url) => {
            Ok(Arc::new(PostgresStore::open(url, Some(expected), clock, wait, stop)?))
        }
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
        StoreLocation::Database(url) => {
            Ok(Arc::new(PostgresStore::open(url, None, clock, None, &Stop::default())?))
        }
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

/// Copies a store into another one, which is empty or an unfinished copy of it. Verifies the copy,
/// and retires the source: no run uses it any more.
///
/// # Errors
///
/// Exit 2 if there is no source, or the target holds anything else; exit 5 if a run holds one of
/// the stores; exit 6 if one cannot be read or written, or if they differ.
pub fn copy(from: &StoreLocation, to: &StoreLocation, clock: &dyn Clock) -> Result<Copied> {
    if from == to {
        return Err(Error::usage(format!("{from} cannot be copied to itself")).hint("name two stores"));
    }
    let mut source: Box<dyn CopySide> = match from {
        StoreLocation::File(path) => Box::new(SqliteCopy::source(path, clock)?),
        StoreLocation::Database(url) => Box::new(PostgresCopy::source(url, clock)?),
    };
    let origin = source.meta(key::NATURE)?.and_then(|word| Origin::parse(&word));
    let origin =
        origin.ok_or_else(|| Error::output(format!("{from} does not say whether its answers are real")))?;
    let mut target: Box<dyn CopySide> = match to {
        StoreLocation::File(path) => Box::new(SqliteCopy::target(path, origin)?),
        StoreLocation::Database(url) => Box::new(PostgresCopy::target(url, origin, clock)?),
    };
    copy::copy((&mut *source, &from.to_string()), (&mut *target, &to.to_string()))
}

/// The other files of the store at this path, with their names for messages. Not all of them need
/// exist.
pub fn files_beside(path: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let store = resolve(path).unwrap_or_else(|_| path.to_owned());
    let copies = names_of_next_copies(&store).into_iter().map(|copy| ("the store's copy", copy));
    let suffixes = [
        ("the store's log", "-wal"),
        ("the store's shared memory", "-shm"),
        ("the store's journal", "-journal"),
        ("the store's lock file", ".lock"),
    ];
    let others = suffixes.into_iter().map(move |(name, suffix)| {
        let mut beside = store.clone().into_os_string();
        beside.push(suffix);
        (name, beside.into())
    });
    others.chain(copies)
}

/// The copies of a store that were made before it was upgraded, by name. A database has none.
#[must_use]
pub fn upgrade_copies(location: &StoreLocation) -> Vec<PathBuf> {
    let path = location.file().and_then(|path| resolve(path).ok());
    path.map_or(Vec::new(), |path| copies_beside(&path))
}
