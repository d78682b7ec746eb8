//! Splits the ledger into units: consecutive records for one worker.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

use super::counted::Counted;
use crate::error::{Error, Result};
use crate::ledger::{BatchLimit, BatchParser, BatchReader, LedgerError, RawBatch, Repeat, ScannedLedger};
use crate::output::{EncodedRows, ROW_GROUP};
use crate::store::{NewDiscrepancy, OpenItem};
use reconcile_core::ledger_row::{LedgerRow, Record};

/// The largest unit: a row group of the details, if each record is another call. Some 5 MiB of
/// usual rows. Which records are in a unit depends only on the ledger.
const UNIT: BatchLimit = BatchLimit { records: ROW_GROUP, bytes: 8 << 20 };
/// Results of a unit that may wait to be written, of about 1 MiB each.
const WAITING_RESULTS: usize = 4;

/// Records for one worker.
pub(super) struct Unit {
    pub(super) batch: RawBatch,
    /// The first row of the call of each later row, in the order of the later rows.
    pub(super) first_rows: Vec<Arc<LedgerRow>>,
    pub(super) results: SyncSender<Result<Done>>,
}

/// What a worker has done of a unit.
pub(super) struct Done {
    pub(super) rows: EncodedRows,
    /// What the store has to remember of them.
    pub(super) found: Found,
    /// The numbers of the whole unit, with its last rows.
    pub(super) counted: Option<Box<Counted>>,
}

/// What the store has to remember of some rows.
#[derive(Default)]
pub(super) struct Found {
    /// The open calls.
    pub(super) open: Vec<OpenItem>,
    /// The discrepancies that were not open before.
    pub(super) new: Vec<NewDiscrepancy>,
}

/// A call whose later rows are still to come.
struct OpenCall {
    first: Arc<LedgerRow>,
    later_rows_left: u64,
}

/// The thread that splits the ledger.
pub(super) struct UnitReader<'a> {
    ledger: &'a ScannedLedger,
    records: BatchReader,
    parser: BatchParser,
    /// By the number of the first row.
    open_calls: HashMap<u64, OpenCall>,
}

impl<'a> UnitReader<'a> {
    pub(super) fn new(ledger: &'a ScannedLedger, records: BatchReader, parser: BatchParser) -> Self {
        Self { ledger, records, parser, open_calls: HashMap::new() }
    }

    /// Sends all units, and where the results of each will come from. Returns the checksums of the
    /// ledger's files; `None` if the workers ended first.
    pub(super) fn run(
        mut self,
        to_fill: Receiver<RawBatch>,
        units: &Sender<Unit>,
        order: &Sender<Receiver<Result<Done>>>,
    ) -> Result<Option<Vec<u32>>> {
        for mut batch in to_fill {
            self.records.fill(&mut batch, UNIT)?;
            if batch.is_empty() {
                return Ok(Some(self.records.finish()?));
            }
            let first_rows = self.first_rows(&batch)?;
            let (results, received) = sync_channel(WAITING_RESULTS);
            let is_sent =
                order.send(received).is_ok() && units.send(Unit { batch, first_rows, results }).is_ok();
            if !is_sent {
                break;
            }
        }
        Ok(None)
    }

    /// The first row of the call of each later row in the batch.
    fn first_rows(&mut self, batch: &RawBatch) -> Result<Vec<Arc<LedgerRow>>> {
        let mut first_rows = Vec::new();
        for (row, repeat) in self.ledger.scan.duplicate_calls.among(batch.rows()) {
            let first = match *repeat {
                Repeat::First { later_rows } => {
                    let at = usize::try_from(row - batch.rows().start).unwrap_or(usize::MAX);
                    let Some(Record::Row(first)) = self.parser.record(batch, at) else {
                        return Err(changed(self.ledger));
                    };
                    let call = OpenCall { first: Arc::new(first), later_rows_left: later_rows };
                    self.open_calls.insert(*row, call);
                    continue;
                }
                Repeat::Later { first } => first,
            };
            let Some(call) = self.open_calls.get_mut(&first) else { return Err(changed(self.ledger)) };
            first_rows.push(call.first.clone());
            call.later_rows_left -= 1;
            if call.later_rows_left == 0 {
                self.open_calls.remove(&first);
            }
        }
        Ok(first_rows)
    }
}

/// The error if a row is another one than at the first reading.
pub(super) fn changed(ledger: &ScannedLedger) -> Error {
    LedgerError::Changed { ledger: ledger.input.name().to_owned() }.into()
}
