//! The cap: at most N requests in a window. Users write it as `N/UNIT`, for example `100/min`.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::arrival::micros;
use crate::count::count;

/// The guard time is this fraction of the window: 200 ppm.
const GUARD_PART: u32 = 5_000;
/// The shortest guard time: the resolution of a timer.
const MIN_GUARD: Duration = Duration::from_millis(1);

/// Most requests in a window: each has a place in memory.
const MAX_REQUESTS: NonZeroU32 = NonZeroU32::new(10_000_000).unwrap();

/// At most `requests` requests in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests.
    pub requests: NonZeroU32,
    /// The window's length.
    pub window: Duration,
}

impl Rate {
    /// How long a place stays taken after the reply: one window and a guard time.
    ///
    /// The guard covers the different speeds of two clocks. It counts from the reply, like the
    /// window. So it also holds after a slow request with a fast reply.
    #[must_use]
    pub fn cooldown(&self) -> Duration {
        self.window + (self.window / GUARD_PART).max(MIN_GUARD)
    }

    /// The window's length in microseconds, the store's unit.
    #[must_use]
    #[inline]
    pub fn window_us(&self) -> i64 {
        micros(self.window)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let requests = count(self.requests.get().into());
        match self.window.as_millis() {
            1_000 => write!(f, "{requests} per second"),
            60_000 => write!(f, "{requests} per minute"),
            3_600_000 => write!(f, "{requests} per hour"),
            _ => write!(f, "{requests} per {}", humantime::format_duration(self.window)),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{why}; write N/UNIT, for example 100/min, 100/s or 25/15s");
        let (n, unit) = text.split_once('/').ok_or_else(|| wrong("the unit is missing"))?;
        let requests =
            n.trim().parse::<NonZeroU32>().map_err(|_| wrong("N is not a positive whole number"))?;
        if requests > MAX_REQUESTS {
            return Err(wrong("N is above 10,000,000"));
        }
        let unit = unit.trim();
        let unit =
            if unit.starts_with(|c: char| c.is_ascii_digit()) { unit.to_owned() } else { format!("1{unit}") };
        let window = humantime::parse_duration(&unit).map_err(|_| wrong("the unit is not a duration"))?;
        if window < Duration::from_millis(1) || window > Duration::from_secs(86_400) {
            return Err(wrong("the window is not between 1 ms and 1 day"));
        }
        Ok(Self { requests, window })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_rate_is_read_with_every_unit() {
        for (text, n, window_ms) in [
            ("100/min", 100, 60_000),
            ("100/m", 100, 60_000),
            ("100/minute", 100, 60_000),
            ("100/s", 100, 1_000),
            ("100/sec", 100, 1_000),
            ("6000/h", 6000, 3_600_000),
            ("25/15s", 25, 15_000),
            ("5/500ms", 5, 500),
        ] {
            let r: Rate = text.parse().unwrap();
            assert_eq!((r.requests.get(), r.window), (n, Duration::from_millis(window_ms)), "{text}");
        }
        for text in ["100", "0/min", "-1/min", "x/min", "100/", "100/fortnight", "1/0s", "100/min/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_displayed_in_words() {
        for (text, words) in [
            ("100/min", "100 per minute"),
            ("100/60s", "100 per minute"),
            ("1000000/s", "1,000,000 per second"),
            ("100/s", "100 per second"),
            ("6000/h", "6000 per hour"),
            ("25/15s", "25 per 15s"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), words, "{text}");
        }
    }
}
