//! Reads what the store knows of calls. Owns the read-ahead: ledgers name their calls in the order in which they were
//! asked for, so that the rows lie one behind the other and need not be searched for one by one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::rows::{COLUMNS, CallRow};
use super::{attempts, failed, places, runs, schema};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::{ExpectedOrigin, KnownCall, RunIdentity, SessionEvidence};
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::rate::Rate;

/// Rows read ahead at once, half a MiB: SQLite prepares the query anew each time, since a range may need another plan.
const AHEAD: i64 = 1_024;
/// Calls that were in flight together may stand in another order than the ledger's, this far apart: as many as there may be.
const NEAR: u64 = 1_024;
/// So many calls that lay near the one before are to be searched for before reading ahead begins; twice as many each time that
/// it was given up again.
const NEAR_AT_FIRST: u32 = 4;
/// So many readings ahead of which hardly a row is looked up, one behind the other, and they are given up.
const DRY: u32 = 4;

/// A read-only connection of its own.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    ahead: RefCell<Ahead>,
    damaged: RefCell<Vec<i64>>,
}

/// Rows in the store's order, read before they are looked up: of a ledger in about the same order each is found here at once.
struct Ahead {
    /// `None` for those that were looked up.
    rows: VecDeque<Option<CallRow>>,
    /// Of each row, a hash of its CallId: a few thousand are looked through in a microsecond.
    hashes: VecDeque<u32>,
    /// How many of the rows are still to be looked up.
    left: usize,
    /// Where reading goes on; `None` when the ledger does not follow the store's order.
    from_no: Option<i64>,
    /// The row that was found last, wherever it was found.
    last_no: i64,
    /// Rows found here since the last reading, and the readings in a row that were of hardly any use.
    hits: i64,
    dry: u32,
    /// Calls searched for in a row that lay near the one before, and how many begin a new reading.
    near: u32,
    near_wanted: u32,
}

impl Ahead {
    fn new() -> Self {
        Self {
            rows: VecDeque::new(),
            hashes: VecDeque::new(),
            left: 0,
            from_no: None,
            last_no: 0,
            hits: 0,
            dry: 0,
            near: 0,
            near_wanted: NEAR_AT_FIRST,
        }
    }

    fn take(&mut self, key: &CallKey) -> Option<CallRow> {
        let is_it = |row: &Option<CallRow>| row.as_ref().is_some_and(|row| row.key.as_ref() == Some(key));
        let at = if self.rows.front().is_some_and(is_it) {
            0
        } else {
            let hash = crc32fast::hash(key.call_id.as_bytes());
            let alike = self.hashes.iter().enumerate().filter(|(_, other)| **other == hash);
            alike.map(|(at, _)| at).find(|at| is_it(&self.rows[*at]))?
        };
        let row = self.rows[at].take()?;
        (self.left, self.hits, self.last_no) = (self.left - 1, self.hits + 1, row.call_no);
        // Those this far behind are not in the ledger.
        let is_done = |row: &Option<CallRow>| {
            row.as_ref().is_none_or(|row| row.call_no < self.last_no.saturating_sub_unsigned(NEAR))
        };
        while self.rows.front().is_some_and(is_done) {
            self.left -= usize::from(self.rows.pop_front().flatten().is_some());
            self.hashes.pop_front();
        }
        Some(row)
    }

    /// Where to read on now, if anywhere.
    fn wants(&mut self) -> Option<i64> {
        let from_no = self.from_no.filter(|_| self.left < 2 * NEAR as usize)?;
        if self.hits < AHEAD / 8 {
            self.dry += 1;
        } else {
            (self.dry, self.near_wanted) = (0, NEAR_AT_FIRST);
        }
        self.hits = 0;
        if self.dry > DRY {
            *self = Self {
                near_wanted: self.near_wanted.saturating_mul(2),
                last_no: self.last_no,
                ..Self::new()
            };
            return None;
        }
        Some(from_no)
    }

    fn put(&mut self, row: CallRow) {
        self.from_no = Some(row.call_no + 1);
        self.hashes.push_back(row.key.as_ref().map_or(0, |key| crc32fast::hash(key.call_id.as_bytes())));
        self.rows.push_back(Some(row));
        self.left += 1;
    }

    /// A row that had to be searched for: where there is a row of such, reading ahead begins anew before it.
    fn searched(&mut self, call_no: i64) {
        self.near = if call_no.abs_diff(self.last_no) <= NEAR { self.near + 1 } else { 0 };
        self.last_no = call_no;
        if self.near >= self.near_wanted {
            let from_no = Some(call_no.saturating_sub_unsigned(NEAR));
            *self = Self { from_no, last_no: call_no, near_wanted: self.near_wanted, ..Self::new() };
        }
    }
}

impl Reader {
    pub(super) fn new(connection: Connection, path: PathBuf) -> Self {
        Self { connection, path, ahead: RefCell::new(Ahead::new()), damaged: RefCell::default() }
    }

