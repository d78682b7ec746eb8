//! Sorts the fingerprints of all rows of a ledger in bounded memory.
//!
//! They are divided into parts by their first byte. A full part is appended to a temporary file (16
//! bytes a row). In the end, one part after the other is read back and sorted. Memory holds at most
//! [`PARTS`] × [`FULL`] fingerprints and one 256th of all, for a ledger of any size.

use std::fs::File;
use std::io::{Read as _, Result, Seek as _, SeekFrom, Write as _};

/// Number of parts: one for each value of the first byte. So the sorted parts, one after the other,
/// are sorted as a whole.
const PARTS: usize = 1 << 8;
/// Right shift after which only the first byte is left.
const FIRST_BYTE: u32 = u128::BITS - 8;

/// Fingerprints in a full part: 8 KiB. Unit tests use smaller parts, which few rows fill.
const FULL: usize = if cfg!(test) { 1 << 3 } else { 1 << 9 };
/// Bytes of a fingerprint.
const SIZE: usize = size_of::<u128>();

/// Collects fingerprints in any order and returns them sorted.
#[derive(Debug)]
pub(super) struct Fingerprints {
    parts: Vec<Vec<u128>>,
    file: Option<File>,
    /// First byte of each full part in the file.
    in_file: Vec<u8>,
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self { parts: vec![Vec::new(); PARTS], file: None, in_file: Vec::new() }
    }
}

impl Fingerprints {
    /// Adds a fingerprint.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub(super) fn push(&mut self, fingerprint: u128) -> Result<()> {
        let first = (fingerprint >> FIRST_BYTE) as u8;
        let part = &mut self.parts[usize::from(first)];
        part.push(fingerprint);
        if part.len() < FULL {
            return Ok(());
        }
        let bytes: Vec<u8> = part.iter().flat_map(|one| one.to_le_bytes()).collect();
        part.clear();
        self.in_file.push(first);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.write_all(&bytes)
    }

    /// All fingerprints, ascending.
    pub(super) fn sorted(self) -> SortedFingerprints {
        SortedFingerprints { all: self, next: 0, part: Vec::new() }
    }

    /// Takes a part, sorted in descending order.
    fn take_part(&mut self, first: u8) -> Result<Vec<u128>> {
        let mut part = std::mem::take(&mut self.parts[usize::from(first)]);
        if let Some(file) = &mut self.file {
            let mut bytes = [0; FULL * SIZE];
            let parts = self.in_file.iter().enumerate().filter(|(_, part)| **part == first);
            for (at, _) in parts {
                file.seek(SeekFrom::Start((at * bytes.len()) as u64))?;
                file.read_exact(&mut bytes)?;
                part.extend(bytes.as_chunks::<SIZE>().0.iter().map(|one| u128::from_le_bytes(*one)));
            }
        }
        part.sort_unstable_by(|a, b| b.cmp(a));
        Ok(part)
    }
}

/// An iterator over fingerprints in ascending order. An item is an error if the temporary file
/// cannot be read.
pub(super) struct SortedFingerprints {
    all: Fingerprints,
    /// First byte of the next part.
    next: usize,
    /// The rest of the current part; the smallest is last.
    part: Vec<u128>,
}

impl Iterator for SortedFingerprints {
    type Item = Result<u128>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.part.is_empty() {
            let first = u8::try_from(self.next).ok()?;
            self.next += 1;
            match self.all.take_part(first) {
                Ok(part) => self.part = part,
                Err(error) => return Some(Err(error)),
            }
        }
        self.part.pop().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fingerprints_in_memory_and_in_the_file_are_sorted() {
        for rows in [0, 1, 1_000, PARTS * FULL, 5 * PARTS * FULL + 5] {
            let mut random = fastrand::Rng::with_seed(5);
            // A few are equal; a quarter has the same first byte.
            let all: Vec<u128> = (0..rows).map(|_| random.u128(..) >> (random.u32(..4) * 33)).collect();
            let mut fingerprints = Fingerprints::default();
            all.iter().for_each(|one| fingerprints.push(*one).unwrap());
            assert!(fingerprints.parts.iter().all(|part| part.len() < FULL));
            assert_eq!(fingerprints.file.is_some(), rows > 1);
            let sorted: Vec<u128> = fingerprints.sorted().map(|one| one.unwrap()).collect();
            let mut wanted = all;
            wanted.sort_unstable();
            assert_eq!(sorted, wanted, "{rows}");
        }
    }
}
