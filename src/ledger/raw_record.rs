//! A record before its values are parsed.

use compact_str::CompactString;
use csv::ByteRecord;
use reconcile_core::ledger_row::InvalidRow;
use reconcile_core::row_problem::RowProblem;

use super::cells::{CellSlices, Cells};

/// A record as written in the ledger. It is reused for the next record: reading allocates nothing.
#[derive(Default)]
pub(super) struct RawRecord {
    pub(super) cells: Cells,
    /// Buffer of the CSV parser, for records with quotes.
    pub(super) parsed: ByteRecord,
    /// Physical line on which the record begins.
    pub(super) line: u64,
    /// Bytes of the unpacked file before it; `None` in Parquet and in workbooks.
    pub(super) offset: Option<u64>,
    /// Name of the ledger's encoding.
    pub(super) encoding: &'static str,
    /// True if it has backslash escapes.
    pub(super) is_escaped: bool,
    /// Cells of a workbook without a usable value.
    pub(super) unusable_cells: Vec<UnusableCell>,
    /// Set if the record cannot be split into cells.
    pub(super) unsplittable: Option<InvalidRow>,
}

impl RawRecord {
    /// The record for its parser. Takes a row that could not be split.
    pub(super) fn take(&mut self) -> SplitRecord<'_> {
        if let Some(row) = self.unsplittable.take() {
            return SplitRecord::Unusable(row);
        }
        let Self { line, offset, encoding, .. } = *self;
        let (cells, unusable_cells) = (self.cells.as_slices(), &self.unusable_cells);
        SplitRecord::Cells(CellsOfRecord { cells, line, offset, encoding, unusable_cells })
    }
}

/// A record for its parser, from a [`RawRecord`] or from a batch.
pub(super) enum SplitRecord<'a> {
    Cells(CellsOfRecord<'a>),
    /// It could not be split into cells.
    Unusable(InvalidRow),
}

/// The cells of a record, and where it is. The fields are those of [`RawRecord`].
#[derive(Clone, Copy)]
pub(super) struct CellsOfRecord<'a> {
    pub(super) cells: CellSlices<'a>,
    pub(super) line: u64,
    pub(super) offset: Option<u64>,
    pub(super) encoding: &'static str,
    pub(super) unusable_cells: &'a [UnusableCell],
}

/// A cell that has no usable value, whatever its text.
#[derive(Debug, Clone)]
pub(super) struct UnusableCell {
    /// Its column, from 0.
    pub(super) column: usize,
    /// What is wrong and what to do.
    pub(super) reason: RowProblem,
}

/// The invalid row for a record of which only the beginning may be kept.
pub(super) fn unusable_row(
    (line, offset): (u64, Option<u64>),
    beginning: &[u8],
    reason: RowProblem,
) -> InvalidRow {
    let original = vec![String::from_utf8_lossy(beginning).into_owned()];
    InvalidRow {
        line,
        offset,
        column: None,
        call_id: None,
        field: "",
        expected: None,
        // The text could be anything, so only the rejects show it.
        found: CompactString::default(),
        reason,
        duration_s: None,
        carried: Vec::new(),
        original,
    }
}
