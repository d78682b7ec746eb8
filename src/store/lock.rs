//! One run at a time per store: a lock file beside it that says who holds it, and which session was the last.
//!
//! The lock is the operating system's and ends with the process, however it ends. It is a file of its own
//! because closing any handle of the database file would drop SQLite's own locks on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::exit::Exit;

const SESSION: &str = "last session ";

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct StoreLock {
    file: File,
    path: PathBuf,
    holder: String,
    last_session: i64,
}

fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|h| h.trim().to_owned())
        .unwrap_or_else(|_| "this host".into())
}

fn unwritable(path: &Path, e: std::io::Error) -> Error {
    Error::output(format!("the store's lock {} cannot be written", path.display()))
        .hint("check the folder's permissions and free space, or choose another place with --store")
        .because(e)
}

impl StoreLock {
    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// Exit 5 when another process holds it, saying who; exit 6 when the lock file cannot be written.
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
        let mut said = String::new();
        let known = file.read_to_string(&mut said).is_ok();
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy(store, said.lines().next().filter(|_| known))),
            Err(TryLockError::Error(e)) => return Err(unwritable(&path, e)),
        }
        let last_session =
            said.lines().find_map(|line| line.strip_prefix(SESSION)?.parse().ok()).unwrap_or(0);
        let started = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
        let holder = format!("pid {} on {}, since {started}", std::process::id(), host());
        let lock = Self { file, path, holder, last_session };
        lock.write(last_session)?;
        Ok(lock)
    }

    /// The last session that was begun while an earlier process held the lock.
    pub(super) fn last_session(&self) -> i64 {
        self.last_session
    }

    /// Notes a session that begins.
    ///
    /// # Errors
    ///
    /// Exit 6 when the lock file cannot be written.
    pub(super) fn note_session(&self, session_no: i64) -> Result<()> {
        self.write(session_no.max(self.last_session))
    }

    /// Written over what is there, so that a full disk takes nothing away.
    fn write(&self, session_no: i64) -> Result<()> {
        let text = format!("{}\n{SESSION}{session_no}\n", self.holder);
        let write = || -> std::io::Result<()> {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(text.as_bytes())?;
            file.set_len(text.len() as u64)
        };
        write().map_err(|e| unwritable(&self.path, e))
    }
}

fn busy(store: &Path, holder: Option<&str>) -> Error {
    let holder = holder.map(str::trim).filter(|holder| !holder.is_empty()).unwrap_or("another process");
    Error::new(Exit::Busy, format!("another run holds the store {}: {holder}", store.display()))
        .hint("wait for it to end, or stop it; then run the same command again")
}
