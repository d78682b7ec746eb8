//! The program `reconcile`: compares a ledger of voice calls with the provider's records.
//!
//! ```text
//!  collect   ledger ─► calls without an answer
//!                   ─► [ cap ─► sign ─► send ─► classify ─► back off ] ─► store
//!  publish   ledger ⋈ store ─► normalize ─► compare
//!                   ─► details.parquet · discrepancies.csv · report · summary
//! ```
//!
//! Both passes stream: neither holds the ledger in memory. The rows that [`publish`] writes depend
//! only on ledger, store, options and version, and come in ledger order.
//!
//! The rules of the comparison are in the crate `reconcile_core`, which does no I/O. The modules
//! here are public only for the binary, the tests and the benchmarks: they are not a stable API.

mod caught;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod commands;
pub mod console;
mod diff;
mod discrepancy_file;
pub mod error;
pub mod exit;
pub mod export;
pub mod failures;
pub mod fetch;
pub mod hex;
pub mod http_client;
pub mod incomplete;
pub mod ledger;
pub mod locked;
pub mod money;
pub mod note;
pub mod objects;
pub mod output;
mod parts;
mod place;
pub mod provider;
pub mod publish;
pub mod receipts;
pub mod recording;
mod regular_file;
pub mod resolutions;
mod resolver;
mod run_figures;
pub mod sandbox;
pub mod shown;
pub mod shown_url;
pub mod signals;
mod sorted_records;
mod staged;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod texts;
pub mod threads;
mod words;
pub mod zone;
