//! Pass 2: joins every ledger row with its stored answer and writes the four files in ledger order.
//!
//! The rows depend only on ledger, store, options and version. The order of the replies and the
//! number of restarts change nothing. The pass runs on four threads, so every core has work.
//! Bounded channels of batches connect them:
//!
//! ```text
//!  [ ledger → records ] ─► [ ⋈ store ] ─► [ answer → normalize → compare → count, write ]
//!                                      ─► [ Parquet: encode, compress ]
//! ```
//!
//! An answer moves from thread to thread only once, in its stored form. Its values are parsed, used
//! and freed on one thread. Memory holds the first rows of calls with later rows, the values that
//! only those later rows give, and nothing else that grows with the ledger.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::scope;

use chrono::TimeDelta;

use crate::error::{Error, Result};
use crate::failures::Failures;
use crate::later_values;
use crate::ledger::{LedgerError, ScannedLedger};
use crate::output::{Outputs, own_numbers};
use crate::store::{OpenItem, Reader};
use crate::threads;
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::is_open;
use reconcile_core::compare::{Tolerances, compare};
use reconcile_core::compared::Compared;
use reconcile_core::detail::CallDetail;
use reconcile_core::discrepancy::{Discrepancy, DiscrepancyRow, Kind};
use reconcile_core::duplicate::duplicate_of;
use reconcile_core::figures::Figures;
use reconcile_core::ledger_row::{InvalidRow, LedgerRow, LedgerTime, Record};
use reconcile_core::seconds_at_stake::seconds_at_stake;
use reconcile_core::status::{FailureKind, Lookup, Status, look_up};
use reconcile_core::totals::Totals;

/// Maximum number of rows in a batch.
const BATCH_ROWS: usize = 256;
/// A batch of this many bytes is full, even with fewer rows: a ledger row and an answer may have
/// 1 MiB each.
const BATCH_BYTES: usize = 1 << 18;
/// Maximum number of batches that wait between two threads.
///
/// They are enough work while another thread waits for a core, even on two cores. They also bound
/// the memory, at about 1.5 KiB a row.
const WAITING_BATCHES: usize = 8;

/// The options that decide the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A call younger than this and without a record is `pending`.
    pub settle: TimeDelta,
    /// How far two values may differ and still match.
    pub tolerances: Tolerances,
}

/// All numbers that publishing counts.
#[derive(Debug, Default)]
pub struct Counted {
    /// The numbers of the tie-out.
    pub totals: Totals,
    /// The other numbers of the report.
    pub figures: Figures,
    /// Why calls failed.
    pub failed_calls: Failures,
    /// The same, of the calls whose every attempt failed.
    pub exhausted_calls: Failures,
}

/// Writes and counts the rows of details and discrepancies. Calls `on_open` for each open call.
///
/// # Errors
///
/// Exit 2 if the ledger changed during the run, exit 6 if the store cannot be read or a file cannot
/// be written.
pub fn publish(
    source: &ScannedLedger,
    reader: Box<dyn Reader>,
    rules: Rules,
    session_no: i64,
    outputs: &mut Outputs,
    on_open: &mut dyn FnMut(OpenItem) -> Result<()>,
) -> Result<Counted> {
    let counted = Counted { figures: Figures::new(rules.tolerances), ..Counted::default() };
    let mut publisher = Publisher {
        source,
        rules,
        session_no,
        outputs,
        on_open,
        counted,
        later_values: later_values::read(source)?,
        with_later_rows: HashMap::new(),
    };
    scope(|scope| {
        let (record_sender, records) = sync_channel(WAITING_BATCHES);
        let (row_sender, rows) = sync_channel(WAITING_BATCHES);
        // `&{ channel }` moves the channel into the thread. So it closes when the thread ends.
        let read = || read_ledger(source, &{ record_sender });
        let reading = threads::start_in(scope, "ledger", read).map_err(Error::no_more_threads)?;
        let join = StoreJoin { source, reader, later_rows_left: HashMap::new() };
        let join = || join.run(&{ records }, &{ row_sender });
        let joining = threads::start_in(scope, "join", join).map_err(Error::no_more_threads)?;
        // A thread that fails closes its channels, and then the others end too. So the first error
        // in the order of the pipeline is the cause.
        let written = { rows }.iter().flatten().try_for_each(|row| publisher.row(row));
        let sha256 = threads::result_of(reading)?;
        threads::result_of(joining)?;
        written?;
        match sha256 {
            Some(sha256) if sha256 == source.scan.sha256 => Ok(publisher.counted),
            _ => Err(LedgerError::Changed { ledger: source.input.name().to_owned() }.into()),
        }
    })
}

/// Sends the ledger's records. Returns the ledger's SHA-256; `None` if the next thread ended first.
fn read_ledger(source: &ScannedLedger, out: &SyncSender<Vec<Record>>) -> Result<Option<String>> {
    let mut ledger = source.read()?;
    let mut batch = Batch::default();
    while let Some(record) = ledger.next() {
        let bytes = ledger.last_len();
        let is_full = batch.push(record?, bytes);
        if is_full && out.send(batch.take()).is_err() {
            return Ok(None);
        }
    }
    if out.send(batch.take()).is_err() {
        return Ok(None);
    }
    Ok(Some(ledger.finish()?))
}

