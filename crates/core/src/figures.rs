//! The figures that report and summary show beside the totals: ledger against provider by product
//! and by day, outcomes, hours of the day, seconds at stake, unusable rows.
//!
//! Publishing counts them. Memory does not grow with the ledger.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::Timelike as _;

use crate::bridge::Bridge;
use crate::calendar::provider_local;
use crate::compare::Tolerances;
use crate::compared::{FIELDS, FieldCounts, FieldResult};
use crate::detail::{CallDetail, Outcome, billable_minutes};
use crate::discrepancy::Kind;
use crate::ledger_row::{Expected, InvalidRow, LedgerRow, LedgerTime};
use crate::merge::{Merge, merge_maps};
use crate::patterns::Observed;
use crate::row_problem::RowProblem;
use crate::status::{Lookup, Status};
use crate::totals::BothSides;

pub use crate::lines::Lines;

/// The figures of a group of calls: all calls, or those of a product or a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupFigures {
    /// Distinct calls of the ledger.
    pub calls: u64,
    /// Calls with the status `found`.
    pub found: u64,
    /// Answered calls, over the calls where both sides say whether they were answered.
    pub answered: BothSides,
    /// Talk seconds, over the calls where both sides give them.
    pub duration_s: BothSides,
    /// Talk minutes, each call rounded up. An estimate.
    pub billable_minutes: BothSides,
}

impl GroupFigures {
    /// Counts a call. `detail` is the record of a found call.
    pub fn add(&mut self, row: &LedgerRow, detail: Option<&CallDetail>) {
        self.calls += 1;
        let Some(detail) = detail else { return };
        self.found += 1;
        if let (Some(ledger), Some(provider)) = (row.expected.answered, detail.answered) {
            self.answered.add(i64::from(ledger), i64::from(provider));
        }
        if let (Some(ledger), Some(provider)) = (row.expected.duration_s, detail.duration_s) {
            self.duration_s.add(ledger, provider);
            self.billable_minutes.add(billable_minutes(ledger), billable_minutes(provider));
        }
    }
}

impl Merge for GroupFigures {
    fn merge(&mut self, other: Self) {
        let Self { calls, found, answered, duration_s, billable_minutes } = other;
        self.calls.merge(calls);
        self.found.merge(found);
        self.answered.merge(answered);
        self.duration_s.merge(duration_s);
        self.billable_minutes.merge(billable_minutes);
    }
}

/// The calls of one hour of the day (UTC+8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct HourOfDay {
    /// Found calls for which the provider says whether they were answered.
    pub calls: u64,
    /// The answered calls among them.
    pub answered: u64,
    /// The talk seconds of these calls.
    pub talk_s: i64,
}

impl Merge for HourOfDay {
    fn merge(&mut self, other: Self) {
        let Self { calls, answered, talk_s } = other;
        self.calls.merge(calls);
        self.answered.merge(answered);
        self.talk_s = self.talk_s.saturating_add(talk_s);
    }
}

/// The rows rejected for the same reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectedRows {
    /// The reason of the first of them.
    pub reason: Option<RowProblem>,
    /// The number of rows.
    pub rows: u64,
    /// The line of the first of them.
    pub first_line: u64,
}

impl Merge for RejectedRows {
    fn merge(&mut self, other: Self) {
        let Self { reason, rows, first_line } = other;
        if rows > 0 && (self.rows == 0 || first_line < self.first_line) {
            (self.reason, self.first_line) = (reason, first_line);
        }
        self.rows.merge(rows);
    }
}

/// All figures beside the totals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// What matches within a tolerance, and the causes of many discrepancies.
    pub observed: Observed,
    /// All calls.
    pub all: GroupFigures,
    /// By product name, or by product id for a product without a name.
    pub by_product: Lines<String, GroupFigures>,
    /// By the day in the ledger.
    pub by_day: Lines<chrono::NaiveDate, GroupFigures>,
    /// Calls with a record, by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Hours 0 to 23 in UTC+8, by the time at which the provider accepted the call. The ledger's
    /// call time stands in for one that is not known.
    pub hours: [HourOfDay; 24],
    /// From the ledger's talk time to the provider's.
    pub bridge: Bridge,
    /// Talk seconds at stake, by kind.
    pub at_stake_s: BTreeMap<Kind, u64>,
    /// Talk seconds that decisions have settled.
    pub settled_s: u64,
    /// What was compared, for each of [`FIELDS`].
    pub fields: [FieldCounts; FIELDS.len()],
    /// Unusable rows, by field and the reason's English text.
    pub rejected: Lines<(&'static str, String), RejectedRows>,
}

impl Figures {
    /// Figures before the first call.
    #[must_use]
    pub fn new(tolerances: Tolerances) -> Self {
        Self { observed: Observed::new(tolerances), ..Self::default() }
    }

    /// Counts a call. `settled` are the fields whose mismatches are settled: they belong to no
    /// pattern.
    pub fn add_call(&mut self, row: &LedgerRow, lookup: &Lookup, settled: &[&str]) {
        let product = row.key.prod_id;
        let name = product.name().map_or_else(|| Cow::Owned(product.0.to_string()), Cow::Borrowed);
        let found = lookup.detail.as_ref().filter(|_| lookup.status == Status::Found);
        for group in [&mut self.all, self.by_product.line(&*name), self.by_day.line(&row.key.day)] {
            group.add(row, found);
        }
        if let Some(detail) = &lookup.detail {
            *self.outcomes.entry(detail.outcome).or_default() += 1;
        }
        if let Some(detail) = found {
            self.observed.add(&without(&row.expected, settled), detail);
            self.add_hour(row, detail);
        }
    }

