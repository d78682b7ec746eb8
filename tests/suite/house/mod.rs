//! The source tree, the documents and the packages.

mod crate_owners;
mod packaging;
pub mod readme;
