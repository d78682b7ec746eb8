//! The folder of an export: its layout, its lock, and what else may be in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use reconcile_core::quick_parse;

use super::file_name::origin_of;
use crate::error::{Error, Result};
use crate::staged::{Staged, unwritable};
use crate::store::Origin;

const DAY_PREFIX: &str = "call_date=";
/// The lock is the hidden file `.export.unfinished`, which readers of Parquet pass over.
const LOCK: &str = "export";
const UNFINISHED: &str = ".unfinished";

/// The folder of an export. While it is open, no other process exports to it or searches it.
#[derive(Debug)]
pub struct ExportFolder {
    path: PathBuf,
    _lock: Staged,
}

/// A file in the folder of a day.
pub(super) enum Entry {
    /// An exported file.
    Exported(PathBuf, Origin),
    /// What a killed export left.
    Leftover(PathBuf),
}

impl ExportFolder {
    /// Opens the folder for an export of answers of this origin. Creates it if it is missing, and
    /// removes what a killed export left.
    ///
    /// # Errors
    ///
    /// Exit 2 if it holds anything but exported files, or files of the other origin. Exit 6 if it
    /// cannot be read or written, or another process uses it.
    pub fn to_write(path: &Path, origin: Origin) -> Result<Self> {
        match fs::create_dir(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(unwritable(path, e)),
            _ => {}
        }
        let folder = Self::open(path)?;
        folder.for_each(&mut |entry| match entry {
            Entry::Exported(_, other) if other != origin => Err(mixed(path, other)),
            Entry::Exported(..) => Ok(()),
            Entry::Leftover(leftover) => fs::remove_file(leftover).map_err(|e| unwritable(path, e)),
        })?;
        Ok(folder)
    }

    /// Opens an existing folder.
    ///
    /// # Errors
    ///
    /// Exit 2 if there is no such folder, or it holds anything but exported files. Exit 6 if it
    /// cannot be read, or another process uses it.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Err(refused(path, if path.exists() { "is a file" } else { "does not exist" }));
        }
        let folder = Self { path: path.to_owned(), _lock: Staged::create(&path.join(LOCK))? };
        folder.for_each(&mut |_| Ok(()))?;
        Ok(folder)
    }

    /// Where the file of this day and name is, or will be.
    pub(super) fn file(&self, day: NaiveDate, name: &str) -> PathBuf {
        self.path.join(format!("{DAY_PREFIX}{day}")).join(name)
    }

    /// Passes every file to `each`. Names that begin with `.` or `_` are not part of the data, as
    /// for Spark and Hive.
    ///
    /// # Errors
    ///
    /// Exit 2 if it holds anything but exported files; exit 6 if it cannot be read; else the error
    /// of `each`.
    pub(super) fn for_each(&self, each: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let unread = |e: io::Error| {
            Error::output(format!("cannot read {}", self.path.display()))
                .hint("check the folder's permissions, then run the same command again")
                .because(e)
        };
        let foreign =
            |name: &Path| refused(&self.path, &format!("contains another kind of file: {}", name.display()));
        for folder in fs::read_dir(&self.path).map_err(unread)? {
            let folder = folder.map_err(unread)?;
            let day = PathBuf::from(folder.file_name());
            if is_hidden(&day) {
                continue;
            }
            // A day may be on another disk, behind a link.
            if !is_day(&day) || !folder.path().is_dir() {
                return Err(foreign(&day));
            }
            for file in fs::read_dir(folder.path()).map_err(unread)? {
                let file = file.map_err(unread)?;
                let (name, path) = (file.file_name(), file.path());
                let name = name.to_string_lossy();
                if let Some(origin) = origin_of(&name) {
                    each(Entry::Exported(path, origin))?;
                } else if is_leftover(&name) {
                    each(Entry::Leftover(path))?;
                } else if !is_hidden(Path::new(&*name)) {
                    return Err(foreign(&day.join(&*name)));
                }
            }
        }
        Ok(())
    }
}

fn is_hidden(name: &Path) -> bool {
    name.to_string_lossy().starts_with(['.', '_'])
}

fn is_day(name: &Path) -> bool {
    name.to_str().and_then(|name| name.strip_prefix(DAY_PREFIX)).and_then(quick_parse::day).is_some()
}

fn is_leftover(name: &str) -> bool {
    let staged = name.strip_prefix('.').and_then(|name| name.strip_suffix(UNFINISHED));
    staged.is_some_and(|name| origin_of(name).is_some())
}

fn refused(folder: &Path, problem: &str) -> Error {
    Error::usage(format!("the export folder {} {problem}", folder.display()))
        .hint("name a folder that holds exports and nothing else")
}

/// The error for a folder with answers of the other origin.
fn mixed(folder: &Path, holds: Origin) -> Error {
    let (there, new) = match holds {
        Origin::Provider => ("real", "simulated"),
        Origin::Sandbox => ("simulated", "real"),
    };
    Error::usage(format!("{} holds {there} answers; {new} ones must not be added", folder.display()))
        .hint("export them to another folder")
}
