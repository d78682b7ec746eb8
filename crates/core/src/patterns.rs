//! Patterns: one cause that explains many discrepancies. Also counts values that match only within
//! a tolerance.
//!
//! Each discrepancy of a duration or time is counted under every known cause that explains it
//! exactly, and under its difference in seconds. A cause is named if it explains enough of a
//! field's discrepancies, and more than chance would. Memory does not grow with the ledger.

use std::collections::BTreeMap;

use crate::cause::{self, Cause};
use crate::compare::{self, MEASURED, Tolerances};
use crate::detail::CallDetail;
use crate::ledger_row::Expected;
use crate::lines::Lines;
use crate::merge::{Merge, merge_maps};

/// Minimum number of discrepancies of one field that a cause must explain.
const MIN_OF_FIELD: u64 = 3;
/// Minimum number of discrepancies that a pattern must explain.
const MIN_ROWS: u64 = 5;
/// The same, if the pattern explains nine in ten of the compared values.
const MIN_ROWS_OF_NEARLY_ALL: u64 = 3;
/// Smallest share of a field's discrepancies that a cause must explain, in tenths.
const MIN_TENTHS: u64 = 3;
/// A cause is named only if its number of discrepancies is at most this likely by chance.
const MAX_CHANCE: f64 = 1e-3;
/// How many times more frequent a constant difference must be than those next to it.
const MIN_PEAK: u64 = 3;
/// Maximum number of different differences that are counted for a field: the smallest ones.
const MAX_DIFFERENCES: usize = 4_096;

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
    /// The cause, with its numbers.
    #[serde(flatten)]
    pub cause: Cause,
    /// The fields that it affects.
    pub fields: Vec<&'static str>,
    /// The number of discrepancies that it explains.
    pub rows: u64,
    /// The number of discrepancies of these fields.
    pub discrepancies: u64,
    /// The number of values of these fields that both sides give.
    pub compared: u64,
    /// Compared values that the cause should have changed and did not.
    #[serde(skip)]
    pub unaffected: u64,
}

/// The counters over all found calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    tolerances: Tolerances,
    /// For each of [`MEASURED`].
    fields: [Differences; MEASURED.len()],
    /// Equal durations above 0, by [`cause::rounding_class`].
    equal_durations: BTreeMap<i64, u64>,
}

/// A difference in seconds, and the causes that explain the discrepancy besides it. The size comes
/// first, so that small differences are first.
type Difference = (u64, i64, Vec<Cause>);

/// The discrepancies of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Differences {
    compared: u64,
    discrepancies: u64,
    /// Values that differ but match within the tolerance.
    tolerated: u64,
    /// The largest difference of these, in seconds.
    largest_tolerated: i64,
    /// By the causes that explain a discrepancy. Few combinations occur.
    by_causes: BTreeMap<Vec<Cause>, u64>,
    /// By difference.
    by_difference: Lines<Difference, u64, MAX_DIFFERENCES>,
    /// Empty. Kept to use its memory again.
    causes: Vec<Cause>,
}

impl Observed {
    /// Counters before the first call. The tolerances decide what is a discrepancy.
    #[must_use]
    pub fn new(tolerances: Tolerances) -> Self {
        Self { tolerances, ..Self::default() }
    }

    /// Counts a found call.
    pub fn add(&mut self, expected: &Expected, detail: &CallDetail) {
        let differences = compare::deltas(expected, detail).into_iter().zip(MEASURED).zip(&mut self.fields);
        let mut is_equal_duration = false;
        for ((delta, field), differences) in differences {
            let Some(delta) = delta else { continue };
            let tolerance = self.tolerances.of(field);
            differences.compared += 1;
            if delta.abs() > tolerance {
                differences.add(field, delta, tolerance, expected, detail);
            } else if delta != 0 {
                differences.tolerated += 1;
                differences.largest_tolerated = differences.largest_tolerated.max(delta.abs());
            } else {
                is_equal_duration |= field == "duration_s";
            }
        }
        if is_equal_duration {
            self.add_equal_duration(detail.duration_s.unwrap_or(0));
        }
    }

