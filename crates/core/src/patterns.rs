//! One cause of many discrepancies: all times shifted by whole hours, all durations rounded up to minutes. Also counts
//! what matched only within a tolerance. Pure; a handful of counters, however long the ledger.

use std::collections::BTreeMap;

use crate::compare::{self, Tolerances};
use crate::detail::CallDetail;
use crate::ledger_row::Expected;

/// A cause is named when it explains at least so many discrepancies.
const ROWS_AT_LEAST: u64 = 3;
/// And at least nine in ten of the compared values.
const IN_TEN: u64 = 9;
const HOUR: i64 = 3_600;
/// No two time zones lie further apart.
const HOURS_AT_MOST: i64 = 26;
const MINUTE: i64 = 60;

/// Values of a field that differed and still matched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Within {
    /// What may lie between the two, in seconds.
    pub tolerance: i64,
    /// How many differed by no more than that.
    pub matches: u64,
    /// The largest difference among them, in seconds.
    pub largest: i64,
}

/// What explains many discrepancies at once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pattern {
    /// Which.
    pub pattern: Cause,
    /// In which fields.
    pub fields: Vec<&'static str>,
    /// How many hours the provider's times are after the ledger's; 0 for durations.
    pub hours: i64,
    /// The discrepancies that it explains.
    pub rows: u64,
    /// The values of these fields that both sides give.
    pub compared: u64,
}

/// The causes that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A time-zone fault in the ledger.
    TimesShifted,
    /// The ledger gives seconds, rounded up to whole minutes.
    DurationsRoundedUp,
    /// The ledger gives minutes, rounded up.
    DurationsInMinutes,
}

impl Pattern {
    /// The same in words.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { rows, compared, hours, .. } = self;
        let fields = self.fields.join(", ");
        match self.pattern {
            Cause::TimesShifted => {
                let (by, side) = (hours.abs(), if *hours > 0 { "early" } else { "late" });
                let unit = if by == 1 { "hour" } else { "hours" };
                format!(
                    "the ledger's times are {by} {unit} {side}, which is a time-zone fault: it explains {rows} \
                     discrepancies over {compared} values of {fields}"
                )
            }
            Cause::DurationsRoundedUp => format!(
                "the ledger's durations are rounded up to whole minutes: that explains {rows} discrepancies over \
                 {compared} values of {fields}"
            ),
            Cause::DurationsInMinutes => format!(
                "the ledger's durations are minutes, rounded up, where seconds are expected: that explains {rows} \
                 discrepancies over {compared} values of {fields}"
            ),
        }
    }
}

/// Counters over all found calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    tolerances: Tolerances,
    within: BTreeMap<&'static str, Within>,
    times: BTreeMap<&'static str, Shifts>,
    /// Talk times that both sides give and that are not 0.
    durations: u64,
    rounded_up: Rounded,
    in_minutes: Rounded,
}

/// The times of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shifts {
    compared: u64,
    /// By whole hours between the two; at most twice [`HOURS_AT_MOST`] entries.
    by_hours: BTreeMap<i64, u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rounded {
    /// Values that the cause would give.
    fitting: u64,
    /// Of those, the ones that are discrepancies.
    rows: u64,
}

impl Observed {
    /// Nothing yet; the tolerances say what is a discrepancy.
    #[must_use]
    pub fn new(tolerances: Tolerances) -> Self {
        Self { tolerances, ..Self::default() }
    }

    /// Counts a found call.
    pub fn add(&mut self, expected: &Expected, detail: &CallDetail) {
        for (field, delta) in compare::deltas(expected, detail) {
            let tolerance = self.tolerance(field);
            let within = self.within.entry(field).or_insert(Within { tolerance, ..Within::default() });
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
        let minutes = provider.saturating_add(MINUTE - 1) / MINUTE;
        let row = u64::from(ledger.abs_diff(provider) > self.tolerances.duration_s.unsigned_abs());
        for (would_be, count) in
            [(minutes.saturating_mul(MINUTE), &mut self.rounded_up), (minutes, &mut self.in_minutes)]
        {
            if ledger == would_be {
                count.fitting += 1;
                count.rows += row;
            }
        }
    }

    /// By field, what matched within its tolerance; fields that were never compared are not there.
    #[must_use]
    pub fn within(&self) -> &BTreeMap<&'static str, Within> {
        &self.within
    }

    /// The causes that explain nearly all compared values of their fields.
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut found = self.shifts();
        let duration = |pattern, count: Rounded| {
            let named = count.rows >= ROWS_AT_LEAST && nearly_all(count.fitting, self.durations);
            let fields = vec!["duration_s"];
            named.then_some(Pattern { pattern, fields, hours: 0, rows: count.rows, compared: self.durations })
        };
        found.extend(duration(Cause::DurationsRoundedUp, self.rounded_up));
        found.extend(duration(Cause::DurationsInMinutes, self.in_minutes));
        found
    }

    /// Fields with the same shift have the same cause.
    fn shifts(&self) -> Vec<Pattern> {
        let mut by_hours: BTreeMap<i64, Pattern> = BTreeMap::new();
        for (field, shifts) in &self.times {
            for (hours, rows) in &shifts.by_hours {
                if nearly_all(*rows, shifts.compared) {
                    let (pattern, fields) = (Cause::TimesShifted, Vec::new());
                    let new = Pattern { pattern, fields, hours: *hours, rows: 0, compared: 0 };
                    let pattern = by_hours.entry(*hours).or_insert(new);
                    pattern.fields.push(field);
                    pattern.rows += rows;
                    pattern.compared += shifts.compared;
                }
            }
        }
        by_hours.into_values().filter(|p| p.rows >= ROWS_AT_LEAST).collect()
    }
}

