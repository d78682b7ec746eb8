//! Kills, signals, second runs, damaged stores and full disks.

mod damage;
mod disk_full;
mod kills;
mod resume;