/// A ledger row, joined with what the store knows of its call.
enum JoinedRow {
    /// The first row of a call.
    First(FirstRow),
    /// A later row of the same call. `is_last` is true for the last row of the call.
    Later { row: LedgerRow, fingerprint: u128, is_last: bool },
    /// An unusable row.
    Invalid(InvalidRow),
}

struct FirstRow {
    row: LedgerRow,
    fingerprint: u128,
    stored: Option<StoredCall>,
    /// How many later rows name the same call.
    later_rows: u64,
}

/// The thread that joins the ledger's records with the store.
struct StoreJoin<'a> {
    source: &'a ScannedLedger,
    reader: Box<dyn Reader>,
    /// How many later rows of each call seen so far are still to come.
    later_rows_left: HashMap<u128, u64>,
}

impl StoreJoin<'_> {
    fn run(mut self, records: &Receiver<Vec<Record>>, out: &SyncSender<Vec<JoinedRow>>) -> Result<()> {
        let mut batch = Batch::default();
        for record in records.iter().flatten() {
            let row = self.join(record)?;
            let bytes = row.data_len();
            let is_full = batch.push(row, bytes);
            if is_full && out.send(batch.take()).is_err() {
                return Ok(());
            }
        }
        // If this fails, the next thread has failed and reports the error.
        let _ = out.send(batch.take());
        Ok(())
    }

    fn join(&mut self, record: Record) -> Result<JoinedRow> {
        let row = match record {
            Record::Invalid(row) => return Ok(JoinedRow::Invalid(row)),
            Record::Row(row) => row,
        };
        let fingerprint = row.key.fingerprint();
        if let Some(left) = self.later_rows_left.get_mut(&fingerprint) {
            *left -= 1;
            let is_last = *left == 0;
            if is_last {
                self.later_rows_left.remove(&fingerprint);
            }
            return Ok(JoinedRow::Later { row, fingerprint, is_last });
        }
        let stored = self.reader.lookup(&row.key)?;
        let later_rows = self.source.scan.duplicate_calls.later_rows(fingerprint);
        if later_rows > 0 {
            self.later_rows_left.insert(fingerprint, later_rows);
        }
        Ok(JoinedRow::First(FirstRow { row, fingerprint, stored, later_rows }))
    }
}

impl JoinedRow {
    /// The length of the provider's `Data` in bytes. The ledger's part needs no limit here:
    /// `read_ledger` has limited it.
    fn data_len(&self) -> usize {
        let Self::First(FirstRow { stored: Some(stored), .. }) = self else { return 0 };
        stored.answer.as_ref().and_then(|stored| stored.answer.data.as_ref()).map_or(0, String::len)
    }
}

/// Rows on their way to the next thread.
struct Batch<T> {
    rows: Vec<T>,
    bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { rows: Vec::with_capacity(BATCH_ROWS), bytes: 0 }
    }
}

impl<T> Batch<T> {
    /// Adds a row of this many bytes. Returns true if the batch is now full.
    fn push(&mut self, row: T, bytes: usize) -> bool {
        self.rows.push(row);
        self.bytes += bytes;
        self.rows.len() == BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<T> {
        std::mem::take(self).rows
    }
}

/// The first row of a call with later rows, and the call's day and status in the details.
struct FirstOfSeveral {
    row: LedgerRow,
    call_date: chrono::NaiveDate,
    status: Status,
}

/// The thread that compares, counts and writes.
struct Publisher<'a> {
    source: &'a ScannedLedger,
    rules: Rules,
    session_no: i64,
    outputs: &'a mut Outputs,
    on_open: &'a mut dyn FnMut(OpenItem) -> Result<()>,
    counted: Counted,
    /// What only the later rows of a call expect. An entry is removed at the call's first row.
    later_values: later_values::ByCall,
    /// By the fingerprint of the call.
    with_later_rows: HashMap<u128, FirstOfSeveral>,
}

