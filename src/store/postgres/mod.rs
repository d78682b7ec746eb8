//! The store in a PostgreSQL database, which several hosts can share. Owns all SQL for it;
//! `schema.sql` documents the tables.
//!
//! This file only collects names. The files below import from each other, never from here.

mod connect;
mod connection;
mod errors;
mod password_file;
mod settings;
mod tls;
