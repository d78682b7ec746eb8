//! Kills, signals, second runs, damaged and refused stores, and full disks.

mod damage;
mod disk_full;
mod export;
mod export_forget;
mod export_kills;
mod hosts;
mod identity;
mod kills;
mod postgres;
mod refused;
mod resume;
