//! The calls that a ledger names more than once.

use super::error::{LedgerError, Result};
use super::fingerprints::{Fingerprints, RowOfCall};
use crate::threads::{self, Share};

/// What a row is among several rows that name the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The first of them.
    First {
        /// How many rows follow.
        later_rows: u64,
    },
    /// A later one.
    Later {
        /// The number of the first of them.
        first: u64,
    },
}

/// The rows of all calls that more than one row names. A row's number counts the ledger's records
/// from 0. Holds 24 bytes for each of these rows.
#[derive(Debug, Clone, Default)]
pub struct DuplicateCalls {
    /// By number, ascending.
    rows: Vec<(u64, Repeat)>,
    last_with_new_values: Option<u64>,
}

impl DuplicateCalls {
    /// The rows in this range of numbers, ascending.
    #[must_use]
    pub fn among(&self, rows: std::ops::Range<u64>) -> &[(u64, Repeat)] {
        let before = |end| self.rows.partition_point(|(row, _)| *row < end);
        &self.rows[before(rows.start)..before(rows.end)]
    }

    /// Whether an earlier row names the call of this row.
    #[must_use]
    pub fn is_later(&self, row: u64) -> bool {
        let at = self.rows.binary_search_by_key(&row, |(row, _)| *row);
        at.is_ok_and(|at| matches!(self.rows[at].1, Repeat::Later { .. }))
    }

    /// Number of the last row that gives a value which the first row of its call lacks; `None` if
    /// there is no such row.
    #[must_use]
    pub fn last_with_new_values(&self) -> Option<u64> {
        self.last_with_new_values
    }

    /// Counts the rows of all calls on this number of threads; also returns the number of distinct
    /// calls.
    ///
    /// # Errors
    /// The temporary file of the fingerprints cannot be read, or a thread cannot be started.
    pub(super) fn count(all: &Fingerprints, threads: usize) -> Result<(Self, u64)> {
        let share = |share| Counted::share(all, share).map_err(LedgerError::temporary_file);
        let shares = threads::in_shares("repeats", threads, LedgerError::no_thread, share)?;
        let mut counted = Counted::default();
        shares.into_iter().for_each(|share| counted.add(share));
        counted.rows.sort_unstable_by_key(|(row, _)| *row);
        let Counted { rows, last_with_new_values, calls } = counted;
        Ok((Self { rows, last_with_new_values }, calls))
    }
}

/// What a thread has counted.
#[derive(Default)]
struct Counted {
    rows: Vec<(u64, Repeat)>,
    last_with_new_values: Option<u64>,
    calls: u64,
}

impl Counted {
    fn share(all: &Fingerprints, share: Share) -> std::io::Result<Self> {
        let mut counted = Self::default();
        for part in all.share(share) {
            part?.chunk_by(|a, b| a.fingerprint == b.fingerprint).for_each(|call| counted.add_call(call));
        }
        Ok(counted)
    }

    /// Adds the rows of a call, in the order of their numbers.
    fn add_call(&mut self, call: &[RowOfCall]) {
        self.calls += 1;
        let [first, later @ ..] = call else { return };
        if later.is_empty() {
            return;
        }
        self.rows.push((first.row(), Repeat::First { later_rows: later.len() as u64 }));
        for row in later {
            self.rows.push((row.row(), Repeat::Later { first: first.row() }));
            if row.given() & !first.given() != 0 {
                self.last_with_new_values = self.last_with_new_values.max(Some(row.row()));
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.last_with_new_values = self.last_with_new_values.max(other.last_with_new_values);
        self.calls += other.calls;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The rows with these fingerprints and given values.
    fn counted(all: &[(u128, u16)]) -> (DuplicateCalls, u64) {
        let mut fingerprints = Fingerprints::default();
        // Threads add rows in any order.
        for (row, (fingerprint, given)) in all.iter().enumerate().rev() {
            // The first byte of a fingerprint names its part.
            let row = RowOfCall::new(fingerprint.rotate_right(8), row as u64, *given);
            fingerprints.push(row).unwrap();
        }
        DuplicateCalls::count(&fingerprints, 3).unwrap()
    }

    #[test]
    fn the_rows_of_a_call_are_told_apart() {
        assert!(counted(&[(1, 0), (2, 0)]).0.among(0..2).is_empty());
        let (duplicates, calls) = counted(&[(3, 6), (1, 1), (3, 4), (2, 0), (3, 0), (1, 1)]);
        assert_eq!((calls, duplicates.last_with_new_values()), (3, None));
        let wanted = [
            (0, Repeat::First { later_rows: 2 }),
            (1, Repeat::First { later_rows: 1 }),
            (2, Repeat::Later { first: 0 }),
            (4, Repeat::Later { first: 0 }),
            (5, Repeat::Later { first: 1 }),
        ];
        assert_eq!(duplicates.among(0..6), wanted);
        assert_eq!(duplicates.among(2..5), &wanted[2..4]);
        assert_eq!([0, 2, 3].map(|row| duplicates.is_later(row)), [false, true, false]);
    }

    #[test]
    fn a_later_row_with_new_values_is_noticed() {
        let rows = [(1, 6), (2, 1), (1, 7), (2, 3), (1, 6)];
        assert_eq!(counted(&rows).0.last_with_new_values(), Some(3));
        assert_eq!(counted(&rows[..3]).0.last_with_new_values(), Some(2));
    }
}
