//! The verbs of the store, in SQLite: WAL, `synchronous=FULL`, one writing connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::NaiveDate;
use futures::future::BoxFuture;
use reconcile_core::answer::NewAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::call::CallKey;
use reconcile_core::rate::Rate;
use reconcile_core::receipt::Receipt;
use reconcile_core::since::OpenBefore;
use reconcile_core::traffic::{Sending, Traffic};
use rusqlite::Connection;

use super::database::Database;
use super::errors::InStore as _;
use super::lock::StoreLock;
use super::prepare::Prepared;
use super::reader::SqliteReader;
use super::sessions::NewSessions;
use super::{
    checks, erase, file_system, held_file, meta, open_discrepancies, open_items, places, prepare, receipts,
    record, run_history, sessions, traffic,
};
use crate::clock::{Clock, Moment};
use crate::error::Result;
use crate::stop::Stop;
use crate::store::current_origin::CurrentOrigin;
use crate::store::erased::Erased;
use crate::store::group_commit::GroupCommit;
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

/// A store that this process has opened and locked.
///
/// The fields are dropped in this order, so the file is closed after its last commit.
pub(crate) struct SqliteStore {
    commits: GroupCommit<Database>,
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    origin: CurrentOrigin,
    /// True if the store lacks sessions that the lock file names, because it was deleted or
    /// restored.
    lacks_sessions: AtomicBool,
    /// The copy that was made before the upgrade.
    copy: Option<PathBuf>,
}

impl SqliteStore {
    /// Opens or creates a store. [`crate::store::open()`] has the details.
    ///
    /// # Errors
    ///
    /// Exit 2, 5 or 6, as in [`crate::store::open()`].
    pub(crate) fn open(path: &Path, expected: ExpectedOrigin, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_as(path, Some(expected), clock)
    }

    /// Opens an existing store of any origin.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`]; exit 2 if there is no store.
    pub(crate) fn open_existing(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        checks::check_exists(path)?;
        Self::open_as(path, None, clock)
    }

    fn open_as(path: &Path, expected: Option<ExpectedOrigin>, clock: Arc<dyn Clock>) -> Result<Self> {
        checks::check_path(path)?;
        let path = held_file::resolve(path);
        let lock = StoreLock::take(&path)?;
        checks::check_log(&path, lock.session_in_file())?;
        let connection = Connection::open(&path).in_store(&path, "open")?;
        let Prepared { origin, copy } = prepare::prepare(&connection, &path, expected)?;
        // Only a run counts under the cap; erasing is always possible.
        expected.map_or(Ok(()), |_| meta::check_in_use(&connection, &path))?;
        let is_final = meta::has_answers(&connection).in_store(&path, "read")?;
        let database = Arc::new(Database::new(path, connection, lock));
        database.check_held()?;
        let commits = GroupCommit::new(database.clone());
        let origin = CurrentOrigin::new(origin, is_final);
        Ok(Self { commits, database, clock, origin, lacks_sessions: AtomicBool::new(false), copy })
    }
}

impl RequestLog for SqliteStore {
    fn moment(&self) -> Moment {
        self.clock.now()
    }

    fn admit(&self, answer: Origin) -> Result<()> {
        let store = self.database.path().display().to_string();
        let fix = |of_store| {
            let is_new = of_store != answer;
            if is_new { self.database.write(meta::mark_as_sandbox).map(|()| true) } else { Ok(true) }
        };
        self.origin.admit(answer, &store, "file", fix)
    }

    /// A file's lock has no deadline.
    fn may_send(&self) -> bool {
        true
    }

