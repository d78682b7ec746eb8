//! A record before its values are parsed.

use csv::ByteRecord;
use reconcile_core::ledger_row::InvalidRow;

use super::cells::Cells;

/// A record as written in the ledger. It is reused for the next record: reading allocates nothing.
#[derive(Default)]
pub(super) struct RawRecord {
    pub(super) cells: Cells,
    /// Buffer of the CSV parser, for records with quotes.
    pub(super) parsed: ByteRecord,
    /// Physical line on which the record begins.
    pub(super) line: u64,
    /// Bytes of the unpacked file before it; `None` in Parquet.
    pub(super) offset: Option<u64>,
    /// Name of the ledger's encoding.
    pub(super) encoding: &'static str,
    /// True if it has backslash escapes.
    pub(super) is_escaped: bool,
    /// Set if the record cannot be split into cells.
    pub(super) unsplittable: Option<InvalidRow>,
    /// Number of its bytes in memory.
    pub(super) len: usize,
}
