//! The table `meta`: the origin of the store's answers, and its secret.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::errors::{InStore as _, damaged};
use crate::error::Result;
use crate::store::copy::{key, refuse_copied};
use crate::store::current_origin::{accepts, unexpected_store};
use crate::store::origin::{ExpectedOrigin, Origin};
use crate::store::stored_word::Word as _;

/// Returns the store's origin if the run accepts it.
///
/// # Errors
///
/// Exit 2 if the run does not accept it; exit 6 if it cannot be read.
pub(super) fn check_origin(c: &Connection, path: &Path, expected: Option<ExpectedOrigin>) -> Result<Origin> {
    let found = read_origin(c).in_store(path, "read")?;
    let found = found.ok_or_else(|| damaged(path, "it does not say whether its answers are real"))?;
    let is_filled_over_http = || is_filled_over_http(c).in_store(path, "read");
    if accepts(expected, found, is_filled_over_http)? {
        Ok(found)
    } else {
        Err(unexpected_store(&path.display().to_string(), "file", found))
    }
}

/// Refuses a store that was copied to another one, or that is an unfinished copy.
///
/// # Errors
///
/// Exit 2.
pub(super) fn check_in_use(c: &Connection, path: &Path) -> Result<()> {
    let (copied_to, copy_of) = (value(c, path, key::RETIRED_TO)?, value(c, path, key::COPY_OF)?);
    refuse_copied(path.display(), copied_to, copy_of)
}

/// A value of the table.
///
/// # Errors
///
/// Exit 6 if it cannot be read.
pub(super) fn value(c: &Connection, path: &Path, key: &str) -> Result<Option<String>> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    c.query_row(sql, [key], |row| row.get(0)).optional().in_store(path, "read")
}

fn read_origin(c: &Connection) -> rusqlite::Result<Option<Origin>> {
    let word: Option<String> =
        c.query_row("SELECT value FROM meta WHERE key = 'nature'", [], |row| row.get(0)).optional()?;
    Ok(word.as_deref().and_then(Origin::parse))
}

/// True if a sandbox filled the store over plain HTTP.
fn is_filled_over_http(c: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'filled_over' AND value = 'http')";
    c.query_row(sql, [], |row| row.get(0))
}

/// Marks the store as filled by a sandbox over plain HTTP.
pub(super) fn mark_as_sandbox(c: &Connection) -> rusqlite::Result<()> {
    c.execute("UPDATE meta SET value = ?1 WHERE key = 'nature'", [Origin::Sandbox.word()])?;
    c.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('filled_over', 'http')", []).map(drop)
}

/// True if the store has any answer.
pub(super) fn has_answers(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("SELECT EXISTS (SELECT 1 FROM call WHERE answer IS NOT NULL)", [], |row| row.get(0))
}

/// The store's secret, drawn if there is none yet.
pub(super) fn secret(c: &Connection) -> rusqlite::Result<Vec<u8>> {
    let drawn = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|id| id.simple().to_string()).concat();
    c.execute("INSERT INTO meta (key, value) VALUES ('secret', ?1) ON CONFLICT DO NOTHING", [drawn])?;
    let stored: String = c.query_row("SELECT value FROM meta WHERE key = 'secret'", [], |row| row.get(0))?;
    Ok(stored.into_bytes())
}