    fn until_may_send(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
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

impl Store for SqliteStore {
    fn origin(&self) -> Origin {
        self.origin.get()
    }

    fn notes(&self) -> Vec<StoreNote> {
        let file_system = file_system::note(self.database.path()).map(StoreNote::FileSystem);
        file_system.into_iter().chain(self.copy.clone().map(|copy| StoreNote::Upgraded { copy })).collect()
    }

    fn secret(&self) -> Result<Vec<u8>> {
        self.database.write(meta::secret)
    }

    fn begin_sessions(
        &self,
        identity: &RunIdentity,
        destination: &Destination,
        caps: &[AccountCap],
    ) -> Result<Vec<Scope>> {
        let (boot_id, now) = (self.clock.boot_id(), self.clock.now());
        let after = self.database.lock().last_session();
        let newest = self.database.read(sessions::newest)?;
        self.lacks_sessions.store(after > newest, Ordering::Relaxed);
        let new = NewSessions { identity, destination, caps, boot_id, now, after };
        let scopes = self.database.write(|c| sessions::begin(c, &new))?;
        let newest = scopes.iter().map(|scope| scope.session_no).max();
        newest.map_or(Ok(()), |newest| self.database.has_begun(newest))?;
        Ok(scopes)
    }

    fn places_taken(&self, scope: &Scope, rate: Rate) -> Result<Vec<Duration>> {
        let now = self.clock.now();
        let account = self.database.read(|c| sessions::account(c, scope.session_no))?;
        if self.lacks_sessions.load(Ordering::Relaxed) {
            return Ok(vec![rate.cooldown(); rate.requests.get() as usize]);
        }
        self.database.read(|c| places::taken(c, self.clock.as_ref(), now, &AccountCap { account, rate }))
    }

    /// This process alone has the store, and so all places.
    fn hold_places(&self, scope: &Scope, rate: Rate, places: Arc<dyn Places>, _stop: &Stop) -> Result<()> {
        places.grow(rate.requests.get(), &self.places_taken(scope, rate)?);
        Ok(())
    }

    fn release_writer(&self) {
        self.commits.stop();
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        self.database.check_held()?;
        Ok(Box::new(SqliteReader::connect(self.database.path(), "read")?))
    }

    fn traffic(&self, scope: &Scope) -> Result<Traffic> {
        let all = self.traffic_of_all(std::slice::from_ref(scope))?;
        Ok(all.into_iter().next().unwrap_or_default())
    }

    fn traffic_of_all(&self, scopes: &[Scope]) -> Result<Vec<Traffic>> {
        self.database.read(|c| traffic::traffic(c, scopes))
    }

    fn sending(&self, scope: &Scope) -> Result<Sending> {
        self.sending_of_all(std::slice::from_ref(scope), 0)
    }

    fn sending_of_all(&self, scopes: &[Scope], points_of: usize) -> Result<Sending> {
        self.database.read(|c| traffic::sending(c, scopes, points_of))
    }

    fn discard(&self, damaged: &[i64]) -> Result<()> {
        self.database.write(|c| record::discard_answers(c, damaged))
    }

    fn keep_receipts(&self, scope: &Scope, receipts: &[(CallKey, Receipt)]) -> Result<()> {
        let now = self.clock.now().wall;
        self.database.write(|c| receipts::keep(c, scope, now, receipts))
    }

    fn note_open(&self, scope: &Scope, items: &[OpenItem]) -> Result<()> {
        let now = self.clock.now().wall;
        self.database.write(|c| open_items::note(c, scope.run_no, now, items))
    }

    fn open_items(&self, scope: &Scope) -> Result<OpenItems> {
        let now = self.clock.now().wall;
        self.database.write(|c| {
            open_items::clear(c, scope.run_no)?;
            open_items::summarize(c, scope.run_no, now)
        })
    }

    fn note_figures(&self, scope: &Scope, noted: &RunFigures) -> Result<()> {
        let now = self.clock.now();
        self.database.write(|c| run_history::note(c, scope.run_no, now, noted))
    }

    fn run_history(&self, scope: &Scope, series: &str) -> Result<RunHistory> {
        self.database.read(|c| run_history::history(c, scope.run_no, series))
    }

    fn open_before(&self, scope: &Scope) -> Result<OpenBefore> {
        self.database.read(|c| open_discrepancies::before(c, scope.run_no))
    }

    fn end_session(&self, scope: &Scope, run: Option<RunEnd>) -> Result<()> {
        let now = self.clock.now();
        self.database.write(|c| sessions::end(c, scope.run_no, run.as_ref(), now))
    }

    fn purge(&self, before: NaiveDate) -> Result<Erased> {
        let now = self.clock.now();
        erase::erase(&self.database, |c| erase::purge(c, before, self.clock.boot_id(), now))
    }

    fn forget(&self, number: &str) -> Result<Erased> {
        erase::erase(&self.database, |c| erase::forget(c, number))
    }
}
