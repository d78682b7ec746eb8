//! The first line of a run: how many calls, under which cap, and when it is done.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cli::Account;
use crate::fetch::deadline::Deadline;
use crate::ledger::LedgerScan;
use crate::words::{count, plural, whole_seconds};
use crate::zone;
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
    /// Calls that may be asked for beside the ledger's own.
    pub beside: u64,
    /// Time until the cap allows the last request; `None` offline.
    pub ready_in: Option<Duration>,
    /// The accounts that are asked, each with its cap.
    pub accounts: &'a [Account],
    /// When the run stops sending.
    pub deadlines: &'a [Deadline],
    /// Whether the answers are simulated.
    pub sandbox: bool,
    /// Whether this is an unfinished run that is resumed.
    pub resumed: bool,
}

impl Opening<'_> {
    /// Prints the line. In a log in JSON its numbers are fields.
    pub(crate) fn say(&self) {
        let (scan, now) = (self.scan, Utc::now());
        let asks = self.ready_in.filter(|_| self.to_ask > 0);
        let done_at = asks.and_then(|left| zone::end_at(left, now));
        let deadline = Deadline::first(self.deadlines).filter(|_| asks.is_some());
        tracing::info!(
            calls = scan.calls,
            rows = scan.rows,
            unusable_rows = scan.invalid,
            duplicates = scan.duplicates,
            to_ask = self.to_ask,
            eta_s = asks.map(|left| left.as_secs()),
            done_at = done_at.map(zone::rfc3339),
            deadline_at = deadline.and_then(|deadline| deadline.at).map(zone::rfc3339),
            sandbox = self.sandbox,
            resumed = self.resumed,
            "{}",
            self.line(now)
        );
    }

    fn line(&self, now: DateTime<Utc>) -> String {
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
            Some(_) if scan.calls + self.beside == 0 => "; nothing is sent".to_owned(),
            Some(_) if self.to_ask + self.beside == 0 => {
                "; all answers are stored: nothing is sent".to_owned()
            }
            Some(_) if self.to_ask == 0 => {
                format!("; all its answers are stored; {} to ask beside it", plural(self.beside, "call"))
            }
            Some(time) => format!(
                "; {} to ask {}{}, done in {}{}",
                count(self.to_ask),
                self.caps(),
                if self.sandbox { " in the sandbox" } else { "" },
                done_in(time, now),
                self.deadlines_described(now)
            ),
        };
        line
    }

    /// The cap, or how many accounts there are: `at 100 per minute (up to 100 back to back)`.
    fn caps(&self) -> String {
        match self.accounts {
            [only] => format!("at {} ({})", only.rate, schedule(only.rate, only.burst)),
            all => format!("under {} accounts, each at its own cap", all.len()),
        }
    }

    /// The deadline, if it is a time of day.
    fn deadlines_described(&self, now: DateTime<Utc>) -> String {
        let times = self.deadlines.iter().filter(|deadline| deadline.is_time_of_day());
        times.map(|deadline| format!("; {}", deadline.described(now))).collect()
    }
}

/// How the cap spreads the requests, in words.
pub(crate) fn schedule(rate: Rate, burst: NonZeroU32) -> String {
    let pace = humantime::format_duration(rate.window / rate.requests.get());
    match burst.get() {
        1 => format!("one every {pace}"),
        n if burst == rate.requests => format!("up to {} back to back", count(n.into())),
        n => format!("up to {} back to back, then one every {pace}", count(n.into())),
    }
}

/// The time left under the cap, and the time of day when it ends: `3m (by 12:38 UTC+8)`.
pub(crate) fn done_in(left: Duration, now: DateTime<Utc>) -> String {
    let (words, left) = match left.is_zero() {
        // Every request goes out at once; only the replies take time.
        true => ("under 60 s".to_owned(), Duration::from_secs(60)),
        false => (whole_seconds(left), left),
    };
    zone::end_of(left, now).map_or(words.clone(), |end| format!("{words} (by {end})"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_time_left_has_its_end_beside_it() {
        let now = DateTime::parse_from_rfc3339("2026-11-26T12:35:00+08:00").unwrap().to_utc();
        assert_eq!(done_in(Duration::ZERO, now), "under 60 s (by 12:36 UTC+8)");
        assert_eq!(done_in(Duration::from_millis(180_900), now), "3m (by 12:38 UTC+8)");
        assert_eq!(done_in(Duration::from_secs(43_200), now), "12h (by 2026-11-27 00:35 UTC+8)");
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
