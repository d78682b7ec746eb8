//! The files of a run: its summary, and the discrepancy file that the summary names.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::changes_csv::replaces_input;
use crate::discrepancy_file::DiscrepancyFile;
use crate::error::{Error, Result};
use crate::output::schema::SCHEMA_VERSION;
use crate::place::{Place, folder_of};
use crate::regular_file;

/// Largest summary, in bytes. Most have less than 100 KiB.
const MAX_SUMMARY: u64 = 64 << 20;

/// A run, as it was named.
pub(crate) struct Run {
    /// The path as given.
    pub(crate) path: PathBuf,
    /// The summary; `None` if only the discrepancy file is given.
    pub(crate) summary: Option<Value>,
    pub(crate) discrepancies: DiscrepancyFile,
    /// Path of the discrepancy file.
    discrepancies_path: PathBuf,
}

impl Run {
    /// Opens a run: a summary, with the discrepancy file beside it, or a discrepancy file alone.
    ///
    /// # Errors
    ///
    /// Exit 2 if a file is missing, is none of a run, or has changed since its summary.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let summary = if is_summary(path) { Some(read_summary(path)?) } else { None };
        let discrepancies_path = match &summary {
            Some(summary) => folder_of(path).join(named_discrepancies(path, summary)?.0),
            None => path.to_owned(),
        };
        let discrepancies = DiscrepancyFile::open(&discrepancies_path).map_err(|error| match summary {
            Some(_) if !discrepancies_path.exists() => missing(path, &discrepancies_path),
            _ => error,
        })?;
        if let Some(summary) = &summary
            && discrepancies.sha256()? != named_discrepancies(path, summary)?.1
        {
            return Err(changed(path, &discrepancies_path));
        }
        Ok(Self { path: path.to_owned(), summary, discrepancies, discrepancies_path })
    }

    /// Refuses a path at which no file can be written, or that is a file of the run.
    ///
    /// # Errors
    ///
    /// Exit 2 if the changes cannot be written there.
    pub(crate) fn check_target(&self, target: &Path) -> Result<()> {
        let cannot = || Error::usage(format!("cannot write {}", target.display()));
        let place = Place::of(target).map_err(|e| cannot().hint("create its folder").because(e))?;
        let kind = target.metadata().ok().map(|metadata| metadata.file_type());
        if let Some(problem) = kind.and_then(regular_file::other_kind) {
            return Err(cannot().hint("name a file").because(format!("it {problem}")));
        }
        let is_own = |path: &PathBuf| Place::of(path).is_ok_and(|own| own.is(&place));
        let is_own = is_own(&self.path) || is_own(&self.discrepancies_path);
        if is_own { Err(replaces_input(target)) } else { Ok(()) }
    }
}

/// Whether this is the path of a summary: it ends in `.json`, or begins like one.
fn is_summary(path: &Path) -> bool {
    use std::io::Read as _;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return true;
    }
    let mut head = [0; 2];
    let is_read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok();
    is_read && (head == *b"{\n" || head == *b"{\r")
}

fn read_summary(path: &Path) -> Result<Value> {
    let name = path.display();
    let unreadable = |e: std::io::Error| {
        Error::usage(format!("cannot read the summary {name}"))
            .hint("give the summary of a run, such as details.summary.json, or its discrepancy file")
            .because(e)
    };
    let none = |why: &str| {
        Error::usage(format!("{name} is no summary of this program: {why}"))
            .hint("give the summary of a run, such as details.summary.json, or its discrepancy file")
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_SUMMARY {
        return Err(none("it is too long"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let summary: Value = serde_json::from_slice(&bytes).map_err(|e| none("it is no JSON").because(e))?;
    if summary["program"] != env!("CARGO_PKG_NAME") {
        return Err(none("it does not name the program"));
    }
    match summary["schema_version"].as_str() {
        Some(SCHEMA_VERSION) => Ok(summary),
        version => {
            let version = version
                .map_or_else(|| "none".to_owned(), |version| format!("`{}`", crate::shown::shown(version)));
            Err(Error::usage(format!(
                "the files of {name} have another schema: {version} instead of `{SCHEMA_VERSION}`"
            ))
            .hint("compare them with the version of the program that wrote them"))
        }
    }
}

/// Name and SHA-256 of the discrepancy file. In the summary's list it comes after the details,
/// which may be one file or several in folders.
fn named_discrepancies<'a>(path: &Path, summary: &'a Value) -> Result<(&'a str, &'a str)> {
    let files = summary["files"].as_array().map(Vec::as_slice).unwrap_or_default();
    let file = |file: &'a Value| Some((file["name"].as_str()?, file["sha256"].as_str()?));
    let files: Option<Vec<(&str, &str)>> = files.iter().map(file).collect();
    let files = files.unwrap_or_default();
    let parts = files.iter().take_while(|(name, _)| name.contains('/')).count();
    let found = files.get(parts.max(1)).copied();
    // A name with a `/` would lead to another folder.
    found.filter(|(name, _)| !name.contains(['/', '\\'])).ok_or_else(|| {
        Error::usage(format!("the summary {} names no discrepancy file", path.display()))
            .hint("it may be from version 0.1; give the discrepancy file itself")
    })
}

fn missing(summary: &Path, file: &Path) -> Error {
    Error::usage(format!("{} is missing, which the summary {} names", file.display(), summary.display()))
        .hint("put it beside the summary, or give the discrepancy file itself")
}

fn changed(summary: &Path, file: &Path) -> Error {
    Error::usage(format!(
        "{} has changed since the run: its SHA-256 is not that of the summary {}",
        file.display(),
        summary.display()
    ))
    .hint("take both files from the same run; or give the discrepancy file itself, to compare it as it is")
}
