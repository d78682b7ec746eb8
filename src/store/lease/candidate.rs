//! A process that wants a ledger on which another one works: is that process alive?

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::watch::{Sign, Watch};

/// A live session that holds a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub session_no: i64,
    /// Its beat.
    pub beat: i64,
    /// The host of its process.
    pub host: String,
    /// The id of its process.
    pub pid: i64,
    /// When it began.
    pub since: DateTime<Utc>,
}

/// What is known of the holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// This one has renewed its lease while it was watched.
    Alive(&'a Holder),
    /// Not known yet.
    Unknown,
    /// The lease of this one has ended: take over from it.
    Overdue(&'a Holder),
}

/// Watches the holders of a ledger.
#[derive(Debug, Default)]
pub struct Candidate {
    watch: Watch,
}

impl Candidate {
    /// Time between two looks.
    pub const LOOK_EVERY: Duration = Duration::from_secs(1);

    /// Looks at all holders, which were read before `now_us` of the own boot clock.
    pub fn look<'a>(&mut self, holders: &'a [Holder], now_us: i64) -> Judgement<'a> {
        let mut judgement = Judgement::Unknown;
        for holder in holders {
            match self.watch.look(holder.session_no, holder.beat, now_us) {
                Sign::Alive => return Judgement::Alive(holder),
                Sign::Overdue => judgement = Judgement::Overdue(holder),
                Sign::Unknown => {}
            }
        }
        judgement
    }
}
