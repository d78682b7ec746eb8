//! Pass 2: ledger ⋈ store, in ledger order, into the four files.
//!
//! A pure function of (ledger, store, options, version): neither the order of replies nor the number of restarts
//! can show in the rows. Streams, on four threads with bounded channels of batches between them, so that every core has work:
//!
//! ```text
//!  [ ledger → records ] ─► [ ⋈ store ] ─► [ answer → normalize → compare → count, write ] ─► [ Parquet: encode, compress ]
//! ```
//!
//! An answer crosses once, as it is stored: what is made of it is used up and freed where it is made. What is remembered
//! are the first rows of calls that are named again further down.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{ScopedJoinHandle, scope};

use chrono::TimeDelta;

use crate::error::{Error, Result};
use crate::ledger::Source;
use crate::output::{Outputs, own_numbers};
use crate::store::{OpenItem, Reader};
use reconcile_core::answer::StoredCall;
use reconcile_core::compare::{self, Tolerances};
use reconcile_core::detail::CallDetail;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use reconcile_core::figures::Figures;
use reconcile_core::ledger_row::{InvalidRow, LedgerRow, Record};
use reconcile_core::lookup::{Lookup, is_open, look_up};
use reconcile_core::seconds_at_stake::seconds_at_stake;
use reconcile_core::totals::Totals;

/// Rows handed from one thread to the next at once...
const BATCH: usize = 256;
/// ... unless they have so many bytes already: a row of the ledger and an answer may have a MiB each.
const BATCH_BYTES: usize = 1 << 18;
/// Batches that may wait between two threads: longer than the system lets one of them wait for a core, so that on two
/// cores none of the four runs dry. It bounds what is held, some 1.5 KiB a row.
const WAITING: usize = 8;

/// What decides the rows, beside ledger and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A call younger than this with no record is `pending`.
    pub settle: TimeDelta,
    /// What still matches.
    pub tolerances: Tolerances,
}

/// What publishing counts.
#[derive(Debug)]
pub struct Counted {
    /// What must foot.
    pub totals: Totals,
    /// What the page shows beside.
    pub figures: Figures,
}

