//! The contents of the files, read by the programs that users have.

mod file_contents;
mod masks;
mod memory;
mod planted_discrepancies;
mod readers;
mod report_in_browser;
mod snapshots;
