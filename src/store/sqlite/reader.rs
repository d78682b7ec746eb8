//! Reads from the store on its own connection.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::call_row::{self, COLUMNS};
use super::errors::InStore as _;
use super::read_ahead::{ROWS_PER_READ, ReadAhead};
use super::{
    answers, attempts, beside, checks, held_file, lock, meta, other_answers, places, receipts, run_history,
    runs, schema, sessions, traffic,
};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::amendments::Amendment;
use crate::store::answered::{AnswerGroup, AnsweredCall, Sessions};
use crate::store::beside::{CallNumbers, FinalCall, OpenCall, OpenCallsOf, RecheckedCalls};
use crate::store::call_row::CallRow;
use crate::store::copy::key;
use crate::store::history::{CapRecord, KnownCall};
use crate::store::origin::{ExpectedOrigin, Origin};
use crate::store::reader::Reader;
use crate::store::receipts::{KeptReceipt, call_with};
use crate::store::run_history::StoredRun;
use crate::store::run_identity::{AccountCap, RunIdentity};
use crate::store::windows::windows;

/// A read-only connection.
pub(crate) struct SqliteReader {
    connection: Connection,
    path: PathBuf,
    ahead: RefCell<ReadAhead>,
    damaged: RefCell<Vec<i64>>,
}

impl SqliteReader {
    /// Opens a store without its lock: another process may be writing to it. Returns `None` if
    /// there is no store.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not a store, or has another schema or origin; exit 6 if it cannot be read.
    pub(crate) fn open(path: &Path, expected: Option<ExpectedOrigin>) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        checks::check_path(path)?;
        let resolved = held_file::resolve(path);
        checks::check_log(&resolved, lock::session_in_file_of(&resolved))?;
        let reader = Self::connect(path, "open")?;
        checks::check_kind(&reader.connection, path)?;
        if !schema::is_current(&reader.connection).in_store(path, "read")? {
            return Err(Error::usage(format!("the store {} has an older schema", path.display()))
                .hint("the next run upgrades it; then it can be read"));
        }
        meta::check_origin(&reader.connection, path, expected)?;
        expected.map_or(Ok(()), |_| meta::check_in_use(&reader.connection, path))?;
        Ok(Some(reader))
    }

    /// Connects to a store that was already checked. `verb` completes the error "cannot … the
    /// store".
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be opened.
    pub(super) fn connect(path: &Path, verb: &str) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).in_store(path, verb)?;
        let (ahead, damaged) = (RefCell::new(ReadAhead::new()), RefCell::default());
        Ok(Self { connection, path: path.to_owned(), ahead, damaged })
    }

    fn find(&self, key: &CallKey) -> rusqlite::Result<Option<CallRow>> {
        let mut ahead = self.ahead.borrow_mut();
        loop {
            if let Some(row) = ahead.take(key) {
                return Ok(Some(row));
            }
            let Some(from_no) = ahead.next_read() else { break };
            self.read_ahead(&mut ahead, from_no)?;
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
                call_row::read_as(row, Some(key.clone()))
            })
            .optional()
    }

    fn read_ahead(&self, ahead: &mut ReadAhead, from_no: i64) -> rusqlite::Result<()> {
        // SQLite would plan the query again for each value of a bound limit.
        let sql =
            format!("SELECT {COLUMNS} FROM call WHERE call_no >= ?1 ORDER BY call_no LIMIT {ROWS_PER_READ}");
        let mut query = self.connection.prepare_cached(&sql)?;
        let rows = query.query_map([from_no], call_row::read)?;
        ahead.begin_read();
        rows.into_iter().try_for_each(|row| row.map(|row| ahead.push(row)))
    }

    /// What the store has about a call. A damaged answer counts as none.
    fn call(&self, key: &CallKey, has_receipts: bool) -> Result<Option<StoredCall>> {
        let found = self.find(key).in_store(&self.path, "read")?.map(|mut row| {
            if !row.is_whole {
                self.damaged.borrow_mut().push(row.call_no);
                row.stored.answer = None;
            }
            row.stored
        });
        if !has_receipts {
            return Ok(found);
        }
        let receipt = self.read(|c| receipts::of_call(c, key))?;
        Ok(match (found, receipt) {
            (None, receipt) => receipt.map(call_with),
            (Some(found), receipt) => Some(StoredCall { receipt: receipt.map(Box::new), ..found }),
        })
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.connection).in_store(&self.path, "read")
    }
}

impl Reader for SqliteReader {
    fn lookup_all(&self, keys: &[&CallKey]) -> Result<Vec<Option<StoredCall>>> {
        let has_receipts = !receipts::is_empty(&self.connection, &self.path)?;
        // Collecting results would not know how many to make room for.
        let mut calls = Vec::with_capacity(keys.len());
        for key in keys {
            calls.push(self.call(key, has_receipts)?);
        }
        Ok(calls)
    }

