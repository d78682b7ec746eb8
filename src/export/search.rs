//! Finds the exported files that contain a phone number. They are never changed, only named.

use std::path::{Path, PathBuf};

use reconcile_core::phone::contains_number;

use super::day_file::TEXT_COLUMNS;
use super::folder::{Entry, ExportFolder};
use crate::caught::caught;
use crate::error::{Error, Result};
use crate::output::schema::Cell;
use crate::output::table::reader;
use crate::regular_file;
use crate::threads::Share;

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The number of files that were read.
    pub searched: u64,
    /// The files that contain the number, by path.
    pub with_number: Vec<PathBuf>,
    /// The files that could not be read, by path: what a killed export left, and damaged ones.
    pub unreadable: Vec<PathBuf>,
}

/// Searches every file of the folder for a phone number, in any spelling.
///
/// # Errors
///
/// Exit 2 or 6 if the folder cannot be read.
pub fn search(folder: &ExportFolder, number: &str) -> Result<Found> {
    let mut found = Found::default();
    folder.for_each(&mut |entry| {
        let path = match entry {
            Entry::Exported(path, _) => path,
            Entry::Leftover(path) => {
                found.unreadable.push(path);
                return Ok(());
            }
        };
        // A damaged file may cause a panic in its reader.
        match caught(|| has_number(&path, number)) {
            Some(Ok(is_in)) => {
                found.searched += 1;
                found.with_number.extend(is_in.then_some(path));
            }
            Some(Err(_)) | None => found.unreadable.push(path),
        }
        Ok(())
    })?;
    found.with_number.sort_unstable();
    found.unreadable.sort_unstable();
    Ok(found)
}

/// Whether the number is in any text of the file.
fn has_number(path: &Path, number: &str) -> Result<bool> {
    let file = regular_file::open_to_read(path)
        .map_err(|e| Error::output(format!("cannot read {}", path.display())).because(e))?;
    let mut is_in = false;
    reader::read(file, path, Share::ALL, &TEXT_COLUMNS, &mut |row| {
        let has_number =
            |cell: &Cell<'_>| matches!(cell, Cell::Text(Some(text)) if contains_number(text, number));
        is_in = is_in || row.iter().any(has_number);
        Ok(())
    })?;
    Ok(is_in)
}
