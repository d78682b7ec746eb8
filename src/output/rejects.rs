//! The rejects: the unusable rows of the ledger in its own columns, for correction and another run.
//!
//! A last column says why each row is unusable. When the file is read as a ledger, this column is
//! ignored. In a row with a wrong number of fields it follows the last field.
//!
//! The file is UTF-8 CSV with the ledger's own delimiter, so that the same command reads it. It has
//! a byte order mark if the ledger had one or was not UTF-8, because the program that made the
//! ledger needs the mark to show the text correctly. Without unusable rows there is no file.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::ledger::{Layout, REASON_COLUMN};
use crate::staged::{Staged, unwritable};
use reconcile_core::ledger_row::InvalidRow;

/// The rejects while they are written. The first row creates the file.
pub(super) struct Rejects {
    target: PathBuf,
    layout: Layout,
    file: Option<RejectsFile>,
}

struct RejectsFile {
    csv: csv::Writer<File>,
    staged: Staged,
}

impl Rejects {
    pub(super) fn new(target: &Path, layout: &Layout) -> Self {
        Self { target: target.to_owned(), layout: layout.clone(), file: None }
    }

    /// Adds a row with all the values it has.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn push(&mut self, row: &InvalidRow) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(RejectsFile::create(&self.target, &self.layout, row)?),
        };
        let reason = row.message();
        let values = row.original.iter().chain([&reason]);
        file.csv.write_record(values).map_err(|e| unwritable(&self.target, e))
    }

    /// Writes the remaining rows.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn finish(self) -> Result<ClosedRejects> {
        let Some(RejectsFile { mut csv, staged }) = self.file else {
            return Ok(ClosedRejects::None { target: self.target });
        };
        csv.flush().map_err(|e| unwritable(&self.target, e))?;
        Ok(ClosedRejects::File(staged))
    }
}

impl RejectsFile {
    fn create(target: &Path, layout: &Layout, first: &InvalidRow) -> Result<Self> {
        let staged = Staged::create(target)?;
        let mut file = staged.writer()?;
        // Zero bytes would make the file look like UTF-16.
        let has_zero_byte = layout.names.iter().chain(&first.original).any(|value| value.contains('\0'));
        if layout.byte_order_mark || has_zero_byte {
            file.write_all("\u{feff}".as_bytes()).map_err(|e| unwritable(target, e))?;
        }
        let mut csv = csv::WriterBuilder::new().flexible(true).delimiter(layout.delimiter).from_writer(file);
        let names = layout.names.iter().map(String::as_str).chain([REASON_COLUMN]);
        csv.write_record(names).map_err(|e| unwritable(target, e))?;
        Ok(Self { csv, staged })
    }
}

/// The rejects with all rows written, before the file is renamed.
pub(super) enum ClosedRejects {
    File(Staged),
    /// The ledger has no unusable row.
    None {
        target: PathBuf,
    },
}

impl ClosedRejects {
    /// Syncs the file to disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is full or failing.
    pub(super) fn sync(&self) -> Result<()> {
        if let Self::File(staged) = self { staged.sync() } else { Ok(()) }
    }

    /// Renames the file to its path. Without a file, removes that of an earlier run.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be renamed or removed.
    pub(super) fn rename(self) -> Result<()> {
        match self {
            Self::File(staged) => staged.rename(),
            Self::None { target } => match std::fs::remove_file(&target) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unwritable(&target, e)),
                _ => Ok(()),
            },
        }
    }
}
