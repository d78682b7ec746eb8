//! The time zone of everything that people read: the zone of `--timezone`, which is UTC+8 by
//! default. Every time is shown with its offset. The environment's `TZ` is ignored.
//!
//! Only display and deadline use it. The ledger's days and the data files have their own zones.

use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset as _, SecondsFormat, TimeDelta, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use strsim::damerau_levenshtein;

use reconcile_core::calendar::provider_offset;

/// The greatest distance of any zone from UTC.
const GREATEST_OFFSET_MIN: i32 = 14 * 60;

static SHOWN: OnceLock<Zone> = OnceLock::new();

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A fixed difference to UTC.
    Fixed(FixedOffset),
    /// A zone with clock changes, by its IANA name.
    Named(Tz),
}

impl Default for Zone {
    /// UTC+8, the provider's zone.
    fn default() -> Self {
        Self::Fixed(provider_offset())
    }
}

impl Zone {
    /// Parses an offset (`+08:00`, `UTC-3:30`, `Z`) or an IANA name (`Asia/Shanghai`, in any case).
    ///
    /// # Errors
    ///
    /// What is wrong, with the nearest name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(offset) = offset_text(text) {
            let offset = offset_minutes(offset).and_then(|minutes| FixedOffset::east_opt(minutes * 60));
            let needs = "needs an offset from -14:00 to +14:00, for example +08:00";
            return offset.map(Self::Fixed).ok_or_else(|| needs.to_owned());
        }
        let mut zones = TZ_VARIANTS.iter();
        let named = zones.find(|zone| zone.name().eq_ignore_ascii_case(text));
        named.map(|zone| Self::Named(*zone)).ok_or_else(|| match nearest_name(text) {
            Some(name) => format!("no time zone has this name; did you mean {name}?"),
            None => "needs an offset or the name of a zone, for example +08:00 or Asia/Shanghai".to_owned(),
        })
    }

    /// An instant in this zone.
    #[must_use]
    pub fn local(self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        match self {
            Self::Fixed(offset) => at.with_timezone(&offset),
            Self::Named(zone) => {
                let local = at.with_timezone(&zone);
                local.with_timezone(&local.offset().fix())
            }
        }
    }
}

/// The offset in a text that names one: what follows `UTC` or `GMT`, or begins with a sign.
fn offset_text(text: &str) -> Option<&str> {
    let prefix = text.get(..3).filter(|start| ["UTC", "GMT"].iter().any(|u| start.eq_ignore_ascii_case(u)));
    let rest = text.get(prefix.map_or(0, str::len)..)?;
    match rest {
        "" if prefix.is_some() => Some("+0"),
        "Z" | "z" => Some("+0"),
        _ => rest.starts_with(['+', '-', '−']).then_some(rest),
    }
}

/// Minutes east of UTC of `+8`, `+08`, `+08:00` or `+0800`.
fn offset_minutes(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, text.strip_prefix(['-', '−'])?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        None if digits.is_ascii() && digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
        Some(_) => return None,
    };
    let number = |text: &str| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| plain)
    };
    let minutes = number(hours)? * 60 + number(minutes).filter(|minutes| *minutes < 60)?;
    (minutes <= GREATEST_OFFSET_MIN).then_some(sign * minutes)
}

/// Names of China's zone that the list of zones does not have.
const NAMES_OF_CHINA: [&str; 6] = ["asia/beijing", "beijing", "peking", "china", "cst", "北京"];

/// The zone whose name, or the city in it, is nearest; `None` if none is near.
fn nearest_name(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase().replace(' ', "_");
    if NAMES_OF_CHINA.contains(&text.as_str()) {
        return Some(Tz::Asia__Shanghai.name());
    }
    let distance = |name: &str| {
        let name = name.to_ascii_lowercase();
        let city = name.rsplit('/').next().unwrap_or_default();
        damerau_levenshtein(&name, &text).min(damerau_levenshtein(city, &text))
    };
    let (distance, name) = TZ_VARIANTS.iter().map(|zone| (distance(zone.name()), zone.name())).min()?;
    (distance <= 3 && distance * 3 < text.chars().count()).then_some(name)
}

/// Sets the zone in which this process shows times. The first call counts.
pub fn set(zone: Zone) {
    // A process has one command line.
    let _ = SHOWN.set(zone);
}

/// The zone in which this process shows times.
#[must_use]
pub fn shown() -> Zone {
    SHOWN.get().copied().unwrap_or_default()
}

/// An instant in the zone of this process.
pub(crate) fn local(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    shown().local(at)
}

