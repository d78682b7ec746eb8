//! Renames the files of a run one after the other. If one cannot be renamed, the error says which
//! files are of this run and which are not.

use std::path::{Path, PathBuf};

use crate::error::Result;

/// The step that puts one file in place.
pub(super) struct Rename<'a> {
    target: PathBuf,
    run: Box<dyn FnOnce() -> Result<()> + 'a>,
}

impl<'a> Rename<'a> {
    /// The step that puts a file at `target`.
    pub(super) fn new(target: PathBuf, run: impl FnOnce() -> Result<()> + 'a) -> Self {
        Self { target, run: Box::new(run) }
    }
}

/// Runs the steps in their order.
///
/// # Errors
///
/// Exit 6 if a step fails. The later steps do not run.
pub(super) fn rename_all(steps: Vec<Rename<'_>>) -> Result<()> {
    let targets: Vec<PathBuf> = steps.iter().map(|step| step.target.clone()).collect();
    for (no, step) in steps.into_iter().enumerate() {
        (step.run)().map_err(|mut error| {
            if no > 0 {
                error.what = format!("{}; {}", error.what, state(&targets[..no], &targets[no..]));
                error.hint =
                    Some("mend the cause, then run the same command again; it writes all files again".into());
            }
            error
        })?;
    }
    Ok(())
}

/// Which files are of this run, which of an earlier one, and which are missing.
fn state(renamed: &[PathBuf], others: &[PathBuf]) -> String {
    let is_rejects = |path: &Path| path.to_string_lossy().ends_with(".rejects.csv");
    let new: Vec<&PathBuf> = renamed.iter().filter(|path| path.exists()).collect();
    let (old, missing): (Vec<&PathBuf>, Vec<&PathBuf>) = others.iter().partition(|path| path.exists());
    // Most runs have no rejects.
    let missing: Vec<&PathBuf> = missing.into_iter().filter(|path| !is_rejects(path)).collect();
    let parts = [(new, "of this run"), (old, "of an earlier run"), (missing, "missing")];
    let parts = parts.iter().filter(|(files, _)| !files.is_empty());
    parts.map(|(files, what)| sentence(files, what)).collect::<Vec<_>>().join("; ")
}

fn sentence(files: &[&PathBuf], what: &str) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    match names.as_slice() {
        [one] => format!("{one} is {what}"),
        [begin @ .., last] => format!("{} and {last} are {what}", begin.join(", ")),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::Error;

    #[test]
    fn the_error_says_which_files_are_new() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["c", "d"] {
            std::fs::write(at(name), "old").unwrap();
        }
        let write = |name: &'static str| {
            let path = at(name);
            Rename::new(path.clone(), move || std::fs::write(path, "new").map_err(|_| Error::output("disk")))
        };
        let fail = || Rename::new(at("c"), || Err(Error::output("cannot write c")));
        let steps = vec![write("a"), write("b"), fail(), write("d"), write("e"), write("x.rejects.csv")];
        let error = rename_all(steps).unwrap_err();
        let said = error.what.replace(&format!("{}/", dir.path().display()), "");
        assert_eq!(
            said,
            "cannot write c; a and b are of this run; c and d are of an earlier run; e is missing"
        );
        assert_eq!(rename_all(vec![fail(), write("e")]).unwrap_err().what, "cannot write c");
        assert!(!at("e").exists());
    }
}
