//! Patterns: one cause that explains many discrepancies. Either all times are shifted by whole
//! hours, or all durations are rounded up to minutes. Also counts values that match only within a
//! tolerance.
//!
//! Memory does not grow with the ledger.

use std::collections::BTreeMap;

use crate::compare::{self, Tolerances};
use crate::detail::CallDetail;
use crate::ledger_row::Expected;

/// Minimum number of discrepancies that a pattern must explain.
const MIN_ROWS: u64 = 3;
/// Smallest share of the compared values that a pattern must explain, in tenths.
const MIN_TENTHS: u64 = 9;
const HOUR_S: i64 = 3_600;
/// The largest difference between two time zones, in hours.
const MAX_HOURS: i64 = 26;
const MINUTE_S: i64 = 60;

/// How many values of a field differ but match within the tolerance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct WithinTolerance {
    /// The tolerance in seconds.
    pub tolerance: i64,
    /// How many values differ by at most the tolerance.
    pub matches: u64,
    /// The largest of these differences, in seconds.
    pub largest: i64,
}

/// A cause that explains many discrepancies at once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pattern {
    /// The cause.
    pub pattern: Cause,
    /// The fields that it affects.
    pub fields: Vec<&'static str>,
    /// The provider's times minus the ledger's, in hours; 0 for durations.
    pub hours: i64,
    /// The number of discrepancies that it explains.
    pub rows: u64,
    /// The number of values of these fields that both sides give.
    pub compared: u64,
}

/// The known causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A time-zone fault in the ledger.
    TimesShifted,
    /// The ledger's durations are seconds, rounded up to whole minutes.
    DurationsRoundedUp,
    /// The ledger's durations are minutes, rounded up.
    DurationsInMinutes,
}

impl Pattern {
    /// The pattern in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let cause = match self.pattern {
            Cause::TimesShifted => {
                let (hours, side) = (self.hours.abs(), if self.hours > 0 { "early" } else { "late" });
                let unit = if hours == 1 { "hour" } else { "hours" };
                format!("the ledger's times are {hours} {unit} {side} because of a time-zone fault")
            }
            Cause::DurationsRoundedUp => "the ledger's durations are rounded up to whole minutes".to_owned(),
            Cause::DurationsInMinutes => {
                "the ledger's durations are minutes, rounded up, instead of seconds".to_owned()
            }
        };
        let (rows, compared, fields) = (self.rows, self.compared, self.fields.join(", "));
        format!("{cause}; this explains {rows} discrepancies in {compared} compared values of {fields}")
    }
}

/// The counters over all found calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    tolerances: Tolerances,
    within: BTreeMap<&'static str, WithinTolerance>,
    times: BTreeMap<&'static str, Shifts>,
    /// Durations that both sides give, without those that are 0 at the provider.
    durations: u64,
    rounded_up: Rounded,
    in_minutes: Rounded,
}

/// The shifts of the times of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shifts {
    compared: u64,
    /// How many times differ by this many whole hours; at most twice `MAX_HOURS` entries.
    by_hours: BTreeMap<i64, u64>,
}

/// How well a kind of rounding explains the durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rounded {
    /// Ledger values equal to the rounded provider value.
    fitting: u64,
    /// How many of them are discrepancies.
    rows: u64,
}

impl Observed {
    /// Counters before the first call. The tolerances decide what is a discrepancy.
    #[must_use]
    pub fn new(tolerances: Tolerances) -> Self {
        Self { tolerances, ..Self::default() }
    }

    /// Counts a found call.
    pub fn add(&mut self, expected: &Expected, detail: &CallDetail) {
        for (field, delta) in compare::deltas(expected, detail) {
            let tolerance = self.tolerance(field);
            let within = self
                .within
                .entry(field)
                .or_insert(WithinTolerance { tolerance, ..WithinTolerance::default() });
            if delta != 0 && delta.abs() <= tolerance {
                within.matches += 1;
                within.largest = within.largest.max(delta.abs());
            }
            if field != "duration_s" {
                self.times.entry(field).or_default().add(delta, tolerance);
            }
        }
        if let (Some(ledger), Some(provider)) = (expected.duration_s, detail.duration_s)
            && provider > 0
        {
            self.add_duration(ledger, provider);
        }
    }

    fn tolerance(&self, field: &str) -> i64 {
        if field == "duration_s" { self.tolerances.duration_s } else { self.tolerances.time_s }
    }

    fn add_duration(&mut self, ledger: i64, provider: i64) {
        self.durations += 1;
        let minutes = provider.saturating_add(MINUTE_S - 1) / MINUTE_S;
        let is_discrepancy = ledger.abs_diff(provider) > self.tolerances.duration_s.unsigned_abs();
        for (rounded, count) in
            [(minutes.saturating_mul(MINUTE_S), &mut self.rounded_up), (minutes, &mut self.in_minutes)]
        {
            if ledger == rounded {
                count.fitting += 1;
                count.rows += u64::from(is_discrepancy);
            }
        }
    }

