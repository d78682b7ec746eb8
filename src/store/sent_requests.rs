//! What a session sent: counts by purpose, and the sizes of the report's chart.

use reconcile_core::traffic::Traffic;

use super::request::Purpose;
use super::stored_word::Word as _;

/// Maximum number of points in the report's chart.
const MAX_POINTS: i64 = 240;
/// Maximum number of listed codes. No provider sends many more.
pub(super) const MAX_CODES: i64 = 20;

/// Counts a request of the session by its stored purpose.
///
/// A request whose purpose is an unknown word counts only in `requests`. Then the tie-out fails, so
/// the damage is not hidden.
pub(super) fn count(traffic: &mut Traffic, purpose: &str, throttled: bool) {
    traffic.requests += 1;
    traffic.throttled += u64::from(throttled);
    match Purpose::parse(purpose) {
        Some(Purpose::First) => traffic.first_tries += 1,
        Some(Purpose::Retry) => traffic.retries += 1,
        Some(Purpose::OtherDay) => traffic.other_day_tries += 1,
        None => {}
    }
}

/// Windows in one point of the chart, if the requests were sent between these times.
pub(super) fn windows_per_point(first_us: i64, last_us: i64, window_us: i64) -> i64 {
    (last_us - first_us) / window_us / MAX_POINTS + 1
}
