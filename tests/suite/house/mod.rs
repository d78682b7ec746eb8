//! The order of the source tree, the documents and the packages.

mod order;
mod packaging;
pub mod readme;
