//! Checks before a file is used: can the path hold a store, is the file a store, and is it whole.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::errors::{InStore as _, damaged, not_a_store, older_than_log};
use super::file_system;
use super::schema::{APPLICATION_ID, SCHEMA_VERSION, is_empty, pragma};
use crate::error::{Error, Result};

/// Stores up to this size are checked at each start. Larger stores are checked only after a killed
/// session.
const ALWAYS_CHECKED_BYTES: i64 = 32 << 20;

/// Refuses paths that cannot hold a store, before SQLite tries.
///
/// # Errors
///
/// Exit 2 if the path is a folder, its folder does not exist, or it is on a network file system.
pub(super) fn check_path(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::usage(format!("the store {} is a folder", path.display()))
            .hint("name a file in that folder"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let what = format!("the store's folder {} does not exist", folder.display());
        return Err(Error::usage(what).hint("create the folder, or put the store elsewhere"));
    }
    file_system::refuse_network(path)
}

/// Refuses a path without a file.
///
/// # Errors
///
/// Exit 2 if there is no store.
pub(super) fn check_exists(path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    Err(Error::usage(format!("there is no store {}", path.display()))
        .hint("give the path of the store of your runs; by default it is beside the details"))
}

/// Refuses a store whose log belongs to a newer state of the file, as after the restore of a backup
/// beside the log of a killed run. SQLite would mix the two. Nothing is written.
///
/// `session_in_file` is a session that was certainly in the file when its log began.
///
/// # Errors
///
/// Exit 6.
pub(super) fn check_log(path: &Path, session_in_file: i64) -> Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).map_or(0, |log| log.len()) == 0 {
        return Ok(());
    }
    // A file that is not whole without its log was cut off while the log was copied into it. SQLite
    // mends it from the log, and the checks that follow look at the result.
    match is_whole_and_older(path, session_in_file) {
        Ok(true) => Err(older_than_log(path)),
        _ => Ok(()),
    }
}

/// True if the file without its log is whole and lacks this session.
fn is_whole_and_older(path: &Path, session_in_file: i64) -> rusqlite::Result<bool> {
    const RESERVED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%').add(b'?').add(b'#');
    let bytes = path.as_os_str().as_encoded_bytes();
    let uri = format!("file:{}?immutable=1", percent_encoding::percent_encode(bytes, RESERVED));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let file = Connection::open_with_flags(uri, flags)?;
    let newest: i64 =
        file.query_row("SELECT coalesce(max(session_no), 0) FROM session", [], |row| row.get(0))?;
    if newest >= session_in_file {
        return Ok(false);
    }
    let result: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(result == "ok")
}

/// Refuses foreign files and newer stores, before anything is written to them.
///
/// # Errors
///
/// Exit 2 if the file is not a store, or is newer than this program; exit 6 if it cannot be read.
pub(super) fn check_kind(c: &Connection, path: &Path) -> Result<()> {
    let is_empty = is_empty(c).in_store(path, "read")?;
    if !is_empty && pragma(c, "application_id").in_store(path, "read")? != APPLICATION_ID {
        return Err(not_a_store(path));
    }
    let version = pragma(c, "user_version").in_store(path, "read")?;
    if version > SCHEMA_VERSION {
        return Err(Error::usage(format!(
            "a newer reconcile wrote the store {} (schema {version}; this program knows {SCHEMA_VERSION})",
            path.display()
        ))
        .hint("update reconcile, or set store to another file"));
    }
    Ok(())
}

/// Checks the structure of a small store, and of any store whose last session was killed, for
/// example by a power failure. The checksums of the rows find the damage that SQLite cannot see.
///
/// # Errors
///
/// Exit 6 if the store is damaged or cannot be read.
pub(super) fn check_whole(c: &Connection, path: &Path) -> Result<()> {
    match find_damage(c).in_store(path, "check")? {
        None => Ok(()),
        Some(why) => Err(damaged(path, why.trim())),
    }
}

fn find_damage(c: &Connection) -> rusqlite::Result<Option<String>> {
    let bytes = pragma(c, "page_count")?.saturating_mul(pragma(c, "page_size")?);
    let was_killed: bool =
        c.query_row("SELECT EXISTS (SELECT 1 FROM session WHERE ended_at IS NULL)", [], |row| row.get(0))?;
    if !was_killed && bytes > ALWAYS_CHECKED_BYTES {
        return Ok(None);
    }
    let result: String = c.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(result).filter(|result| result != "ok"))
}
