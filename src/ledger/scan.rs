//! The first reading of a ledger: its totals, its SHA-256, and the calls named more than once.
//!
//! `rows = invalid + duplicates + calls` always holds. Memory does not grow with the number of rows
//! ([`fingerprints`](super::fingerprints)), but with the number of duplicate calls
//! ([`DuplicateCalls`]). One thread splits the ledger, one on each core parses, and one computes
//! the SHA-256. They exchange at most 8 batches for each core, of 256 KiB or of one longer record
//! each.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use reconcile_core::duplicate::given_values;
use reconcile_core::ledger_row::Record;

use super::batches::{BatchLimit, BatchParser, BatchReader};
use super::columns::{Column, ColumnNote};
use super::duplicates::DuplicateCalls;
use super::error::{LedgerError, Result};
use super::findings::Findings;
use super::fingerprints::{Fingerprints, RowOfCall};
use super::input::{ChangeTime, Input};
use super::layout::Layout;
use super::ledger_bytes::LedgerBytes;
use super::note::LedgerNote;
use super::options::Options;
use super::raw_batch::RawBatch;
use super::reader::LedgerReader;
use super::reasons::Reason;
use super::records::OpenRow;
use super::row::RowReader;
use crate::locked::lock;
use crate::threads;

/// A ledger that was read once from end to end. Both passes read it again.
#[derive(Debug)]
pub struct ScannedLedger {
    /// The source of its bytes.
    pub input: Input,
    /// The settings for reading it.
    pub options: Options,
    /// What the first reading found.
    pub scan: LedgerScan,
}

impl ScannedLedger {
    /// Reads the whole ledger.
    ///
    /// # Errors
    /// The ledger cannot be read, its header row cannot be used, or a temporary file cannot be
    /// written.
    pub fn scan(input: Input, options: Options) -> Result<Self> {
        let scan = scan(&input, &options, threads::cores())?;
        let ledger = Self { input, options, scan };
        Ok(ledger.without_half_row()?.unwrap_or(ledger))
    }

    /// This ledger without its last row, if another program was still writing this row at the
    /// start; else `None`.
    ///
    /// Such a row has no line end, and the file has grown by something else than a line end.
    ///
    /// # Errors
    /// The ledger cannot be read any more, or is packed and has grown in the middle of a row.
    pub fn without_half_row(&self) -> Result<Option<Self>> {
        let Some(open_row) = self.scan.open_row else { return Ok(None) };
        let appended = self.input.first_appended()?;
        if appended.is_empty() || open_row.is_ended_by(&appended) {
            return Ok(None);
        }
        let name = self.input.name();
        let Some(offset) = open_row.offset else {
            return Err(LedgerError::Changed { ledger: name.to_owned() });
        };
        let (input, options) = (self.input.first(offset), self.options.clone());
        let mut scan = scan(&input, &options, threads::cores())?;
        scan.notes.push(LedgerNote::HalfRow { ledger: name.to_owned() });
        Ok(Some(Self { input, options, scan }))
    }

    /// Reads the ledger again from its beginning.
    ///
    /// # Errors
    /// The ledger cannot be opened any more, or has changed and cannot be used.
    pub fn read(&self) -> Result<LedgerReader<LedgerBytes>> {
        self.input.ledger(&self.options)
    }

    /// Whether a later reading with this checksum read the same bytes. If the file was changed in
    /// any way since the first reading, its SHA-256 must be the same too.
    ///
    /// # Errors
    /// The ledger cannot be read any more.
    pub fn is_same(&self, crc32: u32) -> Result<bool> {
        let scan = &self.scan;
        if crc32 != scan.crc32 {
            return Ok(false);
        }
        let is_untouched = scan.changed_at.is_some() && self.input.changed_at() == scan.changed_at;
        Ok(is_untouched || self.input.digests()?.sha256 == scan.sha256)
    }

    /// Reads the ledger again, for several threads.
    ///
    /// # Errors
    /// As [`ScannedLedger::read`].
    pub fn read_in_batches(&self) -> Result<(BatchReader, BatchParser)> {
        Ok(self.read()?.into_batches())
    }
}

