//! The note on a store whose file system may be shared with other machines.

use std::fmt;

/// A file system of which nobody knows whether other machines use it. `Display` is the note in
/// English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFileSystem {
    /// Its type, as the system names it.
    pub kind: String,
}

impl fmt::Display for UnknownFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the store is on a file system of the type {}. If other machines can reach it, put the store on a local \
             disk: the lock works only on this machine",
            self.kind
        )
    }
}
