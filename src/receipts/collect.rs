//! Reads all receipts and sorts them by CallId, in bounded memory.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, ReceiptFile, SkippedFiles};
use super::form::{Form, form_of};
use super::invalid::InvalidReceipts;
use super::ledger_calls::key_of;
use super::read::{Failed, Read, read};
use crate::error::{Error, Result};
use crate::ledger::{Input, LedgerError, TableForm};
use crate::sorted_records::SortedRecords;

/// Receipts that are remembered to recognize their repetition at once.
const REMEMBERED: usize = 1 << 12;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReceipts {
    /// Files with receipts.
    pub files: u64,
    /// Other files in the given folders.
    pub skipped: SkippedFiles,
    /// Receipts, with those that name the same call.
    pub receipts: u64,
    /// Receipts that cannot be read.
    pub invalid: InvalidReceipts,
}

/// Receipts, sorted by CallId.
#[derive(Debug)]
pub struct Receipts {
    pub(super) sorted: SortedRecords,
    /// What was read.
    pub read: ReadReceipts,
    recent: RecentReceipts,
}

impl Receipts {
    /// Reads all receipts of these files and folders. The temporary file will be in the folder
    /// `temporary`; without one, in the system's.
    ///
    /// # Errors
    ///
    /// Exit 2 if a path cannot be read or a given file holds no receipts. Exit 6 if the temporary
    /// file cannot be written.
    pub fn collect(paths: &[PathBuf], temporary: Option<&Path>) -> Result<Self> {
        let mut receipts = Self {
            sorted: SortedRecords::new_in(temporary),
            read: ReadReceipts::default(),
            recent: RecentReceipts::default(),
        };
        for file in files::find(paths, &mut receipts.read.skipped)? {
            receipts.add_file(&file)?;
        }
        Ok(receipts)
    }

    fn add_file(&mut self, file: &ReceiptFile) -> Result<()> {
        let path = &file.path;
        let input = Input::open(path).map_err(|e| files::unreadable_receipts(path, e))?;
        let form = match form_of(&input, path) {
            Ok(Form::Other) if file.is_given => return Err(no_receipts(path)),
            Ok(Form::Other) => None,
            // A folder may hold pictures and archives.
            Err(LedgerError::OtherKind { .. }) if !file.is_given => None,
            form => Some(form.map_err(|e| files::unreadable_receipts(path, e))?),
        };
        let Some(form) = form else {
            self.read.skipped.add(path);
            return Ok(());
        };
        self.read.files += 1;
        let name: Arc<str> = files::name(path).into();
        let is_parquet = input.form().is_ok_and(|form| form == TableForm::Parquet);
        let done = read(form, is_parquet, &mut |line, receipt| self.add(&name, line, receipt));
        done.map_err(|failed| match failed {
            Failed::File(error) => files::unreadable_receipts(path, error),
            Failed::Use(error) => error,
        })
    }

    fn add(&mut self, file: &Arc<str>, line: u64, receipt: Read) -> Result<()> {
        let receipt = match receipt {
            Ok(receipt) => receipt,
            Err(problem) => {
                self.read.invalid.add(problem, file, line);
                return Ok(());
            }
        };
        let no = self.read.receipts;
        self.read.receipts += 1;
        let key = key_of(receipt.call_id());
        if self.recent.has_seen(key, receipt.texts()) {
            return Ok(());
        }
        self.sorted.push(key, no, receipt.texts())
    }
}

/// Digests of receipts that were read not long ago. Pushes are repeated within minutes, so nearly
/// every equal repetition is recognized. The others are found when the receipts are joined.
#[derive(Debug)]
struct RecentReceipts(Vec<(u128, u64)>);

impl Default for RecentReceipts {
    fn default() -> Self {
        Self(vec![(0, 0); REMEMBERED])
    }
}

impl RecentReceipts {
    /// Whether an equal receipt was read lately. Remembers this one.
    fn has_seen<'a>(&mut self, key: u128, texts: impl Iterator<Item = &'a str>) -> bool {
        let mut hasher = DefaultHasher::new();
        texts.for_each(|text| text.hash(&mut hasher));
        let seen = (key, hasher.finish());
        std::mem::replace(&mut self.0[key as usize % REMEMBERED], seen) == seen
    }
}

fn no_receipts(path: &Path) -> Error {
    Error::usage(format!("{} holds no receipts", files::name(path))).hint(
        "give JSON (an array, or an object on each line), base64 lines of the queue, or CSV or Parquet with the \
         columns call_id and originate_time; text may be packed as .gz or .zst",
    )
}
