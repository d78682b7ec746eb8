//! The promises of every store, tested on a SQLite file.

/// Whether the store is a database.
const IS_DATABASE: bool = false;

#[path = "tests.rs"]
mod tests;
