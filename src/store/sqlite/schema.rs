//! The schema: creates the tables, and upgrades the tables of earlier versions.

use rusqlite::{Connection, params};

use super::call_row::{COLUMNS, answer_of, key_of};
use crate::store::checksum::checksum;
use crate::store::origin::Origin;
use crate::store::stored_word::Word as _;

/// "RCNL" in ASCII; it marks the file as a store of this program.
pub(super) const APPLICATION_ID: i64 = 0x5243_4e4c;
/// The version of the schema in `schema.sql`.
pub(super) const SCHEMA_VERSION: i64 = 4;

/// The value of a numeric pragma.
pub(super) fn pragma(c: &Connection, name: &str) -> rusqlite::Result<i64> {
    c.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

/// True if the file has no tables.
pub(super) fn is_empty(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// True if the store has this version's schema.
pub(super) fn is_current(c: &Connection) -> rusqlite::Result<bool> {
    Ok(pragma(c, "user_version")? == SCHEMA_VERSION)
}

/// Creates the tables in an empty file.
pub(super) fn create(c: &Connection, origin: Origin) -> rusqlite::Result<()> {
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};");
    c.execute_batch(&format!("BEGIN; {} {mark}", include_str!("schema.sql")))?;
    c.execute(
        "INSERT INTO meta (key, value) VALUES ('nature', ?1), ('created_by', ?2)",
        params![origin.word(), concat!("reconcile ", env!("CARGO_PKG_VERSION"))],
    )?;
    c.execute_batch("COMMIT")
}

/// Upgrades an older store in one transaction: it always has either the old or the new schema.
pub(super) fn migrate(c: &Connection) -> rusqlite::Result<()> {
    if is_current(c)? {
        return Ok(());
    }
    let transaction = c.unchecked_transaction()?;
    let version = pragma(&transaction, "user_version")?;
    if version < 2 {
        transaction.execute_batch(include_str!("to_version_2.sql"))?;
        add_checksums(&transaction)?;
    }
    if version < 3 {
        transaction.execute_batch(include_str!("to_version_3.sql"))?;
    }
    if version < 4 {
        transaction.execute_batch(include_str!("to_version_4.sql"))?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
    transaction.commit()
}

/// Adds checksums to the answers of schema 1. These answers are assumed to be right: earlier damage
/// cannot be detected.
fn add_checksums(c: &Connection) -> rusqlite::Result<()> {
    let mut rows = c.prepare(&format!("SELECT {COLUMNS} FROM call"))?;
    let mut rows = rows.query([])?;
    let mut add = c.prepare("UPDATE call SET checksum = ?2 WHERE call_no = ?1")?;
    while let Some(row) = rows.next()? {
        if let (Some(key), Some(stored)) = (key_of(row)?, answer_of(row)?) {
            let fetched_at: i64 = row.get(7)?;
            let sum = checksum(&key, &stored.answer, stored.session_no, fetched_at);
            add.execute(params![row.get::<_, i64>(0)?, sum])?;
        }
    }
    Ok(())
}
