//! The text of a file that is no table: unpacked, and decoded to UTF-8 from any encoding that a
//! ledger may have.

use std::io::{self, Read};

use super::decode::Utf8Reader;
use super::error::{LedgerError, Result};
use super::input::Input;
use super::ledger_bytes::LedgerBytes;

/// A reader of a file's text. An invalid sequence becomes bytes that are not UTF-8.
pub struct TextFile {
    text: Utf8Reader<LedgerBytes>,
    name: String,
}

impl TextFile {
    /// Reads the first bytes of a file.
    ///
    /// # Errors
    /// The file cannot be read, or is of a kind that has no text.
    pub fn open(input: &Input) -> Result<Self> {
        let name = input.name().to_owned();
        let text = Utf8Reader::new(input.bytes());
        let text = text.map_err(|error| LedgerError::reading(&name, None, error))?;
        Ok(Self { text, name })
    }

    /// The error for text that cannot be read from this line on.
    pub fn failed(&self, line: u64, error: io::Error) -> LedgerError {
        LedgerError::reading(&self.name, Some(line), error)
    }
}

impl Read for TextFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.text.read(into)
    }
}
