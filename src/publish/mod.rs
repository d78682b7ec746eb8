//! Pass 2: joins every ledger row with its stored answer and writes the files in ledger order.
//!
//! The rows depend only on ledger, store, options and version. The order of the replies, the number
//! of restarts and the number of cores change nothing.
//!
//! One thread splits the ledger into units of consecutive records. Each unit is worked on by one
//! thread from its text to its encoded rows, so nothing that is made of a row passes to another
//! thread. The calling thread writes what the units give, in their order.
//!
//! ```text
//!  ledger ─► units of records ─┬─► [ parse ─► ⋈ store ─► compare ─► count, encode ] ─┬─► files
//!                              └─► [ the same on every core                       ] ─┘
//! ```
//!
//! Memory holds a unit for each worker and one more, and for each worker its encoded rows. It also
//! holds the first rows of calls whose later rows are still to come, and the values that only such
//! later rows give. Nothing else grows with the ledger.

mod beside;
mod counted;
mod decisions;
mod later_values;
mod others;
mod remember;
mod sources;
mod unit_row;
mod units;
mod worker;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread::scope;

use crate::error::{Error, Result};
use crate::ledger::RawBatch;
use crate::output::Outputs;
use crate::threads;
use reconcile_core::merge::Merge as _;
use units::{Done, Found, UnitReader};
use worker::Worker;

pub use beside::BesideCalls;
pub use counted::{AccountTotals, CheckedByAccount, Counted};
pub use reconcile_core::call_result::Rules;
pub use remember::Remember;
pub use sources::Sources;

/// Most workers. Each needs some 35 MiB, and a container may see many cores and have little memory.
const MAX_WORKERS: usize = 8;
/// Units that are being filled or wait for a worker, beside those that are worked on.
const WAITING_UNITS: usize = 1;

/// A worker for each core, up to [`MAX_WORKERS`].
pub(crate) fn workers() -> usize {
    threads::cores().min(MAX_WORKERS)
}

/// Writes and counts the rows of details and discrepancies with this number of workers. Passes on
/// what the store has to remember.
///
/// # Errors
///
/// Exit 2 if the ledger changed during the run, exit 6 if the store cannot be read or a file cannot
/// be written.
pub fn publish(
    sources: Sources<'_>,
    workers: usize,
    outputs: &mut Outputs,
    remember: &mut dyn Remember,
) -> Result<Counted> {
    let ledger = sources.ledger;
    let later_values = later_values::read(ledger)?;
    let (records, parser) = ledger.read_in_batches()?;
    let workers: Vec<Worker<'_>> = (0..workers.max(1))
        .map(|_| Worker::new(sources, &later_values, outputs.forms(), parser.for_another_thread()))
        .collect::<Result<_>>()?;
    let (emptied, to_fill) = channel();
    (0..workers.len() + WAITING_UNITS).for_each(|_| drop(emptied.send(RawBatch::default())));
    let (unit_sender, units) = channel();
    let (order, in_order) = channel();
    let units = &Mutex::new(units);
    scope(|scope| {
        let mut threads = Vec::new();
        for worker in workers {
            let emptied = emptied.clone();
            let work = move || worker.run(units, &emptied);
            threads.push(threads::start_in(scope, "rows", work).map_err(Error::no_more_threads)?);
        }
        // Without workers, the splitter must not wait for their units.
        drop(emptied);
        let split = UnitReader::new(ledger, records, parser);
        let split = || split.run(to_fill, &{ unit_sender }, &{ order });
        let splitting = threads::start_in(scope, "split", split).map_err(Error::no_more_threads)?;
        // A thread that fails closes its channels, and then the others end too. So the first error
        // in the order of the ledger is the cause.
        let counted = write(in_order, sources, outputs, remember);
        let checksums = threads::result_of(splitting)?;
        threads.into_iter().for_each(threads::result_of);
        let mut counted = counted?;
        others::write(sources, outputs, &mut counted, remember)?;
        counted.since_last.resolved = sources.open_before.resolved(&counted.marks);
        match checksums {
            Some(checksums) if ledger.is_same(&checksums)? => Ok(counted),
            _ => Err(units::changed(ledger)),
        }
    })
}

/// Writes what the units give, in their order.
fn write(
    in_order: Receiver<Receiver<Result<Done>>>,
    sources: Sources<'_>,
    outputs: &mut Outputs,
    remember: &mut dyn Remember,
) -> Result<Counted> {
    let mut all = Counted::new(sources.rules.tolerances);
    for unit in in_order {
        let mut is_whole = false;
        for done in unit {
            let Done { rows, found: Found { open, new }, counted } = done?;
            outputs.append(rows)?;
            open.into_iter().try_for_each(|call| remember.open_call(call))?;
            new.iter().try_for_each(|new| remember.new_discrepancy(new))?;
            if let Some(counted) = counted {
                all.merge(*counted);
                is_whole = true;
            }
        }
        if !is_whole {
            return Err(Error::bug("a part of the ledger was not published to its end"));
        }
    }
    all.reopen();
    Ok(all)
}
