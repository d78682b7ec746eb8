//! The report's rows with a bar: the bridge, discrepancies by kind, what was compared, outcomes,
//! retries. The page takes each row's numbers from the summary.

use std::cmp::Reverse;

use serde::Serialize;

use super::svg::{Part, bar, bar_of, percent};
use crate::output::lang::Lang;
use crate::output::summary::Summary;
use crate::texts;
use reconcile_core::bridge::Bridge;
use reconcile_core::compared::{FIELDS, FieldCounts};
use reconcile_core::discrepancy::Kind;
use reconcile_core::money::MoneyFigures;
use reconcile_core::since::SinceLast;

/// A row with its bar as SVG.
#[derive(Debug, Serialize)]
pub(super) struct BarRow {
    pub(super) code: String,
    label: String,
    /// What the word means; empty if the page does not say it.
    rule: &'static str,
    bar: String,
}

/// A step of the bridge.
#[derive(Debug, Serialize)]
pub(super) struct BridgeRow {
    /// Its JSON pointer in the summary.
    at: String,
    label: &'static str,
    is_total: bool,
    bar: String,
}

/// The bridge of each currency.
pub(super) fn money_bridges(lang: Lang, money: &MoneyFigures) -> Vec<Vec<BridgeRow>> {
    let currencies = money.currencies.values().enumerate();
    let at = |no: usize| format!("/money/currencies/{no}/bridge");
    currencies.map(|(no, figures)| bridge(lang, figures.bridge_in_millionths(), &at(no))).collect()
}

/// The steps of the bridge as a waterfall. A step without a call is left out; it adds nothing.
/// `at` is the bridge's JSON pointer in the summary.
pub(super) fn bridge(lang: Lang, bridge: &Bridge, at: &str) -> Vec<BridgeRow> {
    let steps = bridge.steps();
    let last = steps.len() - 1;
    let mut reached = 0;
    // Where each step begins and ends.
    let spans = steps.map(|(name, amount)| {
        let from = if name.ends_with("_total") { 0 } else { reached };
        reached = i128::from(amount.seconds()) + from;
        (from, reached)
    });
    let ends = || spans.iter().flat_map(|(from, to)| [*from, *to]);
    let (least, most) = (ends().min().unwrap_or(0), ends().max().unwrap_or(0).max(1));
    let place = |seconds: i128| share(seconds - least, most - least);
    let rows = steps.into_iter().zip(spans).enumerate().filter_map(|(i, ((name, amount), (from, to)))| {
        let is_total = i == 0 || i == last;
        if !is_total && amount.calls == 0 && amount.seconds() == 0 {
            return None;
        }
        let class = if is_total {
            "total"
        } else if to < from {
            "down"
        } else {
            "up"
        };
        let part = (from != to).then(|| Part { class, from: place(from), to: place(to) });
        let (at, label) = (format!("{at}/{i}"), texts::bridge_step(lang, name));
        Some(BridgeRow { at, label, is_total, bar: bar(&Vec::from_iter(part)) })
    });
    rows.collect()
}

#[allow(clippy::cast_precision_loss, reason = "the error is far smaller than a pixel")]
fn share(seconds: i128, of: i128) -> f64 {
    100.0 * seconds as f64 / of as f64
}

/// The kinds that have discrepancies: those with the most seconds at stake first.
pub(super) fn kinds(summary: &Summary<'_>) -> Vec<BarRow> {
    let (rows, seconds) = (&summary.totals.discrepancies, &summary.figures.at_stake_s);
    let of = |kind: &Kind| {
        let seconds = seconds.get(kind).copied().unwrap_or(0);
        (seconds, rows.get(kind).copied().unwrap_or(0))
    };
    let mut kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| of(kind).1 > 0).collect();
    kinds.sort_by_key(|kind| Reverse(of(kind)));
    let most = |values: &mut dyn Iterator<Item = u64>| values.max().unwrap_or(0);
    let most_seconds = most(&mut kinds.iter().map(|kind| of(kind).0));
    let most_rows = most(&mut kinds.iter().map(|kind| of(kind).1));
    let row = |kind: &Kind| BarRow {
        code: kind.as_str().to_owned(),
        label: texts::kind(summary.lang, *kind).to_owned(),
        rule: texts::kind_rule(summary.lang, *kind),
        bar: bar_of("rows", of(kind).1, most_rows) + &bar_of("seconds", of(kind).0, most_seconds),
    };
    kinds.iter().map(row).collect()
}

/// What changed since the last run, as one bar; `None` if there was and is no discrepancy.
pub(super) fn since_last(summary: &Summary<'_>) -> Option<String> {
    let SinceLast { new, recurring, resolved } = summary.since_last;
    let all = new.saturating_add(recurring).saturating_add(resolved);
    let parts = parts([("different", new), ("lacking", recurring), ("equal", resolved)], all);
    (all > 0).then(|| bar(&parts))
}

/// The parts of a whole, one after the other. An empty one is left out.
fn parts(parts: [(&'static str, u64); 3], whole: u64) -> Vec<Part> {
    let mut end = 0;
    let parts = parts.into_iter().filter(|(_, n)| *n > 0).map(|(class, n)| {
        let from = percent(end, whole);
        end = n.saturating_add(end);
        Part { class, from, to: percent(end, whole) }
    });
    parts.collect()
}

/// The fields for which the ledger expects a value: equal, different, and without a value of the
/// provider.
pub(super) fn coverage(summary: &Summary<'_>) -> Vec<BarRow> {
    let expected = FIELDS.into_iter().zip(&summary.figures.fields).filter(|(_, counts)| counts.expected > 0);
    let row = |(field, counts): (&str, &FieldCounts)| {
        let results =
            [("equal", counts.equal), ("different", counts.different), ("lacking", counts.not_comparable)];
        BarRow {
            code: field.to_owned(),
            label: texts::field(summary.lang, field).unwrap_or(field).to_owned(),
            rule: "",
            bar: bar(&parts(results, counts.expected)),
        }
    };
    expected.map(row).collect()
}

/// Calls by outcome, the most frequent first.
pub(super) fn outcomes(summary: &Summary<'_>) -> Vec<BarRow> {
    let mut outcomes: Vec<_> = summary.figures.outcomes.iter().collect();
    outcomes.sort_by_key(|(_, calls)| Reverse(**calls));
    let most = outcomes.first().map_or(0, |(_, calls)| **calls);
    let row = |(outcome, calls): (&_, &u64)| BarRow {
        code: reconcile_core::detail::Outcome::as_str(*outcome).to_owned(),
        label: texts::outcome(summary.lang, *outcome).to_owned(),
        rule: "",
        bar: bar_of("up", *calls, most),
    };
    outcomes.into_iter().map(row).collect()
}

/// Tries that were followed by another one, by their code.
pub(super) fn retries(summary: &Summary<'_>) -> Vec<BarRow> {
    let tried_again = &summary.sending.tried_again;
    let most = tried_again.iter().map(|(_, tries)| *tries).max().unwrap_or(0);
    let row = |(code, tries): &(String, u64)| BarRow {
        code: code.clone(),
        label: String::new(),
        rule: "",
        bar: bar_of("up", *tries, most),
    };
    tried_again.iter().map(row).collect()
}
