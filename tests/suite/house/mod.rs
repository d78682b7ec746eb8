//! The source tree, the documents and the packages.

pub mod crate_owners;
mod packaging;
pub mod readme;
