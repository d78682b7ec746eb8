//! Runs the real binary against a scripted provider. One folder for each part of the program.
//!
//! - `ledger`: any ledger that a company really has.
//! - `provider`: what the provider may answer, how it is asked, and where the key is found.
//! - `sandbox`: the simulated provider itself.
//! - `store`: kills, signals, second runs, broken files and full disks.
//! - `run`: the cap, faults, ends, options, logs and what watches a run.
//! - `outputs`: what the files say, read by DuckDB, pyarrow, Polars and a browser.
//! - `house`: the order of the source tree, the documents and the packages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod house;
mod ledger;
mod outputs;
mod provider;
mod run;
mod sandbox;
mod store;
mod support;
