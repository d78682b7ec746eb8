//! Watches the beats of other sessions on the own clock. Nobody else's clock is read.

use std::collections::BTreeMap;

use super::terms::WATCH;
use reconcile_core::arrival::micros;

/// A beat, and since when it has been seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    beat: i64,
    since_us: i64,
}

/// What was seen of other sessions. Times are microseconds of the own boot clock.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: BTreeMap<i64, Seen>,
}

/// What a look at a session tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Its beat has changed since the last look.
    Alive,
    /// It is seen for the first time, or its beat is the same, but not for long enough.
    Unknown,
    /// Its beat has been the same for so long that its lease has ended.
    Overdue,
}

impl Watch {
    /// Notes the beat of a session, which was read before `now_us`.
    ///
    /// A take-over compares the beat once more. So from [`Sign::Overdue`] follows that the beat was
    /// the same from the first look to the take-over.
    pub(super) fn look(&mut self, session_no: i64, beat: i64, now_us: i64) -> Sign {
        let new = Seen { beat, since_us: now_us };
        let Some(seen) = self.seen.get_mut(&session_no) else {
            self.seen.insert(session_no, new);
            return Sign::Unknown;
        };
        if seen.beat != beat {
            *seen = new;
            Sign::Alive
        } else if now_us.saturating_sub(seen.since_us) > micros(WATCH) {
            Sign::Overdue
        } else {
            Sign::Unknown
        }
    }

    /// Forgets all sessions but these.
    pub(super) fn keep(&mut self, is_wanted: impl Fn(i64) -> bool) {
        self.seen.retain(|session_no, _| is_wanted(*session_no));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn a_session_is_overdue_after_one_lease_on_the_own_clock() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(1, 5, S), Sign::Unknown);
        assert_eq!(watch.look(1, 5, 17 * S), Sign::Unknown);
        assert_eq!(watch.look(1, 5, 17 * S + 1), Sign::Overdue);
        assert_eq!(watch.look(1, 6, 40 * S), Sign::Alive);
        // A beat that went backwards is a change, too: the database has lost commits.
        assert_eq!(watch.look(1, 5, 41 * S), Sign::Alive);
        assert_eq!(watch.look(1, 5, 50 * S), Sign::Unknown);
        watch.keep(|_| false);
        assert_eq!(watch.look(1, 5, 90 * S), Sign::Unknown);
    }
}
