//! Leases: how several processes share an account's places, by rows of one database that is never
//! asked per request and whose clock decides nothing. DESIGN.md, "Several hosts", has the proof.
//!
//! Pure: time is an argument or a [`Clock`](crate::clock::Clock), and the database is the trait
//! [`Table`]. So tests run the same code over virtual time on a model.
//!
//! This file only collects names. The files below import from each other, never from here.

mod candidate;
mod deadline;
mod holding;
mod keeper;
mod keeper_thread;
mod shares;
mod table;
mod terms;
mod watch;

pub use candidate::{Candidate, Holder, Judgement};
pub use deadline::Lease;
pub use keeper::{Keeper, Loss, Step};
pub(super) use keeper_thread::KeeperThread;
pub use table::{Change, Claim, Raised, Renewed, RowState, SessionRow, Table};
pub use terms::{LEASE, RENEW_EVERY, WATCH, rest_after_take_over};
