//! The schema: creates the tables, and upgrades the tables of earlier versions.

use postgres::error::SqlState;
use postgres::{Client, GenericClient};

use super::errors::{Done, Failure};
use super::lease::TIMELINE;
use crate::store::origin::Origin;
use crate::store::stored_word::Word as _;

/// The statements that turn schema version 1 into 2, 2 into 3, and so on.
pub(super) const UPGRADES: [&str; 1] = [include_str!("to_version_2.sql")];
/// The version of the schema in `schema.sql`.
pub(super) const SCHEMA_VERSION: usize = UPGRADES.len() + 1;

/// How often a creation is tried that another process disturbs.
const TRIES: usize = 5;

/// What the schema `reconcile` of a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There are no tables.
    Nothing,
    /// Its tables are not those of a store.
    Foreign,
    /// A store with this version of the schema.
    Version(usize),
}

/// Finds out what the database has.
pub(super) fn find(c: &mut impl GenericClient) -> Done<Found> {
    let sql = "SELECT to_regclass('reconcile.meta') IS NOT NULL,
                      EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('reconcile'))";
    let row = c.query_one(sql, &[])?;
    let (has_meta, has_tables): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    match (has_meta, has_tables) {
        (true, _) => version(c),
        (false, true) => Ok(Found::Foreign),
        (false, false) => Ok(Found::Nothing),
    }
}

fn version(c: &mut impl GenericClient) -> Done<Found> {
    let row = match c.query_opt("SELECT value FROM reconcile.meta WHERE key = 'schema_version'", &[]) {
        Err(e) if e.code() == Some(&SqlState::UNDEFINED_COLUMN) => return Ok(Found::Foreign),
        found => found?,
    };
    let version = row.map(|row| row.try_get::<_, String>(0)).transpose()?;
    let version = version.and_then(|version| version.parse().ok()).filter(|version| *version > 0);
    Ok(version.map_or(Found::Foreign, Found::Version))
}

/// Creates the tables in a database without them. Another process may do the same at the same time:
/// one of them succeeds, and the other finds its tables.
pub(super) fn create(c: &mut Client, origin: Origin) -> Done<Found> {
    let mut tries = 1..=TRIES;
    loop {
        match try_create(c, origin) {
            Ok(()) => return Ok(Found::Version(SCHEMA_VERSION)),
            Err(Failure::Server(e)) if is_created_twice(&e) && tries.next().is_some() => {}
            Err(other) => return Err(other),
        }
        let found = find(c)?;
        if found != Found::Nothing {
            return Ok(found);
        }
    }
}

fn try_create(c: &mut Client, origin: Origin) -> Done<()> {
    let mut transaction = c.transaction()?;
    // Even IF NOT EXISTS needs the privilege to create it.
    let has_schema: bool =
        transaction.query_one("SELECT to_regnamespace('reconcile') IS NOT NULL", &[])?.try_get(0)?;
    if !has_schema {
        transaction.batch_execute("CREATE SCHEMA reconcile")?;
    }
    transaction.batch_execute(include_str!("schema.sql"))?;
    transaction.execute(
        &format!(
            "INSERT INTO meta (key, value)
             VALUES ('schema_version', $1), ('nature', $2), ('created_by', $3), ('timeline', {TIMELINE})"
        ),
        &[&SCHEMA_VERSION.to_string(), &origin.word(), &concat!("reconcile ", env!("CARGO_PKG_VERSION"))],
    )?;
    Ok(transaction.commit()?)
}

fn is_created_twice(error: &postgres::Error) -> bool {
    let codes = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Upgrades an older store in one transaction, by these statements for each step. Of several
/// processes one upgrades it; the others wait.
pub(super) fn upgrade(c: &mut Client, upgrades: &[&str]) -> Done<()> {
    let mut transaction = c.transaction()?;
    transaction.batch_execute("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE")?;
    if let Found::Version(version) = version(&mut transaction)? {
        for statements in upgrades.iter().skip(version - 1) {
            transaction.batch_execute(statements)?;
        }
        let version = (upgrades.len() + 1).max(version).to_string();
        transaction.execute("UPDATE meta SET value = $1 WHERE key = 'schema_version'", &[&version])?;
    }
    Ok(transaction.commit()?)
}
