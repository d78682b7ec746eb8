//! The store in SQLite: WAL, `synchronous=FULL`, one writer with group commit.
//!
//! Promises: [`Store::begin_request`] and [`Store::end_request`] return only when what they say is on disk.
//! Calls that arrive while a commit is under way share the next one, so that thousands a second are possible.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};
use tokio::sync::oneshot;

use super::lock::StoreLock;
use super::{
    AnswerKind, Nature, NewAnswer, NewRequest, RequestEnd, RequestNo, RunIdentity, Scope, StoredAnswer,
    StoredCall,
};
use crate::call::CallKey;
use crate::clock::{Clock, Moment};
use crate::error::{Error, Result};
use crate::rate::Rate;
use crate::totals::Traffic;

/// "RCNL" in ASCII: marks the file as a store of this program.
const APPLICATION_ID: i64 = 0x5243_4e4c;
/// The schema this program writes.
pub const SCHEMA_VERSION: i64 = 1;
/// Different boots of the machine are compared by the wall clock only beyond this: no clock is that wrong.
const CLOCKS_DIFFER_AT_MOST: Duration = Duration::from_secs(86_400);

/// The store, open for one run.
pub struct Store {
    path: PathBuf,
    writer: Arc<Writer>,
    clock: Arc<dyn Clock>,
    _lock: StoreLock,
}

/// A read-only connection of its own.
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

struct Writer {
    connection: Mutex<Connection>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Command, oneshot::Sender<Result<RequestNo, String>>)>,
    committing: bool,
}

enum Command {
    Begin { session_no: i64, request: NewRequest, at: Moment },
    End { session_no: i64, no: RequestNo, end: RequestEnd, answer: Option<NewAnswer>, at: Moment },
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic inside SQLite's bindings would leave a transaction that the next BEGIN refuses: an error, not damage.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn us(t: DateTime<Utc>) -> i64 {
    t.timestamp_micros()
}

