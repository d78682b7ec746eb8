//! Sorts records of texts in bounded memory: each is put into one of 256 parts, and one part after
//! the other is sorted. Memory holds one part.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::parts::{PARTS, Parts};

/// Bytes of a record before its texts: key, number, count of the texts.
const HEAD: usize = size_of::<u128>() + size_of::<u64>() + size_of::<u32>();

/// A part with this many bytes is thinned. Unit tests reach it with few records.
const LONG: usize = if cfg!(test) { 1 << 12 } else { 1 << 24 };

/// Says which records of one key are needed, by their positions in ascending order.
pub(crate) type Needed = fn(&[Record<'_>]) -> Result<Vec<usize>>;

/// Records by part.
#[derive(Debug)]
pub(crate) struct SortedRecords {
    parts: Parts,
    /// The folder of the temporary file, for messages.
    folder: PathBuf,
    buffer: Vec<u8>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Records are sorted by it.
    pub(crate) key: u128,
    /// Records with equal keys are sorted by it.
    pub(crate) no: u64,
    pub(crate) texts: Vec<&'a str>,
}

/// The records of a part, not yet sorted.
#[derive(Debug)]
pub(crate) struct PartOfRecords {
    bytes: Vec<u8>,
    folder: PathBuf,
}

impl SortedRecords {
    /// No records yet. The temporary file will be in this folder; without one, in the system's.
    pub(crate) fn new_in(folder: Option<&Path>) -> Self {
        let parts = Parts::new_in(folder);
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        Self { parts, folder, buffer: Vec::new() }
    }

    /// Adds a record. Its part is the first byte of its key, so the parts are in the order of the
    /// keys.
    ///
    /// # Errors
    ///
    /// Exit 6 if the temporary file cannot be written.
    pub(crate) fn push<'a>(
        &mut self,
        key: u128,
        no: u64,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        self.buffer.clear();
        add_record(&mut self.buffer, key, no, texts);
        let first_byte = (key >> (u128::BITS - 8)) as u8;
        self.parts.push(first_byte, &self.buffer).map_err(|e| failed(&self.folder, e))
    }

    /// The parts, in the order of the keys.
    ///
    /// # Errors
    ///
    /// Exit 6 if the temporary file cannot be read.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Result<PartOfRecords>> {
        (0..PARTS).map(|part| {
            let bytes = self.parts.part(part as u8).map_err(|e| failed(&self.folder, e))?;
            Ok(PartOfRecords { bytes, folder: self.folder.clone() })
        })
    }

    /// The parts, in the order of the keys, without records that are not needed where a part is
    /// long. So memory stays bounded even if most records have one key.
    ///
    /// # Errors
    ///
    /// Exit 6 if the temporary file cannot be read.
    pub(crate) fn thinned_parts(&self, needed: Needed) -> impl Iterator<Item = Result<PartOfRecords>> {
        (0..PARTS).map(move |part| {
            let mut thinned = PartOfRecords { bytes: Vec::new(), folder: self.folder.clone() };
            let mut long = LONG;
            for piece in self.parts.pieces(part as u8) {
                thinned.bytes.extend_from_slice(&piece.map_err(|e| failed(&self.folder, e))?);
                if thinned.bytes.len() >= long {
                    thinned.thin(needed)?;
                    // What is needed may be long itself.
                    long = LONG.max(2 * thinned.bytes.len());
                }
            }
            Ok(thinned)
        })
    }
}

