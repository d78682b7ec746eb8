//! The rejects: the unusable rows of the ledger in its own columns, for correction and another run.
//!
//! A last column says why each row is unusable. When the file is read as a ledger, this column is
//! ignored. In a row with a wrong number of fields it follows the last field.
//!
//! The file is UTF-8 CSV with the ledger's own delimiter, so that the same command reads it. Unless
//! an option says otherwise, it has a byte order mark if the ledger had one, was not UTF-8, or was
//! a workbook, because the program that made the ledger needs the mark to show the text correctly.
//! Without unusable rows there is no file.
//!
//! No option names this file, so a file that is there is replaced or removed only if it is a list
//! of rejects: a CSV file with that last column, or, from version 0.1, with the ledger's own
//! header. Only its owner can read it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::csv_form::MARK;
use crate::error::{Error, Result};
use crate::ledger::{Layout, REASON_COLUMN};
use crate::place::resolve;
use crate::regular_file;
use crate::staged::{Staged, unwritable};
use reconcile_core::ledger_row::InvalidRow;

/// What is at the path of the rejects before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldRejects {
    /// Nothing, or a list of rejects of this ledger.
    Replaceable,
    /// A file that this program may not have written. It is left alone.
    Foreign,
}

impl OldRejects {
    /// Looks at the path. A file without the column of reasons and with another header than the
    /// ledger's is foreign.
    pub(super) fn at(path: &Path, layout: &Layout) -> Self {
        let is_there = path.symlink_metadata().is_ok() && path.exists();
        if !is_there || is_list_of_rejects(path, layout).unwrap_or(false) {
            Self::Replaceable
        } else {
            Self::Foreign
        }
    }
}

/// Whether the file is CSV with the column of reasons, or with the header of this layout.
fn is_list_of_rejects(path: &Path, layout: &Layout) -> csv::Result<bool> {
    let file = regular_file::open_to_read(path)?;
    let mut csv = csv::ReaderBuilder::new().delimiter(layout.delimiter).flexible(true).from_reader(file);
    let names = csv.headers()?.iter().collect::<Vec<_>>();
    // The file may have another delimiter than the ledger: then its header is one name.
    let has_reasons = names.last().is_some_and(|name| name.ends_with(REASON_COLUMN));
    // The reader drops a byte order mark.
    Ok(has_reasons || names.iter().eq(layout.names.iter()))
}

/// The rejects while they are written. The first row creates the file.
pub(super) struct Rejects {
    target: PathBuf,
    layout: Layout,
    file: Option<(File, Staged)>,
}

/// Encodes rejects on one thread.
pub(super) struct RejectsEncoder {
    delimiter: u8,
    /// Which of a row's carried values is the name of its file; `None` for a ledger of one file.
    file_column: Option<usize>,
    csv: csv::Writer<Vec<u8>>,
    first_has_zero_byte: Option<bool>,
}

/// Encoded rejects.
pub(super) struct EncodedRejects {
    csv: Vec<u8>,
    first_has_zero_byte: bool,
}

impl RejectsEncoder {
    pub(super) fn new(delimiter: u8, file_column: Option<usize>) -> Self {
        Self { delimiter, file_column, csv: csv_writer(delimiter, Vec::new()), first_has_zero_byte: None }
    }

    /// Adds a row with all the values it has.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be encoded, which is a bug.
    pub(super) fn push(&mut self, row: &InvalidRow) -> Result<()> {
        self.first_has_zero_byte.get_or_insert_with(|| row.original.iter().any(|value| value.contains('\0')));
        let mut reason = row.message().to_string();
        // The columns are those of all files, so the row says where it is from.
        if let Some(file) = self.file_column.and_then(|at| row.carried.get(at)) {
            reason.push_str(&format!(" ({file}, line {})", row.line));
        }
        let values = row.original.iter().chain([&reason]);
        self.csv.write_record(values).map_err(|e| Error::bug(format!("cannot encode a reject: {e}")))
    }

    /// Bytes so far, but for some 8 KiB.
    pub(super) fn held_bytes(&self) -> usize {
        self.csv.get_ref().len()
    }

    /// Takes the rows so far; `None` without rows.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be encoded, which is a bug.
    pub(super) fn take(&mut self) -> Result<Option<EncodedRejects>> {
        let Some(first_has_zero_byte) = self.first_has_zero_byte.take() else { return Ok(None) };
        let csv = std::mem::replace(&mut self.csv, csv_writer(self.delimiter, Vec::new())).into_inner();
        let csv = csv.map_err(|e| Error::bug(format!("cannot encode the rejects: {e}")))?;
        Ok(Some(EncodedRejects { csv, first_has_zero_byte }))
    }
}

fn csv_writer<W: std::io::Write>(delimiter: u8, into: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(into)
}

impl Rejects {
    pub(super) fn new(target: &Path, layout: &Layout) -> Self {
        Self { target: target.to_owned(), layout: layout.clone(), file: None }
    }

