//! The provider's calendar: every day and every time of it is UTC+8. Pure: no clock.
//!
//! Owns [`day_of`], [`midnight_ms`] (the `QueryDate` of a day) and [`neighbour_day`].

use chrono::{
    DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike as _, Utc,
};
use compact_str::{CompactString, ToCompactString};

/// The provider's only time zone. China has had no daylight saving time since 1991, so the fixed
/// offset is right for every call of this product.
pub const PROVIDER_OFFSET_S: i32 = 8 * 3600;

/// How near to midnight (UTC+8) a call must lie for its record to be looked for on the
/// neighbouring day as well.
pub const MIDNIGHT_MARGIN: TimeDelta = TimeDelta::minutes(10);

/// UTC+8 as chrono's offset.
#[must_use]
pub fn provider_offset() -> FixedOffset {
    // `east_opt` is `None` only beyond 24 hours; the fallback is never taken.
    FixedOffset::east_opt(PROVIDER_OFFSET_S).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// An instant as the clocks of UTC+8 show it.
#[must_use]
pub fn provider_local(instant: DateTime<Utc>) -> NaiveDateTime {
    shifted(instant.naive_utc(), PROVIDER_OFFSET_S)
}

/// The calendar day in UTC+8 that contains an instant.
#[must_use]
pub fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    provider_local(instant).date()
}

/// A time some seconds later, of less than a day. chrono counts in seconds since the beginning for it, which costs several times
/// what the neighbouring day does, a dozen times a row.
fn shifted(at: NaiveDateTime, by_s: i32) -> NaiveDateTime {
    const DAY_S: i32 = 86_400;
    let (day, seconds) = (at.date(), at.time().num_seconds_from_midnight().cast_signed() + by_s);
    // A calendar day without a neighbour is none that anything is dated with.
    let (day, seconds) = match seconds {
        ..0 => (day.pred_opt().unwrap_or(day), seconds + DAY_S),
        DAY_S.. => (day.succ_opt().unwrap_or(day), seconds - DAY_S),
        _ => (day, seconds),
    };
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds.cast_unsigned(), at.nanosecond());
    day.and_time(time.unwrap_or_default())
}

/// An instant from local UTC+8 text, as the provider writes all its times.
#[must_use]
pub fn from_provider_local(local: NaiveDateTime) -> DateTime<Utc> {
    shifted(local, -PROVIDER_OFFSET_S).and_utc()
}

/// An instant as the provider would write it: `YYYY-MM-DD HH:MM:SS` in UTC+8.
#[must_use]
pub fn provider_text(instant: DateTime<Utc>) -> CompactString {
    provider_local(instant).format("%Y-%m-%d %H:%M:%S").to_compact_string()
}

/// `QueryDate` of a day: Unix milliseconds of its 00:00:00.000 in UTC+8, the one value that is
/// right under every version of the provider's text.
#[must_use]
pub fn midnight_ms(day: NaiveDate) -> i64 {
    from_provider_local(day.and_time(NaiveTime::MIN)).timestamp_millis()
}

/// The end of a calendar day in UTC+8, that is the midnight after it.
#[must_use]
pub fn end_of_day(day: NaiveDate) -> DateTime<Utc> {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    from_provider_local(next.and_time(NaiveTime::MIN))
}

/// The neighbouring day on which the record of a call near midnight may stand, or `None` when the
/// call is further than [`MIDNIGHT_MARGIN`] from either midnight.
#[must_use]
pub fn neighbour_day(called_at: DateTime<Utc>) -> Option<NaiveDate> {
    let day = day_of(called_at);
    let start = Utc.timestamp_millis_opt(midnight_ms(day)).single()?;
    if called_at - start < MIDNIGHT_MARGIN {
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
        // Official examples of the provider's newer page and tutorial.
        let day = NaiveDate::from_ymd_opt(2022, 12, 21).unwrap();
        assert_eq!(midnight_ms(day), 1_671_552_000_000);
        let day = NaiveDate::from_ymd_opt(2018, 6, 4).unwrap();
        assert_eq!(midnight_ms(day), 1_528_041_600_000);
    }

    #[test]
    fn a_neighbour_is_named_only_within_ten_minutes_of_midnight() {
        let neighbour = |t: &str| neighbour_day(at(t)).map(|d| d.to_string());
        assert_eq!(neighbour("2026-12-31 23:50:00").as_deref(), Some("2027-01-01"));
        assert_eq!(neighbour("2026-12-31 23:49:59"), None);
        assert_eq!(neighbour("2028-03-01 00:00:00").as_deref(), Some("2028-02-29"));
        assert_eq!(neighbour("2028-03-01 00:09:59").as_deref(), Some("2028-02-29"));
        assert_eq!(neighbour("2028-03-01 00:10:00"), None);
    }
}
