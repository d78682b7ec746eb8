//! The writing connection, and the sessions of this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use postgres::Transaction;
use postgres::error::SqlState;

use super::connection::{Connection, LONGEST_ANSWER, Link};
use super::errors::{Done, Failure, InStore as _, failed};
use super::record::{self, AskedCall, Batch, Ended, NumberedRequest, RequestNo};
use crate::error::{Error, Result};
use crate::locked::lock;
use crate::store::group_commit::{Batches, Command};
use crate::store::request::BegunRequest;

/// How often a transaction is tried that another one disturbs.
const TRIES: usize = 5;

/// The database, open for writing.
pub(super) struct Database {
    connection: Connection,
    /// The last request of each session of this process.
    last_requests: Mutex<HashMap<i64, i64>>,
}

impl Database {
    /// Uses this connection.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, last_requests: Mutex::default() }
    }

    /// The database's URL without user and password, for messages.
    pub(super) fn store(&self) -> &str {
        self.connection.store()
    }

    /// The sessions that this process has begun and not ended.
    pub(super) fn own_sessions(&self) -> Vec<i64> {
        lock(&self.last_requests).keys().copied().collect()
    }

    /// Notes that this process has begun a session.
    pub(super) fn has_begun(&self, session_no: i64) {
        lock(&self.last_requests).insert(session_no, 0);
    }

    /// Notes that the sessions of this process have ended.
    pub(super) fn has_ended(&self) {
        lock(&self.last_requests).clear();
    }

    /// Runs `work`, which only reads, in one transaction.
    ///
    /// # Errors
    ///
    /// Exit 6 if the database fails.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.connection.read(move |link| work(&mut link.client.transaction()?))
    }

    /// Runs `work`, which may write, in one transaction. It runs again if another transaction
    /// disturbs it.
    ///
    /// # Errors
    ///
    /// Exit 6 if the database fails, or a session is taken over. Then nothing is written.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.write_within(LONGEST_ANSWER, work)
    }

    /// As [`Database::write`], with this limit of time.
    ///
    /// # Errors
    ///
    /// As [`Database::write`].
    pub(super) fn write_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Fn(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.connection
            .run_within(limit, move |link| undisturbed(link, |link| once(link, &work)))
            .in_store(self.store(), "write")
    }

    /// As [`Database::write`], for work that may take long.
    ///
    /// # Errors
    ///
    /// As [`Database::write`].
    pub(super) fn write_long<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.connection
            .run(move |link| undisturbed(link, |link| once(link, &work)))
            .in_store(self.store(), "write")
    }

    /// As [`Database::write`], if no session of this process is taken over.
    ///
    /// # Errors
    ///
    /// As [`Database::write`].
    pub(super) fn write_fenced<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        let own = self.own_sessions();
        self.write(move |t| {
            check_live(t, &own)?;
            work(t)
        })
    }

    /// Runs `work` outside a transaction.
    ///
    /// # Errors
    ///
    /// Exit 6 if the database fails.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Link) -> Done<T> + Send + 'static,
    ) -> Result<T> {
        self.connection.run(work).in_store(self.store(), "write")
    }

    /// Gives new requests the next numbers of their sessions. The numbers count only once the batch
    /// is committed: so a batch that failed leaves no gap.
    fn numbered(&self, commands: &[Command]) -> Batch {
        let mut last = lock(&self.last_requests).clone();
        let mut batch = Batch::default();
        for command in commands {
            match command {
                Command::Begin { session_no, request, at } => {
                    let last = last.entry(*session_no).or_insert(0);
                    *last += 1;
                    batch.new.push(NumberedRequest {
                        session_no: *session_no,
                        request_no: *last,
                        request: request.clone(),
                        at: *at,
                    });
                }
                Command::End { session_no, begun, end, answer } => batch.ended.push(Ended {
                    session_no: *session_no,
                    begun: begun.clone(),
                    end: end.clone(),
                    answer: answer.clone(),
                }),
            }
        }
        batch
    }
}

/// Checks that none of these sessions is taken over. A take-over then waits for the transaction.
pub(super) fn check_live(t: &mut Transaction<'_>, own: &[i64]) -> Done<()> {
    let sql = "SELECT FROM session WHERE session_no = ANY ($1) AND fence = 0 FOR KEY SHARE";
    if t.query(sql, &[&own])?.len() == own.len() { Ok(()) } else { Err(Failure::TakenOver) }
}

/// Runs `work` in one transaction.
fn once<T>(link: &mut Link, work: impl Fn(&mut Transaction<'_>) -> Done<T>) -> Done<T> {
    let mut transaction = link.client.transaction()?;
    let result = work(&mut transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// Runs `work` again if it was the victim of a deadlock, or of another conflict.
fn undisturbed<T>(link: &mut Link, work: impl Fn(&mut Link) -> Done<T>) -> Done<T> {
    let mut tries = 1..TRIES;
    loop {
        match work(link) {
            Err(Failure::Server(e)) if is_disturbed(&e) && tries.next().is_some() => {}
            done => return done,
        }
    }
}

fn is_disturbed(error: &postgres::Error) -> bool {
    let codes = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|code| codes.contains(code))
}

impl Batches for Database {
    type Failure = Failure;

    fn commit(&self, commands: Vec<Command>) -> Done<Vec<BegunRequest>> {
        let batch = self.numbered(&commands);
        let new: Vec<RequestNo> = batch.new.iter().map(|n| (n.session_no, n.request_no)).collect();
        let begun: BTreeMap<RequestNo, AskedCall> =
            self.connection.run_here(|link| undisturbed(link, |link| record::write(link, &batch)))?;
        let mut last = lock(&self.last_requests);
        last.extend(new.iter().copied());
        let mut new = new.into_iter();
        let begun_request = |command| match command {
            Command::End { begun, .. } => Ok(begun),
            Command::Begin { request, .. } => {
                let no = new.next().ok_or(Failure::TakenOver)?;
                let AskedCall { call_no, had_final } = *begun.get(&no).ok_or(Failure::TakenOver)?;
                let recheck = request.recheck;
                Ok(BegunRequest { request_no: no.1, call_no, key: request.key, had_final, recheck })
            }
        };
        commands.into_iter().map(begun_request).collect()
    }

    fn failed(&self, failure: &Failure) -> Error {
        failed(self.store(), "write", failure)
    }

    fn stopped(&self) -> Error {
        failed(self.store(), "write", &Failure::Stopped)
    }

    fn longest_commit(&self) -> Option<Duration> {
        Some(LONGEST_ANSWER)
    }

    fn fall_silent(&self) -> Error {
        self.connection.fall_silent();
        failed(self.store(), "write", &Failure::Silent)
    }

    fn is_silent(&self) -> bool {
        self.connection.is_silent()
    }
}
