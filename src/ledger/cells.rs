//! The values of one record, without their quotes.

use csv::ByteRecord;
use memchr::memchr_iter;

/// All values of a record in one buffer, with one byte between two values.
#[derive(Debug, Default)]
pub(super) struct Cells {
    bytes: Vec<u8>,
    /// End of each cell in `bytes`, which holds a few MiB at most.
    ends: Vec<u32>,
}

fn end(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Cells {
    /// Takes the values of a record without quotes: its delimiters separate them.
    pub(super) fn split(&mut self, record: &[u8], delimiter: u8) {
        self.bytes.clear();
        self.bytes.extend_from_slice(record);
        self.ends.clear();
        self.ends.extend(memchr_iter(delimiter, record).map(end));
        self.ends.push(end(record.len()));
    }

    /// Takes the values of a parsed record.
    pub(super) fn copy(&mut self, record: &ByteRecord) {
        self.clear();
        record.iter().for_each(|cell| self.push(cell));
    }

    /// Removes all values.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds a value.
    pub(super) fn push(&mut self, cell: &[u8]) {
        self.bytes.extend_from_slice(cell);
        self.ends.push(end(self.bytes.len()));
        // Without this byte, half a character at the end of one cell could join with the next
        // cell.
        self.bytes.push(b',');
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The buffer with all cells.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of each cell.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.as_slices().iter()
    }

    /// The same values, borrowed.
    pub(super) fn as_slices(&self) -> CellSlices<'_> {
        CellSlices { bytes: &self.bytes, ends: &self.ends }
    }
}

/// The values of one record in a buffer of somebody else, as in [`Cells`].
#[derive(Debug, Clone, Copy)]
pub(super) struct CellSlices<'a> {
    /// The buffer with all cells.
    pub(super) bytes: &'a [u8],
    /// End of each cell in it.
    pub(super) ends: &'a [u32],
}

impl<'a> CellSlices<'a> {
    /// Number of cells.
    pub(super) fn len(self) -> usize {
        self.ends.len()
    }

    /// Position of a cell in the buffer.
    pub(super) fn range(self, at: usize) -> Option<std::ops::Range<usize>> {
        let end = *self.ends.get(at)? as usize;
        Some(if at == 0 { 0..end } else { self.ends[at - 1] as usize + 1..end })
    }

    /// The bytes of a cell.
    pub(super) fn get(self, at: usize) -> Option<&'a [u8]> {
        self.bytes.get(self.range(at)?)
    }

    /// The bytes of each cell.
    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).filter_map(move |at| self.get(at))
    }
}
