//! Runs that are named by their id: the store knows where a run has put its summary.

use std::path::{Path, PathBuf};

use super::run_files::Run;
use crate::error::{Error, Result};
use crate::run_figures::KeptFigures;
use crate::shown::shown;
use crate::store::{Reader, StoredRun};

/// Fewest characters of an id.
const LEAST_CHARS: usize = 8;
/// Characters of a whole id.
const ALL_CHARS: usize = 36;
/// Runs that are looked for: two are one too many.
const FOUND: u32 = 2;

/// The beginning of a run's id, or all of it. `None` if the name is that of a file, or can be no
/// id.
pub(crate) fn run_id(name: &Path) -> Option<String> {
    let text = name.to_str().filter(|text| (LEAST_CHARS..=ALL_CHARS).contains(&text.len()))?;
    let is_id = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (is_id && name.symlink_metadata().is_err()).then(|| text.to_ascii_lowercase())
}

/// Opens the run whose id begins so. `store` names the store in messages.
///
/// # Errors
///
/// Exit 2 if the store knows no such run or several, does not know its files, or if they are not
/// that run's any more; exit 6 if the store cannot be read.
pub(crate) fn open_run(id: &str, reader: &dyn Reader, store: &str) -> Result<Run> {
    let runs = reader.runs_named(id, FOUND)?;
    let run = match runs.as_slice() {
        [run] => run,
        [] => {
            let what =
                format!("there is no file {id}, and the store {store} knows no run whose id begins so");
            return Err(Error::usage(what).hint("check the id, or name the store of that run"));
        }
        [newest, other, ..] => {
            let what = format!(
                "the ids of several runs begin with {id}, such as {} and {}",
                newest.run_id, other.run_id
            );
            return Err(Error::usage(what).hint("give more of the id"));
        }
    };
    let path = summary_of(run)?;
    let opened = Run::open(&path)?;
    let owner = opened.summary.as_ref().and_then(|summary| summary["run_id"].as_str());
    if owner == Some(run.run_id.as_str()) {
        return Ok(opened);
    }
    let owner = owner.map_or_else(|| "another run".to_owned(), |id| format!("run {}", shown(id)));
    let what = format!("{owner} has overwritten the files of run {}: {}", run.run_id, path.display());
    Err(Error::usage(what).hint("write the files of each night to a folder of its own to keep them"))
}

/// The path of a run's summary. The file exists.
fn summary_of(run: &StoredRun) -> Result<PathBuf> {
    let id = &run.run_id;
    if run.complete.is_none() {
        return Err(Error::usage(format!("run {id} has not ended, so its files are not written"))
            .hint("wait for its end; if it was stopped, run the same command again"));
    }
    let Some(path) = KeptFigures::of(run).and_then(|kept| kept.summary) else {
        return Err(Error::usage(format!("the store does not know where the files of run {id} are"))
            .hint("it knows those of version 0.2, for 400 days; give the path of the summary"));
    };
    if path.contains("://") {
        return Err(Error::usage(format!("the files of run {id} are in object storage: {path}"))
            .hint("copy its folder to this machine, and give the path of the summary"));
    }
    let path = PathBuf::from(path);
    if path.symlink_metadata().is_err() {
        return Err(Error::usage(format!("the summary of run {id} is not at {}", path.display()))
            .hint("if it was moved, give its path"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_eight_to_36_digits_and_is_no_file() {
        let of = |name: &str| run_id(Path::new(name));
        assert_eq!(of("C40D978F-fe8b").as_deref(), Some("c40d978f-fe8b"));
        assert!(of("c40d978f-fe8b-4be1-9922-939b60521195").is_some());
        for no in [
            "c40d978",
            "c40d978f-fe8b-4be1-9922-939b605211950",
            "details.summary.json",
            "c40d978g",
            "%_______",
        ] {
            assert_eq!(of(no), None, "{no}");
        }
    }
}
