//! The promises of every store, tested on a SQLite file.

/// Whether the store is a database.
const IS_DATABASE: bool = false;

#[allow(clippy::duplicate_mod, reason = "one suite for both implementations")]
#[path = "tests.rs"]
mod tests;
