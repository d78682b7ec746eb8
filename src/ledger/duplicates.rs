//! The first pass over a ledger: its totals, its digest, and the calls named more than once.
//!
//! Promises that `rows = invalid + duplicates + calls`. Memory is flat in the number of rows (see
//! [`fingerprints`](super::fingerprints)) and holds 20 bytes for each call that is named more than once. Reading it takes three
//! threads, with at most 16 batches of 256 KiB, or of a record, between them.

use std::fs::File;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::fingerprints::{Fingerprints, Sorted};
use super::input::no_room;
use super::{Input, Layout, Ledger, Options, Raw, Records, Values};
use crate::error::Result;
use reconcile_core::ledger_row::Record;

/// What a whole ledger comes to.
#[derive(Debug)]
pub struct LedgerScan {
    /// Records below the header, blank lines not counted.
    pub rows: u64,
    /// Rows that cannot be used.
    pub invalid: u64,
    /// Later rows that name a call already named.
    pub duplicates: u64,
    /// Distinct calls.
    pub calls: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// The calls named by more than one row.
    pub duplicate_calls: DuplicateCalls,
    /// Output names of the columns carried through, in the order of the header.
    pub carried: Vec<String>,
    /// The ledger's own columns, for rows that are given back.
    pub layout: Layout,
    /// What deserves a line in the log.
    pub notes: Vec<String>,
    /// Usable rows whose day came from the CallId, no other source naming one.
    pub hinted: u64,
}

/// Calls named by more than one row, by [`reconcile_core::call::CallKey::fingerprint`].
#[derive(Debug, Clone, Default)]
pub struct DuplicateCalls {
    /// Ascending.
    calls: Vec<u128>,
    /// Of each of them, the number of the rows after the first.
    later: Vec<u32>,
}

impl DuplicateCalls {
    /// How many rows after the first name this call: 0 when it is named once, or not at all.
    #[must_use]
    pub fn later_rows(&self, fingerprint: u128) -> u64 {
        self.calls.binary_search(&fingerprint).map_or(0, |at| u64::from(self.later[at]))
    }

    /// From the fingerprints of all rows; also returns the number of distinct ones.
    fn of(sorted: Sorted) -> std::io::Result<(Self, u64)> {
        let mut duplicates = Self::default();
        let mut calls = 0;
        let mut last = None;
        for fingerprint in sorted {
            let fingerprint = fingerprint?;
            if last.replace(fingerprint) != Some(fingerprint) {
                calls += 1;
            } else if duplicates.calls.last() == Some(&fingerprint) {
                if let Some(later) = duplicates.later.last_mut() {
                    *later = later.saturating_add(1);
                }
            } else {
                duplicates.calls.push(fingerprint);
                duplicates.later.push(1);
            }
        }
        Ok((duplicates, calls))
    }
}

/// Records handed from one thread to the other at once...
const BATCH: usize = 256;
/// ... unless they have so many bytes already.
const BATCH_BYTES: usize = 1 << 18;
/// Batches on their way from one thread to the others, and back to be filled again.
const BATCHES: usize = 16;

