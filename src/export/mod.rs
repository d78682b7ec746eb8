//! The export: the answers of the store as Parquet files in a folder for each day.
//!
//! A file holds the answers of one ended session for one day. Such answers never change, so the
//! file's name says that they are exported, and there is no other record of it. A file appears
//! whole, by a rename, and is never written again. So a killed export leaves only whole files, and
//! the next one writes the others.
//!
//! This file only collects names. The files below import from each other, never from here.

mod day_file;
mod file_name;
mod folder;
mod search;
mod write;

pub use folder::ExportFolder;
pub use search::{Found, search};
pub use write::{Exported, export};
