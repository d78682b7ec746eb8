//! The store in SQLite: WAL, `synchronous=FULL`, one writer with group commit.
//!
//! Promises: [`Store::begin_request`] and [`Store::end_request`] return only when what they say is on disk.
//! Calls that arrive while a commit is under way share the next one, so that thousands a second are possible.

mod attempts;
mod checksum;
mod open_items;
mod places;
mod reader;
mod rows;
mod runs;
mod schema;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::lock::StoreLock;
use super::{BegunRequest, ExpectedOrigin, NewRequest, OpenItem, OpenItems, Origin, RequestEnd, RunIdentity};
use crate::clock::{Clock, Moment};
use crate::error::{Error, Result};
use reconcile_core::answer::NewAnswer;
use reconcile_core::ask_again::Scope;
use reconcile_core::rate::Rate;
use reconcile_core::traffic::{Sending, Traffic};
use writer::{Command, Writer, lock};

pub use reader::Reader;
pub use schema::SCHEMA_VERSION;
pub use upkeep::Erased;

/// The store, open for one process alone.
pub struct Store {
    path: PathBuf,
    writer: Writer,
    clock: Arc<dyn Clock>,
    lock: StoreLock,
    standing: Mutex<Standing>,
}

/// Of which origin the store is, and whether that can still change.
#[derive(Debug, Clone, Copy)]
struct Standing {
    origin: Origin,
    settled: bool,
}

fn us(t: DateTime<Utc>) -> i64 {
    t.timestamp_micros()
}

/// A count as SQLite gives it; none is negative.
fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn duration_us(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

/// What went wrong with the file, and what to do about it.
fn failed<E>(path: &Path, doing: &str, e: E) -> Error
where
    E: std::borrow::Borrow<rusqlite::Error> + std::error::Error + Send + Sync + 'static,
{
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
    let hint = match e.borrow().sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => return schema::damaged(path, &e.to_string()),
        Some(DatabaseBusy | DatabaseLocked) => {
            "another program, such as sqlite3 or DuckDB, has it open for writing: end that, then run the same command \
             again. Nothing stored is lost"
        }
        _ => "check free space and permissions, then run the same command again: nothing stored is lost",
    };
    Error::output(format!("the store {} cannot be {doing}", path.display())).hint(hint).because(e)
}

/// Waits without a moment in which there is nothing to do; `None` when no reply will come.
async fn busily<T>(mut reply: oneshot::Receiver<T>) -> Option<T> {
    loop {
        match reply.try_recv() {
            Err(TryRecvError::Empty) => tokio::task::yield_now().await,
            done => return done.ok(),
        }
    }
}

impl Store {
    /// Opens the store, or makes it; takes its lock, brings it to this schema and checks that it is whole.
    ///
    /// # Errors
    ///
    /// Exit 5 when another run holds it; exit 2 when it is of another origin, newer than this program, or no
    /// store at all; exit 6 when it is damaged, or cannot be read or written.
    pub fn open(path: &Path, expect: impl Into<ExpectedOrigin>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_as(path, Some(expect.into()), clock)
    }

    /// Opens a store that is there already, of whichever origin.
    ///
    /// # Errors
    ///
    /// As [`Store::open`]; exit 2 when there is none.
    pub fn open_existing(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        schema::check_exists(path)?;
        Self::open_as(path, None, clock)
    }

    fn open_as(path: &Path, expect: Option<ExpectedOrigin>, clock: Arc<dyn Clock>) -> Result<Self> {
        schema::check_place(path)?;
        let lock = StoreLock::take(path)?;
        let connection = Connection::open(path).map_err(|e| failed(path, "opened", e))?;
        let origin = schema::prepare(&connection, path, expect)?;
        let settled = schema::has_answers(&connection).map_err(|e| failed(path, "read", e))?;
        let standing = Mutex::new(Standing { origin, settled });
        Ok(Self { path: path.to_owned(), writer: Writer::new(connection), clock, lock, standing })
    }

    /// Whether its answers are real.
    #[must_use]
    pub fn origin(&self) -> Origin {
        lock(&self.standing).origin
    }

    /// Takes note of the origin of an answer, before anything of it is kept. A store that has none yet, and was made for a
    /// provider, becomes a sandbox's when its first answer is one.
    ///
    /// # Errors
    ///
    /// Exit 2 when the store is of the other origin: nothing of the answer may be kept. Exit 6 when it cannot be written.
    pub fn admit(&self, answer: Origin) -> Result<()> {
        let mut standing = lock(&self.standing);
        if standing.origin != answer {
            if standing.settled || standing.origin == Origin::Sandbox {
                return Err(schema::other_origin(&self.path, standing.origin));
            }
            self.write(schema::become_sandbox)?;
            standing.origin = answer;
        }
        standing.settled = true;
        Ok(())
    }