impl Publisher<'_> {
    fn row(&mut self, row: JoinedRow) -> Result<()> {
        self.counted.totals.rows += 1;
        match row {
            JoinedRow::First(first) => self.first_row(first),
            JoinedRow::Later { row, fingerprint, is_last } => {
                self.later_row(&row, fingerprint)?;
                if is_last {
                    self.with_later_rows.remove(&fingerprint);
                }
                Ok(())
            }
            JoinedRow::Invalid(row) => self.invalid_row(row),
        }
    }

    fn first_row(&mut self, FirstRow { mut row, fingerprint, stored, later_rows }: FirstRow) -> Result<()> {
        let own_s = row.expected.duration_s;
        let later_values = if later_rows > 0 { self.later_values.remove(&fingerprint) } else { None };
        let own_values = later_values.as_ref().map(|values| {
            let own_values = row.expected.clone();
            values.fill(&mut row.expected);
            own_values
        });
        let lookup = look_up(&row, stored, self.rules.settle, self.session_no);
        let detail = lookup.detail.as_ref();
        let mut compared = compare(&row, &lookup, self.rules.tolerances);
        if let Some(values) = later_values {
            values.name_lines(&mut compared.discrepancies);
        }
        let discrepancies = compared.discrepancies.len() as u64 + later_rows;
        self.count_call(&row, &lookup, &compared, discrepancies);
        self.counted.figures.bridge.add_call(own_s, row.expected.duration_s, &lookup);
        self.outputs.add_call(&row, &lookup, discrepancies)?;
        if is_open(&lookup) {
            (self.on_open)(OpenItem { key: row.key.clone(), status: lookup.status })?;
        }
        for what in compared.discrepancies {
            let mut discrepancy = discrepancy_row(&row, detail, (lookup.found_on, lookup.status), what);
            if self.outputs.needs_own_numbers(discrepancy.at_stake_s) {
                discrepancy.own_numbers = own_numbers(&row.expected, detail);
            }
            self.write(&discrepancy)?;
        }
        if later_rows > 0 {
            row.expected = own_values.unwrap_or(row.expected);
            self.with_later_rows.insert(
                fingerprint,
                FirstOfSeveral { row, call_date: lookup.found_on, status: lookup.status },
            );
        }
        Ok(())
    }

    fn later_row(&mut self, row: &LedgerRow, fingerprint: u128) -> Result<()> {
        self.counted.totals.duplicates += 1;
        self.counted.figures.bridge.add_later_row(row.expected.duration_s);
        let Some(first) = self.with_later_rows.get(&fingerprint) else {
            return Err(Error::bug("a later row names a call that has no first row"));
        };
        let what = duplicate_of(&first.row, row, &self.source.scan.carried);
        let mut discrepancy = discrepancy_row(row, None, (first.call_date, first.status), what);
        discrepancy.callee = discrepancy.callee.or_else(|| first.row.expected.callee.clone());
        if self.outputs.needs_own_numbers(discrepancy.at_stake_s) {
            discrepancy.own_numbers = own_numbers(&row.expected, None);
            discrepancy.own_numbers.extend(own_numbers(&first.row.expected, None));
        }
        self.write(&discrepancy)
    }

    fn invalid_row(&mut self, row: InvalidRow) -> Result<()> {
        self.counted.totals.invalid += 1;
        self.counted.figures.add_rejected(&row);
        self.outputs.add_reject(&row)?;
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
            status: None,
            callee: None,
            called_at: None,
            at_stake_s: 0,
            carried,
            own_numbers: Vec::new(),
        })
    }

    fn write(&mut self, row: &DiscrepancyRow) -> Result<()> {
        self.counted.totals.add_discrepancy(row.what.kind);
        self.counted.figures.add_discrepancy(row.what.kind, row.at_stake_s);
        self.outputs.add_discrepancy(row)
    }

    fn count_call(&mut self, row: &LedgerRow, lookup: &Lookup, compared: &Compared, discrepancies: u64) {
        let is_exhausted = lookup.failure.as_ref().is_some_and(|f| f.kind == FailureKind::Exhausted);
        if let Some(failure) = &lookup.failure {
            self.counted.failed_calls.add(&failure.code, &failure.message);
            if is_exhausted {
                self.counted.exhausted_calls.add(&failure.code, &failure.message);
            }
        }
        let t = &mut self.counted.totals;
        t.add_call(lookup.status, discrepancies, compared.is_compared());
        t.from_store += u64::from(lookup.from_store);
        t.exhausted += u64::from(is_exhausted);
        self.counted.figures.add_call(row, lookup);
        self.counted.figures.add_fields(&compared.fields);
    }
}

fn discrepancy_row(
    row: &LedgerRow,
    detail: Option<&CallDetail>,
    (call_date, status): (chrono::NaiveDate, Status),
    what: Discrepancy,
) -> DiscrepancyRow {
    let expected = &row.expected;
    DiscrepancyRow {
        at_stake_s: seconds_at_stake(row, detail, &what),
        own_numbers: Vec::new(),
        call_id: Some(row.key.call_id.clone()),
        ledger_line: row.line,
        what,
        call_date: Some(call_date),
        prod_id: Some(row.key.prod_id.0),
        status: Some(status),
        callee: expected.callee.clone().or_else(|| detail?.callee.clone()),
        called_at: expected.called_at.and_then(LedgerTime::instant).or_else(|| detail?.created_at),
        carried: row.carried.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_in_rows_and_bytes() {
        let filled = |bytes: usize| {
            let mut batch = Batch::default();
            let rows = (1..).find(|row| batch.push(*row, bytes));
            (rows, batch.take().len(), batch.rows.len(), batch.bytes)
        };
        assert_eq!(filled(100), (Some(BATCH_ROWS), BATCH_ROWS, 0, 0));
        assert_eq!(filled(BATCH_BYTES / 4), (Some(4), 4, 0, 0));
        assert_eq!(filled(1 << 20), (Some(1), 1, 0, 0));
    }
}
