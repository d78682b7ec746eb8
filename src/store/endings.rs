//! How a recorded request ended: the columns of `request`, read as the core's [`Ending`].

use std::time::Duration;

use reconcile_core::arrival::Ending;

use super::request::NOT_SENT;

/// A time limit of a session, in microseconds. A damaged value is bounded by the core.
pub(super) fn timeout(us: i64) -> Duration {
    Duration::from_micros(us.unsigned_abs())
}

/// How a request ended: at this time of the boot clock, with or without an HTTP status, and with
/// this code.
pub(super) fn ending(ended_us: Option<i64>, has_status: bool, code: Option<&str>) -> Ending {
    match ended_us {
        Some(ended_us) if has_status => Ending::Reply(ended_us),
        Some(_) if code.is_some_and(|code| NOT_SENT.contains(&code)) => Ending::NotSent,
        Some(ended_us) => Ending::NoReply(ended_us),
        None => Ending::Unknown,
    }
}
