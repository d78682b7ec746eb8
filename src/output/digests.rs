//! Names, sizes and SHA-256 of the files that a run writes.
//!
//! The files are read once more for it, beside the read-back of the discrepancies for the tie-out.
//! So the digests are those of the bytes on disk, whatever wrote them, and no writer waits for a
//! hash.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::details::ClosedDetails;
use crate::error::Result;
use crate::hex::hex;
use crate::shown::shown;
use crate::staged::{Staged, unreadable};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 17;

/// A file of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WrittenFile {
    /// Its name, phone numbers masked; of a file of a day with the folders.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
}

impl WrittenFile {
    /// The file that will become its target.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be read.
    pub(super) fn of(staged: &Staged) -> Result<Self> {
        Self::read(&name_of(staged.target()), staged.reader()?, staged.target())
    }

    /// Each file of the details.
    ///
    /// # Errors
    ///
    /// Exit 6 if one cannot be read.
    pub(super) fn of_details(details: &ClosedDetails) -> Result<Vec<Self>> {
        let folder = match details {
            ClosedDetails::File(staged) => return Ok(vec![Self::of(staged)?]),
            ClosedDetails::Folder(folder) => folder,
        };
        let target = folder.target();
        let files = folder.parts().iter().map(|part| {
            let day = part.parent().map(name_of).unwrap_or_default();
            let name = format!("{}/{day}/{}", name_of(target), name_of(part));
            Self::read(&name, File::open(part).map_err(|e| unreadable(target, e))?, target)
        });
        files.collect()
    }

    fn read(name: &str, file: File, target: &Path) -> Result<Self> {
        let (bytes, sha256) = digest(file).map_err(|e| unreadable(target, e))?;
        Ok(Self { name: shown(name), bytes, sha256 })
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn digest(mut file: File) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hex(&hash.finalize()))),
            n => {
                bytes += n as u64;
                hash.update(&buffer[..n]);
            }
        }
    }
}
