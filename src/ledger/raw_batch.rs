//! Many records before their values are parsed, in a few buffers.
//!
//! A batch passes from the thread that splits the ledger to the one that works on its rows. It is
//! used again for later records, so reading allocates nothing.

use reconcile_core::ledger_row::InvalidRow;

use super::raw_record::{RawRecord, UnusableCell};

/// Consecutive records of a ledger. A record needs its bytes, 4 for each cell and 64 more.
#[derive(Default)]
pub struct RawBatch {
    first: u64,
    /// The file of its records, from 0.
    file: usize,
    bytes: Vec<u8>,
    /// End of each cell among the bytes of its record.
    cell_ends: Vec<u32>,
    records: Vec<Place>,
    /// Records that could not be split, with their position in the batch, ascending.
    unsplittable: Vec<(usize, InvalidRow)>,
    /// Unusable cells, with the position of their record, ascending.
    unusable_cells: Vec<(usize, UnusableCell)>,
    /// Bytes that are kept of the records that could not be split.
    unsplittable_bytes: usize,
}

/// A record of the batch.
struct Place {
    line: u64,
    offset: Option<u64>,
    encoding: &'static str,
    /// End of its bytes in the batch.
    bytes_end: usize,
    /// End of its cells in the batch.
    cells_end: usize,
}

impl RawBatch {
    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + self.unsplittable_bytes
    }

    /// Numbers of its records among all of the ledger, from 0.
    #[must_use]
    pub fn rows(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.records.len() as u64
    }

    /// The file of its records, from 0.
    pub(super) fn file(&self) -> usize {
        self.file
    }

    /// Removes all records. The next one has the number `first`, and is of this file.
    pub(super) fn clear(&mut self, first: u64, file: usize) {
        self.first = first;
        self.file = file;
        self.bytes.clear();
        self.cell_ends.clear();
        self.records.clear();
        self.unsplittable.clear();
        self.unusable_cells.clear();
        self.unsplittable_bytes = 0;
    }

    /// Adds a record. Takes its row that could not be split, and its unusable cells.
    pub(super) fn push(&mut self, raw: &mut RawRecord) {
        let at = self.records.len();
        if let Some(row) = raw.unsplittable.take() {
            self.unsplittable_bytes += row.original.iter().map(String::len).sum::<usize>();
            self.unsplittable.push((at, row));
        } else {
            self.bytes.extend_from_slice(raw.cells.bytes());
            self.cell_ends.extend_from_slice(raw.cells.ends());
        }
        self.unusable_cells.extend(raw.unusable_cells.drain(..).map(|cell| (at, cell)));
        let (bytes_end, cells_end) = (self.bytes.len(), self.cell_ends.len());
        let RawRecord { line, offset, encoding, .. } = *raw;
        self.records.push(Place { line, offset, encoding, bytes_end, cells_end });
    }

    /// Copies a record of the batch to `raw`; false if there is none at this position.
    pub(super) fn copy_to(&self, at: usize, raw: &mut RawRecord) -> bool {
        let Some(place) = self.records.get(at) else { return false };
        let (bytes, cells) = match at.checked_sub(1).and_then(|before| self.records.get(before)) {
            Some(before) => (before.bytes_end, before.cells_end),
            None => (0, 0),
        };
        raw.cells.set(&self.bytes[bytes..place.bytes_end], &self.cell_ends[cells..place.cells_end]);
        (raw.line, raw.offset, raw.encoding) = (place.line, place.offset, place.encoding);
        raw.unsplittable = of_record(&self.unsplittable, at).next().cloned();
        raw.unusable_cells.clear();
        raw.unusable_cells.extend(of_record(&self.unusable_cells, at).cloned());
        true
    }
}

/// What belongs to the record at this position, of all in ascending order of their positions.
fn of_record<T>(all: &[(usize, T)], at: usize) -> impl Iterator<Item = &T> {
    let from_here = &all[all.partition_point(|(position, _)| *position < at)..];
    from_here.iter().take_while(move |(position, _)| *position == at).map(|(_, one)| one)
}
