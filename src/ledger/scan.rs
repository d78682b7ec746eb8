//! The first reading of a ledger: its totals, its SHA-256, and the calls named more than once.
//!
//! `rows = invalid + duplicates + calls` always holds. Memory does not grow with the number of rows
//! ([`fingerprints`](super::fingerprints)), but with the number of duplicate calls
//! ([`DuplicateCalls`]). Three threads share the work. They exchange at most 16 batches, each of
//! 256 KiB or of one longer record.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use reconcile_core::ledger_row::Record;

use super::columns::{Column, ColumnNote};
use super::duplicates::DuplicateCalls;
use super::error::{LedgerError, Result};
use super::findings::Findings;
use super::fingerprints::Fingerprints;
use super::input::Input;
use super::layout::Layout;
use super::ledger_bytes::LedgerBytes;
use super::note::LedgerNote;
use super::options::Options;
use super::raw_record::RawRecord;
use super::reader::LedgerReader;
use super::reasons::Reason;
use super::records::{OpenRow, Records};
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
        let scan = scan(&input, &options)?;
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
        let mut scan = scan(&input, &options)?;
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
    /// The calls named by more than one row.
    pub duplicate_calls: DuplicateCalls,
    /// Output names of the columns carried through, in the order of the header row.
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

/// Maximum number of records in a batch.
const BATCH: usize = 256;

/// A batch with this many bytes is also full.
const BATCH_BYTES: usize = 1 << 18;

/// Number of batches. Empty batches are reused.
const BATCHES: usize = 16;

/// Reads the whole ledger on three threads: one splits it into records, two parse their values.
fn scan(input: &Input, options: &Options) -> Result<LedgerScan> {
    let (records, mut rows) = input.ledger(options)?.into_parts();
    let mut other_rows = rows.for_another_thread();
    let tally = Mutex::new(Tally::default());
    let records = thread::scope(|scope| {
        let (filled, to_parse) = sync_channel(BATCHES);
        let (emptied, to_fill) = channel();
        (0..BATCHES).for_each(|_| drop(emptied.send(Vec::new())));
        let split = || split_into_batches(records, to_fill, &{ filled });
        let splitting = threads::start_in(scope, "split", split).map_err(LedgerError::no_thread)?;
        // The channels close when the last parser ends. So the splitter never waits forever.
        let batches = BatchSource { filled: Arc::new(Mutex::new(to_parse)), emptied };
        let other_batches = batches.clone();
        let parse = || parse_batches(&mut other_rows, &tally, other_batches);
        let parsing = threads::start_in(scope, "parse", parse).map_err(LedgerError::no_thread)?;
        let parsed = parse_batches(&mut rows, &tally, batches);
        let parsed = [parsed, threads::result_of(parsing)];
        let records = threads::result_of(splitting);
        parsed.into_iter().collect::<Result<()>>().and(records)
    })?;
    rows.findings.merge(&other_rows.findings);
    let Findings { days_from_call_id, without_product, without_day, .. } = rows.findings;
    let (reasons, lost_digits) = (rows.findings.reasons.sorted(), rows.findings.lost_digits().count);
    let ledger = LedgerReader::from_parts(records, rows);
    let tally = std::mem::take(&mut *lock(&tally));
    let (duplicate_calls, calls) =
        DuplicateCalls::count(tally.usable.sorted()).map_err(LedgerError::temporary_file)?;
    let (columns, column_notes) = ledger.columns();
    tracing::debug!("{} is {}", input.name(), ledger.form());
    Ok(LedgerScan {
        rows: tally.rows,
        invalid: tally.invalid,
        duplicates: tally.rows - tally.invalid - calls,
        calls,
        carried: ledger.carried().to_vec(),
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
        sha256: ledger.finish()?,
        duplicate_calls,
    })
}

type Batch = Vec<RawRecord>;

/// Where a parser takes filled batches from, and where it returns them.
#[derive(Clone)]
struct BatchSource {
    filled: Arc<Mutex<Receiver<Batch>>>,
    emptied: Sender<Batch>,
}

