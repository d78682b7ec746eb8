//! Words that depend on a number.

use std::time::Duration;

pub(crate) use reconcile_core::count::count;

/// The number and the noun, in the plural unless the number is 1: `1 call`, `2 discrepancies`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if n == 1 => format!("1 {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{} {stem}ies", count(n)),
        _ => format!("{} {noun}s", count(n)),
    }
}

/// A duration in whole seconds, as `10m 3s`.
pub(crate) fn whole_seconds(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// A duration in hours and minutes, as `7 h 12 min`.
pub(crate) fn hours_and_minutes(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "under 1 min".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_in_hours_has_no_zero_parts() {
        let words = [59, 60, 3_600, 25_920].map(|s| hours_and_minutes(Duration::from_secs(s)));
        assert_eq!(words, ["under 1 min", "1 min", "1 h", "7 h 12 min"]);
    }

    #[test]
    fn a_count_from_a_million_on_has_commas() {
        assert_eq!(crate::shown::shown(&plural(999_999_999, "call")), "999,999,999 calls");
    }

    #[test]
    fn only_one_is_singular() {
        let words = [plural(1, "call"), plural(0, "call"), plural(2, "day"), plural(3, "discrepancy")];
        assert_eq!(words, ["1 call", "0 calls", "2 days", "3 discrepancies"]);
    }
}
