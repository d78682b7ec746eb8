//! Money: reads the provider's bill, and notes what is missing for its comparison.
//!
//! The rules are in the core (`reconcile_core::tariff`, `bill`, `money`). Here is what needs files.

mod bill_file;
mod note;

pub(crate) use bill_file::load;
pub use note::{MoneyNote, UnmappedItem};
