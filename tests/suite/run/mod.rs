//! A run from outside: the cap, faults, ends, options, logs and what watches it.

mod cap;
mod cli;
mod commands;
mod config;
mod fatal;
mod faults;
mod logs;
mod nights;
mod receiver;
mod sessions;
mod watching;
