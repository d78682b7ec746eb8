//! A process wants a ledger on which another one works. It finds out whether the other is alive.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::watch::{Sign, Watch};
use crate::zone;

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

/// `session 7, pid 12 on east, since 2026-11-26 01:00 UTC+8`
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session_no, host, pid, since, .. } = self;
        write!(f, "session {session_no}, pid {pid} on {host}, since {}", zone::date_and_time(*since))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(session_no: i64, beat: i64) -> Holder {
        Holder { session_no, beat, host: "a".into(), pid: 1, since: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn a_holder_is_dead_only_after_a_whole_lease() {
        let mut candidate = Candidate::default();
        let second = |s: i64| s * 1_000_000;
        assert_eq!(candidate.look(&[holder(1, 4)], second(0)), Judgement::Unknown);
        assert_eq!(candidate.look(&[holder(1, 4)], second(15)), Judgement::Unknown);
        assert_eq!(candidate.look(&[holder(1, 5)], second(16)), Judgement::Alive(&holder(1, 5)));
        assert_eq!(candidate.look(&[holder(1, 5)], second(30)), Judgement::Unknown);
        assert_eq!(candidate.look(&[holder(1, 5)], second(33)), Judgement::Overdue(&holder(1, 5)));
        // One of several sessions of a process is enough.
        let both = [holder(1, 5), holder(2, 9)];
        assert_eq!(candidate.look(&both, second(34)), Judgement::Overdue(&holder(1, 5)));
        let both = [holder(1, 5), holder(2, 10)];
        assert_eq!(candidate.look(&both, second(35)), Judgement::Alive(&holder(2, 10)));
    }
}
