//! Turns a database into a usable store: creates the tables, or checks and upgrades them.

use super::connection::Connection;
use super::errors::InStore as _;
use super::meta::{self, FoundOrigin};
use super::schema::{self, Found, SCHEMA_VERSION, UPGRADES};
use crate::error::{Error, Result};
use crate::store::origin::{ExpectedOrigin, Origin};

/// Creates the tables in a database without them; otherwise checks the store and upgrades it.
/// Returns its origin, and whether it has answers. Without `expected`, the store must exist and may
/// be of any origin.
///
/// # Errors
///
/// Exit 2 if there is no store, it is newer than this program, or has another origin; exit 6 if it
/// is damaged or cannot be written.
pub(super) fn prepare(c: &Connection, expected: Option<ExpectedOrigin>) -> Result<(Origin, bool)> {
    let store = c.store().to_owned();
    let mut found = c.read(|link| schema::find(&mut link.client))?;
    if found == Found::Nothing {
        let origin = expected.ok_or_else(|| no_store(&store))?.of_new_store();
        found = c.run(move |link| schema::create(&mut link.client, origin)).in_store(&store, "create")?;
    }
    let version = check_kind(found, &store)?;
    if version < SCHEMA_VERSION {
        // Nothing of a store that the run refuses is changed.
        read_origin(c)?.check(&store, expected)?;
        c.run(|link| schema::upgrade(&mut link.client, &UPGRADES)).in_store(&store, "upgrade")?;
    }
    let found = read_origin(c)?;
    Ok((found.check(&store, expected)?, found.has_answers))
}

/// Checks a store that is only read. Returns false if there is none.
///
/// # Errors
///
/// Exit 2 if it is not a store, or has another schema or origin; exit 6 if it cannot be read.
pub(super) fn check_to_read(c: &Connection, expected: Option<ExpectedOrigin>) -> Result<bool> {
    let found = c.read(|link| schema::find(&mut link.client))?;
    if found == Found::Nothing {
        return Ok(false);
    }
    if check_kind(found, c.store())? < SCHEMA_VERSION {
        return Err(Error::usage(format!("the store {} has an older schema", c.store()))
            .hint("the next run upgrades it; then it can be read"));
    }
    read_origin(c)?.check(c.store(), expected)?;
    Ok(true)
}

/// What the store says about the origin of its answers.
///
/// # Errors
///
/// Exit 6 if it cannot be read.
pub(super) fn read_origin(c: &Connection) -> Result<FoundOrigin> {
    c.read(|link| meta::read_origin(&mut link.client))
}

/// The version of a store's schema.
fn check_kind(found: Found, store: &str) -> Result<usize> {
    match found {
        Found::Version(version) if version > SCHEMA_VERSION => Err(Error::usage(format!(
            "a newer reconcile wrote the store {store} (schema {version}; this program knows {SCHEMA_VERSION})"
        ))
        .hint("update reconcile, or set store to another database")),
        Found::Version(version) => Ok(version),
        Found::Nothing => Err(no_store(store)),
        Found::Foreign => {
            Err(Error::usage(format!("the schema reconcile in {store} is not a store of reconcile"))
                .hint("choose another database for the store"))
        }
    }
}

fn no_store(store: &str) -> Error {
    Error::usage(format!("there is no store {store}"))
        .hint("give the URL of the store of your runs; the database has no schema reconcile")
}
