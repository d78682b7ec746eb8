//! The summary: totals, tie-out and evidence of the run, as JSON for machines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Provenance;
use super::schema::SCHEMA_VERSION;
use crate::error::{Error, Result};
use crate::output::report::texts::Lang;
use crate::store::OpenItems;
use reconcile_core::discrepancy::Kind;
use reconcile_core::figures::{Figures, GroupFigures, HourOfDay, Lines};
use reconcile_core::patterns::{Pattern, WithinTolerance};
use reconcile_core::tie_out::TieOutLine;
use reconcile_core::totals::{BothSides, Totals};
use reconcile_core::traffic::{Sending, Traffic};

/// All that the summary and the report say.
#[derive(Debug)]
pub struct Summary<'a> {
    /// Where the numbers come from.
    pub provenance: &'a Provenance,
    /// What was counted.
    pub totals: &'a Totals,
    /// What the page shows beside.
    pub figures: &'a Figures,
    /// What was sent.
    pub traffic: &'a Traffic,
    /// The same window by window.
    pub sending: &'a Sending,
    /// The report's language.
    pub lang: Lang,
    /// What must foot.
    pub tie_out: &'a [TieOutLine],
    /// How long this process took.
    pub elapsed: Duration,
    /// Why not every call has its answer; `None` when each has.
    pub incomplete_because: Option<&'a str>,
    /// The command that goes on.
    pub go_on: &'a str,
    /// What nights leave to one another.
    pub open_items: &'a OpenItems,
    /// What deserves to be known of ledger and run.
    pub notes: &'a [String],
}

impl Summary<'_> {
    /// Whether every call has its answer.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.incomplete_because.is_none()
    }

    /// The JSON text, ending with a line break.
    ///
    /// # Errors
    ///
    /// Exit 6 when it cannot be written as JSON, which is a bug.
    pub(super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&File::new(self)).map_err(bug)? + "\n")
    }

    /// The same as a value, for the page: every number on it is one of these.
    ///
    /// # Errors
    ///
    /// As [`Summary::to_json`].
    pub(super) fn to_value(&self) -> Result<serde_json::Value> {
        serde_json::to_value(File::new(self)).map_err(bug)
    }
}

fn bug(e: serde_json::Error) -> Error {
    Error::output("the summary cannot be made; this is a bug").because(e)
}

/// The file, in its order.
#[derive(Serialize)]
struct File<'a> {
    program: &'static str,
    version: &'a str,
    schema_version: &'static str,
    sandbox: bool,
    mask_phones: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask_key_id: Option<&'a str>,
    run_id: &'a str,
    started_at: String,
    elapsed_s: f64,
    input: &'a str,
    input_sha256: &'a str,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_because: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go_on: Option<&'a str>,
    rows: u64,
    invalid: u64,
    duplicates: u64,
    calls: u64,
    found: u64,
    not_found: u64,
    pending: u64,
    failed: u64,
    deferred: u64,
    clean: u64,
    with_discrepancies: u64,
    discrepancies: BTreeMap<&'static str, u64>,
    discrepancies_total: u64,
    at_stake_s: BTreeMap<&'static str, u64>,
    at_stake_total_s: u64,
    patterns: Vec<Pattern>,
    within_tolerance: &'a BTreeMap<&'static str, WithinTolerance>,
    answered: BothSides,
    duration_s: BothSides,
    billable_minutes: BothSides,
    by_product: Vec<Line<GroupFigures>>,
    by_day: Vec<Line<GroupFigures>>,
    outcomes: BTreeMap<&'static str, u64>,
    by_hour: &'a [HourOfDay],
    rejected: Vec<RejectedLine<'a>>,
    requests: u64,
    first_tries: u64,
    retries: u64,
    other_day_tries: u64,
    throttled: u64,
    from_store: u64,
    most_in_any_window: u64,
    cap: Cap,
    cap_use: CapUse,
    slowdown: Slowdown,
    sending: &'a Sending,
    open_items: &'a OpenItems,
    tie_out: &'a [TieOutLine],
    notes: &'a [String],
}

/// A line of a table; the last one may stand for all that found no place, and has no name.
#[derive(Serialize)]
struct Line<V> {
    name: Option<String>,
    #[serde(flatten)]
    value: V,
}

fn lines<K: Ord + ToString>(lines: &Lines<K, GroupFigures>) -> Vec<Line<GroupFigures>> {
    lines.iter().map(|(key, value)| Line { name: key.map(ToString::to_string), value: *value }).collect()
}

/// Rows that could not be used for one reason.
#[derive(Serialize)]
struct RejectedLine<'a> {
    field: Option<&'a str>,
    reason: Option<&'a str>,
    rows: u64,
    first_line: u64,
}

