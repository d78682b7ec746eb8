//! The deadline: when a run stops sending. The remaining calls are deferred to the next run.
//!
//! A run may have two: a time of day and a maximum duration. Both count from the run's start, and
//! the first one that is reached stops the run.

use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Local, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::stop::{Reason, Stop};

/// A time after which a run sends no requests.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// Time from the run's start.
    pub after_start: Duration,
    /// Its name in messages: `the deadline 06:30`.
    pub name: String,
}

impl Deadline {
    /// The deadlines of a run that started at `started_at`: the next `time_of_day` on this
    /// machine's clock, and the end of `max_duration`.
    ///
    /// # Errors
    ///
    /// Exit 2 when the time of day does not occur within two days.
    pub fn all(
        time_of_day: Option<NaiveTime>,
        max_duration: Option<Duration>,
        started_at: DateTime<Local>,
    ) -> Result<Vec<Self>> {
        let mut deadlines = Vec::new();
        if let Some(time) = time_of_day {
            let name = format!("the deadline {}", time.format("%H:%M"));
            let after_start = until(time, started_at)
                .ok_or_else(|| Error::usage(format!("{name} does not occur within two days")))?;
            deadlines.push(Self { after_start, name });
        }
        deadlines.extend(max_duration.map(|duration| Self {
            after_start: duration,
            name: format!("the maximum duration {}", humantime::format_duration(duration)),
        }));
        Ok(deadlines)
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
            stop.stop(Reason::Time(self.name.clone()));
        }
        tokio::spawn(async move {
            tokio::time::sleep(left).await;
            stop.stop(Reason::Time(self.name));
        })
    }
}

/// Minutes in the longest stretch of local time that a zone has ever skipped: a day.
const LONGEST_SKIP: i64 = 24 * 60;

/// The time from `now` to the next `time` of day in its zone; `None` if it does not occur within
/// two days.
///
/// A time that the clock skips counts as the first moment after it. If the clock shows a time twice
/// in a night, each of the two counts.
fn until<Z: TimeZone>(time: NaiveTime, now: DateTime<Z>) -> Option<Duration> {
    let zone = now.timezone();
    let today = now.date_naive();
    // The moments at which the zone's clock shows this time, the earlier one first. chrono may
    // return them in the other order, and one more at the end of an hour that comes twice.
    let showing = |time: NaiveDateTime| {
        let [one, other] = match zone.from_local_datetime(&time) {
            LocalResult::Ambiguous(one, other) => [Some(one), Some(other)],
            LocalResult::Single(at) => [Some(at), None],
            LocalResult::None => [None, None],
        };
        let shows = |at: &DateTime<Z>| zone.from_utc_datetime(&at.naive_utc()).naive_local() == time;
        let mut moments: Vec<_> = one.into_iter().chain(other).filter(shows).collect();
        moments.sort();
        moments
    };
    let moments = |day: NaiveDate| {
        let skipped = (0..=LONGEST_SKIP).filter_map(TimeDelta::try_minutes);
        let times = skipped.filter_map(|skipped| day.and_time(time).checked_add_signed(skipped));
        times.map(showing).find(|moments| !moments.is_empty()).unwrap_or_default()
    };
    (0..=2)
        .filter_map(|days| today.checked_add_days(Days::new(days)))
        .flat_map(moments)
        .find(|at| *at > now)
        .and_then(|at| (at - now).to_std().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_deadline_is_the_next_occurrence_of_its_time() {
        let now =
            reconcile_core::calendar::provider_offset().with_ymd_and_hms(2026, 11, 16, 23, 30, 0).unwrap();
        let left = |text: &str| until(NaiveTime::parse_from_str(text, "%H:%M").unwrap(), now).unwrap();
        assert_eq!(left("07:00"), Duration::from_secs(7 * 3600 + 1800));
        assert_eq!(left("23:31"), Duration::from_secs(60));
        assert_eq!(left("23:30"), Duration::from_secs(86_400));
    }

    #[test]
    fn the_earliest_deadline_is_found() {
        let longest = Some(Duration::from_secs(1));
        let all = Deadline::all(NaiveTime::from_hms_opt(6, 30, 0), longest, Local::now()).unwrap();
        assert_eq!(
            all.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(),
            ["the deadline 06:30", "the maximum duration 1s"]
        );
        assert_eq!(Deadline::first(&all).unwrap().name, "the maximum duration 1s");
    }
}
