//! The contents of the files, read by the programs that users have.

mod bridge;
mod chinese;
mod diff;
mod diff_run_ids;
mod export_readers;
mod file_contents;
mod later_rows;
mod masks;
mod memory;
mod patterns;
pub mod planted_discrepancies;
mod readers;
mod report_access;
mod report_in_browser;
mod report_pictures;
mod report_script;
mod report_trend;
mod resolutions;
mod snapshots;
mod spreadsheets;
mod version_0_1;
mod workbook;
#[cfg(target_os = "linux")]
mod workbook_faults;
mod workers;
