//! The causes that can explain many discrepancies at once, and which of them explain one value.

use chrono::TimeDelta;
use serde::ser::SerializeStruct as _;

use crate::detail::CallDetail;
use crate::ledger_row::{Expected, LedgerTime};

const HOUR_S: i64 = 3_600;
const MINUTE_S: i64 = 60;
/// The largest first increment of a rule that rounds.
const LONGEST_MINIMUM_S: i64 = 180;
/// The largest difference between two time zones, in hours.
const MAX_HOURS: i64 = 26;

/// A known cause. Of several that explain the same discrepancies, the first one in this order is
/// named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A time-zone fault in the ledger.
    TimesShifted {
        /// The provider's times minus the ledger's, in hours.
        hours: i64,
    },
    /// The ledger's times have no seconds.
    TimesWithoutSeconds {
        /// A time-zone fault as well: the provider's times minus the ledger's, in hours.
        hours: i64,
        /// True if they are rounded to the minute, false if the seconds are cut off.
        rounded: bool,
    },
    /// The ledger's durations count from the call to its end, not from the answer.
    RingingIncluded,
    /// The ledger's durations are seconds, rounded.
    DurationsRounded(Rounding),
    /// The ledger's durations are minutes, rounded.
    DurationsInMinutes(Direction),
    /// The ledger's values differ by the same number of seconds.
    ConstantDifference {
        /// The provider's values minus the ledger's.
        seconds: i64,
    },
}

/// A way of rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Direction {
    Up,
    Down,
    Nearest,
}

/// A rule that rounds durations. Its number is its place among all rules: the more usual first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rounding(usize);

/// All rules: the direction, the first increment in seconds, and every further increment.
const ROUNDINGS: [(Direction, i64, i64); ROUNDING_RULES] = [
    (Direction::Up, 60, 60),
    (Direction::Up, 6, 6),
    (Direction::Up, 30, 6),
    (Direction::Up, 30, 30),
    (Direction::Up, 15, 15),
    (Direction::Up, 10, 10),
    (Direction::Up, 60, 1),
    (Direction::Up, 30, 1),
    (Direction::Up, 60, 6),
    (Direction::Up, 60, 30),
    (Direction::Up, 20, 20),
    (Direction::Up, 12, 12),
    (Direction::Up, 5, 5),
    (Direction::Up, 60, 10),
    (Direction::Up, 60, 15),
    (Direction::Up, 30, 10),
    (Direction::Up, 30, 15),
    (Direction::Up, 18, 6),
    (Direction::Up, 12, 6),
    (Direction::Up, 120, 60),
    (Direction::Up, 180, 60),
    (Direction::Down, 60, 60),
    (Direction::Down, 30, 30),
    (Direction::Down, 15, 15),
    (Direction::Down, 10, 10),
    (Direction::Down, 6, 6),
    (Direction::Nearest, 60, 60),
    (Direction::Nearest, 30, 30),
    (Direction::Nearest, 15, 15),
    (Direction::Nearest, 10, 10),
    (Direction::Nearest, 6, 6),
];

/// The number of rules that round durations.
pub(crate) const ROUNDING_RULES: usize = 31;

impl Direction {
    /// A whole number of seconds (0 or more) in whole steps.
    fn steps(self, seconds: i64, step: i64) -> i64 {
        match self {
            Self::Up => seconds.saturating_add(step - 1) / step,
            Self::Down => seconds / step,
            Self::Nearest => seconds.saturating_add(step / 2) / step,
        }
    }
}

impl Rounding {
    /// Every rule, the more usual first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ROUNDING_RULES).map(Self)
    }

    /// The direction.
    #[must_use]
    pub fn direction(self) -> Direction {
        ROUNDINGS[self.0].0
    }

    /// The first increment in seconds, and every further one.
    #[must_use]
    pub fn increments(self) -> (i64, i64) {
        let (_, first, next) = ROUNDINGS[self.0];
        (first, next)
    }

    /// The largest difference, in seconds, between a talk time and its rounding.
    #[must_use]
    pub fn farthest(self) -> i64 {
        let (direction, first, next) = ROUNDINGS[self.0];
        if direction == Direction::Nearest { next / 2 } else { first.max(next) - 1 }
    }

    /// A talk time, rounded. A call without talk time stays at 0.
    #[must_use]
    pub fn round(self, seconds: i64) -> i64 {
        let (direction, first, next) = ROUNDINGS[self.0];
        if seconds <= 0 {
            return seconds;
        }
        if direction == Direction::Up && seconds <= first {
            return first;
        }
        let after_first = if direction == Direction::Up { first } else { 0 };
        after_first.saturating_add(direction.steps(seconds - after_first, next).saturating_mul(next))
    }
}

