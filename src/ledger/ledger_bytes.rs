//! The bytes of a ledger, always the same ones: those that the file had at the start.
//!
//! Promises: the file stays open, so a new file at its path changes nothing. Rows that another
//! program appends are not read. A shorter file is an error.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::file_kind::ContentError;

/// A reader of a file's first bytes. Its clones read on their own, from the same position.
#[derive(Debug, Clone)]
pub struct LedgerBytes {
    file: Arc<File>,
    len: u64,
    /// Offset of the next byte.
    at: u64,
}

impl LedgerBytes {
    /// All bytes that the file has now.
    ///
    /// # Errors
    /// The system does not say how long the file is.
    pub(super) fn of(file: File) -> Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), len, at: 0 })
    }

    /// The first `len` of these bytes, from the beginning.
    pub(super) fn first(&self, len: u64) -> Self {
        Self { len: len.min(self.len), ..self.from(0) }
    }

    /// The same bytes, from this offset on.
    pub(super) fn from(&self, at: u64) -> Self {
        Self { file: self.file.clone(), len: self.len, at: at.min(self.len) }
    }

    /// The file, which may have more bytes by now.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Number of these bytes.
    pub(super) fn size(&self) -> u64 {
        self.len
    }

    /// Number of bytes that were appended to the file.
    ///
    /// # Errors
    /// The system does not say how long the file is.
    pub(super) fn appended(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len().saturating_sub(self.len))
    }

    /// The first two bytes that were appended to the file, as far as there are any.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn first_appended(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let grown = Self { file: self.file.clone(), len: self.len + self.appended()?.min(2), at: self.len };
        grown.take(2).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for LedgerBytes {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let got = read_at(&self.file, &mut into[..wanted], self.at)?;
        if got == 0 && wanted > 0 {
            return Err(ContentError::Changed.into());
        }
        self.at += got as u64;
        Ok(got)
    }
}

impl Seek for LedgerBytes {
    /// Sets the offset of the next byte. It is an error beyond the end, as before the beginning.
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.filter(|at| *at <= self.len).ok_or(ErrorKind::UnexpectedEof)?;
        Ok(self.at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, at)
}

impl Length for LedgerBytes {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for LedgerBytes {
    type T = BufReader<Self>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(self.from(start)))
    }

    /// Refuses more bytes than the file has before it reserves memory for them.
    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF("the file ends before its data".into()));
        }
        let mut bytes = vec![0; length];
        match self.from(start).read_exact(&mut bytes) {
            Ok(()) => Ok(bytes.into()),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(changed().into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn changed() -> io::Error {
    ContentError::Changed.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write as _;

    fn text(mut bytes: LedgerBytes) -> Result<String> {
        let mut text = String::new();
        bytes.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn appended_bytes_are_counted_and_not_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let bytes = LedgerBytes::of(File::open(file.path()).unwrap()).unwrap();
        assert_eq!((bytes.appended().unwrap(), bytes.first_appended().unwrap()), (0, vec![]));
        file.write_all(b", two").unwrap();
        assert_eq!(text(bytes.clone()).unwrap(), "one");
        assert_eq!((bytes.appended().unwrap(), bytes.first_appended().unwrap()), (5, b", ".to_vec()));
        assert_eq!(text(bytes.first(2)).unwrap(), "on");
        assert_eq!(bytes.get_bytes(1, 2).unwrap(), b"ne".as_slice());
        assert!(bytes.get_bytes(1, 3).is_err() && bytes.get_bytes(u64::MAX, usize::MAX).is_err());
    }

    #[test]
    fn a_shorter_file_is_an_error_and_a_removed_one_is_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let bytes = LedgerBytes::of(File::open(file.path()).unwrap()).unwrap();
        let (file, path) = file.keep().unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(text(bytes.clone()).unwrap(), "one");
        file.set_len(2).unwrap();
        assert!(text(bytes).unwrap_err().to_string().contains("changed"));
    }
}
