//! Runs the real binary against a scripted provider. Owns the list of what is shown, one module a question.
//!
//! `faults` what goes wrong for a while · `fatal` what ends a run · `resume` kills, signals, second runs · `kills` two
//! hundred of them · `damage` broken stores · `disk_full` a small file system · `nights` one night after another ·
//! `commands` plan, explain, verify-cap, purge, forget · `outputs` what the four files say · `cli` usage, store and folder ·
//! `page` the report in a browser · `masks` a byte scan for numbers and secrets · `morning` planted discrepancies, exactly those ·
//! `cap` what the provider sees of the cap · `receiver` the same over virtual time, a million requests · `sessions` fetch
//! stage and store over virtual time · `signature_vectors` published signatures · `layers` the order of the house ·
//! `snapshots` help and report word for word · `readme` the README's queries, by DuckDB · `readers` the
//! Parquet by DuckDB, pyarrow and Polars.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod cap;
mod cli;
mod commands;
mod damage;
mod disk_full;
mod fatal;
mod faults;
mod kills;
mod layers;
mod masks;
mod morning;
mod nights;
mod outputs;
mod page;
mod readers;
mod readme;
mod receiver;
mod resume;
mod sessions;
mod signature_vectors;
mod snapshots;
mod support;