    /// Adds rows after those so far.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn append(&mut self, rows: &EncodedRejects) -> Result<()> {
        let (file, _) = match &mut self.file {
            Some(file) => file,
            none => none.insert(create_file(&self.target, &self.layout, rows.first_has_zero_byte)?),
        };
        file.write_all(&rows.csv).map_err(|e| unwritable(&self.target, e))
    }

    pub(super) fn finish(self) -> ClosedRejects {
        match self.file {
            Some((_, staged)) => ClosedRejects::File(staged),
            None => ClosedRejects::None { target: self.target, layout: self.layout },
        }
    }
}

/// Creates the file and writes its header.
fn create_file(target: &Path, layout: &Layout, first_has_zero_byte: bool) -> Result<(File, Staged)> {
    let staged = Staged::create_private(target)?;
    let mut file = staged.writer()?;
    // Zero bytes would make the file look like UTF-16.
    let has_zero_byte = first_has_zero_byte || layout.names.iter().any(|name| name.contains('\0'));
    if layout.byte_order_mark || has_zero_byte {
        file.write_all(MARK).map_err(|e| unwritable(target, e))?;
    }
    let names = layout.names.iter().map(String::as_str).chain([REASON_COLUMN]);
    let mut header = csv_writer(layout.delimiter, &file);
    header.write_record(names).map_err(|e| unwritable(target, e))?;
    header.flush().map_err(|e| unwritable(target, e))?;
    drop(header);
    Ok((file, staged))
}

/// The rejects with all rows written, before the file is renamed.
pub(super) enum ClosedRejects {
    File(Staged),
    /// The ledger has no unusable row.
    None {
        target: PathBuf,
        layout: Layout,
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

    /// Path of the file.
    pub(super) fn target(&self) -> &Path {
        match self {
            Self::File(staged) => staged.target(),
            Self::None { target, .. } => target,
        }
    }

    /// Renames the file to its path. Without a file, removes that of an earlier run.
    ///
    /// # Errors
    ///
    /// Exit 6 if the file cannot be renamed or removed.
    pub(super) fn rename(&mut self) -> Result<()> {
        match self {
            Self::File(staged) => staged.rename(),
            Self::None { target, layout } => remove_old(target, layout).map_err(|e| unwritable(target, e)),
        }
    }

    /// Syncs the file's name to disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if the disk is failing.
    pub(super) fn sync_folder(&self) -> Result<()> {
        if let Self::File(staged) = self { staged.sync_folder() } else { Ok(()) }
    }
}

fn remove_old(target: &Path, layout: &Layout) -> std::io::Result<()> {
    if !target.exists() || OldRejects::at(target, layout) == OldRejects::Foreign {
        return Ok(());
    }
    std::fs::remove_file(resolve(target)?)
}

/// The error if the rejects would replace a file that this program may not have written.
pub(super) fn foreign(path: &Path) -> Error {
    Error::usage(format!(
        "the rejects file {} exists and is no list of rejects, so it may be another file",
        path.display()
    ))
    .hint("move it away, or write the outputs elsewhere")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reconcile_core::row_problem::{CallIdProblem, RowProblem};

    fn row() -> InvalidRow {
        InvalidRow {
            line: 2,
            offset: None,
            column: None,
            call_id: None,
            field: "",
            expected: None,
            found: "x".into(),
            reason: RowProblem::CallId(CallIdProblem::Missing),
            duration_s: None,
            carried: Vec::new(),
            original: vec!["x".into()],
        }
    }

    #[test]
    fn only_a_file_with_the_ledger_s_header_is_replaceable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.rejects.csv");
        let names = ["call_id", "note; with \"quotes\"\nand a line"].map(str::to_owned).to_vec();
        let layout = Layout { names, delimiter: b';', byte_order_mark: true, file_column: None };
        let old = || OldRejects::at(&path, &layout);
        assert_eq!(old(), OldRejects::Replaceable, "nothing is there");
        let mut rejects = Rejects::new(&path, &layout);
        let mut rows = RejectsEncoder::new(layout.delimiter, None);
        rows.push(&row()).unwrap();
        rejects.append(&rows.take().unwrap().unwrap()).unwrap();
        let mut closed = rejects.finish();
        closed.rename().unwrap();
        assert_eq!(old(), OldRejects::Replaceable, "its own file");
        for own in ["call_id;\"note; with \"\"quotes\"\"\nand a line\"\n", "other,columns,reconcile_reason\n"]
        {
            std::fs::write(&path, own).unwrap();
            assert_eq!(old(), OldRejects::Replaceable, "{own}");
        }
        for foreign in ["", "call_id\n", "call_id,note\n", "another file\n"] {
            std::fs::write(&path, foreign).unwrap();
            assert_eq!(old(), OldRejects::Foreign, "{foreign}");
        }
        Rejects::new(&path, &layout).finish().rename().unwrap();
        assert!(path.exists());
    }
}
