//! Runs the real binary against a scripted provider. Owns the list of what is shown, one module a question.
//!
//! The judge itself: `sdks` the provider's own clients against the sandbox · `tampering` clients that sign wrongly ·
//! `rehearsal` nights with every fault, recordings, make-believe and the real.
//!
//! What the provider answers: `answers` every code, state and form of `Data` · `readings` texts that contradict each other ·
//! `midnight` days and time zones · `clock` a clock that is off · `network` connections, proxies, TLS · `fuzz` whatever
//! bytes come back · `provider_docs` what docs/provider.md says.
//!
//! `faults` what goes wrong for a while · `fatal` what ends a run · `resume` kills, signals, second runs · `kills` two
//! hundred of them · `damage` broken stores · `disk_full` a small file system · `nights` one night after another ·
//! `commands` plan, explain, verify-cap, purge, forget · `ledgers` any ledger a company really has · `outputs` what the four
//! files say · `page` the report in a browser · `masks` a byte scan for numbers and secrets · `morning` planted discrepancies,
//! exactly those · `cli` usage, store and folder ·
//! `credentials` where the key is found · `roles` keys that others give, and that expire ·
//! `cap` what the provider sees of the cap · `receiver` the same over virtual time, a million requests · `sessions` fetch
//! stage and store over virtual time · `signature_vectors` published signatures · `layers` the order of the house ·
//! `config` the configuration file · `logs` what is said without a terminal · `watching` metrics and the posted end · `packaging` files
//! for operators ·
//! `snapshots` help, manual, configuration and report word for word · `readme` the README's queries, by DuckDB · `readers` the
//! Parquet by DuckDB, pyarrow and Polars.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod answers;
mod cap;
mod cli;
mod clock;
mod commands;
mod config;
mod credentials;
mod damage;
mod disk_full;
mod fatal;
mod faults;
mod fuzz;
mod kills;
mod layers;
mod ledgers;
mod logs;
mod masks;
mod midnight;
mod morning;
mod network;
mod nights;
mod outputs;
mod packaging;
mod page;
mod provider_docs;
mod readers;
mod readings;
mod readme;
mod receiver;
mod rehearsal;
mod resume;
mod roles;
mod sdks;
mod sessions;
mod signature_vectors;
mod snapshots;
mod support;
mod tampering;
mod watching;
