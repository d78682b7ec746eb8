//! Kills, signals, second runs, broken files and full disks.

mod damage;
mod disk_full;
mod kills;
mod resume;