    /// The tolerances that decide what is a discrepancy.
    #[must_use]
    pub fn tolerances(&self) -> Tolerances {
        self.tolerances
    }

    fn add_equal_duration(&mut self, seconds: i64) {
        if seconds > 0 {
            *self.equal_durations.entry(cause::rounding_class(seconds)).or_default() += 1;
        }
    }

    /// The matches within a tolerance, by field. Fields that were never compared are absent.
    #[must_use]
    pub fn within(&self) -> BTreeMap<&'static str, WithinTolerance> {
        let compared = MEASURED.into_iter().zip(&self.fields).filter(|(_, all)| all.compared > 0);
        let within = compared.map(|(field, all)| {
            let tolerance = self.tolerances.of(field);
            let within =
                WithinTolerance { tolerance, matches: all.tolerated, largest: all.largest_tolerated };
            (field, within)
        });
        within.collect()
    }

    /// The causes that explain many discrepancies. Fields with the same cause are one pattern.
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut found: BTreeMap<Cause, Pattern> = BTreeMap::new();
        for (field, differences) in MEASURED.into_iter().zip(&self.fields) {
            for (cause, rows) in self.causes_of(field, differences) {
                let pattern = found.entry(cause).or_insert_with(|| Pattern::new(cause));
                pattern.fields.push(field);
                pattern.rows += rows;
                pattern.discrepancies += differences.discrepancies;
                pattern.compared += differences.compared;
                pattern.unaffected += self.unaffected(cause, field, differences);
            }
        }
        found.into_values().filter(Pattern::has_enough_rows).collect()
    }

    /// The causes of one field, each with the discrepancies that it explains. No discrepancy counts
    /// for two causes.
    fn causes_of(&self, field: &str, all: &Differences) -> Vec<(Cause, u64)> {
        let (mut named, mut left) = (Vec::new(), all.clone());
        loop {
            let counts = left.count_causes();
            let tolerance = self.tolerances.of(field);
            let is_named = |cause: Cause, rows: u64| {
                rows >= MIN_OF_FIELD
                    && rows * 10 >= all.discrepancies * MIN_TENTHS
                    && is_more_than_chance(rows, left.discrepancies, cause.chance())
                    && is_peak(cause, rows, &counts, tolerance)
            };
            let candidates = counts.iter().filter(|(cause, rows)| is_named(**cause, **rows));
            let best = candidates.min_by_key(|(cause, rows)| {
                (std::cmp::Reverse(**rows), self.unaffected(**cause, field, all), **cause)
            });
            let Some((cause, rows)) = best.map(|(cause, rows)| (*cause, *rows)) else { return named };
            named.push((cause, rows));
            left.remove(cause);
        }
    }

    /// How many values without a discrepancy would have one if this cause concerned all calls. A
    /// duration of 0 has no talk time that could be wrong.
    fn unaffected(&self, cause: Cause, field: &str, all: &Differences) -> u64 {
        match cause {
            Cause::DurationsRounded(rounding) => {
                let classes = self.equal_durations.iter();
                classes.filter(|(s, _)| rounding.round(**s) != **s).map(|(_, count)| count).sum()
            }
            _ if field == "duration_s" => self.equal_durations.values().sum(),
            _ => all.compared - all.discrepancies,
        }
    }
}

impl Pattern {
    /// A pattern without discrepancies.
    #[must_use]
    pub fn new(cause: Cause) -> Self {
        Self { cause, fields: Vec::new(), rows: 0, discrepancies: 0, compared: 0, unaffected: 0 }
    }

    fn has_enough_rows(&self) -> bool {
        self.rows >= if self.concerns_nearly_all() { MIN_ROWS_OF_NEARLY_ALL } else { MIN_ROWS }
    }

