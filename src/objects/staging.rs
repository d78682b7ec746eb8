//! The local folder in which the files of a run are written before they are uploaded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::regular_file;
use crate::staged::hidden_beside;

/// The folder of one run. It is removed when the value is dropped; the next run over the same store
/// removes what a killed run left.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
}

impl Staging {
    /// Where it is: beside the store, which is on a disk with room for a run, unlike `/tmp`.
    pub(crate) fn folder(store: &Path) -> PathBuf {
        hidden_beside(store, ".upload")
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
        Ok(Self { folder: folder.to_owned() })
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
