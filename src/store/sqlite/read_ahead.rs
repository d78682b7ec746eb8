//! Reads rows of the table `call` before they are looked up. A ledger usually names its calls in
//! the order of these rows, because they were asked in that order. Reading the next rows together
//! is faster than searching for them one by one.

use std::collections::VecDeque;

use reconcile_core::call::CallKey;

use super::call_row::CallRow;

/// Number of rows in one read, some 100 KiB. More would not fit a core's cache beside the rest of
/// publishing.
pub(super) const ROWS_PER_READ: i64 = 128;
/// Maximum distance, in rows, between two calls that were in flight together.
const NEARBY: u64 = 512;
/// Consecutive nearby searches that start reading ahead. The number doubles each time that reading
/// ahead is stopped.
const SEARCHES_TO_START: u32 = 4;
/// After this many rows it is decided whether reading ahead goes on: if at least an eighth of them
/// was looked up.
const ROWS_ON_TRIAL: i64 = 4_096;

/// Rows that were read ahead, and the rule when to read.
pub(super) struct ReadAhead {
    /// The rows, in stored order; `None` once looked up.
    rows: VecDeque<Option<CallRow>>,
    /// A hash of the CallId of each row: thousands are compared in a microsecond.
    hashes: VecDeque<u32>,
    /// Position after the row that was taken last. The next lookup is usually for this one.
    next: usize,
    /// The first row of the next read; `None` if the ledger does not follow the stored order.
    next_no: Option<i64>,
    /// The row that was found last.
    last_no: i64,
    /// Rows read since the last decision to go on.
    on_trial: i64,
    /// Rows found here since then.
    hits: i64,
    /// Consecutive searches that found a row near the last one.
    nearby_searches: u32,
    /// Nearby searches that start reading ahead.
    searches_to_start: u32,
}

impl ReadAhead {
    /// Reads nothing ahead until lookups are nearby.
    pub(super) fn new() -> Self {
        Self {
            rows: VecDeque::new(),
            hashes: VecDeque::new(),
            next: 0,
            next_no: None,
            last_no: 0,
            on_trial: 0,
            hits: 0,
            nearby_searches: 0,
            searches_to_start: SEARCHES_TO_START,
        }
    }

    /// Takes the row of a call, if it was read.
    pub(super) fn take(&mut self, key: &CallKey) -> Option<CallRow> {
        let position = self.position(key)?;
        let row = self.rows[position].take()?;
        (self.hits, self.last_no) = (self.hits + 1, row.call_no);
        self.next = position + 1;
        // Calls of rows this far behind are not in the ledger.
        let is_done = |row: &Option<CallRow>| {
            row.as_ref().is_none_or(|row| row.call_no < self.last_no.saturating_sub_unsigned(NEARBY))
        };
        while self.rows.front().is_some_and(is_done) {
            self.rows.pop_front();
            self.hashes.pop_front();
            self.next = self.next.saturating_sub(1);
        }
        Some(row)
    }

    fn position(&self, key: &CallKey) -> Option<usize> {
        let is_it = |row: &Option<CallRow>| row.as_ref().is_some_and(|row| row.key.as_ref() == Some(key));
        if self.rows.get(self.next).is_some_and(is_it) {
            return Some(self.next);
        }
        let hash = crc32fast::hash(key.call_id.as_bytes());
        let alike = self.hashes.iter().enumerate().filter(|(_, other)| **other == hash);
        alike.map(|(position, _)| position).find(|position| is_it(&self.rows[*position]))
    }

    /// The first row to read before a call is searched for that is not here; `None` if it is
    /// farther away. Stops reading ahead if few of the rows are looked up.
    pub(super) fn next_read(&mut self) -> Option<i64> {
        let next_no = self.next_no.filter(|no| no.abs_diff(self.last_no) <= NEARBY)?;
        if self.on_trial >= ROWS_ON_TRIAL {
            if self.hits < ROWS_ON_TRIAL / 8 {
                *self = Self {
                    searches_to_start: self.searches_to_start.saturating_mul(2),
                    last_no: self.last_no,
                    ..Self::new()
                };
                return None;
            }
            (self.on_trial, self.hits, self.searches_to_start) = (0, 0, SEARCHES_TO_START);
        }
        Some(next_no)
    }

    /// Begins a read. If no row is pushed after it, it is the last read.
    pub(super) fn begin_read(&mut self) {
        self.next_no = None;
    }

    /// Adds a row that was read.
    pub(super) fn push(&mut self, row: CallRow) {
        self.next_no = Some(row.call_no + 1);
        self.hashes.push_back(row.key.as_ref().map_or(0, |key| crc32fast::hash(key.call_id.as_bytes())));
        self.rows.push_back(Some(row));
        self.on_trial += 1;
    }

    /// Notes a row that was found by search. After enough nearby searches, reading ahead starts
    /// some rows before it.
    pub(super) fn searched(&mut self, call_no: i64) {
        let is_nearby = call_no.abs_diff(self.last_no) <= NEARBY;
        self.nearby_searches = if is_nearby { self.nearby_searches + 1 } else { 0 };
        self.last_no = call_no;
        if self.nearby_searches >= self.searches_to_start {
            let next_no = Some(call_no.saturating_sub_unsigned(NEARBY));
            let searches_to_start = self.searches_to_start;
            *self = Self { next_no, last_no: call_no, searches_to_start, ..Self::new() };
        }
    }
}
