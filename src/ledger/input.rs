//! The source of a ledger's bytes.
//!
//! The bytes are read more than once, and every time they are those of the start
//! ([`LedgerBytes`](super::ledger_bytes)). Standard input or a pipe can be read only once, so it is
//! first copied to a temporary file without a name, which no other user can open and which never
//! outlives the process.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::{LedgerError, Result};
use super::file_kind::FileKind;
use super::ledger_bytes::LedgerBytes;
use super::note::LedgerNote;
use super::options::Options;
use super::reader::LedgerReader;
use super::records::Records;
use super::{parquet, workbook};
use crate::hex::hex;

/// A ledger that can be read as often as needed, always with the same bytes.
#[derive(Debug, Clone)]
pub struct Input {
    /// The name in messages and outputs.
    name: String,
    /// Path of the ledger's own file; `None` if it could be read only once.
    path: Option<PathBuf>,
    bytes: LedgerBytes,
}

/// Digests of a ledger's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digests {
    /// In lower-case hex.
    pub(super) sha256: String,
    pub(super) crc32: u32,
}

/// How a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    /// As a workbook.
    Workbook,
    /// As Parquet.
    Parquet,
    /// As text, perhaps packed.
    Text,
}

impl Input {
    /// The ledger at `path`, as long as it is now; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened or read, is a folder, or cannot be copied to a temporary file.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::copied("standard input".into(), &mut io::stdin().lock());
        }
        let name = path.display().to_string();
        let mut file =
            File::open(path).map_err(|source| LedgerError::Open { ledger: name.clone(), source })?;
        let metadata = file.metadata().map_err(|error| LedgerError::reading(&name, None, error))?;
        if metadata.is_dir() {
            return Err(LedgerError::Folder { ledger: name });
        }
        // A file of the system may say that it is empty although it is not.
        if !metadata.is_file() || metadata.len() == 0 {
            return Self::copied(name, &mut file);
        }
        let bytes = LedgerBytes::of(file).map_err(|error| LedgerError::reading(&name, None, error))?;
        Ok(Self { name, path: Some(path.to_owned()), bytes })
    }

    fn copied(name: String, source: &mut impl Read) -> Result<Self> {
        let mut copy = tempfile::tempfile().map_err(LedgerError::temporary_file)?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(got) => copy.write_all(&chunk[..got]).map_err(LedgerError::temporary_file)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LedgerError::reading(&name, None, error)),
            }
        }
        Self::of_copy(name, copy)
    }

    /// The ledger of this name, which has been copied to a temporary file.
    ///
    /// # Errors
    /// The system does not say how long the file is.
    pub(crate) fn of_copy(name: String, copy: File) -> Result<Self> {
        let bytes = LedgerBytes::of(copy).map_err(LedgerError::temporary_file)?;
        Ok(Self { name, path: None, bytes })
    }

    /// The name in messages and outputs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Path of the ledger's own file; `None` if it could be read only once.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Its bytes, from their beginning.
    pub(super) fn bytes(&self) -> LedgerBytes {
        self.bytes.from(0)
    }

    /// SHA-256 of its bytes, in lower-case hex.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn sha256(&self) -> Result<String> {
        Ok(self.digests()?.sha256)
    }

    /// Reads the ledger from its beginning.
    ///
    /// # Errors
    /// Its content cannot be used (see [`LedgerReader::open`]).
    pub fn ledger(&self, options: &Options) -> Result<LedgerReader<LedgerBytes>> {
        let bytes = self.bytes.from(0);
        let opened = match self.form()? {
            TableForm::Workbook => return LedgerReader::open_workbook(bytes, &self.name, options),
            TableForm::Parquet => LedgerReader::open_parquet(bytes, &self.name, options),
            TableForm::Text => LedgerReader::open(bytes, &self.name, options),
        };
        // Of several files, only the workbooks have sheets.
        match (&options.sheet.as_ref().filter(|_| options.several.is_none()), opened) {
            (Some(_), Err(error @ LedgerError::OtherKind { .. })) => Err(error),
            (Some(sheet), _) => {
                Err(LedgerError::NotWorkbook { ledger: self.name.clone(), sheet: (*sheet).clone() })
            }
            (None, opened) => opened,
        }
    }

    /// Reads the header row of any table; also returns its columns. Only a workbook has sheets.
    ///
    /// # Errors
    /// The file cannot be read, or is no table.
    pub(super) fn records(&self, options: &Options) -> Result<(Records<LedgerBytes>, Vec<String>)> {
        let bytes = self.bytes.from(0);
        match self.form()? {
            TableForm::Workbook => Records::open_workbook(bytes, &self.name, options),
            TableForm::Parquet => Records::open_parquet(bytes, &self.name),
            TableForm::Text => Records::open_csv(bytes, &self.name, options),
        }
    }

    /// True if it is a workbook.
    ///
    /// # Errors
    /// Its first bytes cannot be read, or it is an encrypted workbook.
    pub(super) fn is_workbook(&self) -> Result<bool> {
        Ok(matches!(self.form()?, TableForm::Workbook))
    }

    /// The form by the first bytes.
    ///
    /// # Errors
    /// The file cannot be read, or is a workbook with a password.
    pub fn form(&self) -> Result<TableForm> {
        let mut head = Vec::new();
        let failed = |error| LedgerError::reading(&self.name, None, error);
        self.bytes.from(0).take(4).read_to_end(&mut head).map_err(failed)?;
        if head == workbook::MAGIC {
            return Ok(TableForm::Workbook);
        }
        let is_old = FileKind::of_file(&head) == Some(FileKind::OldWorkbook);
        if is_old && workbook::holds_encrypted_package(self.bytes.from(0)).map_err(failed)? {
            let (ledger, kind) = (self.name.clone(), FileKind::EncryptedWorkbook);
            return Err(LedgerError::OtherKind { ledger, kind });
        }
        Ok(if head == parquet::MAGIC { TableForm::Parquet } else { TableForm::Text })
    }

    /// The digests of all bytes of the ledger.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn digests(&self) -> Result<Digests> {
        let (mut sha256, mut crc32) = (Sha256::new(), crc32fast::Hasher::new());
        let (mut bytes, mut chunk) = (self.bytes.from(0), vec![0; 1 << 17]);
        loop {
            match bytes.read(&mut chunk) {
                Ok(0) => break,
                Ok(got) => {
                    sha256.update(&chunk[..got]);
                    crc32.update(&chunk[..got]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LedgerError::reading(&self.name, None, error)),
            }
        }
        Ok(Digests { sha256: hex(&sha256.finalize()), crc32: crc32.finalize() })
    }

    /// When the file was changed last; `None` if the system does not say.
    pub(super) fn changed_at(&self) -> Option<ChangeTime> {
        self.bytes.file().metadata().ok().and_then(|metadata| change_time(&metadata))
    }

    /// The first `len` bytes of the ledger.
    pub(super) fn first(&self, len: u64) -> Self {
        Self { bytes: self.bytes.first(len), ..self.clone() }
    }

    /// The first two bytes that were appended to the file after the start; empty if it is as long
    /// as it was.
    pub(super) fn first_appended(&self) -> Result<Vec<u8>> {
        let bytes = self.bytes.first_appended();
        bytes.map_err(|error| LedgerError::reading(&self.name, None, error))
    }

    /// What happened to the ledger's file since the start, if anything. The run is the
    /// same with and without it.
    #[must_use]
    pub fn later_change(&self) -> Option<LedgerNote> {
        let (ledger, path) = (self.name.clone(), self.path.as_ref()?);
        let Ok(now) = fs::metadata(path) else { return Some(LedgerNote::Removed { ledger }) };
        let same = self.bytes.file().metadata().is_ok_and(|then| is_same_file(&then, &now));
        if !same {
            return Some(LedgerNote::Replaced { ledger });
        }
        let bytes = self.bytes.appended().ok().filter(|bytes| *bytes > 0)?;
        Some(LedgerNote::Appended { ledger, bytes })
    }
}

/// On Unix the time of any change, in seconds and nanoseconds: no program can set it.
#[cfg(unix)]
pub(super) type ChangeTime = (i64, i64);

#[cfg(unix)]
fn change_time(metadata: &fs::Metadata) -> Option<ChangeTime> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
pub(super) type ChangeTime = std::time::SystemTime;

#[cfg(not(unix))]
fn change_time(metadata: &fs::Metadata) -> Option<ChangeTime> {
    metadata.modified().ok()
}

#[cfg(unix)]
fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Other systems do not replace an open file.
#[cfg(not(unix))]
fn is_same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn standard_input_can_be_read_twice() {
        let input = Input::copied("standard input".into(), &mut "call_id\na\n".as_bytes()).unwrap();
        for _ in 0..2 {
            assert_eq!(input.ledger(&Options::default()).unwrap().count(), 1);
        }
        assert_eq!((input.name(), input.path()), ("standard input", None));
    }

    #[test]
    fn a_folder_or_a_missing_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Input::open(dir.path()).unwrap_err().to_string().contains("is a folder"));
        let missing = Input::open(&dir.path().join("nowhere.csv")).unwrap_err();
        assert!(missing.to_string().contains("nowhere.csv"), "{missing}");
    }
}
