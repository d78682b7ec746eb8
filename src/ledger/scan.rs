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
use sha2::{Digest as _, Sha256};

use super::batches::{self, BatchLimit, BatchParser, BatchReader};
use super::columns::{Column, ColumnNote};
use super::duplicates::DuplicateCalls;
use super::error::{LedgerError, Result};
use super::files::LedgerFiles;
use super::fingerprints::{Fingerprints, RowOfCall};
use super::input::{ChangeTime, Digests, Input};
use super::layout::Layout;
use super::ledger_bytes::LedgerBytes;
use super::note::LedgerNote;
use super::options::Options;
use super::raw_batch::RawBatch;
use super::reader::LedgerReader;
use super::reasons::{self, Reason};
use super::row::RowReader;
use super::scanned_file::ScannedFile;
use crate::hex::hex;
use crate::locked::lock;
use crate::threads;

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
    /// SHA-256 of the file, in lower-case hex. Of several files: that of their digests in hex, each
    /// with a line end, in their order.
    pub sha256: String,
    /// The files.
    pub files: Vec<ScannedFile>,
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
}

/// The largest batch.
const BATCH: BatchLimit = BatchLimit { records: 256, bytes: 1 << 18 };

/// Number of batches for each parsing thread. Empty batches are used again.
const BATCHES_PER_PARSER: usize = 8;

/// Reads the whole ledger: one thread splits it into records, the others parse their values.
pub(super) fn scan(input: &LedgerFiles, options: &[Options], parsers: usize) -> Result<LedgerScan> {
    let changed_at: Vec<_> = input.files().iter().map(Input::changed_at).collect();
    let (reader, parser) = batches::open(input.files(), options)?;
    let tally = Mutex::new(Tally::new(input.files().len()));
    let (reader, rows, digests) = thread::scope(|scope| {
        let digest = || input.files().iter().map(Input::digests).collect::<Result<Vec<_>>>();
        let digesting = threads::start_in(scope, "digest", digest);
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
        for other in others {
            let merge = |(rows, other): (&mut RowReader, RowReader)| rows.findings.merge(&other.findings);
            rows.iter_mut().zip(other?).for_each(merge);
        }
        Ok((reader?, rows, threads::result_of(digesting)?))
    })?;
    let tally = std::mem::take(&mut *lock(&tally));
    let readers = reader.into_records().into_iter().zip(rows);
    let readers = readers.map(|(records, rows)| LedgerReader::from_parts(records, rows)).collect();
    found(input, readers, &tally, (digests, changed_at))
}

/// What the reading found, from the counts and from the files' readers at their ends.
fn found(
    input: &LedgerFiles,
    readers: Vec<LedgerReader<LedgerBytes>>,
    tally: &Tally,
    (digests, changed_at): (Vec<Digests>, Vec<Option<ChangeTime>>),
) -> Result<LedgerScan> {
    let (duplicate_calls, calls) = DuplicateCalls::count(&tally.usable, threads::cores())?;
    let rows = tally.rows.iter().sum::<u64>();
    let mut scan = LedgerScan {
        rows,
        invalid: tally.invalid,
        duplicates: rows - tally.invalid - calls,
        calls,
        sha256: sha256_of_all(&digests),
        files: Vec::new(),
        duplicate_calls,
        has_account: false,
        carried: Vec::new(),
        layout: Layout::default(),
        columns: Vec::new(),
        column_notes: Vec::new(),
        notes: Vec::new(),
        reasons: Vec::new(),
        lost_digits: 0,
        days_from_call_id: 0,
        without_product: 0,
        without_day: 0,
    };
    let names: Vec<Option<String>> = readers.iter().map(|reader| reader.header().file_name()).collect();
    let mut reasons = Vec::new();
    for ((reader, name), rows) in readers.into_iter().zip(names).zip(&tally.rows) {
        let (file, digests) = (&input.files()[scan.files.len()], &digests[scan.files.len()]);
        reasons.push((name.clone().unwrap_or_default(), reader.findings().reasons.sorted()));
        scan.add(&reader, name.as_deref());
        tracing::debug!("{} is {}", file.name(), reader.form());
        let scanned = ScannedFile {
            name: file.name().to_owned(),
            rows: *rows,
            sha256: digests.sha256.clone(),
            changed_at: changed_at[scan.files.len()],
            open_row: reader.open_row(),
            crc32: reader.finish()?,
        };
        if scanned.crc32 != digests.crc32 {
            return Err(LedgerError::Changed { ledger: file.name().to_owned() });
        }
        scan.files.push(scanned);
    }
    scan.reasons = match reasons.pop() {
        Some((_, only)) if reasons.is_empty() => only,
        last => reasons::of_several(reasons.into_iter().chain(last).collect()),
    };
    Ok(scan)
}