/// Writes the rows of details and discrepancies, and counts them. `on_open` is told of every call without a lasting
/// answer.
///
/// # Errors
///
/// Exit 2 when the ledger was changed while the run was going on, exit 6 when the store cannot be read or a
/// file cannot be written.
pub fn publish(
    source: &Source,
    reader: Box<dyn Reader>,
    rules: Rules,
    session_no: i64,
    outputs: &mut Outputs,
    on_open: &mut dyn FnMut(OpenItem) -> Result<()>,
) -> Result<Counted> {
    let counted = Counted { totals: Totals::default(), figures: Figures::new(rules.tolerances) };
    let named = HashMap::new();
    let mut publisher = Publisher { source, rules, session_no, outputs, on_open, counted, named };
    scope(|threads| {
        let (records, read) = sync_channel(WAITING);
        let (rows, found) = sync_channel(WAITING);
        let reading = threads.spawn(|| read_ledger(source, &{ records }));
        let finder = Finder { source, reader, to_come: HashMap::new() };
        let finding = threads.spawn(|| finder.all(&{ read }, &{ rows }));
        // A thread that fails hangs up, and so the others come to their ends; the first in the row knows why.
        let published = { found }.iter().flatten().try_for_each(|row| publisher.row(row));
        let whole = joined(reading)?;
        joined(finding)?;
        published?;
        match whole {
            Some(sha256) if sha256 == source.scan.sha256 => Ok(publisher.counted),
            _ => Err(Error::usage("the ledger was changed while the run was going on")
                .hint("run the same command again: all answers are stored and none is asked for twice")),
        }
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Hands over the ledger's records. Returns its SHA-256; `None` when nobody wants the rest.
fn read_ledger(source: &Source, out: &SyncSender<Vec<Record>>) -> Result<Option<String>> {
    let mut ledger = source.read()?;
    let mut batch = Batch::default();
    while let Some(record) = ledger.next() {
        let bytes = ledger.last_len();
        if batch.is_full_with(record?, bytes) && out.send(batch.take()).is_err() {
            return Ok(None);
        }
    }
    if out.send(batch.take()).is_err() {
        return Ok(None);
    }
    ledger.finish().map(Some)
}

/// A row of the ledger, with what the store knows of its call.
enum Found {
    /// The first that names its call.
    First(FirstRow),
    /// One that names a call again, and whether it is the last that does.
    Later { row: LedgerRow, fingerprint: u128, is_last: bool },
    /// One that cannot be used.
    Invalid(InvalidRow),
}

struct FirstRow {
    row: LedgerRow,
    fingerprint: u128,
    stored: Option<StoredCall>,
    /// Rows further down that name it again.
    later_rows: u64,
}

/// Finds what the store knows of every row.
struct Finder<'a> {
    source: &'a Source,
    reader: Box<dyn Reader>,
    /// Of the calls named already, how many rows name them again further down.
    to_come: HashMap<u128, u64>,
}

impl Finder<'_> {
    fn all(mut self, records: &Receiver<Vec<Record>>, out: &SyncSender<Vec<Found>>) -> Result<()> {
        let mut batch = Batch::default();
        for record in records.iter().flatten() {
            let found = self.find(record)?;
            let bytes = found.data_len();
            if batch.is_full_with(found, bytes) && out.send(batch.take()).is_err() {
                return Ok(());
            }
        }
        // Nobody to take the last ones has failed, and says why.
        let _ = out.send(batch.take());
        Ok(())
    }

    fn find(&mut self, record: Record) -> Result<Found> {
        let row = match record {
            Record::Invalid(row) => return Ok(Found::Invalid(row)),
            Record::Row(row) => row,
        };
        let fingerprint = row.key.fingerprint();
        if let Some(to_come) = self.to_come.get_mut(&fingerprint) {
            *to_come -= 1;
            let is_last = *to_come == 0;
            if is_last {
                self.to_come.remove(&fingerprint);
            }
            return Ok(Found::Later { row, fingerprint, is_last });
        }
        let stored = self.reader.lookup(&row.key)?;
        let later_rows = self.source.scan.duplicate_calls.later_rows(fingerprint);
        if later_rows > 0 {
            self.to_come.insert(fingerprint, later_rows);
        }
        Ok(Found::First(FirstRow { row, fingerprint, stored, later_rows }))
    }
}

impl Found {
    /// What may be long of it, in bytes: the provider's `Data`. The ledger's part was counted when it was read.
    fn data_len(&self) -> usize {
        let Self::First(FirstRow { stored: Some(stored), .. }) = self else { return 0 };
        stored.answer.as_ref().and_then(|stored| stored.answer.data.as_ref()).map_or(0, String::len)
    }
}

/// What is on its way to the next thread.
struct Batch<T> {
    rows: Vec<T>,
    bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { rows: Vec::with_capacity(BATCH), bytes: 0 }
    }
}

impl<T> Batch<T> {
    fn is_full_with(&mut self, row: T, bytes: usize) -> bool {
        self.rows.push(row);
        self.bytes += bytes;
        self.rows.len() == BATCH || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<T> {
        std::mem::take(self).rows
    }
}

/// A call that is named more than once: its first row for comparison, and where its record stands.
struct Named {
    first: LedgerRow,
    call_date: chrono::NaiveDate,
}

/// Says of every row what became of its call, counts it and writes it.
struct Publisher<'a> {
    source: &'a Source,
    rules: Rules,
    session_no: i64,
    outputs: &'a mut Outputs,
    on_open: &'a mut dyn FnMut(OpenItem) -> Result<()>,
    counted: Counted,
    named: HashMap<u128, Named>,
}