    /// Counts what was compared of a call.
    pub fn add_fields(&mut self, results: &[FieldResult; FIELDS.len()]) {
        self.fields.iter_mut().zip(results).for_each(|(counts, result)| counts.add(*result));
    }

    fn add_hour(&mut self, row: &LedgerRow, detail: &CallDetail) {
        let at = detail.created_at.or_else(|| row.expected.called_at.and_then(LedgerTime::instant));
        let (Some(at), Some(answered)) = (at, detail.answered) else { return };
        let hour = provider_local(at).hour() as usize;
        if let Some(hour) = self.hours.get_mut(hour) {
            hour.calls += 1;
            hour.answered += u64::from(answered);
            hour.talk_s = hour.talk_s.saturating_add(detail.duration_s.unwrap_or(0));
        }
    }

    /// Counts the seconds that a discrepancy puts in doubt.
    pub fn add_discrepancy(&mut self, kind: Kind, at_stake_s: u64, is_settled: bool) {
        let sum = self.at_stake_s.entry(kind).or_default();
        let sum = if is_settled { &mut self.settled_s } else { sum };
        *sum = sum.saturating_add(at_stake_s);
    }

    /// Counts an unusable row.
    pub fn add_rejected(&mut self, row: &InvalidRow) {
        self.bridge.add_unusable_row(row);
        let line = self.rejected.line(&(row.field, row.reason.to_string()));
        if line.rows == 0 || row.line < line.first_line {
            line.reason = Some(row.reason.clone());
            line.first_line = row.line;
        }
        line.rows += 1;
    }
}

/// What a row expects, without the measured values of these fields.
fn without<'a>(expected: &'a Expected, fields: &[&str]) -> Cow<'a, Expected> {
    if fields.is_empty() {
        return Cow::Borrowed(expected);
    }
    let mut expected = expected.clone();
    for field in fields {
        match *field {
            "duration_s" => expected.duration_s = None,
            "called_at" => expected.called_at = None,
            "started_at" => expected.started_at = None,
            "ended_at" => expected.ended_at = None,
            _ => {}
        }
    }
    Cow::Owned(expected)
}

/// Both parts must be counted with the same tolerances.
impl Merge for Figures {
    fn merge(&mut self, other: Self) {
        let Self {
            observed,
            all,
            by_product,
            by_day,
            outcomes,
            hours,
            bridge,
            at_stake_s,
            settled_s,
            fields,
            rejected,
        } = other;
        self.observed.merge(observed);
        self.all.merge(all);
        self.by_product.merge(by_product);
        self.by_day.merge(by_day);
        merge_maps(&mut self.outcomes, outcomes);
        self.hours.merge(hours);
        self.bridge.merge(bridge);
        merge_maps(&mut self.at_stake_s, at_stake_s);
        self.settled_s.merge(settled_s);
        self.fields.merge(fields);
        self.rejected.merge(rejected);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::CallKey;
    use crate::normalize::normalize;
    use crate::product::ProductId;
    use crate::quick_parse;

    fn row(day: &str, duration_s: i64) -> LedgerRow {
        let key = CallKey {
            call_id: "1^2".into(),
            prod_id: ProductId(11_000_000_300_006),
            day: quick_parse::day(day).unwrap(),
        };
        let expected = Expected { duration_s: Some(duration_s), answered: Some(true), ..Expected::default() };
        LedgerRow { line: 2, key, expected, query_date: None, carried: Vec::new() }
    }

    fn found(row: &LedgerRow, data: &str) -> Lookup {
        let detail = Some(normalize(data).unwrap());
        Lookup { status: Status::Found, detail, ..Lookup::deferred(row.key.day, 1) }
    }

    #[test]
    fn only_values_of_both_sides_count_and_hours_are_utc_plus_8() {
        let mut figures = Figures::new(Tolerances::default());
        let (first, second) = (row("2026-11-16", 61), row("2026-11-17", 5));
        let data = r#"{"gmtCreate":"2026-11-16 00:30:00","duration":59,"state":"200000"}"#;
        figures.add_call(&first, &found(&first, data), &[]);
        figures.add_call(&second, &Lookup::deferred(second.key.day, 0), &[]);
        assert_eq!((figures.all.calls, figures.all.found), (2, 1));
        assert_eq!(figures.all.duration_s, BothSides { calls: 1, ledger: 61, provider: 59 });
        assert_eq!(figures.all.billable_minutes, BothSides { calls: 1, ledger: 2, provider: 1 });
        assert_eq!(figures.hours[0], HourOfDay { calls: 1, answered: 1, talk_s: 59 });
        assert_eq!(figures.hours.iter().map(|h| h.calls).sum::<u64>(), 1);
        let days: Vec<u64> = figures.by_day.iter().map(|(_, day)| day.calls).collect();
        assert_eq!(days, [1, 1]);
    }
}
