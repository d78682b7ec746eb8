//! Reads from the store on its own connection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::NaiveDate;
use postgres::Transaction;
use reconcile_core::answer::StoredCall;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;

use super::connection::Connection;
use super::errors::Done;
use super::places::{self, Counted};
use super::settings::Settings;
use super::{beside, calls, meta, other_answers, prepare, receipts, run_history, sessions, shares, traffic};
use crate::clock::{Clock, Moment};
use crate::error::Result;
use crate::store::amendments::Amendment;
use crate::store::answered::{AnswerGroup, AnsweredCall, Sessions};
use crate::store::beside::{CallNumbers, FinalCall, OpenCall, OpenCallsOf, RecheckedCalls};
use crate::store::copy::key;
use crate::store::history::{CapRecord, KnownCall};
use crate::store::location::DatabaseUrl;
use crate::store::origin::{ExpectedOrigin, Origin};
use crate::store::reader::Reader;
use crate::store::receipts::KeptReceipt;
use crate::store::run_history::StoredRun;
use crate::store::run_identity::{AccountCap, RunIdentity};
use crate::store::windows::windows;

/// Amended calls that one transaction reads.
const AMENDED_AT_ONCE: usize = 256;

/// A connection that only reads.
pub(crate) struct PostgresReader {
    connection: Connection,
    damaged: RefCell<Vec<i64>>,
}

impl PostgresReader {
    /// Opens a store for reading. Returns `None` if the database has none.
    ///
    /// # Errors
    ///
    /// Exit 2 if it is not a store, or has another schema or origin, or the connection is refused;
    /// exit 6 if it cannot be read.
    pub(crate) fn open(url: &DatabaseUrl, expected: Option<ExpectedOrigin>) -> Result<Option<Self>> {
        let reader = Self::connect(&Settings::of_process(url)?)?;
        if !prepare::check_to_read(&reader.connection, expected)? {
            return Ok(None);
        }
        if expected.is_some() {
            reader
                .connection
                .read(|link| meta::copies(&mut link.client))?
                .check(reader.connection.store())?;
        }
        Ok(Some(reader))
    }

    /// Connects to a store that was already checked.
    ///
    /// # Errors
    ///
    /// As [`PostgresReader::open`].
    pub(super) fn connect(settings: &Settings) -> Result<Self> {
        Ok(Self { connection: Connection::open(settings)?, damaged: RefCell::default() })
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.connection.read(move |link| work(&mut link.client.transaction()?))
    }

    /// The answers of calls with these numbers, by session and day.
    fn groups_of(&self, window: RangeInclusive<i64>, groups: &mut Groups) -> Result<()> {
        let mut read = std::mem::take(groups);
        *groups = self.read(move |t| calls::add_groups(t, &window, &mut read).map(|()| read))?;
        Ok(())
    }
}

/// The answers by session and day.
type Groups = BTreeMap<(i64, NaiveDate), AnswerGroup>;

/// The time that another thread needs of a clock.
struct ClockNow {
    now: Moment,
    boot_id: String,
    boot_us_is_uptime: bool,
}

impl ClockNow {
    fn of(clock: &dyn Clock) -> Self {
        let boot_us_is_uptime = clock.boot_us_is_uptime();
        Self { now: clock.now(), boot_id: clock.boot_id().to_owned(), boot_us_is_uptime }
    }
}

impl Clock for ClockNow {
    fn now(&self) -> Moment {
        self.now
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }

    fn boot_us_is_uptime(&self) -> bool {
        self.boot_us_is_uptime
    }
}

impl Reader for PostgresReader {
    fn lookup_all(&self, keys: &[&CallKey]) -> Result<Vec<Option<StoredCall>>> {
        let keys: Vec<CallKey> = keys.iter().map(|key| (*key).clone()).collect();
        let found = self.connection.read_short(move |link| calls::lookup(link, &keys))?;
        let damaged = found.iter().flatten().filter(|row| !row.is_whole).map(|row| row.call_no);
        self.damaged.borrow_mut().extend(damaged);
        Ok(found.into_iter().map(|row| row.map(calls::whole)).collect())
    }

    fn take_damaged(&self) -> Vec<i64> {
        self.damaged.take()
    }

    fn preview_session(&self, identity: &RunIdentity, clock: &dyn Clock) -> Result<Scope> {
        let (identity, now) = (identity.clone(), clock.now());
        self.read(move |t| sessions::preview_run(t, &identity, now))
    }

