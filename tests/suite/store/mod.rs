//! Kills, signals, second runs, damaged and refused stores, and full disks.

mod copying;
mod damage;
mod database_away;
mod disk_full;
mod erasing;
mod export;
mod export_forget;
mod export_kills;
mod export_receipts;
mod hosts;
mod identity;
mod kills;
mod postgres;
mod refused;
mod resume;
mod standby;
pub mod upgrading;