/// The offset for people: `UTC+8`, `UTC-3:30`, `UTC`.
fn offset_name(offset: FixedOffset) -> String {
    let minutes = offset.local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (_, 0) => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// `12:35 UTC+8`.
pub(crate) fn time_of_day(at: DateTime<FixedOffset>) -> String {
    format!("{} {}", at.format("%H:%M"), offset_name(*at.offset()))
}

/// An instant to the second: `2026-11-27 06:30:00 UTC+8`.
pub(crate) fn date_and_time(at: DateTime<Utc>) -> String {
    let at = local(at);
    format!("{} {}", at.format("%Y-%m-%d %H:%M:%S"), offset_name(*at.offset()))
}

/// The end of a time that starts now: `12:35 UTC+8`, with the date unless it is today's. `None` if
/// no calendar reaches it.
pub(crate) fn end_of(left: Duration, now: DateTime<Utc>) -> Option<String> {
    let end = local(end_at(left, now)?);
    let is_today = end.date_naive() == local(now).date_naive();
    let date = if is_today { String::new() } else { end.format("%Y-%m-%d ").to_string() };
    Some(date + &time_of_day(end))
}

/// The end of a time that starts now; `None` if no calendar reaches it.
pub(crate) fn end_at(left: Duration, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // A year has five digits from 10000 on, which RFC 3339 cannot write.
    let end = now.checked_add_signed(TimeDelta::from_std(left).ok()?)?;
    (end < DateTime::from_timestamp(253_402_214_400, 0)?).then_some(end)
}

/// An instant for machines: RFC 3339 with the offset, to the second.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    local(at).to_rfc3339_opts(SecondsFormat::Secs, false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn an_offset_is_read_in_every_usual_spelling() {
        let cases = [
            ("+08:00", "UTC+8"),
            ("+8", "UTC+8"),
            ("+0800", "UTC+8"),
            ("UTC+8", "UTC+8"),
            ("gmt+8", "UTC+8"),
            ("-03:30", "UTC-3:30"),
            ("UTC-3:30", "UTC-3:30"),
            ("\u{2212}03:30", "UTC-3:30"),
            ("+5:45", "UTC+5:45"),
            ("-00:30", "UTC-0:30"),
            ("+14", "UTC+14"),
            ("Z", "UTC"),
            ("UTC", "UTC"),
            ("+00:00", "UTC"),
        ];
        for (text, shown) in cases {
            let local = Zone::parse(text).unwrap().local(at("2026-11-26T00:00:00Z"));
            assert_eq!(offset_name(*local.offset()), shown, "{text}");
        }
    }

    #[test]
    fn a_wrong_offset_is_refused() {
        for text in ["+", "-", "+14:01", "+24", "+08:60", "+8:0", "+080", "+08000", "+0x:00", "UTC+é8", "+-8"]
        {
            let why = Zone::parse(text).unwrap_err();
            assert!(why.starts_with("needs an offset from -14:00 to +14:00"), "{text}: {why}");
        }
    }

    #[test]
    fn a_named_zone_has_the_offset_of_its_season() {
        let cases = [
            ("Asia/Shanghai", "2026-07-01T00:00:00Z", "08:00 UTC+8"),
            ("europe/berlin", "2026-07-01T00:00:00Z", "02:00 UTC+2"),
            ("Europe/Berlin", "2026-12-01T00:00:00Z", "01:00 UTC+1"),
            ("America/St_Johns", "2026-12-01T00:00:00Z", "20:30 UTC-3:30"),
            ("Asia/Kathmandu", "2026-12-01T00:00:00Z", "05:45 UTC+5:45"),
            ("Etc/GMT-8", "2026-12-01T00:00:00Z", "08:00 UTC+8"),
        ];
        for (name, instant, shown) in cases {
            assert_eq!(time_of_day(Zone::parse(name).unwrap().local(at(instant))), shown, "{name}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_with_the_nearest_name() {
        for (text, name) in [
            ("Asia/Shangai", "Asia/Shanghai"),
            ("shanghai", "Asia/Shanghai"),
            ("Europe/Berlín", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("Hongkong ", "Hongkong"),
            ("Beijing", "Asia/Shanghai"),
            ("CST", "Asia/Shanghai"),
        ] {
            match Zone::parse(text) {
                Ok(Zone::Named(zone)) => assert_eq!(zone.name(), name),
                wrong => assert!(wrong.unwrap_err().contains(&format!("did you mean {name}?")), "{text}"),
            }
        }
        for text in ["", "Nowhere/Zone", "8", "x", "\u{1F570}", "local"] {
            assert!(Zone::parse(text).unwrap_err().starts_with("needs an offset or the name"), "{text}");
        }
    }

    #[test]
    fn an_end_on_another_day_has_its_date() {
        let end = |seconds| end_of(Duration::from_secs(seconds), at("2026-11-26T15:00:00Z"));
        assert_eq!(end(60).as_deref(), Some("23:01 UTC+8"));
        assert_eq!(end(3600).as_deref(), Some("2026-11-27 00:00 UTC+8"));
        assert_eq!(end(u64::MAX), None);
        assert_eq!(end(300_000_000_000), None, "beyond the year 9999");
        assert_eq!(rfc3339(at("2026-11-26T15:00:00Z")), "2026-11-26T23:00:00+08:00");
        assert_eq!(date_and_time(at("2026-11-26T15:00:00Z")), "2026-11-26 23:00:00 UTC+8");
    }
}
