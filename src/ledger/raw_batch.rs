//! Many records before their values are parsed, in a few buffers.
//!
//! A batch passes from the thread that splits the ledger to the one that works on its rows. It is
//! used again for later records, so reading allocates nothing.

use reconcile_core::ledger_row::InvalidRow;

use super::cells::CellSlices;
use super::raw_record::{CellsOfRecord, RawRecord, SplitRecord, UnusableCell};

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
    unusable_cells: Vec<UnusableCell>,
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
    /// End of its unusable cells in the batch.
    unusable_cells_end: usize,
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
            let cells = raw.cells.as_slices();
            self.bytes.extend_from_slice(cells.bytes);
            self.cell_ends.extend_from_slice(cells.ends);
        }
        self.unusable_cells.append(&mut raw.unusable_cells);
        let RawRecord { line, offset, encoding, .. } = *raw;
        self.records.push(Place {
            line,
            offset,
            encoding,
            bytes_end: self.bytes.len(),
            cells_end: self.cell_ends.len(),
            unusable_cells_end: self.unusable_cells.len(),
        });
    }

    /// The record at this position; `None` if there is none.
    pub(super) fn record(&self, at: usize) -> Option<SplitRecord<'_>> {
        let place = self.records.get(at)?;
        if let Ok(found) = self.unsplittable.binary_search_by_key(&at, |(position, _)| *position) {
            return Some(SplitRecord::Unusable(self.unsplittable[found].1.clone()));
        }
        let (bytes, cells, unusable) = match at.checked_sub(1).and_then(|before| self.records.get(before)) {
            Some(before) => (before.bytes_end, before.cells_end, before.unusable_cells_end),
            None => (0, 0, 0),
        };
        let Place { line, offset, encoding, .. } = *place;
        Some(SplitRecord::Cells(CellsOfRecord {
            cells: CellSlices {
                bytes: &self.bytes[bytes..place.bytes_end],
                ends: &self.cell_ends[cells..place.cells_end],
            },
            line,
            offset,
            encoding,
            unusable_cells: &self.unusable_cells[unusable..place.unusable_cells_end],
        }))
    }
}
