//! Whole runs: the cap, faults, exit codes, options, logs, metrics and notifications.

mod call_limits_simulated;
mod cap;
mod cap_simulated;
mod chat;
mod cli;
mod commands;
mod config;
mod deadlines;
mod disputes;
mod early_signals;
mod failures;
mod fatal;
mod faults;
mod ledger_changes;
mod logs;
mod metrics_and_notify;
mod open_items;
mod outages;
mod outages_simulated;
mod personal_data;
mod processes_simulated;
mod slots_simulated;
mod stalls;
mod threads;
mod time_zones;
