//! Kills, signals, second runs, damaged and refused stores, and full disks.

mod damage;
mod disk_full;
mod identity;
mod kills;
mod refused;
mod resume;
