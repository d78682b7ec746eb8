//! Reads rows of the table `call` before they are looked up. A ledger usually names its calls in
//! the order of these rows, because they were asked in that order. Reading the next rows together
//! is faster than searching for them one by one.

use std::collections::VecDeque;

use reconcile_core::call::CallKey;

use crate::store::call_row::CallRow;

/// Number of rows in one read, some 100 KiB. More would not fit a core's cache beside the rest of
/// publishing.
pub(super) const ROWS_PER_READ: i64 = 128;
/// Maximum distance, in rows, between two calls that were in flight together.
const NEARBY: u64 = 1_024;
/// Reading ahead starts this number of rows before the call that was found last: most calls that
/// were in flight together are nearer.
const ROWS_BEFORE: u64 = 256;
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
    /// The last of the stored rows that were taken since reading ahead began.
    newest_no: i64,
    /// The row that was found by search last.
    searched_no: i64,
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
            newest_no: 0,
            searched_no: 0,
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
        (self.hits, self.next) = (self.hits + 1, position + 1);
        self.newest_no = self.newest_no.max(row.call_no);
        // Calls of rows this far behind are not in the ledger.
        let oldest_no = self.newest_no.saturating_sub_unsigned(NEARBY);
        let is_done = |row: &Option<CallRow>| row.as_ref().is_none_or(|row| row.call_no < oldest_no);
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
        let next_no = self.next_no.filter(|no| *no <= self.newest_no.saturating_add_unsigned(NEARBY))?;
        if self.on_trial >= ROWS_ON_TRIAL {
            if self.hits < ROWS_ON_TRIAL / 8 {
                *self = Self {
                    searches_to_start: self.searches_to_start.saturating_mul(2),
                    searched_no: self.searched_no,
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
    /// some rows before it. A late call near the rows that are read ahead changes nothing.
    pub(super) fn searched(&mut self, call_no: i64) {
        if self.next_no.is_some() && call_no.abs_diff(self.newest_no) <= NEARBY {
            return;
        }
        let is_nearby = call_no.abs_diff(self.searched_no) <= NEARBY;
        self.nearby_searches = if is_nearby { self.nearby_searches + 1 } else { 0 };
        self.searched_no = call_no;
        if self.nearby_searches >= self.searches_to_start {
            let next_no = Some(call_no.saturating_sub_unsigned(ROWS_BEFORE));
            let searches_to_start = self.searches_to_start;
            *self =
                Self { next_no, newest_no: call_no, searched_no: call_no, searches_to_start, ..Self::new() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_core::answer::StoredCall;
    use reconcile_core::product::ProductId;

    const ROWS: usize = 20 * 1_024;

    fn key(no: usize) -> CallKey {
        CallKey { call_id: format!("{no}^{no}"), prod_id: ProductId(7), day: chrono::NaiveDate::default() }
    }

    fn row(no: usize) -> CallRow {
        let stored = StoredCall { attempts: 1, answer: None, receipt: None };
        CallRow { call_no: i64::try_from(no).unwrap_or_default(), key: Some(key(no)), stored, is_whole: true }
    }

    /// Looks up these calls. Returns the number of searches and of rows that were read ahead.
    fn look_up(calls: &[usize]) -> (usize, usize) {
        let (mut ahead, mut searches, mut read) = (ReadAhead::new(), 0, 0);
        for call in calls {
            let found = loop {
                if let Some(found) = ahead.take(&key(*call)) {
                    break Some(found.call_no);
                }
                let Some(from) = ahead.next_read() else { break None };
                ahead.begin_read();
                let from = usize::try_from(from).unwrap_or_default();
                for no in (from..ROWS).take(ROWS_PER_READ as usize) {
                    ahead.push(row(no));
                    read += 1;
                }
            };
            assert!(found.is_none_or(|no| no == row(*call).call_no), "{call}");
            if found.is_none() {
                searches += 1;
                ahead.searched(row(*call).call_no);
            }
        }
        (searches, read)
    }

    fn shuffled(calls: &mut [usize]) {
        fastrand::Rng::with_seed(7).shuffle(calls);
    }

    #[test]
    fn calls_in_the_order_of_the_store_are_hardly_searched_for() {
        let calls: Vec<usize> = (0..ROWS).collect();
        let (searches, read) = look_up(&calls);
        assert!(searches < 10 && read <= ROWS, "{searches} searches, {read} rows");
    }

    #[test]
    fn calls_that_were_in_flight_together_are_read_ahead() {
        for in_flight in [16, 256, 1_024] {
            let mut calls: Vec<usize> = (0..ROWS).collect();
            calls.chunks_mut(in_flight).for_each(shuffled);
            let (searches, read) = look_up(&calls);
            assert!(searches < ROWS / 10 && read < ROWS + 4_096, "{in_flight}: {searches}, {read} rows");
        }
    }

    #[test]
    fn of_calls_in_no_order_few_rows_are_read_ahead() {
        let mut calls: Vec<usize> = (0..ROWS).collect();
        shuffled(&mut calls);
        let (searches, read) = look_up(&calls);
        assert!(searches > ROWS * 9 / 10 && read < ROWS, "{searches} searches, {read} rows");
    }

    #[test]
    fn after_a_part_of_another_reader_reading_ahead_goes_on() {
        let parts = (0..ROWS).step_by(4_096).flat_map(|part| part..part + 2_048);
        let calls: Vec<usize> = parts.collect();
        let (searches, read) = look_up(&calls);
        assert!(searches < calls.len() / 10 && read < calls.len() * 2, "{searches} searches, {read} rows");
    }
}
