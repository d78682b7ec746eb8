//! Files that appear whole or not at all: written beside their target, synced, then renamed.
//!
//! The name beside the target is always the same. The next run therefore overwrites what a killed
//! run left behind. A lock on that name keeps two runs from writing one file at the same time.

use std::error::Error as StdError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file that is written beside its target.
#[derive(Debug)]
pub(crate) struct Staged {
    target: PathBuf,
    beside: PathBuf,
    /// Holds the lock, and syncs what all handles have written.
    file: File,
    renamed: bool,
}

/// The error for an output that cannot be written (exit 6).
pub(crate) fn unwritable(target: &Path, e: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::output(format!("cannot write {}", target.display()))
        .hint(
            "check free space and the folder's permissions, then run the same command again; stored answers \
             are kept",
        )
        .because(e)
}

/// The error for an output that does not read back as it was written (exit 6).
pub(crate) fn unreadable(target: &Path, e: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::output(format!("{} does not read back as it was written", target.display()))
        .hint("the old outputs are unchanged; check the disk, then run the same command again")
        .because(e)
}

impl Staged {
    /// Starts the file that will become `target`. A symbolic link stays; its target is replaced.
    ///
    /// # Errors
    ///
    /// Exit 6 if the folder cannot be written to, or if another run is writing the same file.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let failed = |e: io::Error| unwritable(target, e);
        let target =
            if target.is_symlink() { target.canonicalize().map_err(failed)? } else { target.to_owned() };
        let beside = hidden_beside(&target, ".unfinished");
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&beside).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => file.set_len(0).map_err(failed)?,
            Err(TryLockError::WouldBlock) => {
                return Err(Error::output(format!("another run is writing {}", target.display()))
                    .hint("wait until it ends, or write to another path"));
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        Ok(Self { target, beside, file, renamed: false })
    }

    /// A handle for writing.
    ///
    /// # Errors
    ///
    /// Exit 6 if the system has no more handles.
    pub(crate) fn writer(&self) -> Result<File> {
        self.file.try_clone().map_err(|e| unwritable(&self.target, e))
    }

    /// Appends `text`.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(crate) fn write_text(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).map_err(|e| unwritable(&self.target, e))
    }

    /// A handle for reading the content back.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be opened.
    pub(crate) fn reader(&self) -> Result<File> {
        File::open(&self.beside).map_err(|e| unwritable(&self.target, e))
    }

    /// Lets every user of this machine read the file. Does nothing on systems other than Unix.
    ///
    /// # Errors
    ///
    /// Exit 6 if the permissions cannot be changed.
    pub(crate) fn make_readable_by_all(&self) -> Result<()> {
        set_readable_by_all(&self.file).map_err(|e| unwritable(&self.target, e))
    }

    /// Path of the finished file.
    #[must_use]
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the content to disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is full or failing.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| unwritable(&self.target, e))
    }

    /// Renames the file to its target. Call [`Staged::sync`] first.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be renamed.
    pub(crate) fn rename(mut self) -> Result<()> {
        std::fs::rename(&self.beside, &self.target).map_err(|e| unwritable(&self.target, e))?;
        self.renamed = true;
        // A crash could bring the old name back until the folder is synced.
        sync_folder_of(&self.target).map_err(|e| unwritable(&self.target, e))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.renamed {
            // If it cannot be removed, the next run overwrites it.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

/// A hidden name in the folder of `target`, such as `.details.parquet.unfinished`.
pub(crate) fn hidden_beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(suffix);
    target.with_file_name(name)
}

/// The folder of a path, in a form that can be opened: `.` for a file name without a folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs the folder of `path`, so its file names are on disk.
#[cfg(unix)]
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Only Unix can sync a folder.
#[cfg(not(unix))]
pub(crate) fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn set_readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_readable_by_all(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        std::fs::write(&target, "old").unwrap();
        let mut staged = Staged::create(&target).unwrap();
        staged.write_text("new").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        staged.sync().unwrap();
        staged.rename().unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_dropped_file_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        drop(Staged::create(&target).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_of_a_killed_run_are_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        std::fs::write(hidden_beside(&target, ".unfinished"), "half of a much longer file").unwrap();
        let mut staged = Staged::create(&target).unwrap();
        staged.write_text("new").unwrap();
        staged.sync().unwrap();
        staged.rename().unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn two_runs_cannot_write_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        let _first = Staged::create(&target).unwrap();
        let second = Staged::create(&target).unwrap_err();
        assert_eq!(second.exit, Exit::Output);
        assert!(second.what.contains("another run"), "{second}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut staged = Staged::create(&link).unwrap();
        staged.write_text("new").unwrap();
        staged.rename().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }
}
