//! Files that appear whole or not at all: written beside their target, synced, then renamed.
//!
//! The name beside the target is always the same, so the next run removes what a killed run left
//! behind. A lock on that file keeps two runs from writing one target at the same time. The file is
//! always a new one: what stands at its name is never written to.

use std::error::Error as StdError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::place::{folder_of, resolve};
use crate::regular_file::{self, Readers};

/// Tries to create a file while other starts remove it as a leftover.
const TRIES: usize = 20;

/// A file that is written beside its target.
#[derive(Debug)]
pub(crate) struct Staged {
    /// As it was named.
    target: PathBuf,
    /// The target without links.
    place: PathBuf,
    beside: PathBuf,
    /// Holds the lock, and syncs what all handles have written.
    file: File,
    renamed: bool,
}

/// The error for an output that cannot be written (exit 6).
pub(crate) fn unwritable(target: &Path, e: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::output(format!("cannot write {}", target.display()))
        .hint(
            "check free space, the folder's permissions and the limit of file sizes (ulimit -f), then run the \
             same command again; stored answers are kept",
        )
        .because(e)
}

/// The error for something at the name of a temporary file that this program did not put there.
fn in_the_way(target: &Path, beside: &Path, e: io::Error) -> Error {
    Error::output(format!("cannot write {}: {} is in the way", target.display(), beside.display()))
        .hint("another program put it there; remove it, then run the same command again")
        .because(e)
}

/// The error for an output that does not read back as it was written (exit 6).
pub(crate) fn unreadable(target: &Path, e: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::output(format!("{} does not read back as it was written", target.display()))
        .hint("the old outputs are unchanged; check the disk, then run the same command again")
        .because(e)
}

