//! What a user should know about a store.

use std::fmt;
use std::path::PathBuf;

use super::file_system::UnknownFileSystem;

/// A note on a store. `Display` is the note in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreNote {
    /// The file may be shared with other machines.
    FileSystem(UnknownFileSystem),
    /// The database has standbys, but commits wait for none of them.
    NoSynchronousStandby,
    /// The store was upgraded to this version's schema.
    Upgraded {
        /// The earlier store, copied before the upgrade.
        copy: PathBuf,
    },
}

impl fmt::Display for StoreNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileSystem(note) => note.fmt(f),
            Self::NoSynchronousStandby => f.write_str(
                "the store's database has standbys, but none of them is synchronous. A failover may lose the newest \
                 requests, and then the cap may be broken: set synchronous_standby_names at the server",
            ),
            Self::Upgraded { copy } => write!(
                f,
                "the store was upgraded for this version; {} is a copy of it as it was before. Keep the copy to go \
                 back to the earlier version; otherwise delete it",
                copy.display()
            ),
        }
    }
}