/// The result of the first reading.
#[derive(Debug)]
pub struct LedgerScan {
    /// Records below the header row, without those that are passed over.
    pub rows: u64,
    /// Rows that cannot be used.
    pub invalid: u64,
    /// Rows whose call is named by an earlier row.
    pub duplicates: u64,
    /// Distinct calls.
    pub calls: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// CRC-32 of the file: later readings compare it.
    crc32: u32,
    /// When the file was changed last, before it was read.
    changed_at: Option<ChangeTime>,
    /// The calls named by more than one row.
    pub duplicate_calls: DuplicateCalls,
    /// True if the account is a field of the ledger.
    pub has_account: bool,
    /// Output names of the columns carried through, in the order of the header row. The account
    /// comes before them if it is a field.
    pub carried: Vec<String>,
    /// The ledger's own columns, for the rejects.
    pub layout: Layout,
    /// What each column is used for.
    pub columns: Vec<Column>,
    /// Notes on columns that look like a field but are carried.
    pub column_notes: Vec<ColumnNote>,
    /// Notes for the log.
    pub notes: Vec<LedgerNote>,
    /// Why rows are unusable, the most frequent reason first.
    pub reasons: Vec<Reason>,
    /// Usable rows whose CallId has lost digits in a spreadsheet.
    pub lost_digits: u64,
    /// Usable rows whose day comes only from the CallId.
    pub days_from_call_id: u64,
    /// Rows that are unusable because they have no product.
    pub without_product: u64,
    /// Rows that are unusable because they have no day.
    pub without_day: u64,
    /// The last row, if no line end follows it.
    open_row: Option<OpenRow>,
}

/// The largest batch.
const BATCH: BatchLimit = BatchLimit { records: 256, bytes: 1 << 18 };

/// Number of batches for each parsing thread. Empty batches are used again.
const BATCHES_PER_PARSER: usize = 8;

/// Reads the whole ledger: one thread splits it into records, the others parse their values.
fn scan(input: &Input, options: &Options, parsers: usize) -> Result<LedgerScan> {
    let changed_at = input.changed_at();
    let (reader, parser) = input.ledger(options)?.into_batches();
    let tally = Mutex::new(Tally::default());
    let (reader, rows, digests) = thread::scope(|scope| {
        let digesting = threads::start_in(scope, "digest", || input.digests());
        let digesting = digesting.map_err(LedgerError::no_thread)?;
        let (filled, to_parse) = sync_channel(parsers * BATCHES_PER_PARSER);
        let (emptied, to_fill) = channel();
        (0..parsers * BATCHES_PER_PARSER).for_each(|_| drop(emptied.send(RawBatch::default())));
        let split = || split_into_batches(reader, to_fill, &{ filled });
        let splitting = threads::start_in(scope, "split", split).map_err(LedgerError::no_thread)?;
        // The channels close when the last parser ends. So the splitter never waits forever.
        let batches = BatchSource { filled: Arc::new(Mutex::new(to_parse)), emptied };
        let mut others = Vec::new();
        for _ in 1..parsers {
            let (parser, batches) = (parser.for_another_thread(), batches.clone());
            let parse = || parse_batches(parser, &tally, batches);
            others.push(threads::start_in(scope, "parse", parse).map_err(LedgerError::no_thread)?);
        }
        let parsed = parse_batches(parser, &tally, batches);
        let others: Vec<_> = others.into_iter().map(threads::result_of).collect();
        let reader = threads::result_of(splitting);
        let mut rows = parsed?;
        others.into_iter().try_for_each(|other| other.map(|other| rows.findings.merge(&other.findings)))?;
        Ok((reader?, rows, threads::result_of(digesting)?))
    })?;
    let tally = std::mem::take(&mut *lock(&tally));
    let scan = found(input, LedgerReader::from_parts(reader.into_records(), rows), &tally, digests.sha256)?;
    if scan.crc32 != digests.crc32 {
        return Err(LedgerError::Changed { ledger: input.name().to_owned() });
    }
    Ok(LedgerScan { changed_at, ..scan })
}

/// What the reading found, from the counts and from the ledger's reader at its end.
fn found(
    input: &Input,
    ledger: LedgerReader<LedgerBytes>,
    tally: &Tally,
    sha256: String,
) -> Result<LedgerScan> {
    let findings = ledger.findings();
    let &Findings { days_from_call_id, without_product, without_day, .. } = findings;
    let (reasons, lost_digits) = (findings.reasons.sorted(), findings.lost_digits().count);
    let (duplicate_calls, calls) = DuplicateCalls::count(&tally.usable, threads::cores())?;
    let (columns, column_notes) = ledger.columns();
    tracing::debug!("{} is {}", input.name(), ledger.form());
    Ok(LedgerScan {
        rows: tally.rows,
        invalid: tally.invalid,
        duplicates: tally.rows - tally.invalid - calls,
        calls,
        has_account: ledger.has_account(),
        carried: ledger.carried(),
        layout: ledger.layout(),
        columns,
        column_notes,
        notes: ledger.notes(),
        reasons,
        lost_digits,
        days_from_call_id,
        without_product,
        without_day,
        open_row: ledger.open_row(),
        crc32: ledger.finish()?,
        changed_at: None,
        sha256,
        duplicate_calls,
    })
}