    /// The matches within a tolerance, by field. Fields that were never compared are absent.
    #[must_use]
    pub fn within(&self) -> &BTreeMap<&'static str, WithinTolerance> {
        &self.within
    }

    /// The causes that explain nearly all compared values of their fields.
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut found = self.shifts();
        let duration = |pattern, count: Rounded| {
            let is_pattern = count.rows >= MIN_ROWS && is_nearly_all(count.fitting, self.durations);
            let fields = vec!["duration_s"];
            is_pattern.then_some(Pattern {
                pattern,
                fields,
                hours: 0,
                rows: count.rows,
                compared: self.durations,
            })
        };
        found.extend(duration(Cause::DurationsRoundedUp, self.rounded_up));
        found.extend(duration(Cause::DurationsInMinutes, self.in_minutes));
        found
    }

    /// The shifts of the times. Fields with the same shift are one pattern.
    fn shifts(&self) -> Vec<Pattern> {
        let mut by_hours: BTreeMap<i64, Pattern> = BTreeMap::new();
        for (field, shifts) in &self.times {
            for (hours, rows) in &shifts.by_hours {
                if is_nearly_all(*rows, shifts.compared) {
                    let (pattern, fields) = (Cause::TimesShifted, Vec::new());
                    let new = Pattern { pattern, fields, hours: *hours, rows: 0, compared: 0 };
                    let pattern = by_hours.entry(*hours).or_insert(new);
                    pattern.fields.push(field);
                    pattern.rows += rows;
                    pattern.compared += shifts.compared;
                }
            }
        }
        by_hours.into_values().filter(|p| p.rows >= MIN_ROWS).collect()
    }
}

impl Shifts {
    fn add(&mut self, delta: i64, tolerance: i64) {
        self.compared += 1;
        let hours = (delta + delta.signum() * HOUR_S / 2) / HOUR_S;
        let is_whole = (delta - hours * HOUR_S).abs() <= tolerance;
        // With a tolerance of half an hour or more, every shift would count as whole hours.
        if is_whole && tolerance < HOUR_S / 2 && hours != 0 && hours.abs() <= MAX_HOURS {
            *self.by_hours.entry(hours).or_default() += 1;
        }
    }
}

fn is_nearly_all(part: u64, whole: u64) -> bool {
    part > 0 && part * 10 >= whole * MIN_TENTHS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger_row::LedgerTime;
    use crate::normalize::normalize;
    use chrono::TimeDelta;

    /// Counters over calls of 30 + i seconds. `early_s` is how early the ledger's time of each call
    /// is; `ledger_s` turns the provider's duration into the ledger's.
    fn observed(tolerances: Tolerances, early_s: &[i64], ledger_s: impl Fn(i64) -> i64) -> Observed {
        let mut observed = Observed::new(tolerances);
        for (i, early) in (0_i64..).zip(early_s) {
            let duration = 30 + i;
            let detail = normalize(&format!(
                r#"{{"gmtCreate":"2026-11-16 10:00:00","startDate":"2026-11-16 10:00:10","duration":{duration},"state":"200000"}}"#
            ))
            .unwrap();
            let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map(|at| LedgerTime::Instant(at - TimeDelta::seconds(*early)))
            };
            let expected = Expected {
                called_at: time(detail.created_at),
                started_at: time(detail.started_at),
                duration_s: Some(ledger_s(duration)),
                ..Expected::default()
            };
            observed.add(&expected, &detail);
        }
        observed
    }

    #[test]
    fn times_all_shifted_by_whole_hours_are_one_pattern() {
        let found = observed(Tolerances::default(), &[28_800; 5], |s| s).patterns();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].hours, found[0].rows, found[0].compared), (8, 10, 10));
        assert_eq!(found[0].fields, ["called_at", "started_at"]);
        assert!(found[0].sentence().contains("8 hours early"), "{}", found[0].sentence());
        let late = observed(Tolerances::default(), &[-3_600; 5], |s| s).patterns();
        assert!(late[0].sentence().contains("1 hour late"), "{}", late[0].sentence());
        let jitter = Tolerances { duration_s: 0, time_s: 2 };
        assert_eq!(observed(jitter, &[28_799, 28_802, 28_800], |s| s).patterns()[0].rows, 6);
    }

    #[test]
    fn a_few_shifted_times_or_odd_shifts_are_no_pattern() {
        let exact = Tolerances::default();
        assert_eq!(observed(exact, &[28_800, 28_800, 0, 0, 0], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[1_800; 5], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[28_801; 5], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[0; 5], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[28_800], |s| s).patterns(), [], "two rows are no pattern");
        let day_apart = observed(exact, &[30 * HOUR_S; 5], |s| s);
        assert_eq!(day_apart.patterns(), [], "no time zone is that far away");
    }

    #[test]
    fn durations_all_rounded_up_are_one_pattern() {
        let round = |s: i64| (s + 59) / 60 * 60;
        let found = observed(Tolerances::default(), &[0; 40], round).patterns();
        assert_eq!(found.len(), 1);
        // Of the durations 30 to 69, one is 60 and is not rounded.
        assert_eq!((found[0].pattern, found[0].rows, found[0].compared), (Cause::DurationsRoundedUp, 39, 40));
        let minutes = observed(Tolerances::default(), &[0; 40], |s| (s + 59) / 60).patterns();
        assert_eq!((minutes[0].pattern, minutes[0].rows), (Cause::DurationsInMinutes, 40));
        assert_eq!(observed(Tolerances::default(), &[0; 40], |s| s + 1).patterns(), []);
        let far = Tolerances { duration_s: 60, time_s: 0 };
        assert_eq!(observed(far, &[0; 40], round).patterns(), [], "a match needs no explanation");
    }

    #[test]
    fn matches_within_a_tolerance_are_counted() {
        let tolerances = Tolerances { duration_s: 3, time_s: 5 };
        let seen = observed(tolerances, &[0, 2, -5, 6], |s| if s == 31 { s - 3 } else { s });
        let within = seen.within();
        assert_eq!(within["duration_s"], WithinTolerance { tolerance: 3, matches: 1, largest: 3 });
        assert_eq!(within["called_at"], WithinTolerance { tolerance: 5, matches: 2, largest: 5 });
        assert_eq!(within.get("ended_at"), None, "never compared");
    }
}
