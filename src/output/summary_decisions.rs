//! The parts of the summary on decisions, limits and the age of open calls.

use serde::Serialize;

use super::summary::Summary;
use crate::store::OpenItems;
use reconcile_core::materiality::Measured;
use reconcile_core::resolution::DecisionCounts;
use reconcile_core::resolutions::LeftOver;

/// The discrepancies by decision, and the entries that decided nothing.
#[derive(Serialize)]
pub(super) struct ResolutionsJson {
    #[serde(flatten)]
    decisions: DecisionCounts,
    stale: u64,
    unused: u64,
    expired: u64,
    /// Talk seconds of the settled discrepancies.
    settled_s: u64,
}

impl ResolutionsJson {
    pub(super) fn new(summary: &Summary<'_>) -> Self {
        let entries = |lines: fn(&LeftOver) -> &Vec<u64>| {
            summary.left_over.map_or(0, |left_over| lines(left_over).len() as u64)
        };
        Self {
            decisions: summary.totals.decisions,
            stale: entries(|left_over| &left_over.stale),
            unused: entries(|left_over| &left_over.unused),
            expired: entries(|left_over| &left_over.expired),
            settled_s: summary.figures.settled_s,
        }
    }
}

/// A limit, and what was measured. Both are in `unit`.
#[derive(Serialize)]
pub(super) struct LimitJson {
    unit: &'static str,
    limit: serde_json::Number,
    value: serde_json::Number,
    above: bool,
}

impl LimitJson {
    pub(super) fn new(measured: &Measured) -> Self {
        // Three decimals are enough for a percentage.
        let value = whole_or_float((measured.value * 1e3).round() / 1e3);
        let limit = measured.limit;
        let above = measured.is_above();
        Self { unit: limit.unit(), limit: whole_or_float(limit.value()), value, above }
    }
}

/// Open calls whose age in nights is in one class.
#[derive(Serialize)]
pub(super) struct AgeClass {
    from: i64,
    /// `None` if there is no upper end.
    to: Option<i64>,
    calls: u64,
    /// Their talk seconds at stake.
    seconds: u64,
}

/// The open calls by age.
pub(super) fn age_classes(open: &OpenItems) -> Vec<AgeClass> {
    classes(&open.by_age.iter().map(|age| (age.nights, age.calls, age.seconds)).collect::<Vec<_>>())
}

/// The classes of ages in nights. Each age has its number of calls and their seconds at stake.
fn classes(ages: &[(i64, u64, u64)]) -> Vec<AgeClass> {
    let class = |(from, to): (i64, Option<i64>)| {
        let is_in = |nights: i64| nights.max(0) >= from && to.is_none_or(|to| nights <= to);
        let of_class = ages.iter().filter(|(nights, ..)| is_in(*nights));
        let (calls, seconds) = of_class.fold((0, 0), |(n, s), (_, calls, seconds)| (n + calls, s + seconds));
        AgeClass { from, to, calls, seconds }
    };
    [(0, Some(1)), (2, Some(7)), (8, Some(30)), (31, None)].map(class).into()
}

/// The number in JSON: `60`, not `60.0`.
pub(super) fn whole_or_float(number: f64) -> serde_json::Number {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be whole, and far below 2^53")]
    let whole = (number.fract() == 0.0).then_some(number as i64);
    // Only infinite values have no JSON number, and none is infinite.
    whole.map(Into::into).or_else(|| serde_json::Number::from_f64(number)).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_age_is_in_one_class() {
        let ages = [-1, 0, 1, 2, 7, 8, 30, 31, 1_000].map(|nights| (nights, 1, 10));
        let classes = classes(&ages);
        assert_eq!(classes.iter().map(|class| class.calls).collect::<Vec<_>>(), [3, 2, 2, 2]);
        assert_eq!(classes.iter().map(|class| class.seconds).collect::<Vec<_>>(), [30, 20, 20, 20]);
    }

    #[test]
    fn a_whole_number_has_no_fraction() {
        assert_eq!([60.0, 0.5].map(|n| whole_or_float(n).to_string()), ["60", "0.5"]);
    }
}
