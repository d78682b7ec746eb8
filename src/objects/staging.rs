//! The local folder in which the files of a run are written before they are uploaded.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::regular_file;
use crate::staged::hidden_beside;

/// The name of a temporary folder, between which are random letters.
const TEMPORARY: (&str, &str) = (".reconcile-", ".upload");
const LETTERS: usize = 16;
/// A temporary folder that is younger may be one that its run has not locked yet.
const UNLOCKED: Duration = Duration::from_secs(60);

/// The folder of one run. It is removed when the value is dropped; the next run removes what a
/// killed run left.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    /// Locked as long as the run uses the folder; `None` where a folder cannot be locked.
    _lock: Option<File>,
}

impl Staging {
    /// Where it is if the store is a file: beside it, on a disk with room for a run, unlike `/tmp`.
    pub(crate) fn folder(store: &Path) -> PathBuf {
        hidden_beside(store, TEMPORARY.1)
    }

    /// Where it is if the store is a database: in the folder for temporary files. Other runs of
    /// this machine may have theirs beside it.
    pub(crate) fn temporary_folder() -> PathBuf {
        let letters = random_letters::<LETTERS>();
        std::env::temp_dir().join(format!("{}{letters}{}", TEMPORARY.0, TEMPORARY.1))
    }

    /// Removes the temporary folders beside this one that killed runs left.
    pub(crate) fn remove_left(folder: &Path) {
        let Some(Ok(beside)) = folder.parent().map(fs::read_dir) else { return };
        for entry in beside.flatten().filter(|entry| is_temporary(&entry.file_name())) {
            let metadata = entry.metadata().ok().filter(|metadata| metadata.is_dir());
            let age = metadata.and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
            let is_left = age.is_some_and(|age| age > UNLOCKED) && lock(&entry.path()).is_some();
            if is_left && fs::remove_dir_all(entry.path()).is_ok() {
                tracing::debug!("removed {}, which a killed run left", entry.path().display());
            }
        }
    }

    /// Creates the empty folder. Only who holds the store may do this.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be created, or if something else is at its path.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let failed = |e: io::Error| {
            Error::output(format!("cannot create {}, where files wait for their upload", folder.display()))
                .hint("remove what is there, check free space and the folder's permissions")
                .because(e)
        };
        match folder.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(folder).map_err(failed)?,
            Ok(_) => return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "it is no folder"))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
        }
        regular_file::create_private_folder(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), _lock: lock(folder) })
    }

    /// Every file in the folder, with its name below it, sorted. `/` separates the parts of a name.
    ///
    /// # Errors
    ///
    /// Exit 6 if a folder cannot be read, or a name is not UTF-8.
    pub(crate) fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut files = Vec::new();
        add_files(&self.folder, "", &mut files).map_err(|e| {
            Error::output(format!("cannot read {}", self.folder.display()))
                .hint("check the disk, then run the same command again")
                .because(e)
        })?;
        files.sort();
        Ok(files)
    }
}

/// At most 16 random letters, of 4 bits each. Digits would be masked in messages.
pub(super) fn random_letters<const COUNT: usize>() -> String {
    Uuid::new_v4().as_bytes().iter().take(COUNT).map(|byte| char::from(b'a' + byte % 16)).collect()
}

/// The locked folder; `None` if another process has locked it, or it cannot be locked.
fn lock(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.try_lock().ok()?;
    Some(folder)
}

fn is_temporary(name: &std::ffi::OsStr) -> bool {
    let letters = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY.0)?.strip_suffix(TEMPORARY.1));
    letters.is_some_and(|letters| letters.len() == LETTERS && letters.bytes().all(|b| b.is_ascii_lowercase()))
}

fn add_files(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| io::Error::other("a file name is not UTF-8"))?;
        if entry.file_type()?.is_dir() {
            add_files(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

impl Drop for Staging {
    fn drop(&mut self) {
        // If it cannot be removed, the next run does it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_empty_at_its_start_and_gone_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Staging::folder(&dir.path().join("night.db"));
        assert!(folder.ends_with(".night.db.upload"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("left"), "by a killed run").unwrap();
        let staging = Staging::create(&folder).unwrap();
        assert_eq!(staging.files().unwrap(), []);
        fs::create_dir(folder.join("day=1")).unwrap();
        fs::write(folder.join("day=1/b"), "").unwrap();
        fs::write(folder.join("a"), "").unwrap();
        let names: Vec<String> = staging.files().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "day=1/b"]);
        drop(staging);
        assert!(!folder.exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_what_a_killed_run_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let [own, other, left, young] = ["a", "b", "c", "d"]
            .map(|letter| at(&format!("{}{}{}", TEMPORARY.0, letter.repeat(16), TEMPORARY.1)));
        let (own, other) = (Staging::create(&own).unwrap(), Staging::create(&other).unwrap());
        let foreign = [at(".reconcile-night.upload"), at(".reconcile.db.upload")];
        for folder in [&left, &young].into_iter().chain(&foreign) {
            fs::create_dir(folder).unwrap();
        }
        fs::write(left.join("details.parquet"), "x").unwrap();
        let long_ago = std::time::SystemTime::now() - UNLOCKED * 2;
        for folder in [&own.folder, &other.folder, &left].into_iter().chain(&foreign) {
            File::open(folder).unwrap().set_modified(long_ago).unwrap();
        }
        Staging::remove_left(&own.folder);
        assert!(!left.exists());
        assert!([&own.folder, &other.folder, &young].into_iter().chain(&foreign).all(|path| path.exists()));
        let name = Staging::temporary_folder();
        assert!(is_temporary(name.file_name().unwrap()) && name.parent() == Some(&std::env::temp_dir()));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_a_folder_of_its_own_is_removed() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (folder, victim) = (dir.path().join("upload"), dir.path().join("victim"));
        fs::create_dir(&victim).unwrap();
        std::os::unix::fs::symlink(&victim, &folder).unwrap();
        assert!(Staging::create(&folder).is_err() && victim.exists());
        fs::remove_file(&folder).unwrap();
        let staging = Staging::create(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        drop(staging);
    }
}