impl Staged {
    /// Starts the file that will become `target`, readable as the umask says. A symbolic link
    /// stays; its target is replaced.
    ///
    /// # Errors
    ///
    /// Exit 6 if the folder cannot be written to, or if another run is writing the same file.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        Self::create_for(target, Readers::ByUmask)
    }

    /// As [`Staged::create`], but only this user can read the file.
    ///
    /// # Errors
    ///
    /// As [`Staged::create`].
    pub(crate) fn create_private(target: &Path) -> Result<Self> {
        Self::create_for(target, Readers::Owner)
    }

    /// As [`Staged::create`]; `None` if another run is writing the same file.
    ///
    /// # Errors
    ///
    /// Exit 6 if the folder cannot be written to.
    pub(crate) fn try_create(target: &Path) -> Result<Option<Self>> {
        Self::try_create_for(target, Readers::ByUmask)
    }

    fn create_for(target: &Path, readers: Readers) -> Result<Self> {
        Self::try_create_for(target, readers)?.ok_or_else(|| {
            Error::output(format!("another run is writing {}", target.display()))
                .hint("wait until it ends, or write to another path")
        })
    }

    fn try_create_for(target: &Path, readers: Readers) -> Result<Option<Self>> {
        let failed = |e: io::Error| unwritable(target, e);
        let place = resolve(target).map_err(failed)?;
        let beside = unfinished(&place);
        let named = |e: io::Error| match e.kind() {
            ErrorKind::InvalidInput => in_the_way(target, &beside, e),
            kind => failed(io::Error::new(kind, format!("{}: {e}", beside.display()))),
        };
        let file = create_locked(&beside, readers).map_err(named)?;
        let target = target.to_owned();
        Ok(file.map(|file| Self { target, place, beside, file, renamed: false }))
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
    /// Exit 6 if the file cannot be opened, or another program has replaced it.
    pub(crate) fn reader(&self) -> Result<File> {
        self.check_beside()?;
        regular_file::open(&self.beside, OpenOptions::new().read(true), Readers::Owner)
            .map_err(|e| unwritable(&self.target, e))
    }

    /// Lets every user of this machine read the file. Does nothing on systems other than Unix.
    ///
    /// # Errors
    ///
    /// Exit 6 if the permissions cannot be changed.
    pub(crate) fn make_readable_by_all(&self) -> Result<()> {
        regular_file::set_mode(&self.file, 0o644).map_err(|e| unwritable(&self.target, e))
    }

    /// Gives the file the permissions of another one.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be read or changed.
    pub(crate) fn take_permissions_of(&self, other: &Path) -> Result<()> {
        let permissions = other.metadata().map(|metadata| metadata.permissions());
        let set = permissions.and_then(|permissions| self.file.set_permissions(permissions));
        set.map_err(|e| unwritable(&self.target, e))
    }

    /// Path of the file until it is renamed.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.beside
    }

    /// Path of the finished file, as it was named.
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

    /// Renames the file to its target. Call [`Staged::sync`] first and [`Staged::sync_folder`]
    /// afterwards.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be renamed, or if anything but a regular file has come to the target.
    pub(crate) fn rename(&mut self) -> Result<()> {
        self.check_beside()?;
        let kind = self.place.symlink_metadata().ok().map(|metadata| metadata.file_type());
        if let Some(problem) = kind.and_then(regular_file::other_kind) {
            return Err(unwritable(&self.target, format!("it {problem} now")));
        }
        std::fs::rename(&self.beside, &self.place).map_err(|e| unwritable(&self.target, e))?;
        self.renamed = true;
        Ok(())
    }

    /// Syncs the target's folder: until then, a crash could bring the old file back.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is failing.
    pub(crate) fn sync_folder(&self) -> Result<()> {
        sync_folder_of(&self.place).map_err(|e| unwritable(&self.target, e))
    }

    fn check_beside(&self) -> Result<()> {
        match regular_file::is_at(&self.file, &self.beside) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let why = format!("another program has removed or replaced {}", self.beside.display());
                Err(unwritable(&self.target, why))
            }
            Err(e) => Err(unwritable(&self.target, e)),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.renamed && self.check_beside().is_ok() {
            // If it cannot be removed, the next run does it.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

/// Creates a new file and locks it. Removes what a killed run left at its path. Returns `None` if
/// another run holds the file there.
fn create_locked(path: &Path, readers: Readers) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        match regular_file::open(path, OpenOptions::new().read(true), readers) {
            Ok(leftover) if !is_locked(&leftover)? => return Ok(None),
            // Only who holds the lock of a file removes it, so no other start loses its file here.
            Ok(leftover) if regular_file::is_at(&leftover, path)? => std::fs::remove_file(path)?,
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        match regular_file::create_new(path, readers) {
            // Between creation and lock another start may take the file for a leftover.
            Ok(file) if !is_locked(&file)? => return Ok(None),
            Ok(file) if regular_file::is_at(&file, path)? => return Ok(Some(file)),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

/// Whether this handle holds the file's lock now; `false` if another one has it.
fn is_locked(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Where the file that will become `target` is written.
pub(crate) fn unfinished(target: &Path) -> PathBuf {
    hidden_beside(target, ".unfinished")
}

/// A hidden name in the folder of `target`, such as `.details.parquet.unfinished`.
pub(crate) fn hidden_beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(suffix);
    target.with_file_name(name)
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
        std::fs::write(unfinished(&target), "half of a much longer file").unwrap();
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

    #[test]
    fn nothing_is_written_to_what_stands_at_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let (target, victim) = (dir.path().join("out.csv"), dir.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::fs::hard_link(&victim, unfinished(&target)).unwrap();
        let mut staged = Staged::create(&target).unwrap();
        staged.write_text("new").unwrap();
        staged.rename().unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_at_the_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (target, victim) = (dir.path().join("out.csv"), dir.path().join("victim"));
        for victim in [victim.as_path(), Path::new("/dev/full"), dir.path()] {
            std::os::unix::fs::symlink(victim, unfinished(&target)).unwrap();
            let error = Staged::create(&target).unwrap_err();
            assert!(error.source.unwrap().to_string().contains("is a symbolic link"));
            std::fs::remove_file(unfinished(&target)).unwrap();
        }
        assert!(!victim.exists());
    }

    #[test]
    fn a_name_that_was_replaced_is_neither_renamed_nor_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        let mut staged = Staged::create(&target).unwrap();
        std::fs::remove_file(unfinished(&target)).unwrap();
        std::fs::write(unfinished(&target), "another program's").unwrap();
        assert!(staged.reader().is_err() && staged.rename().is_err());
        drop(staged);
        assert!(unfinished(&target).exists() && !target.exists());
    }

    /// Many starts at once: each file that one of them holds is whole, and nobody else's.
    #[test]
    fn a_race_of_starts_leaves_whole_files() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out.csv");
        let written = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..100 {
                        // Another thread may hold the file, for as long as it writes.
                        let mut staged = loop {
                            match Staged::create(&target) {
                                Ok(staged) => break staged,
                                Err(_) => std::thread::yield_now(),
                            }
                        };
                        staged.write_text("whole").unwrap();
                        staged.rename().unwrap();
                        assert_eq!(std::fs::read_to_string(&target).unwrap(), "whole");
                        written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(written.into_inner(), 400);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink("real.csv", &link).unwrap();
        let mut staged = Staged::create(&link).unwrap();
        staged.write_text("new").unwrap();
        staged.rename().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }
}
