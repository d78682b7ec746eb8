//! Opens a ledger: files, standard input, or objects of a bucket.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ledger::{Input, LedgerFiles};
use crate::objects::{ObjectUrl, download};
use crate::place::same_file;
use crate::provider::credentials::Access;

/// The ledger at these paths and URLs. Objects are copied to temporary files first, like standard
/// input.
///
/// # Errors
///
/// Exit 2 if one cannot be read or is named twice, exit 6 if it cannot be copied.
pub(crate) fn open_ledger(paths: &[PathBuf], access: &Access) -> Result<LedgerFiles> {
    refuse_twice(paths)?;
    let files = paths.iter().map(|path| open_file(path, access)).collect::<Result<Vec<_>>>()?;
    Ok(LedgerFiles::new(files))
}

fn open_file(path: &Path, access: &Access) -> Result<Input> {
    match path.to_str().and_then(|text| ObjectUrl::parse(text).ok()) {
        Some(object) => Ok(Input::of_copy(object.to_string(), download(&object, access)?)?),
        None => Ok(Input::open(path)?),
    }
}

/// Refuses a file that is named twice: each of its rows would be a duplicate.
fn refuse_twice(paths: &[PathBuf]) -> Result<()> {
    let Some((path, earlier)) = same_file(paths) else { return Ok(()) };
    let (path, earlier) = (path.display(), earlier.display());
    Err(Error::usage(format!("the ledger {path} is the same file as {earlier}"))
        .hint("name each file of the ledger once"))
}
