//! Sorts the fingerprints of all rows of a ledger in flat memory.
//!
//! They are dealt out by their first byte. A part that is full goes into a temporary file (16 bytes a row), and in the end one
//! part after the other is read back and sorted. Promises that at most [`PARTS`] × [`FULL`] of them and one 256th of all
//! are held, whatever the ledger's size.

use std::fs::File;
use std::io::{Read as _, Result, Seek as _, SeekFrom, Write as _};

/// One for each value of the first byte, so that the parts one after the other are the order of all.
const PARTS: usize = 1 << 8;
const FIRST_BYTE: u32 = u128::BITS - 8;

/// 8 KiB; few in unit tests, which then need few rows to get beyond it.
const FULL: usize = if cfg!(test) { 1 << 3 } else { 1 << 9 };
const SIZE: usize = size_of::<u128>();

/// Fingerprints in the order of the ledger, to be had in their own.
#[derive(Debug)]
pub(super) struct Fingerprints {
    parts: Vec<Vec<u128>>,
    aside: Option<File>,
    /// Of each full part in the file, which one it is.
    in_file: Vec<u8>,
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self { parts: vec![Vec::new(); PARTS], aside: None, in_file: Vec::new() }
    }
}

impl Fingerprints {
    /// Fails when the temporary file cannot be written.
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
        let file = match &mut self.aside {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.write_all(&bytes)
    }

    /// All of them, ascending.
    pub(super) fn sorted(self) -> Sorted {
        Sorted { all: self, next: 0, part: Vec::new() }
    }

    /// Takes a part, sorted downwards. Fails when the temporary file cannot be read.
    fn take(&mut self, first: u8) -> Result<Vec<u128>> {
        let mut part = std::mem::take(&mut self.parts[usize::from(first)]);
        if let Some(file) = &mut self.aside {
            let mut bytes = [0; FULL * SIZE];
            let places = self.in_file.iter().enumerate().filter(|(_, of)| **of == first);
            for (place, _) in places {
                file.seek(SeekFrom::Start((place * bytes.len()) as u64))?;
                file.read_exact(&mut bytes)?;
                part.extend(bytes.as_chunks::<SIZE>().0.iter().map(|one| u128::from_le_bytes(*one)));
            }
        }
        part.sort_unstable_by(|a, b| b.cmp(a));
        Ok(part)
    }
}

/// Sorted fingerprints; an iterator, whose items are errors where the temporary file cannot be read.
pub(super) struct Sorted {
    all: Fingerprints,
    next: usize,
    /// Of the part before the next one, what is left; the smallest last.
    part: Vec<u128>,
}

impl Iterator for Sorted {
    type Item = Result<u128>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.part.is_empty() {
            let first = u8::try_from(self.next).ok()?;
            self.next += 1;
            match self.all.take(first) {
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
    fn what_does_not_fit_in_memory_is_sorted_all_the_same() {
        for rows in [0, 1, 1_000, PARTS * FULL, 5 * PARTS * FULL + 5] {
            let mut random = fastrand::Rng::with_seed(5);
            // A few repeat; a quarter begins with the same byte.
            let all: Vec<u128> = (0..rows).map(|_| random.u128(..) >> (random.u32(..4) * 33)).collect();
            let mut fingerprints = Fingerprints::default();
            all.iter().for_each(|one| fingerprints.push(*one).unwrap());
            assert!(fingerprints.parts.iter().all(|part| part.len() < FULL));
            assert_eq!(fingerprints.aside.is_some(), rows > 1);
            let sorted: Vec<u128> = fingerprints.sorted().map(|one| one.unwrap()).collect();
            let mut wanted = all;
            wanted.sort_unstable();
            assert_eq!(sorted, wanted, "{rows}");
        }
    }
}
