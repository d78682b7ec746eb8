//! Opens a ledger: a file, standard input, or an object of a bucket.

use std::path::Path;

use crate::error::Result;
use crate::ledger::Input;
use crate::objects::{ObjectUrl, download};
use crate::provider::credentials::Access;

/// The ledger at a path or URL. An object is copied to a temporary file first, like standard input.
///
/// # Errors
///
/// Exit 2 if it cannot be read, exit 6 if it cannot be copied.
pub(crate) fn open_ledger(path: &Path, access: &Access) -> Result<Input> {
    match path.to_str().and_then(|text| ObjectUrl::parse(text).ok()) {
        Some(object) => Ok(Input::of_copy(object.to_string(), download(&object, access)?)?),
        None => Ok(Input::open(path)?),
    }
}
