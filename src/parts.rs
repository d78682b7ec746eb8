//! Records of any length, divided into 256 parts in bounded memory.
//!
//! A part with 8 KiB is appended to a temporary file without a name. Later one part after the other
//! is read back. So memory holds some 4 MiB and one part, whatever the number of records.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Result, Write as _};
use std::path::{Path, PathBuf};

/// Number of parts: one for each value of a byte.
pub(crate) const PARTS: usize = 1 << 8;
/// A part with this many bytes is appended to the file. Unit tests fill it with few records.
const FULL: usize = if cfg!(test) { 1 << 8 } else { 1 << 13 };

/// Records by part.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The records of each part that are not in the file.
    parts: Vec<Vec<u8>>,
    /// The folder of the temporary file; `None` is the system's.
    folder: Option<PathBuf>,
    file: Option<File>,
    blocks: Vec<Block>,
    /// Length of the file.
    end: u64,
}

/// Records of one part in the file.
#[derive(Debug, Clone, Copy)]
struct Block {
    part: u8,
    at: u64,
    len: usize,
}

impl Default for Parts {
    fn default() -> Self {
        Self { parts: vec![Vec::new(); PARTS], folder: None, file: None, blocks: Vec::new(), end: 0 }
    }
}

impl Parts {
    /// No records yet. The temporary file will be in this folder; without one, in the system's.
    pub(crate) fn new_in(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_owned), ..Self::default() }
    }

    /// Adds a record to a part.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub(crate) fn push(&mut self, part: u8, record: &[u8]) -> Result<()> {
        let records = &mut self.parts[usize::from(part)];
        records.extend_from_slice(record);
        if records.len() < FULL {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(match &self.folder {
                Some(folder) => tempfile::tempfile_in(folder)?,
                None => tempfile::tempfile()?,
            }),
        };
        file.write_all(records)?;
        self.blocks.push(Block { part, at: self.end, len: records.len() });
        self.end += records.len() as u64;
        // A long record must not keep its memory.
        records.clear();
        records.shrink_to(FULL);
        Ok(())
    }

    /// All records of a part, one after the other, in the order in which they were added.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn part(&self, part: u8) -> Result<Vec<u8>> {
        let in_file = self.blocks_of(part).map(|block| block.len).sum::<usize>();
        let mut records = Vec::with_capacity(in_file + self.parts[usize::from(part)].len());
        for piece in self.pieces(part) {
            records.extend_from_slice(&piece?);
        }
        Ok(records)
    }

    /// The same records in pieces of some 8 KiB. Each holds whole records.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn pieces(&self, part: u8) -> impl Iterator<Item = Result<Cow<'_, [u8]>>> {
        let in_file = self.file.iter().flat_map(move |file| {
            self.blocks_of(part).map(move |block| {
                let mut piece = vec![0; block.len];
                read_exact_at(file, &mut piece, block.at)?;
                Ok(piece.into())
            })
        });
        in_file.chain(std::iter::once(Ok(self.parts[usize::from(part)].as_slice().into())))
    }

    fn blocks_of(&self, part: u8) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.part == part)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, into: &mut [u8], at: u64) -> Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(not(unix))]
fn read_exact_at(file: &File, into: &mut [u8], at: u64) -> Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _lock = crate::locked::lock(&ONE_AT_A_TIME);
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(into)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_part_has_its_records_in_their_order() {
        for records in [0, 1, 1_000, 20_000] {
            let folder = tempfile::tempdir().unwrap();
            let mut random = fastrand::Rng::with_seed(7);
            let mut parts = Parts::new_in(Some(folder.path()));
            let mut wanted = vec![Vec::new(); PARTS];
            for record in 0..records {
                // A few are longer than a full part.
                let bytes = vec![record as u8; random.usize(..20) * random.usize(..40)];
                let part = random.u8(..);
                parts.push(part, &bytes).unwrap();
                wanted[usize::from(part)].extend(bytes);
            }
            assert!(parts.parts.iter().all(|part| part.len() < FULL && part.capacity() <= 4 * FULL));
            assert_eq!(parts.file.is_some(), records >= 1_000);
            for (part, wanted) in (0..=u8::MAX).zip(wanted) {
                assert_eq!(parts.part(part).unwrap(), wanted);
            }
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        }
    }
}