/// The class of a talk time: the rules that change it change all talk times of its class.
///
/// Every rule repeats after a minute, from its first increment on.
pub(crate) fn rounding_class(seconds: i64) -> i64 {
    if seconds <= LONGEST_MINIMUM_S {
        seconds
    } else {
        LONGEST_MINIMUM_S + 1 + (seconds - LONGEST_MINIMUM_S - 1) % MINUTE_S
    }
}

impl Cause {
    /// The word in the summary.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimesShifted { .. } => "times_shifted",
            Self::TimesWithoutSeconds { .. } => "times_without_seconds",
            Self::RingingIncluded => "ringing_included",
            Self::DurationsRounded(rounding) => match rounding.direction() {
                Direction::Up => "durations_rounded_up",
                Direction::Down => "durations_rounded_down",
                Direction::Nearest => "durations_rounded",
            },
            Self::DurationsInMinutes(_) => "durations_in_minutes",
            Self::ConstantDifference { .. } => "constant_difference",
        }
    }

    /// How likely a wrong value fits this cause by chance, at most.
    pub(crate) fn chance(self) -> f64 {
        match self {
            Self::TimesShifted { .. } | Self::TimesWithoutSeconds { .. } | Self::DurationsInMinutes(_) => {
                0.02
            }
            Self::RingingIncluded => 0.05,
            Self::DurationsRounded(rounding) => match rounding.increments() {
                (60.., 60) => 0.02,
                (30.., _) => 0.05,
                (15.., _) => 0.1,
                _ => 0.2,
            },
            // Small differences of a few values are common; large ones are not.
            Self::ConstantDifference { seconds } if seconds.abs() < MINUTE_S => 0.25,
            Self::ConstantDifference { .. } => 0.02,
        }
    }

    fn hours(self) -> i64 {
        match self {
            Self::TimesShifted { hours } | Self::TimesWithoutSeconds { hours, .. } => hours,
            _ => 0,
        }
    }

    fn increments(self) -> Option<String> {
        let Self::DurationsRounded(rounding) = self else { return None };
        let (first, next) = rounding.increments();
        Some(format!("{first}/{next}"))
    }
}

/// The word and the numbers of the cause. A number that does not apply is 0 or null.
impl serde::Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = if let Self::ConstantDifference { seconds } = self { *seconds } else { 0 };
        let mut fields = serializer.serialize_struct("Cause", 4)?;
        fields.serialize_field("pattern", self.as_str())?;
        fields.serialize_field("hours", &self.hours())?;
        fields.serialize_field("seconds", &seconds)?;
        fields.serialize_field("increments", &self.increments())?;
        fields.end()
    }
}

/// Adds the causes that explain a time of the ledger which differs by `delta` seconds, except for a
/// constant difference.
pub(crate) fn of_time(ledger: LedgerTime, delta: i64, tolerance: i64, causes: &mut Vec<Cause>) {
    let is_zone = |hours: i64| hours.abs() <= MAX_HOURS;
    let hours = (delta + delta.signum() * HOUR_S / 2) / HOUR_S;
    // With a tolerance of half an hour or more, every shift would count as whole hours.
    let is_whole = (delta - hours * HOUR_S).abs() <= tolerance && tolerance < HOUR_S / 2;
    if is_whole && hours != 0 && is_zone(hours) {
        causes.push(Cause::TimesShifted { hours });
    }
    if ledger.instant().is_none_or(|at| at.timestamp() % MINUTE_S != 0) {
        return;
    }
    let hours = delta.div_euclid(HOUR_S);
    if delta - hours * HOUR_S < MINUTE_S && is_zone(hours) {
        causes.push(Cause::TimesWithoutSeconds { hours, rounded: false });
    }
    let hours = (delta + MINUTE_S / 2).div_euclid(HOUR_S);
    if (delta - hours * HOUR_S).abs() <= MINUTE_S / 2 && is_zone(hours) {
        causes.push(Cause::TimesWithoutSeconds { hours, rounded: true });
    }
}

/// Adds the causes that explain a duration of the ledger, except for a constant difference.
pub(crate) fn of_duration(expected: &Expected, detail: &CallDetail, causes: &mut Vec<Cause>) {
    let (Some(ledger), Some(provider)) = (expected.duration_s, detail.duration_s) else { return };
    if counts_ringing(ledger, expected, detail) {
        causes.push(Cause::RingingIncluded);
    }
    if provider <= 0 {
        return;
    }
    let rounded = Rounding::all().filter(|rounding| rounding.round(provider) == ledger);
    causes.extend(rounded.map(Cause::DurationsRounded));
    let minutes = [Direction::Up, Direction::Down, Direction::Nearest]
        .into_iter()
        .filter(|direction| direction.steps(provider, MINUTE_S) == ledger);
    causes.extend(minutes.map(Cause::DurationsInMinutes));
}

