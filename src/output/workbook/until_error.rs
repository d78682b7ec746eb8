//! The file that the archive is written to.

use std::fs::File;
use std::io::{self, BufWriter, Error, Write};

/// Passes bytes on until a write fails, and drops all later ones.
///
/// The writer of the archive ends it even after an error, and would print a second failure to
/// standard error.
pub(super) struct UntilError {
    file: BufWriter<File>,
    has_failed: bool,
}

impl UntilError {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 16, file), has_failed: false }
    }

    /// Writes the bytes that are still in memory.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn pass_on(&mut self, work: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
        if self.has_failed {
            return Ok(());
        }
        work(&mut self.file).inspect_err(|_: &Error| self.has_failed = true)
    }
}

impl Write for UntilError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pass_on(|file| file.write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on(BufWriter::flush)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_first_failed_write_is_an_error() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut file = UntilError::new(full);
        let megabyte = vec![0; 1 << 20];
        assert_eq!(file.write(&megabyte).unwrap_err().raw_os_error(), Some(28));
        assert_eq!(file.write(&megabyte).unwrap(), megabyte.len());
        file.flush().unwrap();
    }
}