fn duration_us(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

fn failed(path: &Path, doing: &str, e: rusqlite::Error) -> Error {
    Error::output(format!("the store {} cannot be {doing}", path.display()))
        .hint(
            "check free space and permissions; if it is damaged, restore it from a backup or set it aside: \
               a new one asks for everything again",
        )
        .because(e)
}

impl Store {
    /// Opens the store, or makes it; takes its lock.
    ///
    /// # Errors
    ///
    /// Exit 5 when another run holds it; exit 2 when it is of another nature, newer than this program, or no
    /// store at all; exit 6 when it cannot be read or written.
    pub fn open(path: &Path, nature: Nature, clock: Arc<dyn Clock>) -> Result<Self> {
        let lock = StoreLock::take(path)?;
        let connection = Connection::open(path).map_err(|e| failed(path, "opened", e))?;
        check_kind(&connection, path)?;
        configure(&connection).map_err(|e| failed(path, "opened", e))?;
        make_or_check(&connection, path, nature)?;
        let writer = Writer { connection: Mutex::new(connection), queue: Mutex::default() };
        Ok(Self { path: path.to_owned(), writer: Arc::new(writer), clock, _lock: lock })
    }

    /// Begins a session: goes on with the newest run if that has not ended and is over the same ledger, else
    /// begins a new one. Requests whose reply was never recorded are counted as answered at the latest moment
    /// it could have been: one time-out from now.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn begin_session(&self, identity: &RunIdentity, rate: Rate, timeout: Duration) -> Result<Scope> {
        let mut connection = lock(&self.writer.connection);
        let now = self.clock.now();
        let begin = |c: &mut Connection| -> rusqlite::Result<Scope> {
            let tx = c.transaction()?;
            settle_lost(&tx, now, timeout)?;
            let scope = begin_run(&tx, identity, now)?;
            tx.execute(
                "INSERT INTO session (session_no, run_no, version, pid, boot_id, started_at, cap_requests, cap_window_us, timeout_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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
            tx.commit()?;
            Ok(scope)
        };
        begin(&mut connection).map_err(|e| failed(&self.path, "written", e))
    }

    /// How long each place under the cap is still taken by requests of earlier processes.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn places_taken(&self, rate: Rate) -> Result<Vec<Duration>> {
        let connection = lock(&self.writer.connection);
        let now = self.clock.now();
        let read = |c: &Connection| -> rusqlite::Result<Vec<Duration>> {
            let mut taken = taken_this_boot(c, self.clock.boot_id(), now, rate)?;
            taken.extend(taken_other_boots(c, self.clock.boot_id(), now, rate)?);
            Ok(taken)
        };
        read(&connection).map_err(|e| failed(&self.path, "read", e))
    }

    /// Puts a request on disk, before it is sent. Counts it among the call's attempts.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written; the request must not be sent then.
    pub async fn begin_request(&self, scope: &Scope, request: NewRequest) -> Result<RequestNo> {
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
        no: RequestNo,
        end: RequestEnd,
        answer: Option<NewAnswer>,
    ) -> Result<()> {
        let at = self.clock.now();
        self.submit(Command::End { session_no: scope.session_no, no, end, answer, at }).await.map(|_| ())
    }

    async fn submit(&self, command: Command) -> Result<RequestNo> {
        let (reply, committed) = oneshot::channel();
        let begin_committing = {
            let mut queue = lock(&self.writer.queue);
            queue.waiting.push((command, reply));
            !std::mem::replace(&mut queue.committing, true)
        };
        if begin_committing {
            let writer = self.writer.clone();
            tokio::task::spawn_blocking(move || writer.commit_all());
        }
        let lost = |why: String| {
            Error::output(format!("the store {} cannot be written", self.path.display()))
                .hint("check free space and permissions, then run the same command again: nothing stored is lost")
                .because(why)
        };
        match committed.await {
            Ok(Ok(no)) => Ok(no),
            Ok(Err(why)) => Err(lost(why)),
            Err(_) => Err(lost("its writer has stopped".into())),
        }
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
        Ok(Reader { connection, path: self.path.clone() })
    }

    /// What this session sent, and the most requests in any window that ends with one of them.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn traffic(&self, scope: &Scope, rate: Rate) -> Result<Traffic> {
        let connection = lock(&self.writer.connection);
        let read = |c: &Connection| -> rusqlite::Result<Traffic> {
            let mut traffic = count_requests(c, scope.session_no)?;
            traffic.most_in_any_window = most_in_any_window(c, scope.session_no, self.clock.boot_id(), rate)?;
            Ok(traffic)
        };
        read(&connection).map_err(|e| failed(&self.path, "read", e))
    }

    /// Ends the session; with `complete`, the run as well: its outputs stand. A session that ends without
    /// leaves the run to be gone on with.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub fn end_session(&self, scope: &Scope, complete: Option<bool>) -> Result<()> {
        let mut connection = lock(&self.writer.connection);
        let now = us(self.clock.now().wall);
        let end = |c: &mut Connection| -> rusqlite::Result<()> {
            let tx = c.transaction()?;
            tx.execute(
                "UPDATE session SET ended_at = ?2 WHERE session_no = ?1",
                params![scope.session_no, now],
            )?;
            if let Some(complete) = complete {
                tx.execute(
                    "UPDATE run SET ended_at = ?2, complete = ?3 WHERE run_no = ?1",
                    params![scope.run_no, now, complete],
                )?;
            }
            tx.commit()
        };
        end(&mut connection).map_err(|e| failed(&self.path, "written", e))
    }
}

impl Writer {
    /// Commits until nobody waits: each round takes all that have arrived meanwhile.
    fn commit_all(&self) {
        loop {
            let batch = {
                let mut queue = lock(&self.queue);
                if queue.waiting.is_empty() {
                    queue.committing = false;
                    return;
                }
                std::mem::take(&mut queue.waiting)
            };
            let (commands, replies): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            match self.commit(&commands) {
                Ok(numbers) => {
                    replies.into_iter().zip(numbers).for_each(|(reply, no)| drop(reply.send(Ok(no))))
                }
                Err(e) => replies.into_iter().for_each(|reply| drop(reply.send(Err(e.to_string())))),
            }
        }
    }

