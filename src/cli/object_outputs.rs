//! The paths of outputs in object storage: the run's files wait in one local folder, and go to one
//! folder of the bucket.

use std::path::{Path, PathBuf};

use super::job_options::JobArgs;
use super::values::SqlFile;
use crate::error::{Error, Result};
use crate::objects::{ObjectUrl, Staging};
use crate::output::Paths;
use crate::store::StoreLocation;

/// Name of the details if the URL names a folder.
const DETAILS: &str = "details.parquet";
/// The same with one folder a day.
const DETAILS_BY_DAY: &str = "details";

/// The URL of an option's value; `None` for the path of a file.
///
/// # Errors
///
/// Exit 2 if it is meant as a URL and is none.
pub(super) fn parse(option: &str, value: &Path) -> Result<Option<ObjectUrl>> {
    if !ObjectUrl::is_meant(value) {
        return Ok(None);
    }
    let text = value.to_str().unwrap_or_default();
    let wrong =
        |why| Error::usage(format!("{option} {why}")).hint("write it as s3://BUCKET/KEY or oss://BUCKET/KEY");
    ObjectUrl::parse(text).map(Some).map_err(wrong)
}

/// The ledger's URL; `None` for the path of a file.
///
/// # Errors
///
/// Exit 2 if it is meant as a URL and does not name an object.
pub(super) fn check_input(value: &Path) -> Result<()> {
    match parse("--input", value)? {
        Some(url) if url.key.is_empty() => {
            Err(Error::usage(format!("--input {url} names a bucket, no object"))
                .hint("write it as s3://BUCKET/KEY or oss://BUCKET/KEY"))
        }
        _ => Ok(()),
    }
}

/// The paths of a run that is published at `url`.
///
/// # Errors
///
/// Exit 2 if there is no `--store`, or if another option names more than a file in the same folder.
pub(super) fn paths(args: &JobArgs, url: ObjectUrl) -> Result<Paths> {
    let Some(store) = &args.store else {
        return Err(Error::usage(format!("--store is missing; it cannot be beside --out {url}"))
            .hint("name a file on this machine, or a database, with --store: it keeps every answer"));
    };
    let (root, details) = split(url, args.partition_by.is_some());
    if root.key.contains(['*', '?', '[']) {
        return Err(Error::usage(format!(
            "--out {root} contains *, ? or [, which readers take for patterns"
        ))
        .hint("name another folder of the bucket"));
    }
    let folder = match StoreLocation::parse(store) {
        StoreLocation::File(store) => Staging::folder(&store),
        StoreLocation::Database(_) => Staging::temporary_folder(),
    };
    let place = |option: &str, path: &Option<PathBuf>| {
        path.as_deref().map(|path| in_folder(&folder, option, path)).transpose()
    };
    let sql = match &args.sql {
        Some(SqlFile::At(path)) => Some(in_folder(&folder, "--sql", path)?),
        Some(SqlFile::Beside) => Some(folder.join(&details).with_extension("sql")),
        Some(SqlFile::None) | None => None,
    };
    Ok(Paths {
        workbook: place("--xlsx", &args.xlsx)?,
        sql,
        published_to: Some(root),
        ..Paths::beside(
            folder.join(&details),
            place("--discrepancies", &args.discrepancies)?,
            place("--report", &args.report)?,
            place("--summary", &args.summary)?,
        )
    })
}

/// The folder of all runs, and the name of the details in a run's folder.
fn split(url: ObjectUrl, by_day: bool) -> (ObjectUrl, String) {
    let (folder, name) = url.key.rsplit_once('/').unwrap_or(("", &url.key));
    if Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        let name = name.to_owned();
        return (ObjectUrl { key: folder.to_owned(), ..url }, name);
    }
    (url, if by_day { DETAILS_BY_DAY } else { DETAILS }.to_owned())
}

/// The file in this folder that an option names.
///
/// # Errors
///
/// Exit 2 if the option names a folder, too.
fn in_folder(folder: &Path, option: &str, path: &Path) -> Result<PathBuf> {
    if path.file_name().is_some_and(|name| name == path.as_os_str()) && !ObjectUrl::is_meant(path) {
        return Ok(folder.join(path));
    }
    let what =
        format!("{option} names a folder, but --out is in object storage, where one folder has all files");
    Err(Error::usage(what).hint(format!("give {option} a file name only; the file is then in that folder")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_part_may_name_the_details() {
        for (url, by_day, root, details) in [
            ("s3://night", false, "s3://night", "details.parquet"),
            ("s3://night/", true, "s3://night", "details"),
            ("s3://night/lake", false, "s3://night/lake", "details.parquet"),
            ("oss://night/lake/calls.parquet", false, "oss://night/lake", "calls.parquet"),
            ("s3://night/calls.parquet", true, "s3://night", "calls.parquet"),
        ] {
            let (found, name) = split(ObjectUrl::parse(url).unwrap(), by_day);
            assert_eq!((found.to_string().as_str(), name.as_str()), (root, details), "{url}");
        }
    }

    #[test]
    fn only_a_file_name_is_in_the_runs_folder() {
        let folder = Path::new("/wait");
        let place = |path: &str| in_folder(folder, "--report", Path::new(path));
        assert_eq!(place("night.html").unwrap(), folder.join("night.html"));
        for path in ["/tmp/night.html", "../night.html", "./x", "..", "", "s3://night/x.html", "a/"] {
            let error = place(path).unwrap_err();
            assert!(error.what.starts_with("--report names a folder"), "{path}");
        }
    }
}
