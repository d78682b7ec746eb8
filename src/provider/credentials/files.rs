//! Reads files that hold secrets, and checks whether others can read them.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};

/// The text of a credentials file without a byte order mark; `None` if the file does not exist.
///
/// # Errors
///
/// Exit 2 when it cannot be read, or is not UTF-8.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::usage(format!("the credentials file {} cannot be read", path.display()))
            .hint("save it as UTF-8, readable only by this user")
            .because(e)),
    }
}

/// The warning about a credentials file that others can read.
pub(super) fn warning(path: &Path) -> Option<String> {
    readers_warning("the credentials file", path)
}

/// The warning about a file with a secret that others can read; `name` says what the file is.
#[must_use]
pub fn readers_warning(name: &str, path: &Path) -> Option<String> {
    let file = path.display();
    readable_by_others(path)
        .then(|| format!("others can read {name} {file}; `chmod 600 {file}` keeps it secret"))
}

/// True if anyone except its owner may read, write or run a file. Always false on systems without
/// permission bits.
#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Always false: this system has no permission bits.
#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}