/// Where a parser takes filled batches from, and where it returns them.
#[derive(Clone)]
struct BatchSource {
    filled: Arc<Mutex<Receiver<RawBatch>>>,
    emptied: Sender<RawBatch>,
}

/// Parses the values of all batches. Returns the findings.
fn parse_batches(
    mut parser: BatchParser,
    tally: &Mutex<Tally>,
    BatchSource { filled, emptied }: BatchSource,
) -> Result<RowReader> {
    let mut keys = Vec::with_capacity(BATCH.records);
    loop {
        let batch = lock(&filled).recv();
        let Ok(batch) = batch else { return Ok(parser.into_rows()) };
        let records = (0..batch.len()).map_while(|at| parser.first_seen(&batch, at));
        keys.extend(records.map(|record| match record {
            Record::Row(row) => Some((row.key.fingerprint(), given_values(&row.expected))),
            Record::Invalid(_) => None,
        }));
        let first = batch.rows().start;
        // Sending fails if the splitter has ended. Then the batch is not needed.
        let _ = emptied.send(batch);
        lock(tally).add(first, keys.drain(..)).map_err(LedgerError::temporary_file)?;
    }
}

/// Fills batches with records until the ledger ends or no parser is left.
fn split_into_batches(
    mut reader: BatchReader,
    to_fill: Receiver<RawBatch>,
    filled: &SyncSender<RawBatch>,
) -> Result<BatchReader> {
    for mut batch in to_fill {
        reader.fill(&mut batch, BATCH)?;
        if batch.is_empty() || filled.send(batch).is_err() {
            break;
        }
    }
    Ok(reader)
}

#[derive(Default)]
struct Tally {
    rows: u64,
    invalid: u64,
    /// The usable rows.
    usable: Fingerprints,
}

impl Tally {
    /// Adds consecutive rows by fingerprint and given values. `first` is the number of the first of
    /// them. An invalid row is `None`.
    fn add(&mut self, first: u64, rows: impl Iterator<Item = Option<(u128, u16)>>) -> std::io::Result<()> {
        for (row, usable) in (first..).zip(rows) {
            self.rows += 1;
            match usable {
                Some((fingerprint, given)) => self.usable.push(RowOfCall::new(fingerprint, row, given))?,
                None => self.invalid += 1,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::ledger::duplicates::Repeat;
    use std::io::Write;

    #[test]
    fn calls_are_counted_by_id_product_and_day() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(
            b"call_id,prod_id,called_at,dept\n\
              a,1,2026-06-01,x\na,1,2026-06-01 10:00,y\na,1,2026-06-02,z\na,2,2026-06-01,\n\
              ,1,2026-06-01,\n\nb,1,2026-06-01,\na,1,1780272000,\n1671552000000^9,1,,\n",
        )
        .unwrap();
        let scan = scan(&Input::open(file.path()).unwrap(), &Options::default(), 1).unwrap();
        assert_eq!((scan.rows, scan.invalid, scan.duplicates, scan.calls), (8, 1, 2, 5));
        assert_eq!(scan.rows, scan.invalid + scan.duplicates + scan.calls);
        assert_eq!(scan.days_from_call_id, 1);
        assert_eq!(scan.carried, ["ledger_dept"]);
        assert_eq!(scan.sha256.len(), 64);
        let repeats = [
            (0, Repeat::First { later_rows: 2 }),
            (1, Repeat::Later { first: 0 }),
            (6, Repeat::Later { first: 0 }),
        ];
        assert_eq!(scan.duplicate_calls.among(0..8), repeats);
    }

    #[test]
    fn several_threads_find_the_same_as_one() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "call_id,prod_id,called_at,callee,duration_s").unwrap();
        for row in 0..40 * BATCH.records {
            let null = if row % 7_001 == 6_999 { "NULL" } else { "7" };
            let (day, callee) =
                (if row % 3_001 == 2_000 { "46330" } else { "2026-11-16" }, 5_344_750_000_u64);
            writeln!(file, "{}{row:012},1,{day},{callee},{null}", if row % 11 == 10 { "" } else { "1^" })
                .unwrap();
        }
        let (input, options) = (Input::open(file.path()).unwrap(), Options::default());
        let mut on_one_thread = input.ledger(&options).unwrap();
        assert_eq!(on_one_thread.by_ref().count(), 40 * BATCH.records);
        assert_eq!(on_one_thread.notes().len(), 4, "{:?}", on_one_thread.notes());
        for parsers in [1, 2, 2, 3, 8] {
            assert_eq!(scan(&input, &options, parsers).unwrap().notes, on_one_thread.notes());
        }
    }
}