    fn places_taken(&self, clock: &dyn Clock, cap: &AccountCap) -> Result<Vec<Duration>> {
        let (clock, AccountCap { account, rate }) = (ClockNow::of(clock), cap.clone());
        self.read(move |t| places::taken(t, &clock, rate, &Counted::OfAccount(account)))
    }

    fn calls_named(&self, call_id: &str) -> Result<Vec<KnownCall>> {
        let call_id = call_id.to_owned();
        self.read(move |t| calls::named(t, &call_id))
    }

    fn similar_call_ids(&self, call_id: &str) -> Result<Vec<String>> {
        let call_id = call_id.to_owned();
        self.read(move |t| calls::similar(t, &call_id))
    }

    fn runs_named(&self, start: &str, at_most: u32) -> Result<Vec<StoredRun>> {
        let start = start.to_owned();
        self.read(move |t| run_history::runs_named(t, &start, at_most))
    }

    fn cap_record(&self) -> Result<CapRecord> {
        self.read(|t| {
            let missing_sessions = traffic::missing_sessions(t)?;
            let (sessions, accounts) = (traffic::evidence(t)?, shares::of_accounts(t)?);
            let copy_of = meta::value(t, key::COPY_OF)?;
            Ok(CapRecord { sessions, accounts, missing_sessions, names: 1, copy_of })
        })
    }

    fn origin(&self) -> Result<Origin> {
        prepare::read_origin(&self.connection)?.check(self.connection.store(), None)
    }

    fn amended(&self, run_no: i64, each: &mut dyn FnMut(Amendment) -> Result<()>) -> Result<()> {
        let calls = self.read(move |t| other_answers::untold(t, run_no))?;
        for calls in calls.chunks(AMENDED_AT_ONCE) {
            let calls = calls.to_vec();
            let amended = self.read(move |t| other_answers::amended(t, &calls))?;
            amended.into_iter().try_for_each(&mut *each)?;
        }
        Ok(())
    }

    fn open_days(&self, run_no: i64, days: RangeInclusive<NaiveDate>) -> Result<Vec<NaiveDate>> {
        self.read(move |t| beside::open_days(t, run_no, &days))
    }

    fn open_calls(&self, wanted: &OpenCallsOf) -> Result<Vec<OpenCall>> {
        let wanted = wanted.clone();
        self.read(move |t| beside::open_calls(t, &wanted))
    }

    fn call_windows(&self) -> Result<Vec<CallNumbers>> {
        Ok(self.read(calls::numbers)?.into_iter().flat_map(windows).collect())
    }

    fn final_calls(&self, window: &CallNumbers) -> Result<Vec<FinalCall>> {
        let window = window.clone();
        self.read(move |t| beside::final_calls(t, &window))
    }

    fn rechecked_calls(&self, run_no: i64) -> Result<RecheckedCalls> {
        self.read(move |t| beside::rechecked(t, run_no))
    }

    fn sessions(&self) -> Result<Sessions> {
        self.read(calls::sessions)
    }

    fn receipts_after(&self, after: Option<&CallKey>) -> Result<Vec<KeptReceipt>> {
        let after = after.cloned();
        self.read(move |t| receipts::after(t, after.as_ref()))
    }

    fn answer_groups(&self) -> Result<Vec<AnswerGroup>> {
        let mut groups = Groups::new();
        for window in self.read(calls::numbers)?.into_iter().flat_map(windows) {
            self.groups_of(window, &mut groups)?;
        }
        Ok(groups.into_values().collect())
    }

    fn answered_calls(
        &self,
        calls: RangeInclusive<i64>,
        is_wanted: &dyn Fn(i64, NaiveDate) -> bool,
        each: &mut dyn FnMut(AnsweredCall) -> Result<()>,
    ) -> Result<()> {
        for window in windows(calls) {
            let mut groups = Groups::new();
            self.groups_of(window.clone(), &mut groups)?;
            let wanted: Vec<_> =
                groups.into_keys().filter(|(session_no, day)| is_wanted(*session_no, *day)).collect();
            if wanted.is_empty() {
                continue;
            }
            for row in self.connection.read(move |link| calls::answered(link, &window, &wanted))? {
                if let Some(call) = calls::answered_call(row) {
                    each(call)?;
                }
            }
        }
        Ok(())
    }
}
