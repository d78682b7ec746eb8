//! The store as one SQLite file. Owns all SQL for it; `schema.sql` documents the tables.
//!
//! This file only collects names. The files below import from each other, never from here.

mod answers;
mod arrivals;
mod attempts;
mod beside;
mod call_row;
mod checks;
mod copying;
mod database;
mod erase;
mod errors;
mod file_system;
mod held_file;
mod lock;
mod meta;
mod open_discrepancies;
mod open_items;
mod other_answers;
mod places;
mod prepare;
mod read_ahead;
mod reader;
mod receipts;
mod record;
mod run_history;
mod runs;
mod schema;
mod sessions;
mod store;
mod traffic;
mod upgrade_copy;

pub(super) use copying::SqliteCopy;
pub(super) use reader::SqliteReader;
pub(super) use store::SqliteStore;
pub(super) use upgrade_copy::{copies_beside, names_of_next_copies};

#[cfg(test)]
mod audit_tests;
#[cfg(test)]
mod tests;

/// Executes SQL in a closed store, as tests of damaged stores do.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) fn execute(path: &std::path::Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}