/// True if a duration is the time from the call, or from its ringing, to its end.
fn counts_ringing(duration_s: i64, expected: &Expected, detail: &CallDetail) -> bool {
    let instant = |time: Option<LedgerTime>| time.and_then(LedgerTime::instant);
    let called_at = instant(expected.called_at);
    let talked = || Some(detail.started_at? + TimeDelta::try_seconds(detail.duration_s?)?);
    let ended_at = detail.ended_at.or_else(talked);
    [
        (detail.created_at, ended_at),
        (detail.b_ring_at, ended_at),
        (called_at, ended_at),
        (called_at, instant(expected.ended_at)),
    ]
    .into_iter()
    .filter_map(|(from, to)| Some(to?.timestamp() - from?.timestamp()))
    .any(|span| span > 0 && span == duration_s)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::normalize::normalize;

    fn up(first: i64, next: i64) -> Rounding {
        let wanted = (Direction::Up, first, next);
        Rounding::all().find(|rule| ROUNDINGS[rule.0] == wanted).unwrap_or(Rounding(0))
    }

    #[test]
    fn a_first_increment_is_a_minimum() {
        let rounded = |rule: Rounding, talk: &[i64]| talk.iter().map(|s| rule.round(*s)).collect::<Vec<_>>();
        assert_eq!(rounded(up(30, 6), &[0, 1, 30, 31, 36, 37]), [0, 30, 30, 36, 36, 42]);
        assert_eq!(rounded(up(6, 6), &[1, 6, 7]), [6, 6, 12]);
        assert_eq!(rounded(up(60, 1), &[1, 60, 61]), [60, 60, 61]);
        assert_eq!(up(60, 60).round(i64::MAX) % 60, i64::MAX % 60, "saturated, no panic");
    }

    #[test]
    fn the_rules_treat_all_talk_times_of_a_class_alike() {
        for rule in Rounding::all() {
            for seconds in (1..2_000).chain([i64::from(u32::MAX)]) {
                let class = rounding_class(seconds);
                assert_eq!(rule.round(seconds) == seconds, rule.round(class) == class, "{rule:?} {seconds}");
            }
        }
        assert!((1..100_000).all(|seconds| rounding_class(seconds) <= LONGEST_MINIMUM_S + MINUTE_S));
    }

    /// So counts by causes need no bound.
    #[test]
    fn few_combinations_of_causes_occur() {
        let mut seen = std::collections::BTreeSet::new();
        let mut detail = normalize(r#"{"state":"200000"}"#).unwrap();
        for talk in 1..1_000 {
            detail.duration_s = Some(talk);
            let rounded = Rounding::all().map(|rule| rule.round(talk));
            for ledger in rounded.chain(0..20) {
                let mut causes = Vec::new();
                let expected = Expected { duration_s: Some(ledger), ..Expected::default() };
                of_duration(&expected, &detail, &mut causes);
                seen.insert(causes);
            }
        }
        // Twice: with and without ringing.
        assert!(2 * seen.len() < 1_000, "{}", seen.len());
    }

    #[test]
    fn every_rule_is_in_the_table_once() {
        for (i, rule) in ROUNDINGS.iter().enumerate() {
            assert!(!ROUNDINGS[..i].contains(rule), "{rule:?}");
            assert!(rule.0 == Direction::Up || rule.1 == rule.2, "only a minimum has two increments");
        }
    }

    #[test]
    fn a_time_without_seconds_is_cut_or_rounded_to_the_minute() {
        let causes = |second: i64, delta: i64| {
            let mut causes = Vec::new();
            let at = chrono::DateTime::from_timestamp(1_700_000_040 + second, 0).map(LedgerTime::Instant);
            at.iter().for_each(|at| of_time(*at, delta, 0, &mut causes));
            causes
        };
        let cut = |hours| Cause::TimesWithoutSeconds { hours, rounded: false };
        let rounded = |hours| Cause::TimesWithoutSeconds { hours, rounded: true };
        assert_eq!(causes(0, 59), [cut(0)]);
        assert_eq!(causes(0, 12), [cut(0), rounded(0)]);
        assert_eq!(causes(0, -30), [rounded(0)]);
        assert_eq!(causes(0, 28_859), [cut(8)]);
        assert_eq!(causes(0, -28_800), [Cause::TimesShifted { hours: -8 }, cut(-8), rounded(-8)]);
        assert_eq!(causes(1, 12), []);
        assert_eq!(causes(0, 60), []);
    }
}
