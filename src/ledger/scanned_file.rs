//! A file of a ledger that was read once.

use super::error::{LedgerError, Result};
use super::input::{ChangeTime, Input};
use super::records::OpenRow;

/// A file of the ledger after the first reading.
#[derive(Debug)]
pub struct ScannedFile {
    /// Its name.
    pub name: String,
    /// Records below its header row, without those that are passed over.
    pub rows: u64,
    /// SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
    /// CRC-32 of its bytes: later readings compare it.
    pub(super) crc32: u32,
    /// When it was changed last, before it was read.
    pub(super) changed_at: Option<ChangeTime>,
    /// The last row, if no line end follows it.
    pub(super) open_row: Option<OpenRow>,
}

impl ScannedFile {
    /// Where the last row begins, if another program was still writing it at the start.
    pub(super) fn half_row(&self, file: &Input) -> Result<Option<u64>> {
        let Some(open_row) = self.open_row else { return Ok(None) };
        let appended = file.first_appended()?;
        if appended.is_empty() || open_row.is_ended_by(&appended) {
            return Ok(None);
        }
        let changed = || LedgerError::Changed { ledger: file.name().to_owned() };
        open_row.offset.map(Some).ok_or_else(changed)
    }
}