    /// Random bytes of this store's own, drawn when they are first asked for: what `--record` replaces numbers by, so that the
    /// next run over this store goes on with the same recording.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn secret(&self) -> Result<Vec<u8>> {
        let drawn = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|id| id.simple().to_string()).concat();
        self.write(|c| {
            c.execute("INSERT INTO meta (key, value) VALUES ('secret', ?1) ON CONFLICT DO NOTHING", [drawn])?;
            c.query_row("SELECT value FROM meta WHERE key = 'secret'", [], |r| r.get::<_, String>(0))
        })
        .map(String::into_bytes)
    }

    /// Begins a session: goes on with the newest run if that has not ended and is over the same ledger, else
    /// begins a new one. Requests whose reply was never recorded are counted as answered at the latest moment
    /// it could have been: one time-out from now.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn begin_session(&self, identity: &RunIdentity, rate: Rate, timeout: Duration) -> Result<Scope> {
        let now = self.clock.now();
        let scope = self.write(|c| {
            places::settle_lost(c, self.clock.boot_id(), now)?;
            let scope = runs::begin_run(c, identity, now)?;
            c.execute(
                "INSERT INTO session (session_no, run_no, version, pid, boot_id, started_at, cap_requests,
                                      cap_window_us, timeout_us, first_request_no)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT coalesce(max(request_no), 0) + 1 FROM request))",
                params![
                    scope.session_no,
                    scope.run_no,
                    env!("CARGO_PKG_VERSION"),
                    std::process::id(),
                    self.clock.boot_id(),
                    us(now.wall),
                    rate.requests.get(),
                    rate.window_us(),
                    duration_us(timeout)
                ],
            )?;
            Ok(scope)
        })?;
        self.lock.note_session(scope.session_no)?;
        Ok(scope)
    }

    /// How long each place under the cap is still taken by requests of earlier processes. When the lock tells of
    /// sessions that the store does not know (it was deleted, restored from a backup, or lost its log), their
    /// requests are not known either: then a whole window is waited out.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn places_taken(&self, scope: &Scope, rate: Rate) -> Result<Vec<Duration>> {
        if self.lock.last_session() >= scope.session_no {
            return Ok(vec![rate.window; rate.requests.get() as usize]);
        }
        let now = self.clock.now();
        self.read(|c| places::taken(c, self.clock.as_ref(), now, rate))
    }

    /// Both clocks, as the store uses them.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.clock.now()
    }

    /// Puts a request on disk, before it is sent. Counts it among the call's attempts.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written; the request must not be sent then.
    pub async fn begin_request(&self, scope: &Scope, request: NewRequest) -> Result<BegunRequest> {
        let at = self.clock.now();
        self.submit(Command::Begin { session_no: scope.session_no, request, at }).await
    }

    /// Puts a request's end on disk, with the answer if the call has one now. A record is only ever replaced by
    /// a record: a later failure, or a provider that has forgotten, takes nothing away.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written; the answer does not count then.
    pub async fn end_request(
        &self,
        scope: &Scope,
        begun: BegunRequest,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> Result<()> {
        self.submit(Command::End { session_no: scope.session_no, begun, end, answer }).await.map(drop)
    }

    async fn submit(&self, command: Command) -> Result<BegunRequest> {
        let (reply, committed) = oneshot::channel();
        self.writer.submit(command, reply).map_err(Error::no_more_threads)?;
        let done = if self.clock.runs_by_itself() { committed.await.ok() } else { busily(committed).await };
        match done {
            Some(done) => done.map_err(|e| failed(&self.path, "written", e)),
            None => Err(Error::bug(format!("the writer of the store {} has stopped", self.path.display()))),
        }
    }

    /// Ends the thread that commits requests, once all are asked: so what memory it keeps goes back.
    pub fn end_requests(&self) {
        self.writer.rest();
    }

    /// A read-only connection, for another thread.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn reader(&self) -> Result<Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(|e| failed(&self.path, "read", e))?;
        Ok(Reader::new(connection, self.path.clone()))
    }

    /// What this session sent, and what its record says of the cap.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn traffic(&self, scope: &Scope) -> Result<Traffic> {
        self.read(|c| attempts::traffic(c, scope.session_no))
    }

    /// The same window by window, and what was tried again.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn sending(&self, scope: &Scope) -> Result<Sending> {
        self.read(|c| attempts::sending(c, scope.session_no))
    }

    /// Forgets answers that were found damaged, so that they are asked for again.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn discard(&self, damaged: &[i64]) -> Result<()> {
        self.write(|c| {
            let mut forget =
                c.prepare("UPDATE call SET answer = NULL, checksum = NULL WHERE call_no = ?1")?;
            damaged.iter().try_for_each(|call_no| forget.execute([call_no]).map(drop))
        })
    }

    /// Notes calls of this run's ledger that have no lasting answer.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn note_open(&self, scope: &Scope, items: &[OpenItem]) -> Result<()> {
        let now = us(self.clock.now().wall);
        self.write(|c| open_items::note(c, scope.run_no, now, items))
    }

    /// What is open at the end of this run, by age, and what it settled.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn open_items(&self, scope: &Scope) -> Result<OpenItems> {
        let now = self.clock.now().wall;
        self.write(|c| {
            open_items::clear(c, scope.run_no)?;
            open_items::standing(c, scope.run_no, now)
        })
    }

    /// Ends the session; with `complete`, the run as well: its outputs stand. A session that ends without
    /// leaves the run to be gone on with.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn end_session(&self, scope: &Scope, complete: Option<bool>) -> Result<()> {
        let now = us(self.clock.now().wall);
        self.write(|c| {
            c.execute(
                "UPDATE session SET ended_at = ?2 WHERE session_no = ?1",
                params![scope.session_no, now],
            )?;
            if let Some(complete) = complete {
                c.execute(
                    "UPDATE run SET ended_at = ?2, complete = ?3 WHERE run_no = ?1",
                    params![scope.run_no, now, complete],
                )?;
            }
            Ok(())
        })
    }

    /// One transaction.
    fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = lock(&self.writer.connection);
        let all = |c: &mut Connection| -> rusqlite::Result<T> {
            let tx = c.transaction()?;
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        };
        all(&mut connection).map_err(|e| failed(&self.path, "written", e))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&lock(&self.writer.connection)).map_err(|e| failed(&self.path, "read", e))
    }
}

#[cfg(test)]
mod tests;
