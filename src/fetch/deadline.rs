//! The deadline: when a run stops sending. The remaining calls are deferred to the next run.
//!
//! A run may have two: a time of day and a maximum duration. Both count from the run's start, and
//! the first one that is reached stops the run.

use std::time::{Duration, Instant};

use chrono::{
    DateTime, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeDelta,
    TimeZone, Utc,
};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::stop::{Reason, Stop, TimeLimit};
use crate::words::hours_and_minutes;
use crate::zone::{Zone, end_at, time_of_day};

/// A deadline that lies further ahead is probably missed: a timer fired late.
const LATE: TimeDelta = TimeDelta::hours(18);

/// How often the boot clock is looked at: after a suspension the run sends at most this long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A time after which a run sends no requests.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// Time from the run's start.
    pub after_start: Duration,
    /// Its name in messages.
    pub name: TimeLimit,
    /// When it is reached; `None` if no calendar reaches it.
    pub at: Option<DateTime<Utc>>,
    /// The next and the previous time of day; `None` for a maximum duration.
    clock: Option<ClockTime>,
}

/// A time of day near the run's start.
#[derive(Debug, Clone, Copy)]
struct ClockTime {
    next: DateTime<FixedOffset>,
    previous: Option<DateTime<FixedOffset>>,
}

impl Deadline {
    /// The deadlines of a run that started at `started_at`: the next `time_of_day` in the zone, and
    /// the end of `max_duration`.
    ///
    /// # Errors
    ///
    /// Exit 2 when the time of day does not occur within two days.
    pub fn all(
        time_of_day: Option<NaiveTime>,
        max_duration: Option<Duration>,
        started_at: DateTime<Utc>,
        zone: Zone,
    ) -> Result<Vec<Self>> {
        let time_of_day = time_of_day.map(|time| Self::at_time(time, started_at, zone)).transpose()?;
        let longest = max_duration.map(|duration| Self {
            after_start: duration,
            name: TimeLimit::MaxDuration(duration),
            at: end_at(duration, started_at),
            clock: None,
        });
        Ok(time_of_day.into_iter().chain(longest).collect())
    }

    fn at_time(time: NaiveTime, started_at: DateTime<Utc>, zone: Zone) -> Result<Self> {
        let clock = match zone {
            Zone::Fixed(offset) => ClockTime::around(time, &started_at.with_timezone(&offset)),
            Zone::Named(tz) => ClockTime::around(time, &started_at.with_timezone(&tz)),
        };
        let after_start = |clock: &ClockTime| (clock.next.to_utc() - started_at).to_std().ok();
        clock
            .and_then(|clock| {
                Some(Self {
                    after_start: after_start(&clock)?,
                    name: TimeLimit::Deadline(clock.next),
                    at: Some(clock.next.to_utc()),
                    clock: Some(clock),
                })
            })
            .ok_or_else(|| {
                let time = time.format("%H:%M");
                Error::usage(format!("the deadline {time} does not occur within two days"))
            })
    }

    /// The deadline with its date and the time left: `deadline 06:30 UTC+8, 2026-11-27, in 7 h 12
    /// min`. One that was missed a few hours ago is named as missed. A maximum duration is only
    /// named.
    #[must_use]
    pub fn described(&self, now: DateTime<Utc>) -> String {
        let Some(ClockTime { next, previous }) = self.clock else { return self.name.to_string() };
        let words = |time: TimeDelta| hours_and_minutes(time.to_std().unwrap_or_default());
        let (left, date) = (next.to_utc() - now, next.date_naive());
        let missed = previous.filter(|previous| left > LATE && previous.to_utc() <= now);
        match missed {
            Some(previous) => {
                let is_today = now.with_timezone(previous.offset()).date_naive() == previous.date_naive();
                format!(
                    "the deadline {} passed {} ago{}; the next one is in {} ({date})",
                    time_of_day(previous),
                    words(now - previous.to_utc()),
                    if is_today { " today" } else { "" },
                    words(left)
                )
            }
            None => format!("deadline {}, {date}, in {}", time_of_day(next), words(left)),
        }
    }

