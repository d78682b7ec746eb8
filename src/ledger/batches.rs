//! Reads a ledger in batches, for several threads: one splits it into records, the others parse the
//! values.

use reconcile_core::ledger_row::Record;

use super::error::Result;
use super::input::Input;
use super::ledger_bytes::LedgerBytes;
use super::options::Options;
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
    /// The files.
    records: Vec<Records<LedgerBytes>>,
    /// The file that is read, from 0.
    file: usize,
    raw: RawRecord,
    /// Number of the next record, from 0.
    next: u64,
}

/// Opens all files of a ledger, to be read in batches.
///
/// # Errors
/// A file cannot be opened any more, or has changed and cannot be used.
pub(super) fn open(files: &[Input], options: &[Options]) -> Result<(BatchReader, BatchParser)> {
    let parts = files.iter().zip(options).map(|(input, options)| Ok(input.ledger(options)?.into_parts()));
    let (records, rows) = parts.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let reader = BatchReader { records, file: 0, raw: RawRecord::default(), next: 0 };
    Ok((reader, BatchParser::new(rows)))
}

impl BatchReader {
    /// Replaces the records of the batch by the next ones, which are of one file. Which records are
    /// in a batch depends only on the ledger and the limit. Without records, the ledger has ended.
    ///
    /// # Errors
    /// The ledger cannot be read any further.
    pub fn fill(&mut self, batch: &mut RawBatch, limit: BatchLimit) -> Result<()> {
        loop {
            batch.clear(self.next, self.file);
            let Some(records) = self.records.get_mut(self.file) else { return Ok(()) };
            while batch.len() < limit.records
                && batch.bytes() < limit.bytes
                && records.advance(&mut self.raw)?
            {
                batch.push(&mut self.raw);
            }
            if !batch.is_empty() {
                self.next = batch.rows().end;
                return Ok(());
            }
            self.file += 1;
        }
    }

    /// Reads the rest of the ledger and returns the checksum (CRC-32) of all bytes of each file.
    ///
    /// # Errors
    /// The ledger cannot be read to its end.
    pub fn finish(self) -> Result<Vec<u32>> {
        self.records.into_iter().map(Records::finish).collect()
    }

    pub(super) fn into_records(self) -> Vec<Records<LedgerBytes>> {
        self.records
    }
}

/// Parses the records of batches.
pub struct BatchParser {
    /// Of each file.
    rows: Vec<RowReader>,
}

impl BatchParser {
    fn new(rows: Vec<RowReader>) -> Self {
        Self { rows }
    }

    /// A parser of the same ledger for another thread.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        Self::new(self.rows.iter().map(RowReader::for_another_thread).collect())
    }

    /// The record at this position of the batch; `None` beyond its last one.
    #[must_use]
    pub fn record(&self, batch: &RawBatch, at: usize) -> Option<Record> {
        Some(self.rows.get(batch.file())?.parse(batch.record(at)?))
    }

    /// The same, without its carried values. The record counts among the findings.
    pub(super) fn first_seen(&mut self, batch: &RawBatch, at: usize) -> Option<Record> {
        Some(self.rows.get_mut(batch.file())?.first_seen(batch.record(at)?))
    }

    pub(super) fn into_rows(self) -> Vec<RowReader> {
        self.rows
    }
}
