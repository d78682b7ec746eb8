//! The durable store: every request is on disk before it is sent, every answer before it counts.
//!
//! [`Store`] and [`Reader`] are the verbs; [`RequestLog`] is the part that the fetch stage needs.
//! [`open()`] says which implementation serves a path. SQL is only in `sqlite/`, where `schema.sql`
//! documents the tables. Which calls are asked again is a rule of the core:
//! [`Scope`](reconcile_core::ask_again::Scope).
//!
//! This file only collects names. The files below import from each other, never from here.

mod answered;
mod erased;
mod file_system;
mod history;
mod location;
mod open;
mod open_items;
mod origin;
mod request;
mod run_identity;
mod sqlite;
mod stored_word;
mod verbs;

pub use answered::{AnswerGroup, AnsweredCall, EndedSession, Sessions};
pub use erased::Erased;
pub use file_system::UnknownFileSystem;
pub use history::{Attempt, CapRecord, KnownCall, SessionEvidence};
pub use location::{DatabaseUrl, StoreLocation};
pub use open::{files_beside, open, open_existing, open_reader};
pub use open_items::{OpenAge, OpenItem, OpenItems};
pub use origin::{ExpectedOrigin, Origin};
pub use request::{BegunRequest, Decision, NOT_SENT, NewRequest, Purpose, RequestEnd, WITHDRAWN};
pub use run_identity::{AccountCap, RunIdentity};
pub use stored_word::{StoredWord, Word};
pub use verbs::{Reader, RequestLog, Store};

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod tests;
