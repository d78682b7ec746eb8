//! The durations of a lease.

use std::time::Duration;

use reconcile_core::arrival::rest_after_no_reply;
use reconcile_core::rate::Rate;

/// How long a process may send after it began its last renewal.
pub const LEASE: Duration = Duration::from_secs(15);
/// Time between two renewals.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long a candidate must see the same beat before it takes over: a lease, and a margin for
/// clocks of different speeds.
pub const WATCH: Duration = Duration::from_secs(16);

/// How long the places of a session rest after another process has taken over.
///
/// Its process may be alive. It sent its last request by then, which is in flight for up to one
/// timeout. If it gets no reply, it counts as arriving for one timeout more.
#[must_use]
pub fn rest_after_take_over(timeout: Duration, rate: Rate) -> Duration {
    rest_after_no_reply(timeout) * 2 + rate.cooldown()
}

/// How long new places rest after a failover of the database, from when it was noticed.
///
/// It may have lost sessions with all traces. Their leases end first; then it is as after a
/// take-over.
#[must_use]
pub(super) fn rest_after_failover(timeout: Duration, rate: Rate) -> Duration {
    WATCH + rest_after_take_over(timeout, rate)
}
