//! The store's file, held by this process: it has one name and one holder, and its name still leads
//! to it.
//!
//! The lock (flock) is on the file itself, not on its name. So links, or a removed lock file, do
//! not let a second process in. It ends with the process, even after a kill. It does not interfere
//! with SQLite's own locks, which are of another kind.
//!
//! Closing any handle of a database drops SQLite's locks on it. So the file is opened here before
//! SQLite opens it, and closed after it.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::errors::{Lost, cannot_open};
use crate::error::{Error, Result};
use crate::place;
use crate::regular_file::{self, Readers};

/// The file, open and locked.
#[derive(Debug)]
pub(super) struct HeldFile {
    path: PathBuf,
    file: File,
}

/// Closing the file would not suffice: a program that was just started has a copy of the handle
/// until it begins.
impl Drop for HeldFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The result of [`HeldFile::take`].
pub(super) enum Taken {
    Held(HeldFile),
    /// Another process holds the file.
    Busy,
}

impl HeldFile {
    /// Opens and locks the file at `path`, as [`resolve`] returned it. Creates it, readable only by
    /// this user, if there is none.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not a regular file or has several names; exit 6 if it cannot be opened.
    pub(super) fn take(path: &Path) -> Result<Taken> {
        // Between opening and locking another process may remove or replace the file.
        for _ in 0..3 {
            let file = open(path).map_err(|e| not_opened(path, e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Taken::Busy),
                Err(TryLockError::Error(e)) => return Err(cannot_open(path, e)),
            }
            let metadata = file.metadata().map_err(|e| cannot_open(path, e))?;
            let held = Self { path: path.to_owned(), file };
            if held.check().is_ok() {
                refuse_several_names(path, &metadata)?;
                return Ok(Taken::Held(held));
            }
        }
        Err(cannot_open(path, io::Error::other("another program replaces the file again and again")))
    }

    /// Checks that the file's name still leads to it.
    ///
    /// # Errors
    ///
    /// What happened to the file.
    pub(super) fn check(&self) -> Result<(), Lost> {
        match regular_file::is_at(&self.file, &self.path) {
            Ok(true) => Ok(()),
            _ if self.path.symlink_metadata().is_ok() => Err(Lost::Replaced),
            _ => Err(Lost::Removed),
        }
    }
}

/// The path itself, or the file to which it links. A link in its folders needs no care: the lock
/// file and SQLite's files are in the same folder.
pub(super) fn resolve(path: &Path) -> PathBuf {
    Some(path)
        .filter(|path| path.is_symlink())
        .and_then(|path| place::resolve(path).ok())
        .unwrap_or(path.to_owned())
}

/// How many names (hard links) a file has.
#[cfg(unix)]
pub(super) fn names_of(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
pub(super) fn names_of(_: &Metadata) -> u64 {
    1
}

/// Opens a private file for reading and writing, or creates it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    regular_file::open(path, &mut options, Readers::Owner)
}

fn not_opened(path: &Path, error: io::Error) -> Error {
    if error.kind() != io::ErrorKind::InvalidInput {
        return cannot_open(path, error);
    }
    Error::usage(format!("the store {} cannot be used: {error}", path.display()))
        .hint("set store to a regular file, or to one that does not exist yet")
}

fn refuse_several_names(path: &Path, metadata: &Metadata) -> Result<()> {
    let names = names_of(metadata);
    if names <= 1 {
        return Ok(());
    }
    Err(Error::usage(format!("the store {} has {names} names (hard links)", path.display())).hint(
        "keep one name and delete the others, or copy the file: SQLite keeps a log for each name, so two names \
         would lose answers",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_copy_of_the_handle_does_not_keep_the_lock() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("reconcile.db");
        let Taken::Held(held) = HeldFile::take(&path).unwrap() else { panic!("the file is held") };
        let copy = held.file.try_clone().unwrap();
        assert!(matches!(HeldFile::take(&path).unwrap(), Taken::Busy));
        drop(held);
        assert!(matches!(HeldFile::take(&path).unwrap(), Taken::Held(_)));
        drop(copy);
    }
}
