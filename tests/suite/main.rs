//! Runs the real binary against a scripted provider. Each part of the program has a folder:
//!
//! - `accounts`: several accounts in one ledger, each under its own cap.
//! - `ledger`: ledgers as companies really export them.
//! - `money`: tariffs, and the provider's bill.
//! - `provider`: the provider's answers, the requests to it, and the access key.
//! - `receipts`: the provider's receipts as files, and joined with a ledger.
//! - `sandbox`: the simulated provider itself.
//! - `store`: kills, signals, second runs, damaged and refused stores, and full disks.
//! - `disk_faults`: failed writes, alone and mixed with kills and stalls (Linux).
//! - `run`: whole runs: the cap, faults, exit codes, options, logs, metrics and notifications.
//! - `outputs`: the contents of the files, read by DuckDB, pyarrow, Polars and a browser.
//! - `objects`: ledgers in object storage, and runs that are published to it.
//! - `files`: what the written files may replace, who may read them, and when they change.
//! - `house`: the source tree, the documents and the packages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod accounts;
#[cfg(target_os = "linux")]
mod disk_faults;
mod files;
mod house;
mod ledger;
mod money;
mod objects;
mod outputs;
mod provider;
mod receipts;
mod run;
mod sandbox;
mod store;
mod support;
