//! Sorts the fingerprints of all rows of a ledger in bounded memory.
//!
//! They are divided into [`Parts`] by their first byte, 24 bytes a row. So all rows of a call are
//! in one part. In the end, each thread sorts one part after the other. Memory holds little more
//! than one 256th of all rows for each thread, for a ledger of any size.

use std::io::Result;

use crate::parts::{PARTS, Parts};
use crate::threads::Share;

/// Right shift after which only the first byte is left.
const FIRST_BYTE: u32 = u128::BITS - 8;
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
#[derive(Debug, Default)]
pub(super) struct Fingerprints(Parts);

impl Fingerprints {
    /// Adds a row.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub(super) fn push(&mut self, row: RowOfCall) -> Result<()> {
        self.0.push((row.fingerprint >> FIRST_BYTE) as u8, &row.to_bytes())
    }

    /// The parts of a share, sorted by fingerprint; the rows of a call are in the order of their
    /// numbers.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(super) fn share(&self, share: Share) -> impl Iterator<Item = Result<Vec<RowOfCall>>> {
        (share.no..PARTS).step_by(share.of).map(|part| self.part(part as u8))
    }

    fn part(&self, part: u8) -> Result<Vec<RowOfCall>> {
        let bytes = self.0.part(part)?;
        let mut rows: Vec<RowOfCall> =
            bytes.as_chunks::<SIZE>().0.iter().filter_map(RowOfCall::from_bytes).collect();
        rows.sort_unstable();
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fingerprints_in_memory_and_in_the_file_are_sorted() {
        for rows in [0, 1, 1_000, 20_000] {
            let mut random = fastrand::Rng::with_seed(5);
            // A few are equal; a quarter has the same first byte.
            let all = (0..rows as u64)
                .map(|row| RowOfCall::new(random.u128(..) >> (random.u32(..4) * 33), row, random.u16(..)));
            let all: Vec<RowOfCall> = all.collect();
            let mut fingerprints = Fingerprints::default();
            all.iter().for_each(|one| fingerprints.push(*one).unwrap());
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