    /// True if the cause concerns nearly all values of the ledger, false if only a part of them.
    #[must_use]
    pub fn concerns_nearly_all(&self) -> bool {
        self.rows * 10 >= (self.discrepancies + self.unaffected) * 9
    }
}

impl Differences {
    fn add(&mut self, field: &str, delta: i64, tolerance: i64, expected: &Expected, detail: &CallDetail) {
        self.discrepancies += 1;
        let mut difference = (delta.unsigned_abs(), delta, std::mem::take(&mut self.causes));
        let causes = &mut difference.2;
        let time = match field {
            "called_at" => expected.called_at,
            "started_at" => expected.started_at,
            "ended_at" => expected.ended_at,
            _ => None,
        };
        match time {
            Some(time) => cause::of_time(time, delta, tolerance, causes),
            None => cause::of_duration(expected, detail, causes),
        }
        match self.by_causes.get_mut(causes) {
            Some(count) => *count += 1,
            None => drop(self.by_causes.insert(causes.clone(), 1)),
        }
        *self.by_difference.line(&difference) += 1;
        self.causes = difference.2;
        self.causes.clear();
    }

    /// How many discrepancies each cause explains.
    fn count_causes(&self) -> BTreeMap<Cause, u64> {
        let mut counts = BTreeMap::new();
        for (causes, count) in &self.by_causes {
            causes.iter().for_each(|cause| *counts.entry(*cause).or_default() += count);
        }
        for ((_, seconds, _), count) in self.by_difference.named() {
            *counts.entry(Cause::ConstantDifference { seconds: *seconds }).or_default() += count;
        }
        counts
    }

    /// Removes the discrepancies that this cause explains.
    fn remove(&mut self, cause: Cause) {
        let mut removed = 0;
        if let Cause::ConstantDifference { seconds } = cause {
            let by_causes = &mut self.by_causes;
            self.by_difference.retain(|(_, other, causes), count| {
                if *other == seconds {
                    removed += *count;
                    by_causes.entry(causes.clone()).and_modify(|left| *left = left.saturating_sub(*count));
                }
                *other != seconds
            });
        } else {
            self.by_difference.retain(|(_, _, causes), _| !causes.contains(&cause));
            self.by_causes.retain(|causes, count| {
                let is_explained = causes.contains(&cause);
                removed += if is_explained { *count } else { 0 };
                !is_explained
            });
        }
        self.discrepancies = self.discrepancies.saturating_sub(removed);
    }
}

impl Merge for Differences {
    fn merge(&mut self, other: Self) {
        let Self {
            compared,
            discrepancies,
            tolerated,
            largest_tolerated,
            by_causes,
            by_difference,
            causes: _,
        } = other;
        self.compared.merge(compared);
        self.discrepancies.merge(discrepancies);
        self.tolerated.merge(tolerated);
        self.largest_tolerated = self.largest_tolerated.max(largest_tolerated);
        merge_maps(&mut self.by_causes, by_causes);
        self.by_difference.merge(by_difference);
    }
}

/// Both parts must be counted with the same tolerances.
impl Merge for Observed {
    fn merge(&mut self, other: Self) {
        let Self { tolerances: _, fields, equal_durations } = other;
        self.fields.merge(fields);
        merge_maps(&mut self.equal_durations, equal_durations);
    }
}

/// True if `rows` of `all` is so many that a cause with this chance for one row is not the reason.
///
/// The bound of Chernoff: the probability is at most exp(−all · D), where D is the relative entropy
/// of the two shares.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn is_more_than_chance(rows: u64, all: u64, chance: f64) -> bool {
    let (rows, all) = (rows as f64, all.max(rows) as f64);
    let (share, rest) = (rows / all, (all - rows) / all);
    let of_rest = if rest > 0.0 { rest * (rest / (1.0 - chance)).ln() } else { 0.0 };
    let entropy = share * (share / chance).ln() + of_rest;
    share > chance && (-all * entropy).exp() <= MAX_CHANCE
}

