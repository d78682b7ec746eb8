//! Group commit: whoever comes first commits for all who wait. Owns the writing connection's transactions.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::checksum::checksum;
use super::{duration_us, us};
use crate::clock::Moment;
use crate::store::{BegunRequest, NewAnswer, NewRequest, RequestEnd};

/// The one connection that writes, and who waits for it.
pub(super) struct Writer {
    pub(super) connection: Mutex<Connection>,
    queue: Mutex<Queue>,
}

/// What a commit came to, for each who waited for it.
type Reply = oneshot::Sender<Result<BegunRequest, Arc<rusqlite::Error>>>;

#[derive(Default)]
struct Queue {
    waiting: Vec<(Command, Reply)>,
    committing: bool,
}

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
        Self { connection: Mutex::new(connection), queue: Mutex::default() }
    }

    /// Lines a command up; true when the caller has to see to it that [`Self::commit_all`] runs.
    pub(super) fn submit(&self, command: Command, reply: Reply) -> bool {
        let mut queue = lock(&self.queue);
        queue.waiting.push((command, reply));
        !std::mem::replace(&mut queue.committing, true)
    }

    /// Commits until nobody waits: each round takes all that have arrived meanwhile.
    pub(super) fn commit_all(&self) {
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
            match self.commit(commands) {
                Ok(begun) => replies.into_iter().zip(begun).for_each(|(reply, no)| drop(reply.send(Ok(no)))),
                Err(e) => {
                    let e = Arc::new(e);
                    replies.into_iter().for_each(|reply| drop(reply.send(Err(e.clone()))));
                }
            }
        }
    }

    fn commit(&self, commands: Vec<Command>) -> rusqlite::Result<Vec<BegunRequest>> {
        let mut connection = lock(&self.connection);
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
