//! Turns an open file into a usable store: creates it, or checks and upgrades it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::checks::{check_kind, check_whole};
use super::errors::{InStore as _, not_a_store};
use super::meta::check_origin;
use super::{schema, upgrade_copy};
use crate::error::Result;
use crate::store::origin::{ExpectedOrigin, Origin};

/// A store that is ready for use.
pub(super) struct Prepared {
    pub(super) origin: Origin,
    /// The copy of the store that was made before it was upgraded.
    pub(super) copy: Option<PathBuf>,
}

/// Creates the tables in an empty file; otherwise checks the store and upgrades it. Without
/// `expected`, the store must exist and may be of any origin.
///
/// # Errors
///
/// Exit 2 if the file is not a store, is newer than this program, or has another origin; exit 6 if
/// it is damaged, or if the store or its copy cannot be written.
pub(super) fn prepare(c: &Connection, path: &Path, expected: Option<ExpectedOrigin>) -> Result<Prepared> {
    check_kind(c, path)?;
    configure(c).in_store(path, "open")?;
    if schema::is_empty(c).in_store(path, "read")? {
        let origin = expected.ok_or_else(|| not_a_store(path))?.of_new_store();
        let created = schema::create(c, origin).in_store(path, "write");
        return created.map(|()| Prepared { origin, copy: None });
    }
    check_whole(c, path)?;
    let origin = check_origin(c, path, expected)?;
    let copy = upgrade_copy::copy_if_older(c, path)?;
    schema::migrate(c).in_store(path, "upgrade")?;
    Ok(Prepared { origin, copy })
}

fn configure(c: &Connection) -> rusqlite::Result<()> {
    // Readers such as DuckDB hold a lock only for a moment.
    c.busy_timeout(Duration::from_secs(10))?;
    c.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is on disk when it returns. NORMAL would lose answers in a power failure.
    c.pragma_update(None, "synchronous", "FULL")?;
    c.pragma_update(None, "foreign_keys", "OFF")
}
