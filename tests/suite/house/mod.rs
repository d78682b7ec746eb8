//! The source tree, the documents and the packages.

mod imports;
mod kubernetes;
mod packaging;
pub mod readme;
mod source_tree;