fn rejected(figures: &Figures) -> Vec<RejectedLine<'_>> {
    let named = figures.rejected.iter();
    named
        .map(|(key, line)| RejectedLine {
            field: key.map(|(field, _)| *field),
            reason: key.map(|(_, reason)| reason.as_str()),
            rows: line.rows,
            first_line: line.first_line,
        })
        .collect()
}

/// How much of what the cap allows was used.
#[derive(Serialize)]
struct CapUse {
    /// The most that the cap would have allowed in the time from the first sending to the last.
    allowance: u64,
    sending_s: f64,
    /// The shortest time that the cap allows for as many requests.
    shortest_s: f64,
}

/// How a provider that throttles although the cap holds slowed the run down.
#[derive(Serialize)]
struct Slowdown {
    halvings: u64,
    held_s: f64,
    slowed_s: f64,
}

#[derive(Serialize)]
struct Cap {
    requests: u32,
    window_s: serde_json::Number,
}

impl<'a> File<'a> {
    fn new(summary: &Summary<'a>) -> Self {
        let (p, t, x, f) = (summary.provenance, summary.totals, summary.traffic, summary.figures);
        Self {
            program: env!("CARGO_PKG_NAME"),
            version: p.version,
            schema_version: SCHEMA_VERSION,
            sandbox: p.sandbox,
            mask_phones: p.mask.name(),
            mask_key_id: p.mask.key_id(),
            run_id: &p.run_id,
            started_at: p.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            elapsed_s: seconds(summary.elapsed),
            input: &p.input,
            input_sha256: &p.input_sha256,
            complete: summary.complete(),
            incomplete_because: summary.incomplete_because,
            go_on: summary.incomplete_because.map(|_| summary.go_on),
            rows: t.rows,
            invalid: t.invalid,
            duplicates: t.duplicates,
            calls: t.calls,
            found: t.found,
            not_found: t.not_found,
            pending: t.pending,
            failed: t.failed,
            deferred: t.deferred,
            clean: t.clean,
            with_discrepancies: t.with_discrepancies,
            discrepancies: by_kind(&t.discrepancies),
            discrepancies_total: t.discrepancies_total(),
            at_stake_s: by_kind(&f.at_stake_s),
            at_stake_total_s: f.at_stake_s.values().sum(),
            patterns: f.observed.patterns(),
            within_tolerance: f.observed.within(),
            answered: f.all.answered,
            duration_s: f.all.duration_s,
            billable_minutes: f.all.billable_minutes,
            by_product: lines(&f.by_product),
            by_day: lines(&f.by_day),
            outcomes: f.outcomes.iter().map(|(outcome, n)| (outcome.as_str(), *n)).collect(),
            by_hour: &f.hours,
            rejected: rejected(f),
            requests: x.requests,
            first_tries: x.first_tries,
            retries: x.retries,
            other_day_tries: x.other_day_tries,
            throttled: x.throttled,
            from_store: t.from_store,
            most_in_any_window: x.evidence.most_in_any_window,
            cap: Cap { requests: p.cap.requests.get(), window_s: whole_or_float(p.cap.window.as_secs_f64()) },
            cap_use: CapUse {
                allowance: x.evidence.allowance,
                sending_s: seconds(Duration::from_micros(x.evidence.sending_us.unsigned_abs())),
                shortest_s: seconds(Duration::from_micros(x.evidence.shortest_us.unsigned_abs())),
            },
            slowdown: Slowdown {
                halvings: x.slowdown.halvings,
                held_s: seconds(x.slowdown.held),
                slowed_s: seconds(x.slowdown.slowed),
            },
            sending: summary.sending,
            open_items: summary.open_items,
            tie_out: summary.tie_out,
            notes: summary.notes,
        }
    }
}

/// To the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// Every kind, those without a discrepancy too: a reader need not know which there are.
fn by_kind(counts: &BTreeMap<Kind, u64>) -> BTreeMap<&'static str, u64> {
    let count = |kind| counts.get(&kind).copied().unwrap_or(0);
    Kind::ALL.into_iter().map(|kind| (kind.as_str(), count(kind))).collect()
}

/// `60`, not `60.0`.
fn whole_or_float(seconds: f64) -> serde_json::Number {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be whole; a window is at most a day")]
    let whole = (seconds.fract() == 0.0).then_some(seconds as i64);
    // Only what is not finite is no number, and a window is.
    whole.map(Into::into).or_else(|| serde_json::Number::from_f64(seconds)).unwrap_or_else(|| 0.into())
}
