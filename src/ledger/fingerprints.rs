//! Sorts the fingerprints of all rows of a ledger in flat memory.
//!
//! Promises that at most [`IN_MEMORY`] of them are held, whatever the ledger's size: full batches are sorted and put
//! aside in a temporary file (16 bytes a row), and merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Result, Seek as _, SeekFrom, Write as _};

/// 16 MiB; few in unit tests, which then need few rows to get beyond it.
const IN_MEMORY: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

/// Of each batch put aside, so many are read at once while merging: 32 KiB.
const AT_ONCE: u64 = 2_048;

const SIZE: u64 = 16;

/// Fingerprints in the order of the ledger, to be had in their own.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    held: Vec<u128>,
    aside: Option<File>,
    /// Where each batch ends in the file, counted in fingerprints.
    ends: Vec<u64>,
}

impl Fingerprints {
    /// Fails when the temporary file cannot be written.
    pub(super) fn push(&mut self, fingerprint: u128) -> Result<()> {
        if self.held.len() == IN_MEMORY {
            self.put_aside()?;
        }
        self.held.push(fingerprint);
        Ok(())
    }

    fn put_aside(&mut self) -> Result<()> {
        self.held.sort_unstable();
        if self.aside.is_none() {
            self.aside = Some(tempfile::tempfile()?);
        }
        let Some(file) = &self.aside else { return Ok(()) };
        let mut out = BufWriter::with_capacity(1 << 18, file);
        for fingerprint in &self.held {
            out.write_all(&fingerprint.to_le_bytes())?;
        }
        out.flush()?;
        self.ends.push(self.ends.last().unwrap_or(&0) + self.held.len() as u64);
        self.held.clear();
        Ok(())
    }

    /// All of them, ascending. Fails when the temporary file cannot be read.
    pub(super) fn sorted(mut self) -> Result<Sorted> {
        self.held.sort_unstable();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let mut batches: Vec<Batch> =
            starts.zip(&self.ends).map(|(next, end)| Batch { next, end: *end, ..Batch::default() }).collect();
        // The last batch never went to the file.
        self.held.reverse();
        batches.push(Batch { held: self.held, ..Batch::default() });
        let mut sorted = Sorted { file: self.aside, batches, heads: BinaryHeap::new() };
        for batch in 0..sorted.batches.len() {
            sorted.take_head(batch)?;
        }
        Ok(sorted)
    }
}

/// A sorted batch being merged.
#[derive(Debug, Default)]
struct Batch {
    /// In the file, counted in fingerprints.
    next: u64,
    end: u64,
    /// Read and not yet merged, the smallest last.
    held: Vec<u128>,
}

/// Sorted fingerprints; an iterator.
pub(super) struct Sorted {
    file: Option<File>,
    batches: Vec<Batch>,
    heads: BinaryHeap<Reverse<(u128, usize)>>,
}

impl Sorted {
    fn take_head(&mut self, at: usize) -> Result<()> {
        let batch = &mut self.batches[at];
        if batch.held.is_empty()
            && batch.next < batch.end
            && let Some(file) = &mut self.file
        {
            let count = AT_ONCE.min(batch.end - batch.next);
            let mut bytes = vec![0; usize::try_from(count * SIZE).unwrap_or_default()];
            file.seek(SeekFrom::Start(batch.next * SIZE))?;
            file.read_exact(&mut bytes)?;
            let numbers = bytes.as_chunks::<16>().0.iter().rev();
            batch.held.extend(numbers.map(|number| u128::from_le_bytes(*number)));
            batch.next += count;
        }
        if let Some(head) = batch.held.pop() {
            self.heads.push(Reverse((head, at)));
        }
        Ok(())
    }
}

impl Iterator for Sorted {
    type Item = Result<u128>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((fingerprint, batch)) = self.heads.pop()?;
        Some(self.take_head(batch).map(|()| fingerprint))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_does_not_fit_in_memory_is_sorted_all_the_same() {
        for rows in [0, 1, 1_000, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY + 5] {
            let mut random = fastrand::Rng::with_seed(5);
            // A few repeat, across batches as well.
            let all: Vec<u128> = (0..rows).map(|_| random.u128(..) >> (random.u32(..4) * 33)).collect();
            let mut fingerprints = Fingerprints::default();
            all.iter().for_each(|one| fingerprints.push(*one).unwrap());
            assert!(fingerprints.held.capacity() <= IN_MEMORY);
            let sorted: Vec<u128> = fingerprints.sorted().unwrap().map(|one| one.unwrap()).collect();
            let mut wanted = all;
            wanted.sort_unstable();
            assert_eq!(sorted, wanted, "{rows}");
        }
    }
}