impl Shifts {
    fn add(&mut self, delta: i64, tolerance: i64) {
        self.compared += 1;
        let hours = (delta + delta.signum() * HOUR / 2) / HOUR;
        let whole = (delta - hours * HOUR).abs() <= tolerance;
        // A tolerance of half an hour or more would call everything whole.
        if whole && tolerance < HOUR / 2 && hours != 0 && hours.abs() <= HOURS_AT_MOST {
            *self.by_hours.entry(hours).or_default() += 1;
        }
    }
}

fn nearly_all(part: u64, whole: u64) -> bool {
    part > 0 && part * 10 >= whole * IN_TEN
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger_row::LedgerTime;
    use crate::normalize::normalize;
    use chrono::TimeDelta;

    /// Calls of 30 + i seconds; the ledger's times are so many seconds early, its durations made by `ledger_s`.
    fn observed(tolerances: Tolerances, early_s: &[i64], ledger_s: impl Fn(i64) -> i64) -> Observed {
        let mut observed = Observed::new(tolerances);
        for (i, early) in (0_i64..).zip(early_s) {
            let talk = 30 + i;
            let detail = normalize(&format!(
                r#"{{"gmtCreate":"2026-11-16 10:00:00","startDate":"2026-11-16 10:00:10","duration":{talk},"state":"200000"}}"#
            ))
            .unwrap();
            let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map(|at| LedgerTime::Instant(at - TimeDelta::seconds(*early)))
            };
            let expected = Expected {
                called_at: time(detail.created_at),
                started_at: time(detail.started_at),
                duration_s: Some(ledger_s(talk)),
                ..Expected::default()
            };
            observed.add(&expected, &detail);
        }
        observed
    }

    #[test]
    fn times_that_are_all_shifted_by_whole_hours_have_one_cause() {
        let found = observed(Tolerances::default(), &[28_800; 5], |s| s).patterns();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].hours, found[0].rows, found[0].compared), (8, 10, 10));
        assert_eq!(found[0].fields, ["called_at", "started_at"]);
        assert!(found[0].text().contains("8 hours early"), "{}", found[0].text());
        let late = observed(Tolerances::default(), &[-3_600; 5], |s| s).patterns();
        assert!(late[0].text().contains("1 hour late"), "{}", late[0].text());
        let jitter = Tolerances { duration_s: 0, time_s: 2 };
        assert_eq!(observed(jitter, &[28_799, 28_802, 28_800], |s| s).patterns()[0].rows, 6);
    }

    #[test]
    fn a_few_shifted_times_or_many_odd_ones_have_none() {
        let exact = Tolerances::default();
        assert_eq!(observed(exact, &[28_800, 28_800, 0, 0, 0], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[1_800; 5], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[28_801; 5], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[0; 5], |s| s).patterns(), []);
        assert_eq!(observed(exact, &[28_800], |s| s).patterns(), [], "two rows are no pattern");
        let day_apart = observed(exact, &[30 * HOUR; 5], |s| s);
        assert_eq!(day_apart.patterns(), [], "no time zone is that far away");
    }

    #[test]
    fn durations_that_are_all_rounded_up_to_minutes_have_one_cause() {
        let round = |s: i64| (s + 59) / 60 * 60;
        let found = observed(Tolerances::default(), &[0; 40], round).patterns();
        assert_eq!(found.len(), 1);
        // Of the talk times 30 to 69 one is 60 and needs no rounding.
        assert_eq!((found[0].pattern, found[0].rows, found[0].compared), (Cause::DurationsRoundedUp, 39, 40));
        let minutes = observed(Tolerances::default(), &[0; 40], |s| (s + 59) / 60).patterns();
        assert_eq!((minutes[0].pattern, minutes[0].rows), (Cause::DurationsInMinutes, 40));
        assert_eq!(observed(Tolerances::default(), &[0; 40], |s| s + 1).patterns(), []);
        let far = Tolerances { duration_s: 60, time_s: 0 };
        assert_eq!(observed(far, &[0; 40], round).patterns(), [], "what matches needs no explanation");
    }

    #[test]
    fn what_matches_within_a_tolerance_is_counted_with_the_largest_seen() {
        let tolerances = Tolerances { duration_s: 3, time_s: 5 };
        let seen = observed(tolerances, &[0, 2, -5, 6], |s| if s == 31 { s - 3 } else { s });
        let within = seen.within();
        assert_eq!(within["duration_s"], Within { tolerance: 3, matches: 1, largest: 3 });
        assert_eq!(within["called_at"], Within { tolerance: 5, matches: 2, largest: 5 });
        assert_eq!(within.get("ended_at"), None, "never compared");
    }
}
