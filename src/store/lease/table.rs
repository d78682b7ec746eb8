//! The table of sessions, as the lease's protocol sees it.

use std::time::Duration;

use crate::error::Result;

/// What a process believes that the row of one of its sessions says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The session's number.
    pub session_no: i64,
    /// Its beat, which rises with every change of the row.
    pub beat: i64,
    /// Its places.
    pub places: u32,
}

/// Whether a session works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// It has not ended, and nobody has taken over from it.
    Live,
    /// Its process has ended it.
    Ended,
    /// Another process has taken over from it: its fence is raised.
    Fenced,
}

/// The row of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its number.
    pub session_no: i64,
    /// Its account.
    pub account: String,
    /// Its beat.
    pub beat: i64,
    /// The places that it holds.
    pub places: u32,
    /// True if it has requests to send.
    pub wants: bool,
    /// Whether it works.
    pub state: RowState,
    /// The time limit of its requests.
    pub timeout: Duration,
}

/// A change of a session's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What the row says before.
    pub from: Claim,
    /// The places after it.
    pub places: u32,
    /// Whether the session has requests to send.
    pub wants: bool,
}

/// What the table says about a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The numbers of the sessions whose row was as claimed.
    pub session_nos: Vec<i64>,
    /// The timeline of the database. It changes when another server becomes the primary.
    pub timeline: String,
}

/// What the table says about a raise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The live sessions of the account after it, this one included.
    pub live: Vec<SessionRow>,
    /// How long requests of ended sessions of the account still take a place each, from the start
    /// of the raise.
    pub taken: Vec<Duration>,
    /// How many sessions of the account were ever taken over.
    pub fenced: i64,
    /// The longest time limit of those that were taken over within the last day; `None` if there
    /// were none.
    pub fenced_lately: Option<Duration>,
    /// The timeline of the database, if it is not the one on which the account was settled last:
    /// after a failover commits may be lost.
    pub unsettled: Option<String>,
}

/// The operations on the table. Each is one transaction. A change does nothing if the row is not as
/// claimed, or not live.
///
/// An error leaves open whether the change was made.
pub trait Table {
    /// Raises by one the beats of those sessions whose row is as claimed, in one statement.
    fn renew(&mut self, claims: &[Claim]) -> impl Future<Output = Result<Renewed>>;

    /// The rows of all live sessions of the accounts of `mine`, and of `mine` and `known`. One
    /// snapshot.
    fn read(&mut self, mine: &[i64], known: &[i64]) -> impl Future<Output = Result<Vec<SessionRow>>>;

    /// Lowers a session's places, or keeps them, and sets what it wants. Raises its beat. Returns
    /// false if the row is not as claimed.
    fn lower(&mut self, change: &Change) -> impl Future<Output = Result<bool>>;

    /// Raises a session's places to those of the change, or by those of the account's `cap` that no
    /// live session has if they are fewer. Raises the beat in any case. Other changes of the
    /// account wait meanwhile. Returns `None` if the row is not as claimed.
    fn raise(&mut self, change: &Change, cap: u32) -> impl Future<Output = Result<Option<Raised>>>;

    /// Notes that the account of a session is settled on a timeline: what an earlier primary let
    /// sessions send counts no more.
    fn settle(&mut self, session_no: i64, timeline: &str) -> impl Future<Output = Result<()>>;

    /// Raises the fence of a session. Returns false if it is not live, or has another beat.
    fn take_over(&mut self, session_no: i64, beat: i64) -> impl Future<Output = Result<bool>>;
}
