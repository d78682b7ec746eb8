//! The promises of every store, tested on a PostgreSQL database.

/// Whether the store is a database.
const IS_DATABASE: bool = true;

#[path = "tests.rs"]
mod tests;
