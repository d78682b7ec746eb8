//! The lock of a store: only one process at a time can hold it.
//!
//! The lock is on the store's own file (`held_file.rs`). A lock file beside it names the holder and
//! the last session. It is locked too: version 0.1 knows only this file.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::errors::Lost;
use super::held_file::{self, HeldFile, Taken};
use crate::error::{Error, Result};
use crate::exit::Exit;

/// The start of the line that names the last session.
const LAST_SESSION: &str = "last session ";

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
        self.lock_file.last_session
    }

    /// Records the session that begins.
    ///
    /// # Errors
    ///
    /// Exit 6 if the lock file cannot be written.
    pub(super) fn note_session(&self, session_no: i64) -> Result<()> {
        self.lock_file.write(session_no.max(self.lock_file.last_session))
    }
}

/// The lock file, open and locked.
#[derive(Debug)]
struct LockFile {
    file: File,
    path: PathBuf,
    holder: String,
    last_session: i64,
}

impl LockFile {
    fn take(store: &Path) -> Result<Self> {
        let path = lock_path(store);
        let mut file = held_file::open(&path).map_err(|e| unwritable(&path, e))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(unwritable(&path, std::io::Error::other("it is not a regular file")));
        }
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
        let last_session =
            content.lines().find_map(|line| line.strip_prefix(LAST_SESSION)?.parse().ok()).unwrap_or(0);
        let started = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
        let holder = format!("pid {} on {}, since {started}", std::process::id(), host_name());
        let lock = Self { file, path, holder, last_session };
        lock.write(last_session)?;
        Ok(lock)
    }

    /// The first line of a lock file: who holds the store.
    fn holder_of(store: &Path) -> Option<String> {
        let content = std::fs::read_to_string(lock_path(store)).ok()?;
        content.lines().next().map(str::to_owned)
    }

    /// Overwrites the content in place: if the disk is full, the old content stays.
    fn write(&self, session_no: i64) -> Result<()> {
        let content = format!("{}\n{LAST_SESSION}{session_no}\n", self.holder);
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

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_else(|_| "this host".into())
}

fn unwritable(path: &Path, e: std::io::Error) -> Error {
    Error::output(format!("cannot write the store's lock file {}", path.display()))
        .hint("check the folder's permissions and free space, or put the store elsewhere")
        .because(e)
}

fn busy(store: &Path, holder: Option<&str>) -> Error {
    let holder = holder.map(str::trim).filter(|holder| !holder.is_empty()).unwrap_or("another process");
    Error::new(Exit::Busy, format!("another run holds the store {}: {holder}", store.display()))
        .hint("wait until it ends, or stop it; then run the same command again")
}
