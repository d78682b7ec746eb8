//! Which run the next session works on: an unfinished run, or a new one.

use reconcile_core::ask_again::Scope;

use super::run_identity::RunIdentity;
use super::units::{time_of, time_us};
use crate::clock::Moment;

/// A run can be resumed for 20 hours after its start. After that the next night has begun, and a
/// new run asks for the open calls again.
const RESUMED_WITHIN_US: i64 = 20 * 3_600 * 1_000_000;

/// Runs that started later can still be resumed: microseconds since 1970.
pub(super) fn resumable_since_us(now: Moment) -> i64 {
    time_us(now.wall) - RESUMED_WITHIN_US
}

/// A stored run.
pub(super) struct RunRow {
    pub(super) run_no: i64,
    pub(super) run_id: String,
    pub(super) chain_no: i64,
    /// Microseconds since 1970.
    pub(super) started_at_us: i64,
    /// True if it has not ended.
    pub(super) is_open: bool,
    pub(super) is_complete: bool,
}

/// The run of the next session.
pub(super) struct NextRun {
    pub(super) run_no: i64,
    pub(super) run_id: String,
    pub(super) chain_no: i64,
    /// When its first session began, in microseconds since 1970.
    started_at_us: i64,
    /// True if the run is not in the table yet.
    pub(super) is_new: bool,
    /// True if it continues an earlier session or an incomplete run.
    resumed: bool,
}

impl NextRun {
    /// The run after the newest one with the same identity that can be resumed. `new_no` is the
    /// number of a new run, which begins now.
    pub(super) fn after(newest: Option<RunRow>, new_no: i64, now: Moment) -> Self {
        if let Some(RunRow { run_no, run_id, chain_no, started_at_us, is_open: true, .. }) = newest {
            return Self { run_no, run_id, chain_no, started_at_us, is_new: false, resumed: true };
        }
        let incomplete = newest.filter(|newest| !newest.is_complete);
        Self {
            run_no: new_no,
            run_id: uuid::Uuid::new_v4().to_string(),
            started_at_us: time_us(now.wall),
            resumed: incomplete.is_some(),
            chain_no: incomplete.map_or(new_no, |newest| newest.chain_no),
            is_new: true,
        }
    }

    /// The scope of a session of this run. `run_from` and `chain_from` are the first sessions of
    /// the run and of its chain; `None` if there is none yet.
    pub(super) fn scope(
        self,
        identity: &RunIdentity,
        session_no: i64,
        run_from: Option<i64>,
        chain_from: Option<i64>,
    ) -> Scope {
        Scope {
            run_from: run_from.unwrap_or(session_no),
            chain_from: chain_from.unwrap_or(session_no),
            run_id: self.run_id,
            run_no: self.run_no,
            run_started_at: time_of(self.started_at_us),
            session_no,
            refresh: identity.refresh,
            resumed: self.resumed,
        }
    }
}
