//! Checks, before the first request, that every output can be written at the end.

use std::path::Path;

use super::file_format::{FileFormat, is_workbook};
use super::partitions;
use super::paths::{OutputFile, Paths};
use super::rejects::{self, OldRejects};
use crate::error::{Error, Result};
use crate::ledger::Layout;
use crate::place::{folder_of, resolve};
use crate::regular_file::check_folder_is_writable;
use crate::staged::{Staged, unwritable};

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
    /// Refuses outputs that cannot be written. Creates nothing.
    ///
    /// # Errors
    ///
    /// Exit 2 if a folder is missing, a target is not a regular file, its name has a control
    /// character, or the extension of discrepancies or workbook is another one. Exit 6 if a folder
    /// cannot be written to.
    pub fn check(&self) -> Result<()> {
        if self.published_to.is_some() {
            return self.check_published();
        }
        for (file, path) in self.all() {
            let target = Target { file, path };
            check_characters(&target)?;
            self.check_place(&target)?;
            self.check_extension(&target)?;
            let place = resolve(path)
                .map_err(|e| target.refused(&format!("cannot be created: {e}"), "give another path"))?;
            check_folder_is_writable(folder_of(&place)).map_err(|e| unwritable(path, e))?;
        }
        Ok(())
    }

    /// Checks files that are uploaded: their names, and the place of the folder in which they wait.
    fn check_published(&self) -> Result<()> {
        let files = self.all();
        for (no, (file, path)) in files.iter().enumerate() {
            let target = Target { file: *file, path };
            check_characters(&target)?;
            self.check_extension(&target)?;
            if let Some((earlier, _)) = files[..no].iter().find(|(_, earlier)| earlier == path) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                return Err(Error::usage(format!("{file} {name} is the same file as {earlier}"))
                    .hint("name a different file for each"));
            }
        }
        let folder = folder_of(&self.details);
        let problem = |e| {
            Error::output(format!("cannot create {}, where files wait for their upload", folder.display()))
                .hint("check the folder of the store and its permissions")
                .because(e)
        };
        resolve(folder).map_err(problem)?;
        check_folder_is_writable(folder_of(folder)).map_err(problem)
    }

    /// Creates every file beside its target and removes it again. Only the run that holds the store
    /// may do this: another one may be writing the same files.
    ///
    /// # Errors
    ///
    /// Exit 6 if one cannot be created.
    pub fn try_to_create(&self) -> Result<()> {
        self.all().iter().try_for_each(|(_, path)| Staged::create(path).map(drop))
    }

    /// Checks that no other file is at the path of the rejects. `unusable` is true if the run will
    /// write rejects.
    ///
    /// # Errors
    ///
    /// Exit 2 if another file would be replaced.
    pub fn check_rejects(&self, layout: &Layout, unusable: bool) -> Result<OldRejects> {
        match OldRejects::at(&self.rejects, layout) {
            OldRejects::Foreign if unusable => Err(rejects::foreign(&self.rejects)),
            old => Ok(old),
        }
    }

    /// Checks what is at the target's path, and its folder.
    fn check_place(&self, target: &Target<'_>) -> Result<()> {
        if target.file == OutputFile::Details && self.by_day {
            partitions::check_replaceable(target.path)?;
            return check_folder(target);
        }
        check_regular_file(target)
    }

    fn check_extension(&self, target: &Target<'_>) -> Result<()> {
        if target.file == OutputFile::Details && self.by_day {
            return Ok(());
        }
        if target.file == OutputFile::Details && is_of_another_format(target.path) {
            return Err(target.refused(
                "has the extension of another format; the details are Parquet",
                "end the name with .parquet; DuckDB turns it into other formats",
            ));
        }
        let is_known = is_workbook(target.path) || FileFormat::from_extension(target.path).is_some();
        if target.file == OutputFile::Discrepancies && !is_known {
            let hint = "end the name with .csv, .jsonl, .parquet or .xlsx";
            return Err(target.refused("has an unknown extension", hint));
        }
        if target.file == OutputFile::Workbook && !is_workbook(target.path) {
            return Err(target.refused("has the extension of another format", "end the name with .xlsx"));
        }
        Ok(())
    }
}

fn check_characters(target: &Target<'_>) -> Result<()> {
    let path = target.path.to_string_lossy();
    if path.contains(char::is_control) {
        let what = format!("{} {path:?} has a control character in its name", target.file);
        return Err(Error::usage(what).hint("choose a name without it"));
    }
    Ok(())
}

/// True if programs would take a file with this extension for something else than Parquet.
fn is_of_another_format(path: &Path) -> bool {
    const OTHERS: [&str; 14] = [
        "csv", "tsv", "txt", "json", "jsonl", "ndjson", "xlsx", "xls", "ods", "html", "htm", "sql", "db",
        "pdf",
    ];
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| OTHERS.contains(&extension.as_str()))
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
