//! Reconciles a ledger of voice calls with what the provider knows of them.
//!
//! ```text
//!  collect   ledger.csv ─► calls not yet answered ─► [ cap ─► sign ─► send ─► classify ─► back off ] ─► store
//!  publish   ledger.csv ⋈ store ─► normalize ─► compare ─► details.parquet · discrepancies.csv · report · summary
//! ```
//!
//! Both passes stream; neither holds the ledger in memory. [`publish`] is a pure function of (ledger, store,
//! options, version), in ledger order.

pub mod audit;
pub mod call;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod commands;
pub mod compare;
pub mod config;
pub mod detail;
pub mod discrepancy;
pub mod error;
pub mod exit;
pub mod fetch;
pub mod figures;
pub mod ledger;
pub mod log;
pub mod mask;
pub mod messages;
pub mod metrics;
pub mod normalize;
pub mod notify;
pub mod output;
pub mod parse;
pub mod patterns;
pub mod progress;
pub mod provider;
pub mod publish;
pub mod rate;
pub mod recording;
pub mod run;
pub mod sandbox;
pub mod signals;
pub mod stop;
pub mod store;
pub mod totals;