/// Reads the whole ledger once, on three threads: one tells the records apart, the others read their values.
///
/// # Errors
/// Wrong usage, when the file cannot be read or its header cannot be used; exit 6, when the temporary files have no
/// room.
pub(super) fn scan(input: &Input, options: &Options) -> Result<LedgerScan> {
    let Ledger { records, mut values, .. } = input.ledger(options)?;
    let mut other_values = values.afresh();
    let tally = Mutex::new(Tally::default());
    let records = thread::scope(|threads| {
        let (filled, to_read) = sync_channel(BATCHES);
        let (emptied, to_fill) = channel();
        (0..BATCHES).for_each(|_| drop(emptied.send(Vec::new())));
        let telling = threads.spawn(|| tell_apart(records, to_fill, &{ filled }));
        // Dropped with the last of those that read: whoever fills batches must not wait for nobody.
        let batches = Arc::new(Mutex::new(to_read));
        let others = (batches.clone(), emptied.clone());
        let reading = threads.spawn(|| read_values(&mut other_values, &tally, others));
        let read = read_values(&mut values, &tally, (batches, emptied));
        let joined = [read, reading.join().unwrap_or_else(|panic| resume_unwind(panic))];
        let records = telling.join().unwrap_or_else(|panic| resume_unwind(panic));
        joined.into_iter().collect::<Result<()>>().and(records)
    })?;
    values.findings.add(&other_values.findings);
    let ledger = Ledger { records, present: Raw::default(), values, failed: false };
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (duplicates, calls) = DuplicateCalls::of(tally.named.sorted()).map_err(no_room)?;
    tracing::debug!("{} is {}", input.name(), ledger.form());
    Ok(LedgerScan {
        rows: tally.rows,
        invalid: tally.invalid,
        duplicates: tally.rows - tally.invalid - calls,
        calls,
        carried: ledger.carried().to_vec(),
        layout: ledger.layout(),
        notes: ledger.notes(),
        hinted: ledger.hinted(),
        sha256: ledger.finish()?,
        duplicate_calls: duplicates,
    })
}

type Batches = Arc<Mutex<Receiver<Vec<Raw>>>>;

/// Reads the values of batches until there are no more, and gives the batches back.
fn read_values(
    values: &mut Values,
    tally: &Mutex<Tally>,
    (batches, emptied): (Batches, Sender<Vec<Raw>>),
) -> Result<()> {
    let mut keys = Vec::with_capacity(BATCH);
    loop {
        let batch = lock(&batches).recv();
        let Ok(mut batch) = batch else { return Ok(()) };
        keys.extend(batch.iter_mut().map(|raw| match values.read(raw) {
            Record::Row(row) => Some(row.key.fingerprint()),
            Record::Invalid(_) => None,
        }));
        // Nobody fills it again when all is read.
        let _ = emptied.send(batch);
        lock(tally).count(keys.drain(..)).map_err(no_room)?;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fills batches with records until there are no more, or nobody wants them.
fn tell_apart(
    mut records: Records<File>,
    to_fill: Receiver<Vec<Raw>>,
    filled: &SyncSender<Vec<Raw>>,
) -> Result<Records<File>> {
    for mut batch in to_fill {
        let (mut bytes, mut len, mut more) = (0, 0, true);
        while more && len < BATCH && bytes < BATCH_BYTES {
            if len == batch.len() {
                batch.push(Raw::default());
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
    named: Fingerprints,
}

impl Tally {
    /// Counts rows by their fingerprints; those without one cannot be used.
    fn count(&mut self, rows: impl Iterator<Item = Option<u128>>) -> std::io::Result<()> {
        for row in rows {
            self.rows += 1;
            match row {
                Some(fingerprint) => self.named.push(fingerprint)?,
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
    fn a_scan_counts_calls_by_id_product_and_day() {
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
        assert_eq!(scan.hinted, 1);
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
        let of = |all: &[u128]| {
            let mut named = Fingerprints::default();
            all.iter().for_each(|one| named.push(*one).unwrap());
            DuplicateCalls::of(named.sorted()).unwrap()
        };
        assert!(of(&[1, 2]).0.calls.is_empty());
        let (duplicates, calls) = of(&[3, 1, 3, 2, 3, 1]);
        assert_eq!(
            (calls, duplicates.later_rows(3), duplicates.later_rows(1), duplicates.later_rows(2)),
            (3, 2, 1, 0)
        );
    }

    #[test]
    fn what_two_threads_find_is_what_one_finds() {
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
        let mut alone = input.ledger(&options).unwrap();
        assert_eq!(alone.by_ref().count(), 40 * BATCH);
        assert_eq!(alone.notes().len(), 4, "{:?}", alone.notes());
        for _ in 0..5 {
            assert_eq!(scan(&input, &options).unwrap().notes, alone.notes());
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_wrong_usage() {
        let error = Input::open("no-such-ledger.csv".as_ref()).unwrap_err();
        assert_eq!(error.exit, crate::exit::Exit::Usage);
        assert!(error.what.contains("no-such-ledger.csv"));
    }
}