    /// Reads a store without taking its lock: another process may be working at it. `None` when there is none.
    ///
    /// # Errors
    ///
    /// Exit 2 when it is no store, of another schema or origin; exit 6 when it cannot be read.
    pub fn open(path: &Path, expect: Option<ExpectedOrigin>) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        schema::check_place(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| failed(path, "opened", e))?;
        schema::check_kind(&connection, path)?;
        if !schema::is_current(&connection).map_err(|e| failed(path, "read", e))? {
            return Err(Error::usage(format!("the store {} is of an older schema", path.display()))
                .hint("the next run brings it to this version's; it can be read then"));
        }
        schema::check_origin(&connection, path, expect)?;
        Ok(Some(Self::new(connection, path.to_owned())))
    }

    /// What the store knows of a call. An answer whose checksum is not right counts as none.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn lookup(&self, key: &CallKey) -> Result<Option<StoredCall>> {
        let found = self.find(key).map_err(|e| failed(&self.path, "read", e))?;
        Ok(found.map(|mut row| {
            if !row.whole {
                self.damaged.borrow_mut().push(row.call_no);
                row.stored.answer = None;
            }
            row.stored
        }))
    }

    /// The rows that were found damaged since this was asked last.
    pub fn take_damaged(&self) -> Vec<i64> {
        self.damaged.take()
    }

    fn find(&self, key: &CallKey) -> rusqlite::Result<Option<CallRow>> {
        let mut ahead = self.ahead.borrow_mut();
        if let Some(from_no) = ahead.wants() {
            self.read_ahead(&mut ahead, from_no)?;
        }
        if let Some(row) = ahead.take(key) {
            return Ok(Some(row));
        }
        let found = self.search(key)?;
        if let Some(row) = &found {
            ahead.searched(row.call_no);
        }
        Ok(found)
    }

    fn search(&self, key: &CallKey) -> rusqlite::Result<Option<CallRow>> {
        let sql =
            format!("SELECT {COLUMNS} FROM call WHERE call_id = ?1 AND prod_id = ?2 AND call_date = ?3");
        self.connection
            .prepare_cached(&sql)?
            .query_row(params![key.call_id, key.prod_id.0, key.day.to_string()], |row| {
                CallRow::read_as(row, Some(key.clone()))
            })
            .optional()
    }

    fn read_ahead(&self, ahead: &mut Ahead, from_no: i64) -> rusqlite::Result<()> {
        let sql = format!("SELECT {COLUMNS} FROM call WHERE call_no >= ?1 ORDER BY call_no LIMIT ?2");
        let mut query = self.connection.prepare_cached(&sql)?;
        let rows = query.query_map(params![from_no, AHEAD], CallRow::read)?;
        // At the end of the table there is nothing to go on with.
        ahead.from_no = None;
        rows.into_iter().try_for_each(|row| row.map(|row| ahead.put(row)))
    }

    /// What a session over this ledger would be; writes nothing.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn foresee(&self, identity: &RunIdentity, clock: &dyn Clock) -> Result<Scope> {
        self.read(|c| runs::foresee_run(c, identity, clock.now()))
    }

    /// How long each place under the cap is still taken; requests whose reply was never recorded are not counted here.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn places_taken(&self, clock: &dyn Clock, rate: Rate) -> Result<Vec<Duration>> {
        self.read(|c| places::taken(c, clock, clock.now(), rate))
    }

    /// Everything known of the calls with this CallId, oldest first.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn calls_named(&self, call_id: &str) -> Result<Vec<KnownCall>> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM call WHERE call_id = ?1 ORDER BY call_no");
            let mut query = c.prepare(&sql)?;
            let rows = query.query_map([call_id], CallRow::read)?;
            rows.filter_map(|row| match row {
                Ok(CallRow { call_no, key: Some(key), stored, whole }) => {
                    let attempts = attempts::of_call(c, call_no);
                    Some(attempts.map(|attempts| KnownCall { key, stored, whole, attempts }))
                }
                Ok(_) => None,
                Err(e) => Some(Err(e)),
            })
            .collect()
        })
    }

    /// CallIds that begin like this one, for whoever mistyped it.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn similar_call_ids(&self, call_id: &str) -> Result<Vec<String>> {
        let stem: String = call_id.chars().take(6).collect();
        self.read(|c| {
            let mut query = c.prepare(
                "SELECT DISTINCT call_id FROM call WHERE call_id >= ?1 AND call_id < ?1 || char(0x10FFFF) LIMIT 3",
            )?;
            query.query_map([stem], |row| row.get(0))?.collect()
        })
    }

    /// What the record of every session says of the cap, oldest first.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn evidence(&self) -> Result<Vec<SessionEvidence>> {
        self.read(attempts::evidence)
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.connection).map_err(|e| failed(&self.path, "read", e))
    }
}
