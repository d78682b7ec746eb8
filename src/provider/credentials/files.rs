//! Reads files that hold secrets, and checks whether others can read them.

use std::fmt;
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

/// A file with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretFile {
    /// The file of credentials.
    Credentials,
    /// The key of masked numbers.
    MaskKey,
    /// The secret that signs notifications.
    NotifySecret,
}

/// A secret file that others can read. `Display` is the warning in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadableFile {
    /// What it holds.
    pub secret: SecretFile,
    /// Its path, for messages.
    pub path: String,
}

impl ReadableFile {
    /// This file, if others can read it.
    #[must_use]
    pub fn find(secret: SecretFile, path: &Path) -> Option<Self> {
        readable_by_others(path).then(|| Self { secret, path: path.display().to_string() })
    }
}

impl fmt::Display for ReadableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.secret {
            SecretFile::Credentials => "credentials file",
            SecretFile::MaskKey => "mask key",
            SecretFile::NotifySecret => "notification secret",
        };
        let path = &self.path;
        write!(f, "others can read the {what} {path}; `chmod 600 {path}` keeps it secret")
    }
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
