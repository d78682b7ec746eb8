//! A whole run, seen from outside: the cap, faults, exit codes, options, logs, metrics and
//! notifications.

mod cap;
mod cap_simulated;
mod changed_ledger;
mod cli;
mod commands;
mod config;
mod fatal;
mod faults;
mod logs;
mod metrics_and_notify;
mod open_items;
mod processes_simulated;
