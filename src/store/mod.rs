//! The durable store: every request is on disk before it is sent, every answer before it counts.
//!
//! [`Store`] and [`Reader`] are the verbs; [`RequestLog`] is the part that the fetch stage needs.
//! [`open()`] says which implementation serves a location. SQL is only in `sqlite/` and
//! `postgres/`; the `schema.sql` of each documents its tables. Which calls are asked again is a
//! rule of the core: [`Scope`](reconcile_core::ask_again::Scope).
//!
//! This file only collects names. The files below import from each other, never from here.

mod amendments;
mod answered;
mod beside;
mod call_row;
mod checksum;
mod copy;
mod current_origin;
mod endings;
mod erased;
mod erasing;
mod file_system;
mod group_commit;
mod history;
mod host;
pub mod lease;
mod location;
mod next_run;
mod open;
mod open_discrepancies;
mod open_items;
mod origin;
mod places;
mod postgres;
mod reader;
mod receipts;
mod request;
mod run_history;
mod run_identity;
mod second_look;
mod sent_requests;
mod sqlite;
mod store_note;
mod stored_word;
mod units;
mod verbs;
mod wait;
mod windows;

pub use amendments::{Amendment, AmendmentNo, OtherAnswer, changes};
pub use answered::{AnswerGroup, AnsweredCall, EndedSession, Sessions};
pub use beside::{CallNumbers, FinalCall, OpenCall, OpenCallsOf, RecheckedCalls};
pub use copy::{Copied, CopiedTable};
pub use erased::Erased;
pub use file_system::UnknownFileSystem;
pub use history::{AccountShares, Attempt, CapRecord, KnownCall, SessionEvidence};
pub use location::{DatabaseUrl, StoreLocation};
pub use open::{copy, files_beside, open, open_existing, open_or_wait, open_reader, upgrade_copies};
pub use open_discrepancies::{DiscrepancyChanges, NewDiscrepancies, NewDiscrepancy, RunEnd};
pub use open_items::{EarlierCalls, OpenAge, OpenItem, OpenItems};
pub use origin::{ExpectedOrigin, Origin};
pub use places::Places;
pub use reader::Reader;
pub use receipts::KeptReceipt;
pub use request::{BegunRequest, Decision, NOT_SENT, NewRequest, Purpose, RequestEnd, WITHDRAWN};
pub use run_history::{RunFigures, RunHistory, StoredRun};
pub use run_identity::{AccountCap, Destination, RunIdentity};
pub use store_note::StoreNote;
pub use stored_word::{StoredWord, Word};
pub use verbs::{RequestLog, Store};
pub use wait::Wait;

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod on_database;
#[cfg(test)]
mod on_file;
#[cfg(test)]
#[path = "../../tests/suite/support/postgres.rs"]
mod test_database;
