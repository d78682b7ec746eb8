//! Whether a request's time stamp is valid by the gateway's clock.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::sandbox::refusal::Refusal;

/// How far a time stamp may differ from the gateway's clock, in either direction.
pub(super) const MARGIN: TimeDelta = TimeDelta::minutes(15);

/// Checks a time stamp such as `2026-11-23T10:00:00Z` against the gateway's clock.
///
/// # Errors
///
/// The time stamp is malformed, or differs from the clock by more than the margin.
pub(super) fn check(timestamp: &str, provider_time: DateTime<Utc>) -> Result<(), Refusal> {
    let read = NaiveDateTime::parse_from_str(timestamp, "%Y-%m-%dT%H:%M:%SZ");
    // The parser also accepts numbers of fewer digits.
    let Some(time) = read.ok().filter(|_| timestamp.len() == 20) else {
        let message = "Specified time stamp or date value is not well formatted.";
        return Err(Refusal::new(400, "InvalidTimeStamp.Format", message));
    };
    if (time.and_utc() - provider_time).abs() > MARGIN {
        let message = "Specified time stamp or date value is expired.";
        return Err(Refusal::new(400, "InvalidTimeStamp.Expired", message));
    }
    Ok(())
}