impl PartOfRecords {
    fn thin(&mut self, needed: Needed) -> Result<()> {
        let mut bytes = Vec::new();
        for group in self.sorted()?.chunk_by(|a, b| a.key == b.key) {
            for at in needed(group)? {
                let Record { key, no, texts } = &group[at];
                add_record(&mut bytes, *key, *no, texts.iter().copied());
            }
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The records, sorted by key and number.
    ///
    /// # Errors
    ///
    /// Exit 6 if they do not read as they were written.
    pub(crate) fn sorted(&self) -> Result<Vec<Record<'_>>> {
        let (mut records, mut rest) = (Vec::new(), self.bytes.as_slice());
        while !rest.is_empty() {
            let damaged = || failed(&self.folder, io::ErrorKind::InvalidData.into());
            records.push(take_record(&mut rest).ok_or_else(damaged)?);
        }
        records.sort_by_key(|record| (record.key, record.no));
        Ok(records)
    }
}

/// The key of the record at this place, if all records are at places from 0 to below `of`: records
/// with such keys are sorted by place, and the parts have about the same length.
pub(crate) fn key_of_place(place: u64, of: u64) -> u128 {
    // Less than 2^64 places, so nothing is lost.
    let step = (u128::MAX >> u64::BITS) / u128::from(of.max(1));
    (u128::from(place) * step) << u64::BITS
}

/// Appends the bytes of a record.
fn add_record<'a>(bytes: &mut Vec<u8>, key: u128, no: u64, texts: impl IntoIterator<Item = &'a str>) {
    let from = bytes.len();
    bytes.extend_from_slice(&key.to_le_bytes());
    bytes.extend_from_slice(&no.to_le_bytes());
    bytes.extend_from_slice(&[0; size_of::<u32>()]);
    let mut count = 0_u32;
    for text in texts {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&text.as_bytes()[..len as usize]);
        count += 1;
    }
    bytes[from + HEAD - size_of::<u32>()..from + HEAD].copy_from_slice(&count.to_le_bytes());
}

/// Takes the first record; `None` if the bytes are damaged.
fn take_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let key = u128::from_le_bytes(take(rest)?);
    let no = u64::from_le_bytes(take(rest)?);
    let count = u32::from_le_bytes(take(rest)?);
    let mut texts = Vec::with_capacity((count as usize).min(rest.len()));
    for _ in 0..count {
        let len = u32::from_le_bytes(take(rest)?) as usize;
        let (text, after) = rest.split_at_checked(len)?;
        texts.push(std::str::from_utf8(text).ok()?);
        *rest = after;
    }
    Some(Record { key, no, texts })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

/// The error of a temporary file in this folder.
pub(crate) fn failed(folder: &Path, e: io::Error) -> Error {
    Error::output(format!("cannot use a temporary file in {}", folder.display()))
        .hint("free space there, or name another folder with the environment variable TMPDIR")
        .because(e)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_come_back_by_key_and_number() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut records = SortedRecords::new_in(None);
        let mut wanted = Vec::new();
        for no in 0..5_000 {
            let (key, text) = (random.u128(..) >> (random.u32(..2) * 100), "号,".repeat(random.usize(..9)));
            let no = 5_000 - no;
            records.push(key, no, ["", &text]).unwrap();
            wanted.push((key, no, text));
        }
        wanted.sort();
        let parts: Vec<PartOfRecords> = records.parts().map(Result::unwrap).collect();
        let found: Vec<Record<'_>> = parts.iter().flat_map(|part| part.sorted().unwrap()).collect();
        let found: Vec<_> = found.iter().map(|r| (r.key, r.no, r.texts[1].to_owned())).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn keys_of_places_are_in_order_and_in_all_parts() {
        for of in [0, 1, 2, 255, 256, 257, 1_000_000, u64::MAX] {
            let places = [0, 1, of / 3, of / 2, of.saturating_sub(2), of.saturating_sub(1)];
            let mut places: Vec<u64> = places.into_iter().filter(|place| *place < of).collect();
            places.sort_unstable();
            places.dedup();
            let keys: Vec<u128> = places.iter().map(|place| key_of_place(*place, of)).collect();
            assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{of}");
        }
        assert_eq!(key_of_place(999_999, 1_000_000) >> 120, 255);
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let mut records = SortedRecords::new_in(None);
        records.push(7, 1, ["text"]).unwrap();
        let mut part = records.parts().next().unwrap().unwrap();
        part.bytes.pop();
        assert!(part.sorted().is_err());
    }
}
