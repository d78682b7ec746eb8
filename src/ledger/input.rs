//! The source of a ledger's bytes.
//!
//! The bytes are read more than once. Standard input or a pipe can be read only once, so it is
//! first copied to a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::columnar::MAGIC;
use super::error::{LedgerError, Result};
use super::options::Options;
use super::reader::LedgerReader;

/// A ledger that can be read as often as needed.
#[derive(Debug)]
pub struct Input {
    /// The name in messages and outputs.
    name: String,
    path: PathBuf,
    /// A copy of a source that can be read only once. Only this user may read it. It is deleted
    /// when dropped.
    copy: Option<NamedTempFile>,
}

impl Input {
    /// The ledger at `path`; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened or read, is a folder, or cannot be copied to a temporary file.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::copied("standard input".into(), &mut io::stdin().lock());
        }
        let name = path.display().to_string();
        let mut file = open(path, &name)?;
        let kind = file.metadata().map_err(|error| LedgerError::reading(&name, None, error))?.file_type();
        if kind.is_dir() {
            return Err(LedgerError::Folder { ledger: name });
        }
        if kind.is_file() {
            return Ok(Self { name, path: path.to_owned(), copy: None });
        }
        Self::copied(name, &mut file)
    }

    fn copied(name: String, source: &mut impl Read) -> Result<Self> {
        let mut copy = NamedTempFile::new().map_err(LedgerError::temporary_file)?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(got) => copy.write_all(&chunk[..got]).map_err(LedgerError::temporary_file)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LedgerError::reading(&name, None, error)),
            }
        }
        Ok(Self { name, path: copy.path().to_owned(), copy: Some(copy) })
    }

    /// The name in messages and outputs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Path of the ledger's own file; `None` if it could be read only once.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.copy.is_none().then_some(self.path.as_path())
    }

    /// Reads the ledger from its beginning.
    ///
    /// # Errors
    /// It cannot be opened, or its content cannot be used (see [`LedgerReader::open`]).
    pub fn ledger(&self, options: &Options) -> Result<LedgerReader<File>> {
        let mut file = open(&self.path, &self.name)?;
        let mut head = Vec::new();
        let read = (&mut file).take(MAGIC.len() as u64).read_to_end(&mut head).and_then(|_| file.rewind());
        read.map_err(|error| LedgerError::reading(&self.name, None, error))?;
        if head == MAGIC {
            LedgerReader::open_parquet(file, &self.name, options)
        } else {
            LedgerReader::open(file, &self.name, options)
        }
    }
}

fn open(path: &Path, name: &str) -> Result<File> {
    File::open(path).map_err(|source| LedgerError::Open { ledger: name.to_owned(), source })
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
