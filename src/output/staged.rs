//! A file that appears whole or not at all: written beside its target, synced, then renamed.
//!
//! The name beside the target is always the same, so that what a killed run left behind is overwritten by the
//! next one; a lock on it keeps two runs from writing one output at the same time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file that is being written beside its target.
#[derive(Debug)]
pub(super) struct Staged {
    target: PathBuf,
    beside: PathBuf,
    /// Held for its lock, and to sync what other handles have written.
    file: File,
    renamed: bool,
}

/// An output that cannot be written, and what to do about it.
pub(super) fn unwritable(target: &Path, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::output(format!("the output {} cannot be written", target.display()))
        .hint(
            "check the folder's permissions and free space, then run the same command again: all answers are \
             stored and none is asked for twice",
        )
        .because(e)
}

/// An output that does not read as it was written.
pub(super) fn unreadable(target: &Path, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::output(format!("the output {} cannot be read back as it was written", target.display()))
        .hint(
            "the old outputs stand; check the disk, then run the same command again: all answers are stored",
        )
        .because(e)
}

impl Staged {
    /// Begins to write the file that will be `target`.
    ///
    /// # Errors
    ///
    /// Exit 6 when nothing can be written beside the target, or another run is writing it.
    pub(super) fn create(target: &Path) -> Result<Self> {
        let failed = |e: io::Error| unwritable(target, e);
        // The target of a link is replaced, not the link.
        let target =
            if target.is_symlink() { target.canonicalize().map_err(failed)? } else { target.to_owned() };
        let beside = beside(&target);
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&beside).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => file.set_len(0).map_err(failed)?,
            Err(TryLockError::WouldBlock) => {
                return Err(Error::output(format!("another run is writing {}", target.display()))
                    .hint("wait for it to end, or choose other outputs with --out"));
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        Ok(Self { target, beside, file, renamed: false })
    }

    /// A handle to write through.
    ///
    /// # Errors
    ///
    /// Exit 6 when the system has no more handles.
    pub(super) fn writer(&self) -> Result<File> {
        self.file.try_clone().map_err(|e| unwritable(&self.target, e))
    }

    /// A handle to read back what was written.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be opened.
    pub(super) fn reader(&self) -> Result<File> {
        File::open(&self.beside).map_err(|e| unwritable(&self.target, e))
    }

    /// The file it will be.
    #[must_use]
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts what was written on disk.
    ///
    /// # Errors
    ///
    /// Exit 6 when the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| unwritable(&self.target, e))
    }

    /// Puts the file in its place. Call [`Staged::sync`] first.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be renamed.
    pub(super) fn rename(mut self) -> Result<()> {
        std::fs::rename(&self.beside, &self.target).map_err(|e| unwritable(&self.target, e))?;
        self.renamed = true;
        // Until the folder is synced, a crash may bring the old name back.
        sync_folder(&self.target).map_err(|e| unwritable(&self.target, e))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be removed is overwritten by the next run.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

fn beside(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".unfinished");
    target.with_file_name(name)
}

/// The folder of a path as one can open it: `.` for a bare name.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Elsewhere a folder cannot be synced; the rename is as durable as the system makes it.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::Exit;
    use std::io::Write as _;

    #[test]
    fn the_old_file_stands_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        std::fs::write(&target, "old").unwrap();
        let staged = Staged::create(&target).unwrap();
        staged.writer().unwrap().write_all(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        staged.sync().unwrap();
        staged.rename().unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_given_up_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        drop(Staged::create(&target).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        std::fs::write(beside(&target), "half of a much longer file").unwrap();
        let staged = Staged::create(&target).unwrap();
        staged.writer().unwrap().write_all(b"new").unwrap();
        staged.sync().unwrap();
        staged.rename().unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn two_runs_do_not_write_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        let _first = Staged::create(&target).unwrap();
        let second = Staged::create(&target).unwrap_err();
        assert_eq!(second.exit, Exit::Output);
        assert!(second.what.contains("another run"), "{second}");
    }

    #[cfg(unix)]
    #[test]
    fn the_target_of_a_link_is_replaced_and_the_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let staged = Staged::create(&link).unwrap();
        staged.writer().unwrap().write_all(b"new").unwrap();
        staged.rename().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }
}
