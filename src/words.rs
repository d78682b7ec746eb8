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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_from_a_million_on_has_commas() {
        assert_eq!(
            [count(999_999), count(1_000_000), count(12_034_005)],
            ["999999", "1,000,000", "12,034,005"]
        );
        assert_eq!(crate::shown::shown(&plural(999_999_999, "call")), "999,999,999 calls");
    }

    #[test]
    fn only_one_is_singular() {
        let words = [plural(1, "call"), plural(0, "call"), plural(2, "day"), plural(3, "discrepancy")];
        assert_eq!(words, ["1 call", "0 calls", "2 days", "3 discrepancies"]);
    }
}