    fn commit(&self, commands: &[Command]) -> rusqlite::Result<Vec<RequestNo>> {
        let mut connection = lock(&self.connection);
        let tx = connection.transaction()?;
        let numbers = commands
            .iter()
            .map(|command| match command {
                Command::Begin { session_no, request, at } => insert_request(&tx, *session_no, request, *at),
                Command::End { session_no, no, end, answer, at } => {
                    update_request(&tx, *no, end, *at)?;
                    if let Some(answer) = answer {
                        update_call(&tx, *session_no, *no, answer, *at)?;
                    }
                    Ok(*no)
                }
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        tx.commit()?;
        Ok(numbers)
    }
}

impl Reader {
    /// What the store knows of a call.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub fn lookup(&self, key: &CallKey) -> Result<Option<StoredCall>> {
        let read = || -> rusqlite::Result<Option<StoredCall>> {
            let mut query = self.connection.prepare_cached(
                "SELECT attempts, answer, session_no, fetched_at, found_date, next_date, request_id, code, message, data
                 FROM call WHERE call_id = ?1 AND prod_id = ?2 AND call_date = ?3",
            )?;
            query.query_row(params![key.call_id, key.prod_id.0, key.day.to_string()], stored_call).optional()
        };
        read().map_err(|e| failed(&self.path, "read", e))
    }
}

fn stored_call(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    let kind = row.get::<_, Option<String>>(1)?.as_deref().and_then(AnswerKind::parse);
    let day = |text: Option<String>| text.and_then(|t| t.parse::<NaiveDate>().ok());
    let answer = match (kind, day(row.get(4)?)) {
        (Some(kind), Some(found_date)) => Some(StoredAnswer {
            answer: NewAnswer {
                kind,
                found_date,
                next_date: day(row.get(5)?),
                request_id: row.get(6)?,
                code: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
                message: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
                data: row.get(9)?,
            },
            fetched_at: DateTime::from_timestamp_micros(row.get(3)?).unwrap_or_default(),
            session_no: row.get(2)?,
        }),
        _ => None,
    };
    Ok(StoredCall { attempts: row.get(0)?, answer })
}

/// Refuses files that are no store, before anything is written to them.
fn check_kind(connection: &Connection, path: &Path) -> Result<()> {
    let read = |c: &Connection| -> rusqlite::Result<(i64, i64, i64)> {
        Ok((
            c.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?,
            c.query_row("PRAGMA application_id", [], |r| r.get(0))?,
            c.query_row("PRAGMA user_version", [], |r| r.get(0))?,
        ))
    };
    let (tables, application, version) = read(connection).map_err(|e| failed(path, "read", e))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(Error::usage(format!("{} is not a store of reconcile", path.display()))
            .hint("choose another file with --store"));
    }
    if version > SCHEMA_VERSION {
        return Err(Error::usage(format!(
            "the store {} was written by a newer reconcile (schema {version}; this one knows {SCHEMA_VERSION})",
            path.display()
        ))
        .hint("update reconcile, or choose another store with --store"));
    }
    Ok(())
}

fn configure(c: &Connection) -> rusqlite::Result<()> {
    // Readers such as DuckDB may be looking; they never hold a lock for long.
    c.busy_timeout(Duration::from_secs(10))?;
    c.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is on disk when it returns. NORMAL would lose answers with the power.
    c.pragma_update(None, "synchronous", "FULL")?;
    c.pragma_update(None, "foreign_keys", "OFF")
}

fn make_or_check(c: &Connection, path: &Path, nature: Nature) -> Result<()> {
    let make = || -> rusqlite::Result<Option<String>> {
        let empty: bool = c.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))?;
        if empty {
            let mark =
                format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};");
            c.execute_batch(&format!("BEGIN; {} {mark}", include_str!("schema.sql")))?;
            c.execute(
                "INSERT INTO meta (key, value) VALUES ('nature', ?1), ('created_by', ?2)",
                params![nature.as_str(), concat!("reconcile ", env!("CARGO_PKG_VERSION"))],
            )?;
            c.execute_batch("COMMIT")?;
        }
        c.query_row("SELECT value FROM meta WHERE key = 'nature'", [], |r| r.get(0)).optional()
    };
    let found = make().map_err(|e| failed(path, "written", e))?;
    if found.as_deref() == Some(nature.as_str()) {
        return Ok(());
    }
    let (what, hint) = match nature {
        Nature::Provider => {
            ("was filled by the sandbox and is refused for a provider", "choose another --store")
        }
        Nature::Sandbox => (
            "holds a provider's answers and is refused for the sandbox",
            "leave --store out, or choose another",
        ),
    };
    Err(Error::usage(format!("the store {} {what}", path.display())).hint(hint))
}

/// A request whose reply was never recorded: its process was killed. It may still be under way.
fn settle_lost(c: &Connection, now: Moment, timeout: Duration) -> rusqlite::Result<()> {
    let latest = duration_us(timeout);
    // Only sessions that never ended can have any; each is a range of request numbers.
    c.execute(
        "UPDATE request SET replied_at = ?1, replied_boot_us = ?2, code = 'lost'
         WHERE replied_boot_us IS NULL
           AND session_no IN (SELECT session_no FROM session WHERE ended_at IS NULL)",
        params![us(now.wall) + latest, now.boot_us + latest],
    )?;
    // The boot clock of a lost request of another boot says nothing now; its session's boot id keeps it apart.
    Ok(())
}