    /// Whether it is a time of day.
    #[must_use]
    pub fn is_time_of_day(&self) -> bool {
        self.clock.is_some()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn first(all: &[Self]) -> Option<&Self> {
        all.iter().min_by_key(|deadline| deadline.after_start)
    }

    /// Stops the run when the deadline is reached, until the returned task is aborted. `started` is
    /// the run's start. Needs a Tokio runtime.
    pub fn start(self, started: Instant, stop: Stop) -> JoinHandle<()> {
        let left = self.after_start.saturating_sub(started.elapsed());
        if left.is_zero() {
            // Already reached. The task below runs later, so stop now, before the first request.
            stop.stop(Reason::Time(self.name));
        }
        tokio::spawn(async move {
            pass(left, &SystemClock::new()).await;
            stop.stop(Reason::Time(self.name));
        })
    }
}

/// Waits until this time has passed by Tokio's clock or by the boot clock. Tokio's stands still
/// while the machine is suspended.
async fn pass(time: Duration, clock: &dyn Clock) {
    let boot_us = || clock.now().boot_us;
    let limit_us = boot_us().saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end && boot_us() < limit_us {
        tokio::time::sleep_until(end.min(tokio::time::Instant::now() + LOOK_EVERY)).await;
    }
}

/// Minutes in the longest stretch of local time that a zone has ever skipped: a day.
const LONGEST_SKIP: i64 = 24 * 60;

impl ClockTime {
    /// The next `time` of day after `now` in its zone, and the one before; `None` if it does not
    /// occur within two days.
    ///
    /// A time that the clock skips counts as the first moment after it. If the clock shows a time
    /// twice in a night, each of the two counts.
    fn around<Z: TimeZone>(time: NaiveTime, now: &DateTime<Z>) -> Option<Self> {
        let zone = now.timezone();
        let today = now.date_naive();
        let before = (1..=2).rev().filter_map(|days| today.checked_sub_days(Days::new(days)));
        let after = (0..=2).filter_map(|days| today.checked_add_days(Days::new(days)));
        let moments = before.chain(after).flat_map(|day| moments(&zone, day, time));
        let (past, future): (Vec<_>, Vec<_>) = moments.partition(|at| at <= now);
        let fixed = |at: DateTime<Z>| at.with_timezone(&at.offset().fix());
        Some(Self { next: fixed(future.into_iter().min()?), previous: past.into_iter().max().map(fixed) })
    }
}

/// The moments of a day at which the zone's clock shows the time; after a skip, the first moment at
/// which it shows a later one.
fn moments<Z: TimeZone>(zone: &Z, day: NaiveDate, time: NaiveTime) -> Vec<DateTime<Z>> {
    let skipped = (0..=LONGEST_SKIP).filter_map(TimeDelta::try_minutes);
    let times = skipped.filter_map(|skipped| day.and_time(time).checked_add_signed(skipped));
    times.map(|time| showing(zone, time)).find(|moments| !moments.is_empty()).unwrap_or_default()
}

/// The moments at which the zone's clock shows this time. chrono may return one more at the end of
/// an hour that comes twice.
fn showing<Z: TimeZone>(zone: &Z, time: NaiveDateTime) -> Vec<DateTime<Z>> {
    let [one, other] = match zone.from_local_datetime(&time) {
        LocalResult::Ambiguous(one, other) => [Some(one), Some(other)],
        LocalResult::Single(at) => [Some(at), None],
        LocalResult::None => [None, None],
    };
    let shows = |at: &DateTime<Z>| zone.from_utc_datetime(&at.naive_utc()).naive_local() == time;
    one.into_iter().chain(other).filter(shows).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn deadline(time: &str, now: &str, zone: &str) -> Deadline {
        let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap();
        Deadline::all(Some(time), None, utc(now), Zone::parse(zone).unwrap()).unwrap().remove(0)
    }

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn described(time: &str, now: &str, zone: &str) -> String {
        deadline(time, now, zone).described(utc(now))
    }

    #[test]
    fn a_deadline_is_the_next_occurrence_of_its_time() {
        let left = |time: &str| deadline(time, "2026-11-16T23:30:00+08:00", "+08:00").after_start.as_secs();
        assert_eq!(left("07:00"), 7 * 3600 + 1800);
        assert_eq!(left("23:31"), 60);
        assert_eq!(left("23:30"), 86_400);
    }

    #[test]
    fn a_deadline_has_its_date_offset_and_time_left() {
        let cases = [
            ("2026-11-26T23:18:00+08:00", "+08:00", "06:30 UTC+8, 2026-11-27, in 7 h 12 min"),
            ("2026-11-27T00:05:00+08:00", "Asia/Shanghai", "06:30 UTC+8, 2026-11-27, in 6 h 25 min"),
            ("2026-11-27T06:29:30+08:00", "+08:00", "06:30 UTC+8, 2026-11-27, in under 1 min"),
            ("2026-11-27T00:30:00+00:00", "-03:30", "06:30 UTC-3:30, 2026-11-27, in 9 h 30 min"),
            ("2026-11-27T00:30:00+00:00", "UTC", "06:30 UTC, 2026-11-27, in 6 h"),
            // Exactly 18 h ahead is not late.
            ("2026-11-26T12:30:00+08:00", "+08:00", "06:30 UTC+8, 2026-11-27, in 18 h"),
            // The offset is the one at the deadline: in this night the clock is set back.
            ("2026-10-24T20:00:00Z", "Europe/Berlin", "06:30 UTC+1, 2026-10-25, in 9 h 30 min"),
        ];
        for (now, zone, words) in cases {
            assert_eq!(described("06:30", now, zone), format!("deadline {words}"), "{now}");
        }
    }

    #[test]
    fn a_missed_deadline_is_said_with_the_next_one() {
        let missed = |ago: &str, left: &str| {
            format!("the deadline 06:30 UTC+8 passed {ago}; the next one is in {left} (2026-11-28)")
        };
        for (now, ago, left) in [
            ("2026-11-27T07:10:00+08:00", "40 min ago today", "23 h 20 min"),
            ("2026-11-27T06:30:00+08:00", "under 1 min ago today", "24 h"),
            ("2026-11-27T12:29:00+08:00", "5 h 59 min ago today", "18 h 1 min"),
        ] {
            assert_eq!(described("06:30", now, "+08:00"), missed(ago, left), "{now}");
        }
        assert_eq!(
            described("23:50", "2026-11-27T00:10:00+08:00", "+08:00"),
            "the deadline 23:50 UTC+8 passed 20 min ago; the next one is in 23 h 40 min (2026-11-27)"
        );
        // The night has 25 hours, so it is said of an earlier one, too.
        assert_eq!(
            described("06:30", "2026-10-24T04:40:00Z", "Europe/Berlin"),
            "the deadline 06:30 UTC+2 passed 10 min ago today; the next one is in 24 h 50 min (2026-10-25)"
        );
    }

    #[test]
    fn the_earliest_deadline_is_found() {
        let longest = Some(Duration::from_secs(1));
        let time = NaiveTime::from_hms_opt(6, 30, 0);
        let all = Deadline::all(time, longest, Utc::now(), Zone::default()).unwrap();
        assert_eq!(
            all.iter().map(|d| d.name.to_string()).collect::<Vec<_>>(),
            ["the deadline 06:30 UTC+8", "the maximum duration 1s"]
        );
        let first = Deadline::first(&all).unwrap();
        assert_eq!(first.described(Utc::now()), "the maximum duration 1s");
        assert!(!first.is_time_of_day() && all[0].is_time_of_day());
    }
}
