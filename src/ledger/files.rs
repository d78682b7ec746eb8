//! A ledger of one file or several. Several files are one ledger: their rows follow each other in
//! the order of the files.
//!
//! Each file keeps its own header row, kind, delimiter and encoding. Its rows get the carried
//! columns of all files, and before them the name of their file.

use std::path::Path;
use std::sync::Arc;

use reconcile_core::ledger_row::Record;

use super::error::{LedgerError, Result};
use super::input::Input;
use super::joined::{JoinedColumns, OneOfSeveral};
use super::ledger_bytes::LedgerBytes;
use super::note::LedgerNote;
use super::options::Options;
use super::reader::LedgerReader;

/// The files of a ledger.
#[derive(Debug, Clone)]
pub struct LedgerFiles {
    files: Vec<Input>,
    name: String,
}

impl From<Input> for LedgerFiles {
    fn from(only: Input) -> Self {
        Self::new(vec![only])
    }
}

impl LedgerFiles {
    /// The ledger that these files are together.
    #[must_use]
    pub fn new(files: Vec<Input>) -> Self {
        let name = files.iter().map(Input::name).collect::<Vec<_>>().join(", ");
        Self { files, name }
    }

    /// The name in messages and outputs: those of all files.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files, in the order in which they are read.
    #[must_use]
    pub fn files(&self) -> &[Input] {
        &self.files
    }

    /// What happened to the files since the start.
    #[must_use]
    pub fn later_changes(&self) -> Vec<LedgerNote> {
        self.files.iter().filter_map(Input::later_change).collect()
    }

    /// The same files, with another one at this place.
    pub(super) fn with(&self, at: usize, file: Input) -> Self {
        let mut files = self.files.clone();
        files[at] = file;
        Self { files, name: self.name.clone() }
    }

    /// The settings for each file. Of several files, the header rows are read.
    ///
    /// # Errors
    /// A file cannot be used, or a sheet is named and no file is a workbook.
    pub(super) fn options(&self, options: &Options) -> Result<Vec<Options>> {
        if let [_] = *self.files {
            return Ok(vec![options.clone()]);
        }
        let is_workbook = |input: &Input| input.is_workbook().unwrap_or(true);
        if let Some(sheet) = options.sheet.clone().filter(|_| !self.files.iter().any(is_workbook)) {
            return Err(LedgerError::NotWorkbook { ledger: self.name.clone(), sheet });
        }
        let of_file = |several| Options { several: Some(several), ..options.clone() };
        let files: Vec<OneOfSeveral> = self.short_names().into_iter().map(OneOfSeveral::new).collect();
        let mut joined = JoinedColumns::default();
        for (input, several) in self.files.iter().zip(&files) {
            let reader = input.ledger(&of_file(several.clone()))?;
            let header = reader.header();
            let own = header.keys().into_iter().map(|(at, key)| (key, header.names[at].clone()));
            joined.add(&header.carried.names, own.collect());
        }
        let joined = Arc::new(joined);
        Ok(files.into_iter().map(|several| of_file(several.with(joined.clone()))).collect())
    }

    /// The names without folders; with them, where two would be equal.
    fn short_names(&self) -> Vec<String> {
        let short = |input: &Input| {
            let name = Path::new(input.name()).file_name().map(|name| name.to_string_lossy().into_owned());
            name.unwrap_or_else(|| input.name().to_owned())
        };
        let names: Vec<String> = self.files.iter().map(short).collect();
        let is_twice = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        let unique = |(name, input): (&String, &Input)| {
            if is_twice(name) { input.name().to_owned() } else { name.clone() }
        };
        names.iter().zip(&self.files).map(unique).collect()
    }
}

/// The records of all files, one after the other: an iterator.
///
/// An item is an error only if a file cannot be read any further; it is then the last one.
pub struct LedgerRows {
    current: LedgerReader<LedgerBytes>,
    /// The files after the current one.
    rest: std::vec::IntoIter<(Input, Options)>,
}

impl LedgerRows {
    /// Opens the first file.
    ///
    /// # Errors
    /// It cannot be opened any more, or has changed and cannot be used.
    pub(super) fn open(files: &LedgerFiles, options: &[Options]) -> Result<Self> {
        let files: Vec<_> = files.files.iter().cloned().zip(options.iter().cloned()).collect();
        let mut rest = files.into_iter();
        let none = || LedgerError::Empty { ledger: String::new() };
        let (first, options) = rest.next().ok_or_else(none)?;
        Ok(Self { current: first.ledger(&options)?, rest })
    }

    fn end(&mut self) {
        self.rest = Vec::new().into_iter();
    }
}

impl Iterator for LedgerRows {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.current.next() {
                if record.is_err() {
                    self.end();
                }
                return Some(record);
            }
            let (input, options) = self.rest.next()?;
            match input.ledger(&options) {
                Ok(next) => self.current = next,
                Err(error) => {
                    self.end();
                    return Some(Err(error));
                }
            }
        }
    }
}