/// Parses the values of all batches.
fn parse_batches(
    rows: &mut RowReader,
    tally: &Mutex<Tally>,
    BatchSource { filled, emptied }: BatchSource,
) -> Result<()> {
    let mut keys = Vec::with_capacity(BATCH);
    loop {
        let batch = lock(&filled).recv();
        let Ok(mut batch) = batch else { return Ok(()) };
        keys.extend(batch.iter_mut().map(|raw| match rows.read(raw) {
            Record::Row(row) => Some(row.key.fingerprint()),
            Record::Invalid(_) => None,
        }));
        // Sending fails if the splitter has ended. Then the batch is not needed.
        let _ = emptied.send(batch);
        lock(tally).add(keys.drain(..)).map_err(LedgerError::temporary_file)?;
    }
}

/// Fills batches with records until the ledger ends or no parser is left.
fn split_into_batches(
    mut records: Records<LedgerBytes>,
    to_fill: Receiver<Batch>,
    filled: &SyncSender<Batch>,
) -> Result<Records<LedgerBytes>> {
    for mut batch in to_fill {
        let (mut bytes, mut len, mut more) = (0, 0, true);
        while more && len < BATCH && bytes < BATCH_BYTES {
            if len == batch.len() {
                batch.push(RawRecord::default());
            }
            more = records.advance(&mut batch[len])?;
            bytes += batch[len].len;
            len += usize::from(more);
        }
        batch.truncate(len);
        if filled.send(batch).is_err() || !more {
            break;
        }
    }
    Ok(records)
}

#[derive(Default)]
struct Tally {
    rows: u64,
    invalid: u64,
    /// Fingerprints of the usable rows.
    usable: Fingerprints,
}

impl Tally {
    /// Adds rows by their fingerprints; an invalid row has none.
    fn add(&mut self, rows: impl Iterator<Item = Option<u128>>) -> std::io::Result<()> {
        for row in rows {
            self.rows += 1;
            match row {
                Some(fingerprint) => self.usable.push(fingerprint)?,
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
        let scan = scan(&Input::open(file.path()).unwrap(), &Options::default()).unwrap();
        assert_eq!((scan.rows, scan.invalid, scan.duplicates, scan.calls), (8, 1, 2, 5));
        assert_eq!(scan.rows, scan.invalid + scan.duplicates + scan.calls);
        assert_eq!(scan.days_from_call_id, 1);
        assert_eq!(scan.carried, ["ledger_dept"]);
        assert_eq!(scan.sha256.len(), 64);
        let keys: Vec<u128> = Input::open(file.path())
            .unwrap()
            .ledger(&Options::default())
            .unwrap()
            .filter_map(|record| match record.unwrap() {
                Record::Row(row) => Some(row.key.fingerprint()),
                Record::Invalid(_) => None,
            })
            .collect();
        assert_eq!(scan.duplicate_calls.later_rows(keys[0]), 2);
        assert_eq!(scan.duplicate_calls.later_rows(keys[2]), 0);
    }

    #[test]
    fn two_threads_find_the_same_as_one() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "call_id,prod_id,called_at,callee,duration_s").unwrap();
        for row in 0..40 * BATCH {
            let null = if row % 7_001 == 6_999 { "NULL" } else { "7" };
            let (day, callee) =
                (if row % 3_001 == 2_000 { "46330" } else { "2026-11-16" }, 5_344_750_000_u64);
            writeln!(file, "{}{row:012},1,{day},{callee},{null}", if row % 11 == 10 { "" } else { "1^" })
                .unwrap();
        }
        let (input, options) = (Input::open(file.path()).unwrap(), Options::default());
        let mut on_one_thread = input.ledger(&options).unwrap();
        assert_eq!(on_one_thread.by_ref().count(), 40 * BATCH);
        assert_eq!(on_one_thread.notes().len(), 4, "{:?}", on_one_thread.notes());
        for _ in 0..5 {
            assert_eq!(scan(&input, &options).unwrap().notes, on_one_thread.notes());
        }
    }
}