impl Publisher<'_> {
    fn row(&mut self, found: Found) -> Result<()> {
        self.counted.totals.rows += 1;
        match found {
            Found::First(first) => self.call(first),
            Found::Later { row, fingerprint, is_last } => {
                self.later_row(&row, fingerprint)?;
                if is_last {
                    self.named.remove(&fingerprint);
                }
                Ok(())
            }
            Found::Invalid(row) => self.invalid(row),
        }
    }

    fn call(&mut self, FirstRow { row, fingerprint, stored, later_rows }: FirstRow) -> Result<()> {
        let lookup = look_up(&row, stored, self.rules.settle, self.session_no);
        let detail = lookup.detail.as_ref();
        let found = compare::compare(&row, &lookup, self.rules.tolerances);
        let all = found.len() as u64 + later_rows;
        self.count(&row, &lookup, all);
        self.outputs.call(&row, &lookup, all)?;
        if is_open(&lookup) {
            (self.on_open)(OpenItem { key: row.key.clone(), status: lookup.status })?;
        }
        for what in found {
            let mut discrepancy = discrepancy_row(&row, detail, lookup.found_on, what);
            if self.outputs.masks() {
                discrepancy.own_numbers = own_numbers(&row.expected, detail);
            }
            self.write(&discrepancy)?;
        }
        if later_rows > 0 {
            self.named.insert(fingerprint, Named { first: row, call_date: lookup.found_on });
        }
        Ok(())
    }

    /// A row that names a call again.
    fn later_row(&mut self, row: &LedgerRow, fingerprint: u128) -> Result<()> {
        self.counted.totals.duplicates += 1;
        let Some(Named { first, call_date }) = self.named.get(&fingerprint) else {
            return Err(Error::output("a row names a call again that none has named; this is a bug"));
        };
        let what = compare::duplicate(first, row, &self.source.scan.carried);
        let mut discrepancy = discrepancy_row(row, None, *call_date, what);
        if self.outputs.masks() {
            discrepancy.own_numbers = own_numbers(&row.expected, None);
            discrepancy.own_numbers.extend(own_numbers(&first.expected, None));
        }
        self.write(&discrepancy)
    }

    fn invalid(&mut self, row: InvalidRow) -> Result<()> {
        self.counted.totals.invalid += 1;
        self.counted.figures.add_rejected(&row);
        self.outputs.reject(&row)?;
        let what = Discrepancy::new(Kind::InvalidRow, row.message())
            .field(row.field)
            .values(row.expected, Some(row.found));
        let (call_id, ledger_line, carried) = (row.call_id, row.line, row.carried);
        self.write(&DiscrepancyRow {
            call_id,
            ledger_line,
            what,
            call_date: None,
            prod_id: None,
            carried,
            at_stake_s: 0,
            own_numbers: Vec::new(),
        })
    }

    fn write(&mut self, row: &DiscrepancyRow) -> Result<()> {
        self.counted.totals.add_discrepancy(row.what.kind);
        self.counted.figures.add_discrepancy(row.what.kind, row.at_stake_s);
        self.outputs.discrepancy(row)
    }

    fn count(&mut self, row: &LedgerRow, lookup: &Lookup, discrepancies: u64) {
        let t = &mut self.counted.totals;
        t.add_call(lookup.status, discrepancies);
        t.from_store += u64::from(lookup.from_store);
        t.exhausted += u64::from(lookup.failure.as_ref().is_some_and(|f| f.transient));
        self.counted.figures.add_call(row, lookup);
    }
}

fn discrepancy_row(
    row: &LedgerRow,
    detail: Option<&CallDetail>,
    call_date: chrono::NaiveDate,
    what: Discrepancy,
) -> DiscrepancyRow {
    DiscrepancyRow {
        at_stake_s: seconds_at_stake(row, detail, &what),
        own_numbers: Vec::new(),
        call_id: Some(row.key.call_id.clone()),
        ledger_line: row.line,
        what,
        call_date: Some(call_date),
        prod_id: Some(row.key.prod_id.0),
        carried: row.carried.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_in_rows_and_in_bytes() {
        let filled = |bytes: usize| {
            let mut batch = Batch::default();
            let rows = (1..).find(|row| batch.is_full_with(*row, bytes));
            (rows, batch.take().len(), batch.rows.len(), batch.bytes)
        };
        assert_eq!(filled(100), (Some(BATCH), BATCH, 0, 0));
        assert_eq!(filled(BATCH_BYTES / 4), (Some(4), 4, 0, 0));
        assert_eq!(filled(1 << 20), (Some(1), 1, 0, 0));
    }
}
