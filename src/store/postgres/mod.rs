//! The store in a PostgreSQL database, which several hosts can share. Owns all SQL for it;
//! `schema.sql` documents the tables.
//!
//! This file only collects names. The files below import from each other, never from here.

mod batch_sql;
mod beside;
mod call_row;
mod calls;
mod connect;
mod connection;
mod copying;
mod database;
mod erase;
mod errors;
mod lease;
mod leases;
mod meta;
mod open_discrepancies;
mod open_items;
mod other_answers;
mod password_file;
mod places;
mod prepare;
mod reader;
mod receipts;
mod record;
mod replication;
mod run_history;
mod schema;
mod sessions;
mod settings;
mod shares;
mod store;
mod tls;
mod traffic;
mod values;

pub(super) use copying::PostgresCopy;
pub(super) use reader::PostgresReader;
pub(super) use store::PostgresStore;

#[cfg(test)]
mod lease_tests;
#[cfg(test)]
mod tests;
