//! Checks, before the first request, that every output can be written at the end.

use std::path::Path;

use super::file_format::FileFormat;
use super::partitions;
use super::paths::{OutputFile, Paths};
use crate::error::{Error, Result};
use crate::staged::{Staged, folder_of};

/// An output and its path.
struct Target<'a> {
    file: OutputFile,
    path: &'a Path,
}

impl Target<'_> {
    /// Exit 2: the output has this problem, such as "is a folder".
    fn refused(&self, problem: &str, hint: &str) -> Error {
        Error::usage(format!("{} {} {problem}", self.file, self.path.display())).hint(hint)
    }
}

impl Paths {
    /// Refuses outputs that cannot be written. `others` are files that no output may overwrite,
    /// each with its name for messages.
    ///
    /// # Errors
    ///
    /// Exit 2 if two of the files are the same, a folder is missing, a target is a folder, or the
    /// extension of the discrepancies is unknown. Exit 6 if a folder cannot be written to.
    pub fn check(&self, others: &[(&str, &Path)]) -> Result<()> {
        let files = self.all();
        for (i, (file, path)) in files.iter().enumerate() {
            let target = Target { file: *file, path };
            self.check_kind(&target)?;
            for (other, taken) in &files[..i] {
                refuse_same_file(&target, &other.to_string(), taken)?;
            }
            for (other, taken) in others {
                refuse_same_file(&target, other, taken)?;
            }
        }
        files.iter().try_for_each(|(_, path)| Staged::create(path).map(drop))
    }

    fn check_kind(&self, target: &Target<'_>) -> Result<()> {
        if target.file == OutputFile::Details && self.by_day {
            partitions::check_replaceable(target.path)?;
            return check_folder(target);
        }
        check_regular_file(target)?;
        let is_known = FileFormat::from_extension(target.path).is_some();
        if target.file == OutputFile::Discrepancies && !is_known {
            return Err(
                target.refused("has an unknown extension", "end the name with .csv, .jsonl or .parquet")
            );
        }
        Ok(())
    }
}

fn check_regular_file(target: &Target<'_>) -> Result<()> {
    let path = target.path;
    if path.file_name().is_none() || path.is_dir() {
        return Err(target.refused("is a folder", "name a file in it"));
    }
    check_folder(target)?;
    if path.exists() && !path.is_file() {
        // The output is renamed over its target; a device or a pipe would be lost.
        return Err(
            target.refused("is not a regular file", "name a regular file, or one that does not exist yet")
        );
    }
    Ok(())
}

fn check_folder(target: &Target<'_>) -> Result<()> {
    let folder = folder_of(target.path);
    if !folder.is_dir() {
        let problem = format!("cannot be created: there is no folder {}", folder.display());
        return Err(target.refused(&problem, "create the folder, or give another path"));
    }
    Ok(())
}

fn refuse_same_file(target: &Target<'_>, other: &str, taken: &Path) -> Result<()> {
    if is_same_file(target.path, taken) {
        let problem = format!("is the same file as {other}");
        return Err(target.refused(&problem, "name a different file for each"));
    }
    Ok(())
}

/// Whether both paths are the same file, which may not exist yet.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| {
        path.canonicalize().or_else(|_| {
            let folder = folder_of(path).canonicalize()?;
            Ok::<_, std::io::Error>(folder.join(path.file_name().unwrap_or_default()))
        })
    };
    matches!((resolved(a), resolved(b)), (Ok(a), Ok(b)) if a == b)
}
