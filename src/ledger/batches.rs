//! Reads a ledger in batches, for several threads: one splits it into records, the others parse the
//! values.

use reconcile_core::ledger_row::Record;

use super::error::Result;
use super::ledger_bytes::LedgerBytes;
use super::raw_batch::RawBatch;
use super::raw_record::RawRecord;
use super::records::Records;
use super::row::RowReader;

/// The largest batch of a reading.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimit {
    /// Number of records.
    pub records: usize,
    /// Number of their bytes. The last record may exceed it.
    pub bytes: usize,
}

/// Splits a ledger into records.
pub struct BatchReader {
    records: Records<LedgerBytes>,
    raw: RawRecord,
    /// Number of the next record, from 0.
    next: u64,
}

impl BatchReader {
    pub(super) fn new(records: Records<LedgerBytes>) -> Self {
        Self { records, raw: RawRecord::default(), next: 0 }
    }

    /// Replaces the records of the batch by the next ones. Which records are in a batch depends
    /// only on the ledger and the limit. Without records, the ledger has ended.
    ///
    /// # Errors
    /// The ledger cannot be read any further.
    pub fn fill(&mut self, batch: &mut RawBatch, limit: BatchLimit) -> Result<()> {
        batch.clear(self.next);
        while batch.len() < limit.records
            && batch.bytes() < limit.bytes
            && self.records.advance(&mut self.raw)?
        {
            batch.push(&mut self.raw);
        }
        self.next = batch.rows().end;
        Ok(())
    }

    /// Reads the rest of the ledger and returns the checksum (CRC-32) of all its bytes.
    ///
    /// # Errors
    /// The ledger cannot be read to its end.
    pub fn finish(self) -> Result<u32> {
        self.records.finish()
    }

    pub(super) fn into_records(self) -> Records<LedgerBytes> {
        self.records
    }
}

/// Parses the records of batches.
pub struct BatchParser {
    rows: RowReader,
    raw: RawRecord,
}

impl BatchParser {
    pub(super) fn new(rows: RowReader) -> Self {
        Self { rows, raw: RawRecord::default() }
    }

    /// A parser of the same ledger for another thread.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        Self::new(self.rows.for_another_thread())
    }

    /// The record at this position of the batch; `None` beyond its last one.
    pub fn record(&mut self, batch: &RawBatch, at: usize) -> Option<Record> {
        batch.copy_to(at, &mut self.raw).then(|| self.rows.parse(&mut self.raw).0)
    }

    /// The same. The record also counts among the findings.
    pub(super) fn first_seen(&mut self, batch: &RawBatch, at: usize) -> Option<Record> {
        batch.copy_to(at, &mut self.raw).then(|| self.rows.read(&mut self.raw))
    }

    pub(super) fn into_rows(self) -> RowReader {
        self.rows
    }
}
