//! Copies a whole store into another one, verifies the copy, and retires the source.
//!
//! This file only collects names. The files below import from each other, never from here.

mod run;
mod side;
mod table;

pub(super) use run::copy;
pub use run::{Copied, CopiedTable};
pub(super) use side::{CopySide, key, refuse_copied};
pub(super) use table::{Cell, Kind, REQUEST, Row, Table};

#[cfg(test)]
mod tests;
