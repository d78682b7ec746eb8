//! The lock of a store: only one process at a time can hold it.
//!
//! The lock is on the store's own file (`held_file.rs`). A lock file beside it names the holder,
//! the last session, and the last session that is certainly in the store's file, not only in its
//! log. It is locked too: version 0.1 knows only this file.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::errors::Lost;
use super::held_file::{self, HeldFile, Taken};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::store::host::host_name;
use crate::zone;

/// Stands before the time at which the holder took the lock.
const SINCE: &str = ", since ";
/// The start of the line that names the last session.
const LAST_SESSION: &str = "last session ";
/// The start of the line that names the last session in the store's file.
const SESSION_IN_FILE: &str = "in the file session ";

/// The lock; dropping it releases it.
#[derive(Debug)]
pub(super) struct StoreLock {
    lock_file: LockFile,
    store: HeldFile,
}

impl StoreLock {
    /// Takes the lock of the store at `path`, as [`held_file::resolve`] returned it. Creates an
    /// empty file if there is no store.
    ///
    /// # Errors
    ///
    /// Exit 5 if another process holds it; exit 2 if the file cannot be a store; exit 6 if the
    /// store or its lock file cannot be written.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let Taken::Held(store) = HeldFile::take(path)? else {
            return Err(busy(path, LockFile::holder_of(path).as_deref()));
        };
        Ok(Self { lock_file: LockFile::take(path)?, store })
    }

    /// Checks that the store's name still leads to the file that this process holds.
    ///
    /// # Errors
    ///
    /// What happened to the file.
    pub(super) fn check(&self) -> Result<(), Lost> {
        self.store.check()
    }

    /// The last session of earlier processes; 0 if there is none.
    pub(super) fn last_session(&self) -> i64 {
        self.lock_file.notes.last_session
    }

    /// Records the session that begins. `is_in_file` is true if it is in the store's file, not only
    /// in its log.
    ///
    /// # Errors
    ///
    /// Exit 6 if the lock file cannot be written.
    pub(super) fn note_session(&self, session_no: i64, is_in_file: bool) -> Result<()> {
        let notes = self.lock_file.notes;
        let in_file = if is_in_file { session_no } else { notes.session_in_file };
        self.lock_file
            .write(Notes { last_session: session_no.max(notes.last_session), session_in_file: in_file })
    }

    /// The last session that was certainly in the store's file; 0 if none is known.
    pub(super) fn session_in_file(&self) -> i64 {
        self.lock_file.notes.session_in_file
    }
}

/// The lock file, open and locked.
#[derive(Debug)]
struct LockFile {
    file: File,
    path: PathBuf,
    holder: String,
    notes: Notes,
}

/// What a lock file says about sessions; 0 for a session that it does not name.
#[derive(Debug, Clone, Copy)]
struct Notes {
    last_session: i64,
    session_in_file: i64,
}

impl Notes {
    fn read(content: &str) -> Self {
        let number = |start: &str| content.lines().find_map(|line| line.strip_prefix(start)?.parse().ok());
        Self {
            last_session: number(LAST_SESSION).unwrap_or(0),
            session_in_file: number(SESSION_IN_FILE).unwrap_or(0),
        }
    }
}

/// The last session that was certainly in the file of this store, as its lock file says; 0 if none
/// is known.
pub(super) fn session_in_file_of(store: &Path) -> i64 {
    std::fs::read_to_string(lock_path(store)).map_or(0, |content| Notes::read(&content).session_in_file)
}

/// As for the store's own file: closing would not suffice.
impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl LockFile {
    fn take(store: &Path) -> Result<Self> {
        let path = lock_path(store);
        let mut file = held_file::open(&path).map_err(|e| unwritable(&path, e))?;
        let locked = file.try_lock();
        let mut content = String::new();
        let is_read = file.read_to_string(&mut content).is_ok();
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(busy(store, content.lines().next().filter(|_| is_read)));
            }
            Err(TryLockError::Error(e)) => return Err(unwritable(&path, e)),
        }
        let notes = Notes::read(&content);
        let started = Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
        let holder = format!("pid {} on {}{SINCE}{started}", std::process::id(), host_name());
        let lock = Self { file, path, holder, notes };
        lock.write(notes)?;
        Ok(lock)
    }

    /// The first line of a lock file: who holds the store.
    fn holder_of(store: &Path) -> Option<String> {
        let content = std::fs::read_to_string(lock_path(store)).ok()?;
        content.lines().next().map(str::to_owned)
    }

    /// Overwrites the content in place: if the disk is full, the old content stays.
    fn write(&self, notes: Notes) -> Result<()> {
        let Notes { last_session, session_in_file } = notes;
        let content =
            format!("{}\n{LAST_SESSION}{last_session}\n{SESSION_IN_FILE}{session_in_file}\n", self.holder);
        let write = || -> std::io::Result<()> {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(content.as_bytes())?;
            file.set_len(content.len() as u64)
        };
        write().map_err(|e| unwritable(&self.path, e))
    }
}

fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn unwritable(path: &Path, e: std::io::Error) -> Error {
    Error::output(format!("cannot write the store's lock file {}", path.display()))
        .hint("check the folder's permissions and free space, or put the store elsewhere")
        .because(e)
}

/// The holder with the time in the zone of this process.
fn in_shown_zone(holder: &str) -> String {
    let since = holder.rsplit_once(SINCE);
    let read = since.and_then(|(who, at)| Some((who, DateTime::parse_from_rfc3339(at).ok()?)));
    read.map_or_else(
        || holder.to_owned(),
        |(who, at)| format!("{who}{SINCE}{}", zone::date_and_time(at.to_utc())),
    )
}

fn busy(store: &Path, holder: Option<&str>) -> Error {
    let holder = holder.map(str::trim).filter(|holder| !holder.is_empty());
    let holder = holder.map_or_else(|| "another process".to_owned(), in_shown_zone);
    Error::new(Exit::Busy, format!("another run holds the store {}: {holder}", store.display()))
        .hint("wait until it ends, or stop it; then run the same command again")
}