/// True unless the cause is a constant difference, and a difference next to it is nearly as
/// frequent. Then the values scatter.
fn is_peak(cause: Cause, rows: u64, counts: &BTreeMap<Cause, u64>, tolerance: i64) -> bool {
    let Cause::ConstantDifference { seconds } = cause else { return true };
    // Smaller differences match, so the next one is on the other side of zero.
    let next = |step: i64| {
        let next = seconds + step;
        if next.abs() <= tolerance { step * (tolerance + 1) } else { next }
    };
    let rows_of = |seconds| counts.get(&Cause::ConstantDifference { seconds }).copied().unwrap_or(0);
    [-1, 1].into_iter().all(|step| rows >= MIN_PEAK * rows_of(next(step)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cause::{Direction, ROUNDING_RULES, Rounding};
    use crate::detail::Outcome;
    use crate::ledger_row::LedgerTime;
    use chrono::{DateTime, TimeDelta, Utc};
    use proptest::prelude::*;

    const HOUR_S: i64 = 3_600;
    const EXACT: Tolerances = Tolerances { duration_s: 0, time_s: 0 };

    /// The provider's record of the i-th call: random seconds, but the same ones in every test.
    fn record(i: i64) -> CallDetail {
        let mixed = |by: i64, below: i64| (i + 1).wrapping_mul(by).rem_euclid(7_919) % below;
        let created_at = DateTime::from_timestamp(1_790_000_000 + i * 97 + mixed(31, 60), 0).unwrap();
        let started_at = created_at + TimeDelta::seconds(4 + mixed(101, 17));
        let talk = 2 + mixed(577, 170);
        let none = None;
        CallDetail {
            call_id: none.clone(),
            caller: none.clone(),
            callee: none.clone(),
            caller_show_number: none.clone(),
            callee_show_number: none.clone(),
            created_at: Some(created_at),
            started_at: Some(started_at),
            ended_at: Some(started_at + TimeDelta::seconds(talk)),
            a_ring_at: None,
            a_end_at: None,
            b_ring_at: None,
            b_start_at: None,
            b_end_at: None,
            duration_s: Some(talk),
            state: Some("200000".into()),
            state_desc: none,
            outcome: Outcome::Answered,
            answered: Some(true),
            is_final: true,
            state_known: true,
            hangup_by: None,
        }
    }

    /// A row of the ledger that agrees with the record.
    fn agreeing(detail: &CallDetail) -> Expected {
        let time = |at: Option<DateTime<Utc>>| at.map(LedgerTime::Instant);
        Expected {
            called_at: time(detail.created_at),
            started_at: time(detail.started_at),
            ended_at: time(detail.ended_at),
            duration_s: detail.duration_s,
            ..Expected::default()
        }
    }

    /// Applies `change` to all times of a row.
    fn change_times(row: &mut Expected, change: impl Fn(DateTime<Utc>) -> DateTime<Utc>) {
        for time in [&mut row.called_at, &mut row.started_at, &mut row.ended_at].into_iter().flatten() {
            *time = LedgerTime::Instant(change(time.instant().unwrap()));
        }
    }

    fn early(seconds: i64) -> impl Fn(DateTime<Utc>) -> DateTime<Utc> {
        move |at| at - TimeDelta::seconds(seconds)
    }

    /// A time cut, or rounded, to the minute.
    fn to_minute(rounded: bool) -> impl Fn(DateTime<Utc>) -> DateTime<Utc> {
        move |at| {
            let seconds = at.timestamp() + if rounded { 30 } else { 0 };
            DateTime::from_timestamp(seconds.div_euclid(60) * 60, 0).unwrap()
        }
    }

    /// Counters over `calls` calls whose rows are changed by `change`.
    fn observed(
        tolerances: Tolerances,
        calls: i64,
        change: impl Fn(i64, &CallDetail, &mut Expected),
    ) -> Observed {
        let mut observed = Observed::new(tolerances);
        for i in 0..calls {
            let detail = record(i);
            let mut row = agreeing(&detail);
            change(i, &detail, &mut row);
            observed.add(&row, &detail);
        }
        observed
    }

    /// The patterns of a ledger whose durations are changed.
    fn of_durations(calls: i64, change: impl Fn(i64) -> i64) -> Vec<Pattern> {
        observed(EXACT, calls, |_, _, row| row.duration_s = row.duration_s.map(&change)).patterns()
    }

    /// The cause, the discrepancies that it explains, and all of them.
    fn named(patterns: &[Pattern]) -> Vec<(Cause, u64, u64)> {
        patterns.iter().map(|p| (p.cause, p.rows, p.discrepancies)).collect()
    }

    fn rounding(direction: Direction, increments: (i64, i64)) -> Cause {
        let is_wanted = |r: &Rounding| (r.direction(), r.increments()) == (direction, increments);
        Cause::DurationsRounded(Rounding::all().find(is_wanted).unwrap())
    }

    #[test]
    fn times_shifted_by_whole_hours_are_one_pattern() {
        let shifted = |tolerances, calls, by: i64| {
            observed(tolerances, calls, |i, _, row| change_times(row, early(by - i % 3 * tolerances.time_s)))
        };
        let found = shifted(EXACT, 5, 28_800).patterns();
        assert_eq!(named(&found), [(Cause::TimesShifted { hours: 8 }, 15, 15)]);
        assert_eq!(
            (&found[0].fields[..], found[0].compared),
            (&["called_at", "ended_at", "started_at"][..], 15)
        );
        assert_eq!(shifted(EXACT, 5, -HOUR_S).patterns()[0].cause, Cause::TimesShifted { hours: -1 });
        let jitter = Tolerances { duration_s: 0, time_s: 2 };
        assert_eq!(named(&shifted(jitter, 3, 28_802).patterns()), [(Cause::TimesShifted { hours: 8 }, 9, 9)]);
    }

    #[test]
    fn shifted_times_of_a_part_of_the_rows_are_one_pattern() {
        let found = observed(EXACT, 60, |i, _, row| match i % 4 {
            0 => change_times(row, early(28_800)),
            1 => change_times(row, early(7 * HOUR_S)),
            _ => {}
        });
        let wanted = [7, 8].map(|hours| (Cause::TimesShifted { hours }, 45, 90));
        assert_eq!(named(&found.patterns()), wanted);
    }

    #[test]
    fn a_few_equal_differences_are_no_pattern() {
        let first = |n: i64| {
            observed(EXACT, 40, move |i, _, row| {
                if i < n {
                    row.called_at =
                        row.called_at.map(|at| LedgerTime::Instant(early(28_800)(at.instant().unwrap())));
                }
            })
        };
        assert_eq!(first(4).patterns(), []);
        assert_eq!(named(&first(5).patterns()), [(Cause::TimesShifted { hours: 8 }, 5, 5)]);
        assert_eq!(of_durations(2, |s| s + 2), []);
        assert_eq!(of_durations(4, |s| s + 2), [], "four equal differences may be chance");
        assert_eq!(of_durations(5, |s| s + 2).len(), 1);
    }

    #[test]
    fn a_constant_difference_is_one_pattern() {
        let always = |seconds| Cause::ConstantDifference { seconds };
        assert_eq!(named(&of_durations(40, |s| s - 2)), [(always(2), 40, 40)]);
        let clock = observed(EXACT, 40, |_, _, row| change_times(row, early(-90))).patterns();
        assert_eq!(named(&clock), [(always(-90), 120, 120)]);
        // A late end is a long duration: one cause.
        let late_end = observed(EXACT, 40, |_, _, row| {
            row.ended_at = row.ended_at.map(|at| LedgerTime::Instant(early(-3)(at.instant().unwrap())));
            row.duration_s = row.duration_s.map(|s| s + 3);
        });
        assert_eq!(late_end.patterns()[0].fields, ["duration_s", "ended_at"]);
        let half_hours = observed(EXACT, 40, |_, _, row| change_times(row, early(19_800))).patterns();
        assert_eq!(named(&half_hours), [(always(19_800), 120, 120)]);
    }

    #[test]
    fn every_usual_increment_is_named() {
        for rule in Rounding::all() {
            let changed =
                (0..200).filter(|i| record(*i).duration_s != record(*i).duration_s.map(|s| rule.round(s)));
            let changed = changed.count() as u64;
            let found = of_durations(200, |s| rule.round(s));
            assert_eq!(named(&found), [(Cause::DurationsRounded(rule), changed, changed)], "{rule:?}");
        }
        let minutes = of_durations(40, |s| (s + 59) / 60);
        assert_eq!(named(&minutes)[0].0, Cause::DurationsInMinutes(Direction::Up));
        let whole = of_durations(40, |s| (s + 59) / 60 * 60);
        assert_eq!(whole[0].cause, rounding(Direction::Up, (60, 60)));
        let far = Tolerances { duration_s: 60, time_s: 0 };
        let within =
            observed(far, 40, |_, _, row| row.duration_s = row.duration_s.map(|s| (s + 59) / 60 * 60));
        assert_eq!(within.patterns(), [], "a match needs no explanation");
    }

    #[test]
    fn ringing_in_the_duration_is_one_pattern() {
        let ringing = |i: i64, detail: &CallDetail, row: &mut Expected| {
            let span = (detail.ended_at.unwrap() - detail.created_at.unwrap()).num_seconds();
            row.duration_s = Some(if i % 2 == 0 { span } else { detail.duration_s.unwrap() });
        };
        let found = observed(EXACT, 40, ringing).patterns();
        assert_eq!(named(&found), [(Cause::RingingIncluded, 20, 20)]);
        // Without the provider's times, the ledger's tell it.
        let mut own_times = Observed::new(EXACT);
        for i in 0..9 {
            let mut detail = record(i);
            let mut row = agreeing(&detail);
            ringing(0, &detail, &mut row);
            (detail.created_at, detail.ended_at) = (None, None);
            own_times.add(&row, &detail);
        }
        assert_eq!(named(&own_times.patterns()), [(Cause::RingingIncluded, 9, 9)]);
    }

    #[test]
    fn times_without_seconds_are_one_pattern() {
        for rounded in [false, true] {
            for hours in [0, 8] {
                let change = |_: i64, _: &CallDetail, row: &mut Expected| {
                    change_times(row, to_minute(rounded));
                    change_times(row, early(hours * HOUR_S));
                };
                let found = observed(EXACT, 60, change).patterns();
                assert_eq!(found.len(), 1, "{found:?}");
                assert_eq!(found[0].cause, Cause::TimesWithoutSeconds { hours, rounded });
                assert_eq!(found[0].rows, found[0].discrepancies);
            }
        }
    }

    #[test]
    fn two_causes_in_one_field_are_both_named() {
        let found = observed(EXACT, 200, |i, _, row| {
            let change = |s: i64| if i % 2 == 0 { s + 7 } else { (s + 59) / 60 * 60 };
            row.duration_s = row.duration_s.map(change);
        });
        let found = found.patterns();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found.iter().map(|p| p.rows).sum::<u64>(), found[0].discrepancies);
        assert!(found.iter().any(|p| p.cause == Cause::ConstantDifference { seconds: -7 }));
    }

    #[test]
    fn a_late_cause_among_many_differences_is_counted_in_full() {
        let noise = MAX_DIFFERENCES as i64 * 3;
        let found = observed(EXACT, 2 * noise, |i, _, row| {
            let off = if i < noise { 1_000 + i } else { 5 };
            row.duration_s = row.duration_s.map(|s| s + off);
        });
        let found = found.patterns();
        assert_eq!(
            named(&found),
            [(Cause::ConstantDifference { seconds: -5 }, noise as u64, 2 * noise as u64)]
        );
    }

    #[test]
    fn matches_within_a_tolerance_are_counted() {
        let tolerances = Tolerances { duration_s: 3, time_s: 5 };
        let off = [0, 2, -5, 6];
        let seen = observed(tolerances, 4, |i, _, row| {
            row.called_at =
                row.called_at.map(|at| LedgerTime::Instant(early(off[i as usize])(at.instant().unwrap())));
            row.duration_s = row.duration_s.map(|s| if i == 1 { s - 3 } else { s });
            row.ended_at = None;
        });
        let within = seen.within();
        assert_eq!(within["duration_s"], WithinTolerance { tolerance: 3, matches: 1, largest: 3 });
        assert_eq!(within["called_at"], WithinTolerance { tolerance: 5, matches: 2, largest: 5 });
        assert_eq!(within.get("ended_at"), None, "never compared");
    }

    /// A cause to plant into a duration.
    fn planted_cause() -> impl Strategy<Value = Cause> {
        let seconds = prop_oneof![-400_i64..-3, 3_i64..400];
        prop_oneof![
            (0..ROUNDING_RULES).prop_map(|n| Cause::DurationsRounded(Rounding::all().nth(n).unwrap())),
            seconds.prop_map(|seconds| Cause::ConstantDifference { seconds }),
            Just(Cause::RingingIncluded),
        ]
    }

    fn with_cause(cause: Cause, detail: &CallDetail) -> i64 {
        let talk = detail.duration_s.unwrap();
        match cause {
            Cause::DurationsRounded(rule) => rule.round(talk),
            Cause::ConstantDifference { seconds } => talk - seconds,
            _ => (detail.ended_at.unwrap() - detail.created_at.unwrap()).num_seconds(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Half of the rows have the cause, some others differ at random.
        #[test]
        fn a_planted_cause_is_named_with_its_count(
            cause in planted_cause(), calls in 120_i64..600, noise in 0_i64..4, seed in any::<u64>(),
        ) {
            let mut rng = fastrand_like(seed);
            let (mut planted, mut differing) = (0, 0);
            let found = {
                let mut observed = Observed::new(EXACT);
                for i in 0..calls {
                    let detail = record(i);
                    let mut row = agreeing(&detail);
                    if i % 2 == 0 {
                        row.duration_s = Some(with_cause(cause, &detail));
                        planted += u64::from(row.duration_s != detail.duration_s);
                    } else if i % 20 < 2 * noise {
                        row.duration_s = detail.duration_s.map(|s| s + 1_000 + rng(5_000));
                        differing += 1;
                    }
                    observed.add(&row, &detail);
                }
                observed.patterns()
            };
            prop_assume!(planted * 10 >= (planted + differing) * 4);
            prop_assert_eq!(named(&found), [(cause, planted, planted + differing)]);
        }

        /// Values that scatter: no cause is named.
        #[test]
        fn without_a_cause_none_is_named(
            calls in 3_i64..400, share in 1_i64..=10, spread in 2_i64..4_000, seed in any::<u64>(),
        ) {
            let mut rng = fastrand_like(seed);
            let mut observed = Observed::new(EXACT);
            for i in 0..calls {
                let detail = record(i);
                let mut row = agreeing(&detail);
                if rng(10) < share {
                    row.duration_s = detail.duration_s.map(|s| s + rng(2 * spread + 1) - spread);
                    let off = rng(2 * spread + 1) - spread;
                    change_times(&mut row, early(off));
                }
                observed.add(&row, &detail);
            }
            prop_assert_eq!(named(&observed.patterns()), []);
        }
    }

    /// Random numbers from 0 to below the argument.
    fn fastrand_like(seed: u64) -> impl FnMut(i64) -> i64 {
        let mut state = seed;
        move |below| {
            // SplitMix64.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            i64::try_from((mixed ^ (mixed >> 31)) >> 2).unwrap() % below
        }
    }
}
