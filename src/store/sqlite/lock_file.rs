//! The lock of a store: only one process at a time can hold it. A lock file beside the store names
//! its holder and the last session.
//!
//! The operating system holds the lock, so it ends with the process, even after a kill. It is a
//! separate file, because closing any handle of the database drops SQLite's own locks on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::exit::Exit;

/// The start of the line that names the last session.
const LAST_SESSION: &str = "last session ";

/// The lock; dropping it releases it.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
    path: PathBuf,
    holder: String,
    last_session: i64,
}

impl LockFile {
    /// Takes the lock of a store.
    ///
    /// # Errors
    ///
    /// Exit 5 if another process holds it; exit 6 if the lock file cannot be written.
    pub(super) fn take(store: &Path) -> Result<Self> {
        let path = lock_path(store);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| unwritable(&path, e))?;
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

    /// The last session of earlier processes; 0 if there is none.
    pub(super) fn last_session(&self) -> i64 {
        self.last_session
    }

    /// Records the session that begins.
    ///
    /// # Errors
    ///
    /// Exit 6 if the lock file cannot be written.
    pub(super) fn note_session(&self, session_no: i64) -> Result<()> {
        self.write(session_no.max(self.last_session))
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