/// The SHA-256 of a ledger whose files have these digests.
fn sha256_of_all(digests: &[Digests]) -> String {
    if let [only] = digests {
        return only.sha256.clone();
    }
    let mut all = Sha256::new();
    digests.iter().for_each(|digests| all.update(format!("{}\n", digests.sha256)));
    hex(&all.finalize())
}

impl LedgerScan {
    /// Adds what the reader of a file has found; of several files also the file's name.
    fn add(&mut self, reader: &LedgerReader<LedgerBytes>, name: Option<&str>) {
        let findings = reader.findings();
        self.lost_digits += findings.lost_digits().count;
        self.days_from_call_id += findings.days_from_call_id;
        self.without_product += findings.without_product;
        self.without_day += findings.without_day;
        let layout = reader.layout();
        if self.files.is_empty() {
            (self.has_account, self.carried, self.layout) = (reader.has_account(), reader.carried(), layout);
        } else {
            self.layout.byte_order_mark |= layout.byte_order_mark;
        }
        let (columns, column_notes) = reader.columns();
        for column in columns {
            if name.is_none() || !self.columns.contains(&column) {
                self.columns.push(column);
            }
        }
        let (notes, Some(name)) = (reader.notes(), name) else {
            self.notes = reader.notes();
            self.column_notes = column_notes;
            return;
        };
        let of_file = |note| LedgerNote::OfFile { file: name.to_owned(), note: Box::new(note) };
        self.notes.extend(notes.into_iter().map(of_file));
        let of_file = |note| ColumnNote::OfFile { file: name.to_owned(), note: Box::new(note) };
        self.column_notes.extend(column_notes.into_iter().map(of_file));
    }
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
) -> Result<Vec<RowReader>> {
    let mut keys = Vec::with_capacity(BATCH.records);
    loop {
        let batch = lock(&filled).recv();
        let Ok(batch) = batch else { return Ok(parser.into_rows()) };
        let records = (0..batch.len()).map_while(|at| parser.first_seen(&batch, at));
        keys.extend(records.map(|record| match record {
            Record::Row(row) => Some((row.key.fingerprint(), given_values(&row.expected))),
            Record::Invalid(_) => None,
        }));
        let (first, file) = (batch.rows().start, batch.file());
        // Sending fails if the splitter has ended. Then the batch is not needed.
        let _ = emptied.send(batch);
        lock(tally).add((first, file), keys.drain(..)).map_err(LedgerError::temporary_file)?;
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
    /// Of each file.
    rows: Vec<u64>,
    invalid: u64,
    /// The usable rows.
    usable: Fingerprints,
}

impl Tally {
    fn new(files: usize) -> Self {
        Self { rows: vec![0; files], ..Self::default() }
    }

    /// Adds consecutive rows by fingerprint and given values. `first` is the number of the first of
    /// them, and `file` their file. An invalid row is `None`.
    fn add(
        &mut self,
        (first, file): (u64, usize),
        rows: impl Iterator<Item = Option<(u128, u16)>>,
    ) -> std::io::Result<()> {
        for (row, usable) in (first..).zip(rows) {
            self.rows[file] += 1;
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
        let input = Input::open(file.path()).unwrap().into();
        let scan = scan(&input, &[Options::default()], 1).unwrap();
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
            assert_eq!(
                scan(&input.clone().into(), std::slice::from_ref(&options), parsers).unwrap().notes,
                on_one_thread.notes()
            );
        }
    }
}