/// A run that a session may belong to.
struct RunRow {
    run_no: i64,
    run_id: String,
    chain_no: i64,
    open: bool,
    complete: bool,
}

fn begin_run(c: &Connection, identity: &RunIdentity, now: Moment) -> rusqlite::Result<Scope> {
    let session_no = next_no(c, "session")?;
    let (run, resumed) = match newest_run(c, identity)? {
        Some(newest) if newest.open => (newest, true),
        other => {
            let chain_no = other.filter(|newest| !newest.complete).map(|newest| newest.chain_no);
            (insert_run(c, identity, chain_no, now)?, chain_no.is_some())
        }
    };
    let first = |filter: &str, n: i64| -> rusqlite::Result<i64> {
        let sql = format!(
            "SELECT coalesce(min(session_no), ?2) FROM session JOIN run USING (run_no) WHERE {filter} = ?1"
        );
        c.query_row(&sql, params![n, session_no], |r| r.get(0))
    };
    Ok(Scope {
        run_from: first("run_no", run.run_no)?,
        chain_from: first("chain_no", run.chain_no)?,
        run_id: run.run_id,
        run_no: run.run_no,
        session_no,
        refresh: identity.refresh,
        resumed,
    })
}

fn next_no(c: &Connection, table: &str) -> rusqlite::Result<i64> {
    c.query_row(&format!("SELECT coalesce(max({table}_no), 0) + 1 FROM {table}"), [], |r| r.get(0))
}

/// The newest run of the store, when it is over the same ledger.
fn newest_run(c: &Connection, identity: &RunIdentity) -> rusqlite::Result<Option<RunRow>> {
    c.query_row(
        "SELECT run_no, run_id, chain_no, ended_at IS NULL, coalesce(complete, 0) FROM run
         WHERE run_no = (SELECT max(run_no) FROM run) AND input_sha256 = ?1 AND refresh = ?2",
        params![identity.input_sha256, identity.refresh],
        |r| {
            Ok(RunRow {
                run_no: r.get(0)?,
                run_id: r.get(1)?,
                chain_no: r.get(2)?,
                open: r.get(3)?,
                complete: r.get(4)?,
            })
        },
    )
    .optional()
}

/// A new run; without a chain to go on, it begins one.
fn insert_run(
    c: &Connection,
    identity: &RunIdentity,
    chain_no: Option<i64>,
    now: Moment,
) -> rusqlite::Result<RunRow> {
    let run_no = next_no(c, "run")?;
    let (run_id, chain_no) = (uuid::Uuid::new_v4().to_string(), chain_no.unwrap_or(run_no));
    c.execute(
        "INSERT INTO run (run_no, run_id, chain_no, input_sha256, refresh, started_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![run_no, run_id, chain_no, identity.input_sha256, identity.refresh, us(now.wall)],
    )?;
    Ok(RunRow { run_no, run_id, chain_no, open: true, complete: false })
}

/// On the same boot the time since a reply is known exactly, whatever the wall clock did.
fn taken_this_boot(
    c: &Connection,
    boot_id: &str,
    now: Moment,
    rate: Rate,
) -> rusqlite::Result<Vec<Duration>> {
    let mut query = c.prepare(
        "SELECT replied_boot_us FROM request JOIN session USING (session_no)
         WHERE replied_boot_us > ?1 AND boot_id = ?2",
    )?;
    let window = rate.window_us();
    let rows = query.query_map(params![now.boot_us - window, boot_id], |r| r.get::<_, i64>(0))?;
    rows.map(|replied| Ok(Duration::from_micros(u64::try_from(replied? + window - now.boot_us).unwrap_or(0))))
        .collect()
}

/// Across boots only the wall clock is left, and it may have stepped: what is not long past counts as answered
/// now. That costs one window after a restart of the machine.
fn taken_other_boots(
    c: &Connection,
    boot_id: &str,
    now: Moment,
    rate: Rate,
) -> rusqlite::Result<Vec<Duration>> {
    let doubt = duration_us(CLOCKS_DIFFER_AT_MOST.max(rate.window * 2));
    let mut query = c.prepare(
        "SELECT 1 FROM request WHERE session_no IN
           (SELECT session_no FROM session WHERE boot_id <> ?1 AND coalesce(ended_at, ?2) > ?2 - ?3)
           AND replied_at > ?2 - ?3
         ORDER BY request_no DESC LIMIT ?4",
    )?;
    let rows = query
        .query_map(params![boot_id, us(now.wall), doubt, rate.requests.get()], |r| r.get::<_, i64>(0))?;
    rows.map(|row| row.map(|_| rate.window)).collect()
}

