//! Sorts the fingerprints of all rows of a ledger in bounded memory.
//!
//! They are divided into parts by their first byte. A full part is appended to a temporary file (24
//! bytes a row). In the end, each thread reads one part after the other back and sorts it. Memory
//! holds at most [`PARTS`] × [`FULL`] rows, and one 256th of all for each thread, for a ledger of
//! any size.

use std::fs::File;
use std::io::{Result, Write as _};

use crate::threads::Share;

/// Number of parts: one for each value of the first byte. So all rows of a call are in one part.
const PARTS: usize = 1 << 8;
/// Right shift after which only the first byte is left.
const FIRST_BYTE: u32 = u128::BITS - 8;

/// Rows in a full part: 8 KiB. Unit tests use smaller parts, which few rows fill.
const FULL: usize = if cfg!(test) { 1 << 3 } else { 1 << 8 };
/// Bytes of a row in the file.
const SIZE: usize = size_of::<u128>() + size_of::<u64>();

/// A usable row with the fingerprint of its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowOfCall {
    pub(super) fingerprint: u128,
    /// Its number among the ledger's records, then 16 bits for [`RowOfCall::given`].
    row_and_given: u64,
}

impl RowOfCall {
    /// The row with this number, from 0, of the call with this fingerprint. `given` says which
    /// values it expects ([`reconcile_core::duplicate::given_values`]).
    pub(super) fn new(fingerprint: u128, row: u64, given: u16) -> Self {
        Self { fingerprint, row_and_given: row << u16::BITS | u64::from(given) }
    }

    /// Its number among the ledger's records, from 0.
    pub(super) fn row(self) -> u64 {
        self.row_and_given >> u16::BITS
    }

    /// Which values it expects.
    pub(super) fn given(self) -> u16 {
        self.row_and_given as u16
    }

    fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..size_of::<u128>()].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[size_of::<u128>()..].copy_from_slice(&self.row_and_given.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; SIZE]) -> Option<Self> {
        let (fingerprint, row_and_given) = bytes.split_first_chunk()?;
        Some(Self {
            fingerprint: u128::from_le_bytes(*fingerprint),
            row_and_given: u64::from_le_bytes(*row_and_given.first_chunk()?),
        })
    }
}

/// Collects fingerprints in any order and returns them sorted.
#[derive(Debug)]
pub(super) struct Fingerprints {
    parts: Vec<Vec<RowOfCall>>,
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
    /// Adds a row.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub(super) fn push(&mut self, row: RowOfCall) -> Result<()> {
        let first = (row.fingerprint >> FIRST_BYTE) as u8;
        let part = &mut self.parts[usize::from(first)];
        part.push(row);
        if part.len() < FULL {
            return Ok(());
        }
        let bytes: Vec<u8> = part.iter().flat_map(|one| one.to_bytes()).collect();
        part.clear();
        self.in_file.push(first);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.write_all(&bytes)
    }

    /// The parts of a share.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(super) fn share(&self, share: Share) -> impl Iterator<Item = Result<Vec<RowOfCall>>> {
        (share.no..PARTS).step_by(share.of).map(|part| self.part(part))
    }

    /// A part, sorted by fingerprint; the rows of a call are in the order of their numbers.
    fn part(&self, first: usize) -> Result<Vec<RowOfCall>> {
        let mut part = self.parts[first].clone();
        if let Some(file) = &self.file {
            let mut bytes = [0; FULL * SIZE];
            let parts = self.in_file.iter().enumerate().filter(|(_, part)| usize::from(**part) == first);
            for (at, _) in parts {
                read_exact_at(file, &mut bytes, (at * FULL * SIZE) as u64)?;
                part.extend(bytes.as_chunks::<SIZE>().0.iter().filter_map(RowOfCall::from_bytes));
            }
        }
        part.sort_unstable();
        Ok(part)
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
    fn fingerprints_in_memory_and_in_the_file_are_sorted() {
        for rows in [0, 1, 1_000, PARTS * FULL, 5 * PARTS * FULL + 5] {
            let mut random = fastrand::Rng::with_seed(5);
            // A few are equal; a quarter has the same first byte.
            let all = (0..rows as u64)
                .map(|row| RowOfCall::new(random.u128(..) >> (random.u32(..4) * 33), row, random.u16(..)));
            let all: Vec<RowOfCall> = all.collect();
            let mut fingerprints = Fingerprints::default();
            all.iter().for_each(|one| fingerprints.push(*one).unwrap());
            assert!(fingerprints.parts.iter().all(|part| part.len() < FULL));
            assert_eq!(fingerprints.file.is_some(), rows > 1);
            let shares = (0..3).flat_map(|no| fingerprints.share(Share { no, of: 3 }));
            let parts: Vec<Vec<RowOfCall>> = shares.map(|part| part.unwrap()).collect();
            assert!(parts.iter().all(|part| part.is_sorted()));
            let (mut sorted, mut wanted) = (parts.concat(), all);
            sorted.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(sorted, wanted, "{rows}");
        }
    }
}
