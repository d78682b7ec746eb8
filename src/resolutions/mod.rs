//! The file of resolutions: what the ledger's owner decided on discrepancies.
//!
//! The rules are in the core (`reconcile_core::resolutions`). Here is what needs files: the file is
//! read as a ledger is, and a new one is made from the discrepancies.

mod discrepancy_file;
mod file;
mod fill_in;
mod note;

pub use file::{load, on_day};
pub(crate) use file::{open_table, unreadable};
pub use fill_in::{FillIn, FilledIn};
pub use note::{LeftOver, ResolutionNote};