    fn take_damaged(&self) -> Vec<i64> {
        self.damaged.take()
    }

    fn preview_session(&self, identity: &RunIdentity, clock: &dyn Clock) -> Result<Scope> {
        self.read(|c| runs::preview_run(c, identity, clock.now()))
    }

    fn places_taken(&self, clock: &dyn Clock, cap: &AccountCap) -> Result<Vec<Duration>> {
        self.read(|c| places::taken(c, clock, clock.now(), cap))
    }

    fn calls_named(&self, call_id: &str) -> Result<Vec<KnownCall>> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM call WHERE call_id = ?1 ORDER BY call_no");
            let mut query = c.prepare(&sql)?;
            let mut calls = Vec::new();
            for row in query.query_map([call_id], call_row::read)? {
                let CallRow { call_no, key, stored, is_whole } = row?;
                // A call without its day has no key, so it is left out.
                let Some(key) = key else { continue };
                calls.push(KnownCall {
                    key,
                    stored,
                    is_whole,
                    attempts: attempts::of_call(c, call_no)?,
                    others: other_answers::beside(c, call_no)?,
                });
            }
            KnownCall::add_receipts(&mut calls, receipts::named(c, call_id)?);
            Ok(calls)
        })
    }

    fn similar_call_ids(&self, call_id: &str) -> Result<Vec<String>> {
        let start: String = call_id.chars().take(6).collect();
        self.read(|c| {
            let mut query = c.prepare(
                "SELECT call_id FROM call WHERE call_id >= ?1 AND call_id < ?1 || char(0x10FFFF)
                 UNION SELECT call_id FROM receipt WHERE call_id >= ?1 AND call_id < ?1 || char(0x10FFFF) LIMIT 3",
            )?;
            query.query_map([start], |row| row.get(0))?.collect()
        })
    }

    fn runs_named(&self, start: &str, at_most: u32) -> Result<Vec<StoredRun>> {
        self.read(|c| run_history::runs_named(c, start, at_most))
    }

    fn cap_record(&self) -> Result<CapRecord> {
        let names = std::fs::metadata(&self.path).map_or(1, |metadata| held_file::names_of(&metadata));
        let missing_sessions = self.read(sessions::missing)?;
        let sessions = self.read(traffic::evidence)?;
        let copy_of = meta::value(&self.connection, &self.path, key::COPY_OF)?;
        Ok(CapRecord { sessions, accounts: Vec::new(), missing_sessions, names, copy_of })
    }

    fn origin(&self) -> Result<Origin> {
        meta::check_origin(&self.connection, &self.path, None)
    }

    fn amended(&self, run_no: i64, each: &mut dyn FnMut(Amendment) -> Result<()>) -> Result<()> {
        let mut done = Ok(());
        self.read(|c| {
            other_answers::amended(c, run_no, |amendment| {
                done = each(amendment);
                done.is_ok()
            })
        })?;
        done
    }

    fn open_days(&self, run_no: i64, days: RangeInclusive<NaiveDate>) -> Result<Vec<NaiveDate>> {
        self.read(|c| beside::open_days(c, run_no, &days))
    }

    fn open_calls(&self, wanted: &OpenCallsOf) -> Result<Vec<OpenCall>> {
        self.read(|c| beside::open_calls(c, wanted))
    }

    fn call_windows(&self) -> Result<Vec<CallNumbers>> {
        Ok(self.read(beside::numbers)?.into_iter().flat_map(windows).collect())
    }

    fn final_calls(&self, window: &CallNumbers) -> Result<Vec<FinalCall>> {
        self.read(|c| beside::final_calls(c, window))
    }

    fn rechecked_calls(&self, run_no: i64) -> Result<RecheckedCalls> {
        self.read(|c| beside::rechecked(c, run_no))
    }

    fn sessions(&self) -> Result<Sessions> {
        self.read(answers::sessions)
    }

    fn receipts_after(&self, after: Option<&CallKey>) -> Result<Vec<KeptReceipt>> {
        self.read(|c| receipts::after(c, after))
    }

    fn answer_groups(&self) -> Result<Vec<AnswerGroup>> {
        self.read(answers::groups)
    }

    fn answered_calls(
        &self,
        calls: RangeInclusive<i64>,
        is_wanted: &dyn Fn(i64, NaiveDate) -> bool,
        each: &mut dyn FnMut(AnsweredCall) -> Result<()>,
    ) -> Result<()> {
        let mut done = Ok(());
        self.read(|c| {
            answers::answered(c, calls, is_wanted, |call| {
                done = each(call);
                done.is_ok()
            })
        })?;
        done
    }
}
