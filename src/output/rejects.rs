//! The rows that cannot be used, in the ledger's own columns, so that they can be mended and fed back.
//!
//! CSV in UTF-8, separated as the ledger was, so that the same command reads it; with a byte order mark where the ledger
//! had one or was in another encoding, because what made it needs one to show it right. There is only a file when
//! there is such a row.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::staged::{Staged, unwritable};
use crate::error::Result;
use crate::ledger::Layout;
use reconcile_core::ledger_row::InvalidRow;

/// The file being written, once there is something to write.
pub(super) struct Rejects {
    target: PathBuf,
    layout: Layout,
    begun: Option<(csv::Writer<File>, Staged)>,
}

impl Rejects {
    pub(super) fn new(target: &Path, layout: &Layout) -> Self {
        Self { target: target.to_owned(), layout: layout.clone(), begun: None }
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Adds a row with as many values as it has.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub(super) fn push(&mut self, row: &InvalidRow) -> Result<()> {
        let (csv, _) = match &mut self.begun {
            Some(begun) => begun,
            none => none.insert(begin(&self.target, &self.layout, row)?),
        };
        csv.write_record(&row.original).map_err(|e| unwritable(&self.target, e))
    }

    /// Ends the file; it still has to be synced and renamed. `None` when there is none.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written.
    pub(super) fn finish(self) -> Result<Option<Staged>> {
        let Some((mut csv, staged)) = self.begun else { return Ok(None) };
        csv.flush().map_err(|e| unwritable(&self.target, e))?;
        Ok(Some(staged))
    }
}

fn begin(target: &Path, layout: &Layout, first: &InvalidRow) -> Result<(csv::Writer<File>, Staged)> {
    let failed = |e: std::io::Error| unwritable(target, e);
    let staged = Staged::create(target)?;
    let mut file = staged.writer()?;
    // Zero bytes would make it look like UTF-16.
    let zeros = layout.names.iter().chain(&first.original).any(|value| value.contains('\0'));
    if layout.byte_order_mark || zeros {
        file.write_all("\u{feff}".as_bytes()).map_err(failed)?;
    }
    let mut csv = csv::WriterBuilder::new().flexible(true).delimiter(layout.delimiter).from_writer(file);
    csv.write_record(&layout.names).map_err(|e| unwritable(target, e))?;
    Ok((csv, staged))
}

/// Removes what an earlier run has left at `target`.
///
/// # Errors
///
/// Exit 6 when it cannot be removed.
pub(super) fn remove_stale(target: &Path) -> Result<()> {
    match std::fs::remove_file(target) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unwritable(target, e)),
        _ => Ok(()),
    }
}
