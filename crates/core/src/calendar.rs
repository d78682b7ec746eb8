//! The provider's calendar: its days and times are in UTC+8.
//!
//! [`day_of`] is the day of a call, [`midnight_ms`] the `QueryDate` of a day, and [`neighbour_day`]
//! the second day on which the record of a call near midnight may be.

use chrono::{
    DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike as _, Utc,
};
use compact_str::{CompactString, ToCompactString};

/// The provider's only time zone, in seconds east of UTC. China has had no daylight saving time
/// since 1991, so the fixed offset is right for every call.
pub const PROVIDER_OFFSET_S: i32 = 8 * 3600;

/// A call this close to midnight (UTC+8) may have its record on the neighbouring day.
pub const MIDNIGHT_MARGIN: TimeDelta = TimeDelta::minutes(10);

/// UTC+8 as chrono's offset.
#[must_use]
pub fn provider_offset() -> FixedOffset {
    // `east_opt` is `None` only beyond 24 hours, so the fallback is never used.
    FixedOffset::east_opt(PROVIDER_OFFSET_S).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// The local time in UTC+8 of an instant.
#[must_use]
#[inline]
pub fn provider_local(instant: DateTime<Utc>) -> NaiveDateTime {
    shifted(instant.naive_utc(), PROVIDER_OFFSET_S)
}

/// The calendar day in UTC+8 of an instant.
#[must_use]
#[inline]
pub fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    provider_local(instant).date()
}

/// A time moved by `by_s` seconds, which are less than a day.
///
/// chrono's own addition counts seconds since its epoch and takes several times longer. Every row
/// needs about twelve such additions.
#[inline]
fn shifted(at: NaiveDateTime, by_s: i32) -> NaiveDateTime {
    const DAY_S: i32 = 86_400;
    let (day, seconds) = (at.date(), at.time().num_seconds_from_midnight().cast_signed() + by_s);
    // Only chrono's first and last day have no neighbour; no call has such a date.
    let (day, seconds) = match seconds {
        ..0 => (day.pred_opt().unwrap_or(day), seconds + DAY_S),
        DAY_S.. => (day.succ_opt().unwrap_or(day), seconds - DAY_S),
        _ => (day, seconds),
    };
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds.cast_unsigned(), at.nanosecond());
    day.and_time(time.unwrap_or_default())
}

/// The instant of a local time in UTC+8. All times of the provider have this form.
#[must_use]
#[inline]
pub fn from_provider_local(local: NaiveDateTime) -> DateTime<Utc> {
    shifted(local, -PROVIDER_OFFSET_S).and_utc()
}

/// An instant as the provider writes it: `YYYY-MM-DD HH:MM:SS` in UTC+8.
#[must_use]
pub fn provider_text(instant: DateTime<Utc>) -> CompactString {
    provider_local(instant).format("%Y-%m-%d %H:%M:%S").to_compact_string()
}

/// `QueryDate` of a day: Unix milliseconds of its 00:00:00.000 in UTC+8. This value is right under
/// every version of the provider's documentation.
#[must_use]
#[inline]
pub fn midnight_ms(day: NaiveDate) -> i64 {
    from_provider_local(day.and_time(NaiveTime::MIN)).timestamp_millis()
}

/// The end of a calendar day in UTC+8: the midnight after it.
#[must_use]
#[inline]
pub fn end_of_day(day: NaiveDate) -> DateTime<Utc> {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    from_provider_local(next.and_time(NaiveTime::MIN))
}

/// The neighbouring day on which the record of a call near midnight may be. `None` if the call is
/// more than [`MIDNIGHT_MARGIN`] away from both midnights.
#[must_use]
pub fn neighbour_day(called_at: DateTime<Utc>) -> Option<NaiveDate> {
    let day = day_of(called_at);
    let start = Utc.timestamp_millis_opt(midnight_ms(day)).single()?;
    if called_at - start <= MIDNIGHT_MARGIN {
        day.pred_opt()
    } else if end_of_day(day) - called_at <= MIDNIGHT_MARGIN {
        day.succ_opt()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(local: &str) -> DateTime<Utc> {
        from_provider_local(NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S").unwrap())
    }

    #[test]
    fn query_date_is_midnight_in_utc_plus_8() {
        // Examples from the provider's newer page and its tutorial.
        let day = NaiveDate::from_ymd_opt(2022, 12, 21).unwrap();
        assert_eq!(midnight_ms(day), 1_671_552_000_000);
        let day = NaiveDate::from_ymd_opt(2018, 6, 4).unwrap();
        assert_eq!(midnight_ms(day), 1_528_041_600_000);
    }

    #[test]
    fn only_ten_minutes_around_midnight_have_a_neighbour_day() {
        let neighbour = |t: &str| neighbour_day(at(t)).map(|d| d.to_string());
        assert_eq!(neighbour("2026-12-31 23:50:00").as_deref(), Some("2027-01-01"));
        assert_eq!(neighbour("2026-12-31 23:49:59"), None);
        assert_eq!(neighbour("2028-03-01 00:00:00").as_deref(), Some("2028-02-29"));
        assert_eq!(neighbour("2028-03-01 00:10:00").as_deref(), Some("2028-02-29"));
        assert_eq!(neighbour("2028-03-01 00:10:01"), None);
    }
}
