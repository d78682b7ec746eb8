//! A ledger that was read once, to be read again: always the same rows.

use super::batches::{self, BatchParser, BatchReader};
use super::error::Result;
use super::files::{LedgerFiles, LedgerRows};
use super::input::Input;
use super::note::LedgerNote;
use super::options::Options;
use super::scan::{LedgerScan, scan};
use super::scanned_file::ScannedFile;
use crate::threads;

/// A ledger that was read once from end to end. Both passes read it again.
#[derive(Debug)]
pub struct ScannedLedger {
    /// Its files.
    pub input: LedgerFiles,
    /// The settings for reading it.
    pub options: Options,
    /// The same for each file.
    options_of_files: Vec<Options>,
    /// What the first reading found.
    pub scan: LedgerScan,
}

impl ScannedLedger {
    /// Reads the whole ledger.
    ///
    /// # Errors
    /// The ledger cannot be read, its header row cannot be used, or a temporary file cannot be
    /// written.
    pub fn scan(input: impl Into<LedgerFiles>, options: Options) -> Result<Self> {
        let input = input.into();
        let options_of_files = input.options(&options)?;
        let scan = scan(&input, &options_of_files, threads::cores())?;
        let ledger = Self { input, options, options_of_files, scan };
        Ok(ledger.without_half_row()?.unwrap_or(ledger))
    }

    /// This ledger without the last row of a file, if another program was still writing this row at
    /// the start; else `None`.
    ///
    /// Such a row has no line end, and the file has grown by something else than a line end.
    ///
    /// # Errors
    /// The ledger cannot be read any more, or is packed and has grown in the middle of a row.
    pub fn without_half_row(&self) -> Result<Option<Self>> {
        let (mut input, mut notes) = (self.input.clone(), Vec::new());
        for (at, (file, scanned)) in self.input.files().iter().zip(&self.scan.files).enumerate() {
            let Some(offset) = scanned.half_row(file)? else { continue };
            input = input.with(at, file.first(offset));
            notes.push(LedgerNote::HalfRow { ledger: file.name().to_owned() });
        }
        if notes.is_empty() {
            return Ok(None);
        }
        let (options, options_of_files) = (self.options.clone(), self.options_of_files.clone());
        let mut scan = scan(&input, &options_of_files, threads::cores())?;
        scan.notes.append(&mut notes);
        Ok(Some(Self { input, options, options_of_files, scan }))
    }

    /// Reads the ledger again from its beginning.
    ///
    /// # Errors
    /// The ledger cannot be opened any more, or has changed and cannot be used.
    pub fn read(&self) -> Result<LedgerRows> {
        LedgerRows::open(&self.input, &self.options_of_files)
    }

    /// Whether a later reading with these checksums read the same bytes of each file. If a file was
    /// changed in any way since the first reading, its SHA-256 must be the same too.
    ///
    /// # Errors
    /// The ledger cannot be read any more.
    pub fn is_same(&self, crc32: &[u32]) -> Result<bool> {
        for ((file, scanned), crc32) in self.input.files().iter().zip(&self.scan.files).zip(crc32) {
            if *crc32 != scanned.crc32 {
                return Ok(false);
            }
            let is_untouched = scanned.changed_at.is_some() && file.changed_at() == scanned.changed_at;
            if !is_untouched && file.digests()?.sha256 != scanned.sha256 {
                return Ok(false);
            }
        }
        Ok(crc32.len() == self.scan.files.len())
    }

    /// Whether the file at a path of the ledger has changed in any way since the first reading.
    /// False if there is no file any more, or if the ledger could be read only once.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        let is_outdated = |(file, scanned): (&Input, &ScannedFile)| match file.later_change() {
            Some(LedgerNote::Removed { .. }) => false,
            Some(_) => true,
            None => file.changed_at() != scanned.changed_at,
        };
        self.input.files().iter().zip(&self.scan.files).any(is_outdated)
    }

    /// Reads the ledger again, for several threads.
    ///
    /// # Errors
    /// As [`ScannedLedger::read`].
    pub fn read_in_batches(&self) -> Result<(BatchReader, BatchParser)> {
        batches::open(self.input.files(), &self.options_of_files)
    }

    /// The names of a row's carried values, as duplicates compare them: empty for the name of the
    /// file, in which rows of one call may differ.
    #[must_use]
    pub fn compared_columns(&self) -> Vec<String> {
        let mut names = self.scan.carried.clone();
        self.scan.layout.file_column.and_then(|at| names.get_mut(at)).into_iter().for_each(String::clear);
        names
    }
}
