//! Group commit: a thread commits at once for all who wait. Owns the writing connection's transactions.

use std::io;
use std::iter::once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::checksum::checksum;
use super::{duration_us, us};
use crate::clock::Moment;
use crate::store::{BegunRequest, NewRequest, RequestEnd};
use reconcile_core::answer::NewAnswer;

/// The one connection that writes.
pub(super) struct Writer {
    pub(super) connection: Arc<Mutex<Connection>>,
    committer: Mutex<Option<Committer>>,
}

/// The thread that commits. It ends when nobody can send it anything more.
struct Committer {
    commands: Sender<(Command, Reply)>,
    thread: JoinHandle<()>,
}

/// What a commit came to, for each who waited for it.
type Reply = oneshot::Sender<Result<BegunRequest, Arc<rusqlite::Error>>>;

pub(super) enum Command {
    Begin { session_no: i64, request: NewRequest, at: Moment },
    End { session_no: i64, begun: BegunRequest, end: RequestEnd, answer: Option<NewAnswer> },
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic inside SQLite's bindings would leave a transaction that the next BEGIN refuses: an error, not damage.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)), committer: Mutex::default() }
    }

    /// Lines a command up. Fails when there can be no thread to commit it; when that thread has stopped, the reply is dropped.
    pub(super) fn submit(&self, command: Command, reply: Reply) -> io::Result<()> {
        let mut committer = lock(&self.committer);
        let committer = match &mut *committer {
            Some(committer) => committer,
            none => none.insert(Committer::start(self.connection.clone())?),
        };
        let _ = committer.commands.send((command, reply));
        Ok(())
    }

    /// Ends the thread, and what memory it keeps. What has been lined up is committed first; the next command starts another.
    pub(super) fn rest(&self) {
        if let Some(Committer { commands, thread }) = lock(&self.committer).take() {
            drop(commands);
            // A panic has been told already, and whoever waited found that no reply came.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    /// The file is closed when this returns: the store's lock goes after it.
    fn drop(&mut self) {
        self.rest();
    }
}

impl Committer {
    fn start(connection: Arc<Mutex<Connection>>) -> io::Result<Self> {
        let (commands, received) = channel();
        let thread = std::thread::Builder::new().name("store".into());
        let thread = thread.spawn(move || commit_all(&connection, &received))?;
        Ok(Self { commands, thread })
    }
}

/// Commits until nobody is left to send commands: each round takes all that have arrived meanwhile.
fn commit_all(connection: &Mutex<Connection>, received: &Receiver<(Command, Reply)>) {
    while let Ok(first) = received.recv() {
        let (commands, replies): (Vec<_>, Vec<_>) = once(first).chain(received.try_iter()).unzip();
        match commit(&mut lock(connection), commands) {
            Ok(begun) => replies.into_iter().zip(begun).for_each(|(reply, no)| drop(reply.send(Ok(no)))),
            Err(e) => {
                let e = Arc::new(e);
                replies.into_iter().for_each(|reply| drop(reply.send(Err(e.clone()))));
            }
        }
    }
}

fn commit(connection: &mut Connection, commands: Vec<Command>) -> rusqlite::Result<Vec<BegunRequest>> {
    let tx = connection.transaction()?;
    let begun = commands
        .into_iter()
        .map(|command| match command {
            Command::Begin { session_no, request, at } => insert_request(&tx, session_no, request, at),
            Command::End { session_no, begun, end, answer } => {
                update_request(&tx, &begun, &end)?;
                if let Some(answer) = answer {
                    update_call(&tx, session_no, &begun, &answer, end.at)?;
                }
                Ok(begun)
            }
        })
        .collect::<rusqlite::Result<Vec<_>>>()?;
    tx.commit()?;
    Ok(begun)
}

fn insert_request(
    c: &Connection,
    session_no: i64,
    request: NewRequest,
    at: Moment,
) -> rusqlite::Result<BegunRequest> {
    let key = request.key;
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
    Ok(BegunRequest { request_no: c.last_insert_rowid(), call_no, key })
}

fn update_request(c: &Connection, begun: &BegunRequest, end: &RequestEnd) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE request SET replied_at = ?2, replied_boot_us = ?3, http_status = ?4, code = ?5, throttled = ?6,
                decision = ?7, pause_us = ?8
         WHERE request_no = ?1",
    )?
    .execute(params![
        begun.request_no,
        us(end.at.wall),
        end.at.boot_us,
        end.http_status,
        end.code,
        end.throttled,
        end.decision.as_str(),
        end.pause.map(duration_us)
    ])?;
    Ok(())
}

fn update_call(
    c: &Connection,
    session_no: i64,
    begun: &BegunRequest,
    answer: &NewAnswer,
    at: Moment,
) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE call SET answer = ?2, session_no = ?3, fetched_at = ?4, found_date = ?5, next_date = ?6,
                request_id = ?7, code = ?8, message = ?9, data = ?10, checksum = ?11
         WHERE call_no = ?1 AND (?2 IN ('final', 'interim') OR answer IS NULL OR answer NOT IN ('final', 'interim'))",
    )?
    .execute(params![
        begun.call_no,
        answer.kind.as_str(),
        session_no,
        us(at.wall),
        answer.found_date.to_string(),
        answer.next_date.map(|d| d.to_string()),
        answer.request_id,
        answer.code.as_str(),
        answer.message.as_str(),
        answer.data,
        checksum(&begun.key, answer, session_no, us(at.wall))
    ])?;
    Ok(())
}
