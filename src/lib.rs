//! Reconciles a ledger of voice calls with what the provider knows of them.
//!
//! ```text
//!  collect   ledger.csv ─► calls not yet answered ─► [ cap ─► sign ─► send ─► classify ─► back off ] ─► store
//!  publish   ledger.csv ⋈ store ─► normalize ─► compare ─► details.parquet · discrepancies.csv · report · summary
//! ```
//!
//! Both passes stream; neither holds the ledger in memory. [`publish`] is a pure function of (ledger, store,
//! options, version), in ledger order.

pub mod cli;
pub mod clock;
pub mod collect;
pub mod commands;
pub mod console;
pub mod error;
pub mod exit;
pub mod fetch;
pub mod ledger;
pub mod locked;
pub mod output;
pub mod provider;
pub mod publish;
pub mod recording;
pub mod sandbox;
pub mod signals;
pub mod stop;
pub mod store;
pub mod telemetry;
