//! What the files say, read by the programs that users read them with.

mod files;
mod masks;
mod morning;
mod page;
mod readers;
mod snapshots;