fn insert_request(
    c: &Connection,
    session_no: i64,
    request: &NewRequest,
    at: Moment,
) -> rusqlite::Result<RequestNo> {
    let key = &request.key;
    let call_no = c
        .prepare_cached(
            "INSERT INTO call (call_id, prod_id, call_date, attempts, first_session_no) VALUES (?1, ?2, ?3, 1, ?4)
             ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET attempts = attempts + 1
             RETURNING call_no",
        )?
        .query_row(params![key.call_id, key.prod_id.0, key.day.to_string(), session_no], |r| r.get(0))?;
    c.prepare_cached(
        "INSERT INTO request (session_no, call_no, asked_date, purpose, sent_at, sent_boot_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        session_no,
        call_no,
        request.asked_date.to_string(),
        request.purpose.as_str(),
        us(at.wall),
        at.boot_us
    ])?;
    Ok(RequestNo { request_no: c.last_insert_rowid(), call_no })
}

fn update_request(c: &Connection, no: RequestNo, end: &RequestEnd, at: Moment) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE request SET replied_at = ?2, replied_boot_us = ?3, http_status = ?4, code = ?5, throttled = ?6
         WHERE request_no = ?1",
    )?
    .execute(params![no.request_no, us(at.wall), at.boot_us, end.http_status, end.code, end.throttled])?;
    Ok(())
}

fn update_call(
    c: &Connection,
    session_no: i64,
    no: RequestNo,
    answer: &NewAnswer,
    at: Moment,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE call SET answer = ?2, session_no = ?3, fetched_at = ?4, found_date = ?5, next_date = ?6,
                request_id = ?7, code = ?8, message = ?9, data = ?10
         WHERE call_no = ?1 AND (?2 IN ('final', 'interim') OR answer IS NULL OR answer NOT IN ('final', 'interim'))",
    )?
    .execute(params![
        no.call_no,
        answer.kind.as_str(),
        session_no,
        us(at.wall),
        answer.found_date.to_string(),
        answer.next_date.map(|d| d.to_string()),
        answer.request_id,
        answer.code,
        answer.message,
        answer.data
    ])?;
    Ok(())
}

fn count_requests(c: &Connection, session_no: i64) -> rusqlite::Result<Traffic> {
    c.query_row(
        "SELECT count(*), count(*) FILTER (WHERE purpose = 'first'), count(*) FILTER (WHERE purpose = 'retry'),
                count(*) FILTER (WHERE purpose = 'other_day'), coalesce(sum(throttled), 0)
         FROM request WHERE session_no = ?1",
        [session_no],
        |r| {
            let n = |i| -> rusqlite::Result<u64> { Ok(u64::try_from(r.get::<_, i64>(i)?).unwrap_or(0)) };
            Ok(Traffic {
                requests: n(0)?,
                first_tries: n(1)?,
                retries: n(2)?,
                other_day_tries: n(3)?,
                throttled: n(4)?,
                most_in_any_window: 0,
            })
        },
    )
}

/// Counted over the times of sending as recorded, of this and of earlier sessions on the same boot.
fn most_in_any_window(c: &Connection, session_no: i64, boot_id: &str, rate: Rate) -> rusqlite::Result<u64> {
    let mut query = c.prepare(
        "SELECT sent_boot_us, session_no = ?1 FROM request JOIN session USING (session_no)
         WHERE boot_id = ?2 AND session_no <= ?1
           AND sent_boot_us > (SELECT min(sent_boot_us) FROM request WHERE session_no = ?1) - ?3
         ORDER BY sent_boot_us",
    )?;
    let window = rate.window_us();
    let mut rows = query.query(params![session_no, boot_id, window])?;
    let mut recent = std::collections::VecDeque::new();
    let mut most = 0;
    while let Some(row) = rows.next()? {
        let sent: i64 = row.get(0)?;
        while recent.front().is_some_and(|first| sent - first >= window) {
            recent.pop_front();
        }
        recent.push_back(sent);
        if row.get(1)? {
            most = most.max(recent.len());
        }
    }
    Ok(most as u64)
}

#[cfg(test)]
mod tests;
