//! The days that a ledger covers.

use std::collections::BTreeSet;

use chrono::NaiveDate;

/// A ledger covers the days between two of its days that are at most this far apart. So it may skip
/// a holiday, but a single row with a wrong year does not make it cover that year.
const MAX_APART: i64 = 10;

/// The days that a ledger covers: those of its calls, and those between them.
#[derive(Debug, Default)]
pub(super) struct CoveredDays(BTreeSet<NaiveDate>);

impl CoveredDays {
    /// Adds the day of a call.
    pub(super) fn add(&mut self, day: NaiveDate) {
        self.0.insert(day);
    }

    /// True if the ledger covers this day.
    pub(super) fn has(&self, day: NaiveDate) -> bool {
        let before = self.0.range(..=day).next_back();
        let after = self.0.range(day..).next();
        before.zip(after).is_some_and(|(before, after)| (*after - *before).num_days() <= MAX_APART)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_far_day_does_not_widen_what_is_covered() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let mut days = CoveredDays::default();
        assert!(!days.has(day("2026-11-16")));
        for text in ["2025-11-17", "2026-11-01", "2026-11-11", "2026-11-16", "2026-11-17"] {
            days.add(day(text));
        }
        let covered = ["2025-11-17", "2026-11-01", "2026-11-05", "2026-11-11", "2026-11-13", "2026-11-17"];
        assert!(covered.iter().all(|text| days.has(day(text))));
        let others = ["2025-11-16", "2025-11-18", "2026-10-31", "2026-11-18"];
        assert!(others.iter().all(|text| !days.has(day(text))));
        days.add(day("2026-11-28"));
        assert!(!days.has(day("2026-11-18")) && days.has(day("2026-11-28")));
    }
}
