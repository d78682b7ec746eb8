//! The first line of a run: how many calls, under which cap, and when it is done.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono::{DateTime, Local};

use crate::ledger::LedgerScan;
use crate::words::{count, plural};
use reconcile_core::rate::Rate;

/// What is known of a run before its first request.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The ledger's name.
    pub ledger: &'a str,
    /// What the first reading of the ledger found.
    pub scan: &'a LedgerScan,
    /// Calls to ask for.
    pub to_ask: u64,
    /// Time until the cap allows the last request; `None` offline.
    pub ready_in: Option<Duration>,
    /// The cap.
    pub rate: Rate,
    /// Requests that may go back to back.
    pub burst: NonZeroU32,
    /// Whether the answers are simulated.
    pub sandbox: bool,
    /// Whether this is an unfinished run that is resumed.
    pub resumed: bool,
}

impl Opening<'_> {
    /// The line.
    #[must_use]
    pub fn line(&self) -> String {
        let scan = self.scan;
        let mut line = format!("reconcile: {} in {}", plural(scan.calls, "call"), self.ledger);
        if scan.invalid + scan.duplicates > 0 {
            let (unusable, duplicates) = (plural(scan.invalid, "unusable row"), scan.duplicates);
            line += &format!(" ({unusable}, {})", plural(duplicates, "duplicate"));
        }
        if self.resumed {
            line += ", resuming an unfinished run";
        }
        line += &match self.ready_in {
            None => "; offline: nothing is sent".to_owned(),
            Some(_) if scan.calls == 0 => "; nothing is sent".to_owned(),
            Some(_) if self.to_ask == 0 => "; all answers are stored: nothing is sent".to_owned(),
            Some(time) => format!(
                "; {} to ask at {} ({}){}, done in {}",
                count(self.to_ask),
                self.rate,
                schedule(self.rate, self.burst),
                if self.sandbox { " in the sandbox" } else { "" },
                done_in(time, Local::now())
            ),
        };
        line
    }
}

/// How the cap spreads the requests, in words.
pub(crate) fn schedule(rate: Rate, burst: NonZeroU32) -> String {
    let pace = humantime::format_duration(rate.window / rate.requests.get());
    match burst.get() {
        1 => format!("one every {pace}"),
        n if burst == rate.requests => format!("up to {n} back to back"),
        n => format!("up to {n} back to back, then one every {pace}"),
    }
}

/// The time left under the cap, and the time of day when it ends: `3m (by 12:38 UTC+8)`.
pub(crate) fn done_in(left: Duration, now: DateTime<Local>) -> String {
    let minute = Duration::from_secs(60);
    let (words, left) = match left.is_zero() {
        // Every request goes out at once; only the replies take time.
        true => ("under 60 s".to_owned(), minute),
        false => {
            let seconds = Duration::from_secs(left.as_secs());
            (humantime::format_duration(seconds).to_string(), left)
        }
    };
    let end = chrono::TimeDelta::from_std(left).ok().and_then(|left| now.checked_add_signed(left));
    match end {
        Some(end) if end.date_naive() == now.date_naive() => format!("{words} (by {})", time_of_day(end)),
        Some(end) => format!("{words} (by {} {})", end.format("%Y-%m-%d"), time_of_day(end)),
        None => words,
    }
}

/// `12:35 UTC+8`: hours and minutes in this machine's time zone.
pub(crate) fn time_of_day(at: DateTime<Local>) -> String {
    let minutes = at.offset().local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    let zone = match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (_, 0) => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{minutes:02}"),
    };
    format!("{} {zone}", at.format("%H:%M"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_time_left_has_its_end_beside_it() {
        let now = Local::now();
        let by = |minutes| time_of_day(now + chrono::TimeDelta::minutes(minutes));
        assert_eq!(done_in(Duration::ZERO, now).split(" (by ").next(), Some("under 60 s"));
        let words = done_in(Duration::from_millis(180_900), now);
        assert!(words.starts_with("3m (by ") && words.ends_with(&format!("{})", by(3))), "{words}");
        assert_eq!(done_in(Duration::MAX, now).split(" (by ").count(), 1);
    }

    #[test]
    fn the_schedule_names_burst_and_pace() {
        let words = |burst| schedule("100/min".parse().unwrap(), NonZeroU32::new(burst).unwrap());
        assert_eq!(words(1), "one every 600ms");
        assert_eq!(words(100), "up to 100 back to back");
        assert_eq!(words(7), "up to 7 back to back, then one every 600ms");
    }
}
