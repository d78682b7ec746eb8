//! The source tree, the documents and the packages.

mod imports;
mod packaging;
pub mod readme;
mod source_tree;
