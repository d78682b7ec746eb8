//! One run at a time per store: a lock file beside it that says who holds it.
//!
//! The lock is the operating system's and ends with the process, however it ends. It is a file of its own
//! because closing any handle of the database file would drop SQLite's own locks on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::exit::Exit;

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct StoreLock {
    _file: File,
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

impl StoreLock {
    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// Exit 5 when another process holds it, saying who; exit 6 when the lock file cannot be written.
    pub(super) fn take(store: &Path) -> Result<Self> {
        let path = lock_path(store);
        let unwritable = |e: std::io::Error| {
            Error::output(format!("the store's lock {} cannot be written", path.display()))
                .hint("check the folder's permissions and free space, or choose another place with --store")
                .because(e)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy(store, &mut file)),
            Err(TryLockError::Error(e)) => return Err(unwritable(e)),
        }
        let holder = format!(
            "pid {} on {}, since {}\n",
            std::process::id(),
            host(),
            chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ")
        );
        file.set_len(0).map_err(unwritable)?;
        file.write_all(holder.as_bytes()).map_err(unwritable)?;
        file.flush().map_err(unwritable)?;
        Ok(Self { _file: file })
    }
}

fn busy(store: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let known = file.rewind().and_then(|()| file.read_to_string(&mut holder)).is_ok();
    let holder =
        Some(holder.trim()).filter(|h| known && !h.is_empty()).unwrap_or("another process").to_owned();
    Error::new(Exit::Busy, format!("another run holds the store {}: {holder}", store.display()))
        .hint("wait for it to end, or stop it; then run the same command again")
}
