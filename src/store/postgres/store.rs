//! The verbs of the store, in PostgreSQL.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use futures::future::BoxFuture;
use postgres::Transaction;
use reconcile_core::answer::NewAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::rate::Rate;
use reconcile_core::receipt::Receipt;
use reconcile_core::since::OpenBefore;
use reconcile_core::traffic::{Sending, Traffic};

use super::connection::Connection;
use super::database::Database;
use super::errors::{Done, busy};
use super::leases::{Leases, take_over_the_dead};
use super::places::{self, Counted};
use super::reader::PostgresReader;
use super::sessions::{self, NewSessions};
use super::settings::Settings;
use super::{
    calls, erase, meta, open_discrepancies, open_items, prepare, receipts, record, replication, run_history,
    traffic,
};
use crate::clock::{Clock, Moment};
use crate::error::Result;
use crate::stop::Stop;
use crate::store::current_origin::CurrentOrigin;
use crate::store::erased::Erased;
use crate::store::group_commit::GroupCommit;
use crate::store::host::host_name;
use crate::store::location::DatabaseUrl;
use crate::store::open_discrepancies::RunEnd;
use crate::store::open_items::{OpenItem, OpenItems};
use crate::store::origin::{ExpectedOrigin, Origin};
use crate::store::places::Places;
use crate::store::reader::Reader;
use crate::store::request::{BegunRequest, NewRequest, RequestEnd};
use crate::store::run_history::{RunFigures, RunHistory};
use crate::store::run_identity::{AccountCap, Destination, RunIdentity};
use crate::store::store_note::StoreNote;
use crate::store::verbs::{RequestLog, Store};
use crate::store::wait::Wait;
use crate::store::windows::windows;

/// A store in a database. Several processes may have it open.
///
/// The fields are dropped in this order, so the connection is closed after the last commit.
pub(crate) struct PostgresStore {
    commits: GroupCommit<Database>,
    leases: Leases,
    database: Arc<Database>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    origin: CurrentOrigin,
}

impl PostgresStore {
    /// Opens a store. With `expected`, creates it if the database has none.
    /// [`crate::store::open()`] has the details.
    ///
    /// # Errors
    ///
    /// Exit 2 or 6, as in [`crate::store::open()`].
    pub(crate) fn open(
        url: &DatabaseUrl,
        expected: Option<ExpectedOrigin>,
        clock: Arc<dyn Clock>,
        wait: Option<Wait>,
        stop: &Stop,
    ) -> Result<Self> {
        let settings = Settings::of_process(url)?;
        let connection = Connection::open(&settings)?;
        let (origin, has_answers) = prepare::prepare(&connection, expected)?;
        // Only a run counts under the cap; erasing is always possible.
        if expected.is_some() {
            connection.read(|link| meta::copies(&mut link.client))?.check(connection.store())?;
        }
        let database = Arc::new(Database::new(connection));
        let commits = GroupCommit::new(database.clone());
        let origin = CurrentOrigin::new(origin, has_answers);
        let leases = Leases::new(database.clone(), settings.clone(), clock.clone(), wait, stop.clone());
        Ok(Self { commits, leases, database, settings, clock, origin })
    }

    /// Erases calls window by window, then the calls and requests that `last` erases. No run may
    /// work in the store.
    fn erase(
        &self,
        calls: impl Fn(&mut Transaction<'_>, &RangeInclusive<i64>) -> Done<u64> + Send + Sync + 'static,
        last: impl Fn(&mut Transaction<'_>) -> Done<(u64, u64)> + Send + 'static,
    ) -> Result<Erased> {
        take_over_the_dead(&self.database, self.clock.as_ref(), &self.database.own_sessions())?;
        let size = || self.database.run(|link| erase::size(&mut link.client));
        let bytes_before = size()?;
        let (calls, mut erased) = (Arc::new(calls), 0);
        for window in self.database.read(calls::numbers)?.into_iter().flat_map(windows) {
            let calls = calls.clone();
            erased += self.erase_alone(move |t| calls(t, &window))?;
        }
        let (receipts, requests) = self.erase_alone(last)?;
        self.database.run(|link| erase::vacuum(&mut link.client))?;
        Ok(Erased { calls: erased + receipts, requests, bytes_before, bytes_after: size()? })
    }

    /// Erases rows in one transaction, in which no session can begin.
    fn erase_alone<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        let own = self.database.own_sessions();
        let done = self.database.write_long(move |t| match sessions::first_live(t, &own)? {
            Some(holder) => Ok(Err(holder)),
            None => work(t).map(Ok),
        })?;
        done.map_err(|holder| busy(self.database.store(), &holder))
    }
}

impl RequestLog for PostgresStore {
    fn moment(&self) -> Moment {
        self.clock.now()
    }

    fn admit(&self, answer: Origin) -> Result<()> {
        let fix = |_| self.database.run(move |link| meta::fix_origin(&mut link.client, answer));
        self.origin.admit(answer, self.database.store(), "database", fix)
    }

    fn may_send(&self) -> bool {
        self.leases.lease().may_send()
    }

