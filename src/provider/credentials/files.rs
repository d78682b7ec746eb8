//! Files with secrets in them: how they are read, and who else can.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};

/// The text of a file of credentials, without a byte order mark; `None` when there is no such file.
///
/// # Errors
///
/// Exit 2 when it cannot be read, or is no UTF-8.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::usage(format!("the credentials file {} cannot be read", path.display()))
            .hint("give this user the right to read it, and nobody else")
            .because(e)),
    }
}

/// What is to be said of a file of credentials that others can read.
pub(super) fn warning(path: &Path) -> Option<String> {
    let path_shown = path.display();
    readable_by_others(path).then(|| {
        format!("others can read the credentials file {path_shown}; `chmod 600 {path_shown}` keeps it secret")
    })
}

/// Whether anybody but its owner may use this file.
#[cfg(unix)]
#[must_use]
pub fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Elsewhere permissions are not in a mode.
#[cfg(not(unix))]
#[must_use]
pub fn readable_by_others(_: &Path) -> bool {
    false
}