    fn until_may_send(&self) -> BoxFuture<'_, ()> {
        self.leases.lease().until_may_send()
    }

    fn begin_request<'a>(
        &'a self,
        scope: &'a Scope,
        request: NewRequest,
    ) -> BoxFuture<'a, Result<BegunRequest>> {
        self.commits.begin(scope, request, self.clock.now())
    }

    fn end_request<'a>(
        &'a self,
        scope: &'a Scope,
        begun: BegunRequest,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> BoxFuture<'a, Result<()>> {
        self.commits.end(scope, begun, end, answer)
    }
}

impl Store for PostgresStore {
    fn origin(&self) -> Origin {
        self.origin.get()
    }

    fn notes(&self) -> Vec<StoreNote> {
        let note = self.database.run(|link| replication::note(&mut link.client)).ok().flatten();
        note.into_iter().collect()
    }

    fn secret(&self) -> Result<Vec<u8>> {
        self.database.run(|link| meta::secret(&mut link.client))
    }

    fn begin_sessions(
        &self,
        identity: &RunIdentity,
        destination: &Destination,
        caps: &[AccountCap],
    ) -> Result<Vec<Scope>> {
        let new = NewSessions {
            identity: identity.clone(),
            destination: destination.clone(),
            caps: caps.to_vec(),
            host: host_name(),
            boot_id: self.clock.boot_id().to_owned(),
            now: self.clock.now(),
            first_beat: fastrand::i64(0..1 << 62),
        };
        self.leases.begin(&new)
    }

    fn places_taken(&self, scope: &Scope, rate: Rate) -> Result<Vec<Duration>> {
        let (clock, session_no) = (self.clock.clone(), scope.session_no);
        self.database.read(move |t| places::taken(t, clock.as_ref(), rate, &Counted::ForSession(session_no)))
    }

    fn hold_places(&self, scope: &Scope, _rate: Rate, places: Arc<dyn Places>, stop: &Stop) -> Result<()> {
        self.leases.hold(scope.session_no, places, stop.clone())
    }

    fn release_writer(&self) {
        self.commits.stop();
        self.leases.release();
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(PostgresReader::connect(&self.settings)?))
    }

    fn traffic(&self, scope: &Scope) -> Result<Traffic> {
        let session_no = scope.session_no;
        self.database.read(move |t| traffic::traffic(t, session_no))
    }

    fn sending(&self, scope: &Scope) -> Result<Sending> {
        let session_no = scope.session_no;
        self.database.read(move |t| traffic::sending(t, session_no))
    }

    fn discard(&self, damaged: &[i64]) -> Result<()> {
        let damaged = damaged.to_vec();
        self.database.write_fenced(move |t| record::discard_answers(t, &damaged))
    }

    fn keep_receipts(&self, scope: &Scope, receipts: &[(CallKey, Receipt)]) -> Result<()> {
        let (scope, now, receipts) = (scope.clone(), self.clock.now().wall, receipts.to_vec());
        self.database.write_fenced(move |t| receipts::keep(t, &scope, now, &receipts))
    }

    fn note_open(&self, scope: &Scope, items: &[OpenItem]) -> Result<()> {
        let (run_no, now, items) = (scope.run_no, self.clock.now().wall, items.to_vec());
        self.database.write_fenced(move |t| open_items::note(t, run_no, now, &items))
    }

    fn open_items(&self, scope: &Scope) -> Result<OpenItems> {
        let (run_no, now) = (scope.run_no, self.clock.now().wall);
        self.database.write_fenced(move |t| {
            open_items::clear(t, run_no)?;
            open_items::summarize(t, run_no, now)
        })
    }

    fn note_figures(&self, scope: &Scope, noted: &RunFigures) -> Result<()> {
        let (run_no, now, noted) = (scope.run_no, self.clock.now(), noted.clone());
        self.database.write_fenced(move |t| run_history::note(t, run_no, now, &noted))
    }

    fn run_history(&self, scope: &Scope, series: &str) -> Result<RunHistory> {
        let (run_no, series) = (scope.run_no, series.to_owned());
        self.database.read(move |t| run_history::history(t, run_no, &series))
    }

    fn open_before(&self, scope: &Scope) -> Result<OpenBefore> {
        let run_no = scope.run_no;
        self.database.read(move |t| open_discrepancies::before(t, run_no))
    }

    fn end_session(&self, scope: &Scope, run: Option<RunEnd>) -> Result<()> {
        self.leases.end(scope.run_no, run)
    }

    fn purge(&self, before: NaiveDate) -> Result<Erased> {
        let (clock, now) = (self.clock.clone(), self.clock.now());
        self.erase(
            move |t, window| erase::purge_calls(t, window, before),
            move |t| erase::purge_others(t, before, clock.boot_id(), now),
        )
    }

    fn forget(&self, number: &str) -> Result<Erased> {
        let (in_calls, elsewhere) = (number.to_owned(), number.to_owned());
        self.erase(
            move |t, window| erase::forget_calls(t, window, &in_calls),
            move |t| Ok((erase::forget_others(t, &elsewhere)?, 0)),
        )
    }
}
