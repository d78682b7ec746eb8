//! The summary as JSON for machines: counts, tie-out and evidence of the run. Phone numbers in its
//! texts are masked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::digests::WrittenFile;
use super::schema::SCHEMA_VERSION;
use super::summary::{AccountSummary, Rechecked, Summary, rounded_seconds as seconds};
use super::summary_decisions::{AgeClass, LimitJson, ResolutionsJson, age_classes, whole_or_float};
use super::summary_money::MoneyJson;
use super::summary_receipts::ReceiptsJson;
use super::summary_trend::TrendJson;
use crate::error::{Error, Result};
use crate::shown::shown;
use crate::store::{EarlierCalls, OpenItems};
use reconcile_core::accounts::AccountFigures;
use reconcile_core::bridge::Bridge;
use reconcile_core::compared::{FIELDS, FieldCounts};
use reconcile_core::discrepancy::Kind;
use reconcile_core::figures::{Figures, GroupFigures, HourOfDay, Lines};
use reconcile_core::patterns::{Pattern, WithinTolerance};
use reconcile_core::phone::mask_planned;
use reconcile_core::rate::Rate;
use reconcile_core::since::SinceLast;
use reconcile_core::tie_out::TieOutLine;
use reconcile_core::totals::{BothSides, Headline, Totals};
use reconcile_core::traffic::{Sending, Slowdown, Traffic};

/// The text of summary.json, with a line break at its end. `files` are the run's other files.
///
/// # Errors
///
/// Exit 6 if the summary is not valid JSON, which is a bug.
pub(crate) fn to_json(summary: &Summary<'_>, files: &[WrittenFile]) -> Result<String> {
    Ok(serde_json::to_string_pretty(&SummaryJson::new(summary, files)).map_err(bug)? + "\n")
}

/// The same as a value. The report takes its numbers from it.
///
/// # Errors
///
/// As [`to_json`].
pub(crate) fn to_value(summary: &Summary<'_>, files: &[WrittenFile]) -> Result<serde_json::Value> {
    serde_json::to_value(SummaryJson::new(summary, files)).map_err(bug)
}

fn bug(e: serde_json::Error) -> Error {
    Error::bug("cannot make the summary").because(e)
}

/// The file's keys, in their order.
#[derive(Serialize)]
struct SummaryJson<'a> {
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
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    inputs: &'a [super::provenance::LedgerFile],
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(flatten)]
    counts: CountsJson,
    bridge: &'a Bridge,
    fields: BTreeMap<&'static str, FieldCounts>,
    discrepancies: BTreeMap<&'static str, u64>,
    discrepancies_total: u64,
    at_stake_s: BTreeMap<&'static str, u64>,
    at_stake_total_s: u64,
    since_last: SinceLast,
    resolutions: ResolutionsJson,
    fail_above: Vec<LimitJson>,
    trend: TrendJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<ReceiptsJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<MoneyJson>,
    patterns: Vec<Pattern>,
    within_tolerance: BTreeMap<&'static str, WithinTolerance>,
    answered: BothSides,
    duration_s: BothSides,
    billable_minutes: BothSides,
    by_product: Vec<GroupLine>,
    by_day: Vec<GroupLine>,
    outcomes: BTreeMap<&'static str, u64>,
    by_hour: &'a [HourOfDay],
    rejected: Vec<RejectedLine>,
    #[serde(flatten)]
    requests: RequestsJson,
    from_store: u64,
    most_in_any_window: u64,
    cap: CapJson,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<AccountJson<'a>>,
    cap_use: CapUse,
    slowdown: SlowdownJson,
    sending: &'a Sending,
    open_items: &'a OpenItems,
    open_ages: Vec<AgeClass>,
    earlier_calls: &'a EarlierCalls,
    rechecked: Rechecked,
    tie_out: &'a [TieOutLine],
    notes: Vec<String>,
    files: &'a [WrittenFile],
}

/// The requests of the session, by their purpose.
#[derive(Serialize)]
struct RequestsJson {
    requests: u64,
    first_tries: u64,
    retries: u64,
    other_day_tries: u64,
    throttled: u64,
}

impl RequestsJson {
    fn new(traffic: &Traffic) -> Self {
        let Traffic { requests, first_tries, retries, other_day_tries, throttled, .. } = *traffic;
        Self { requests, first_tries, retries, other_day_tries, throttled }
    }
}

/// The rows and calls of the ledger.
#[derive(Serialize)]
struct CountsJson {
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
    not_compared: u64,
    headline: Headline,
}

impl CountsJson {
    fn new(t: &Totals) -> Self {
        Self {
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
            not_compared: t.not_compared,
            headline: t.headline(),
        }
    }
}

/// Ledger and provider for one product or day.
#[derive(Serialize)]
struct GroupLine {
    /// `None` on the last line if it sums up all further products or days.
    name: Option<String>,
    #[serde(flatten)]
    figures: GroupFigures,
}

fn group_lines<K: Ord + ToString>(lines: &Lines<K, GroupFigures>) -> Vec<GroupLine> {
    let lines = lines.iter();
    // Only the digits of a phone number are masked: an unknown product has a long id.
    let name = |key: &K| mask_planned(&key.to_string(), &[]);
    lines.map(|(key, figures)| GroupLine { name: key.map(name), figures: *figures }).collect()
}

/// Rows that are unusable for one reason.
#[derive(Serialize)]
struct RejectedLine {
    field: Option<&'static str>,
    reason: Option<String>,
    rows: u64,
    first_line: u64,
}

fn rejected_lines(figures: &Figures) -> Vec<RejectedLine> {
    let lines = figures.rejected.iter().map(|(key, line)| RejectedLine {
        field: key.map(|(field, _)| *field),
        reason: key.map(|(_, reason)| shown(reason)),
        rows: line.rows,
        first_line: line.first_line,
    });
    lines.collect()
}

/// An account: its calls and requests.
#[derive(Serialize)]
struct AccountJson<'a> {
    name: &'a str,
    cap: CapJson,
    calls: u64,
    found: u64,
    not_found: u64,
    pending: u64,
    failed: u64,
    deferred: u64,
    clean: u64,
    with_discrepancies: u64,
    not_compared: u64,
    discrepancies: u64,
    requests: u64,
    most_in_any_window: u64,
    throttled: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_because: Option<&'a str>,
}

impl<'a> AccountJson<'a> {
    fn new(account: &'a AccountSummary) -> Self {
        let AccountFigures { cap, totals: t, traffic: x } = &account.figures;
        Self {
            name: &account.name,
            cap: CapJson::new(*cap),
            calls: t.calls,
            found: t.found,
            not_found: t.not_found,
            pending: t.pending,
            failed: t.failed,
            deferred: t.deferred,
            clean: t.clean,
            with_discrepancies: t.with_discrepancies,
            not_compared: t.not_compared,
            discrepancies: t.discrepancies_total(),
            requests: x.requests,
            most_in_any_window: x.evidence.most_in_any_window,
            throttled: x.throttled,
            stopped_because: account.stopped_because.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct CapJson {
    requests: u32,
    window_s: serde_json::Number,
}

impl CapJson {
    fn new(cap: Rate) -> Self {
        Self { requests: cap.requests.get(), window_s: whole_or_float(cap.window.as_secs_f64()) }
    }
}

/// How much of the cap was used.
#[derive(Serialize)]
struct CapUse {
    /// Most requests that the cap allows between the first request and the last.
    allowance: u64,
    sending_s: f64,
    /// Shortest time in which the cap allows all requests that were sent.
    shortest_s: f64,
}

impl CapUse {
    fn new(traffic: &Traffic) -> Self {
        let evidence = &traffic.evidence;
        Self {
            allowance: evidence.allowance,
            sending_s: seconds(Duration::from_micros(evidence.sending_us.unsigned_abs())),
            shortest_s: seconds(Duration::from_micros(evidence.shortest_us.unsigned_abs())),
        }
    }
}

/// How the run slowed down because the provider throttled below the cap.
#[derive(Serialize)]
struct SlowdownJson {
    halvings: u64,
    held_s: f64,
    slowed_s: f64,
}

impl SlowdownJson {
    fn new(slowdown: &Slowdown) -> Self {
        let (held_s, slowed_s) = (seconds(slowdown.held), seconds(slowdown.slowed));
        Self { halvings: slowdown.halvings, held_s, slowed_s }
    }
}

impl<'a> SummaryJson<'a> {
    fn new(summary: &Summary<'a>, files: &'a [WrittenFile]) -> Self {
        let (p, t, x, f) = (summary.provenance, summary.totals, summary.traffic, summary.figures);
        Self {
            program: env!("CARGO_PKG_NAME"),
            version: p.version,
            schema_version: SCHEMA_VERSION,
            sandbox: p.sandbox,
            mask_phones: p.mask.name(),
            mask_key_id: p.mask.key_id(),
            run_id: &p.run_id,
            started_at: p.started_at_text(),
            elapsed_s: summary.elapsed_s(),
            input: &p.input,
            input_sha256: &p.input_sha256,
            inputs: &p.files,
            complete: summary.complete(),
            incomplete_because: summary.incomplete_because.map(|because| shown(&because.to_string())),
            go_on: summary.incomplete_because.and(summary.go_on).map(shown),
            cause: summary.cause.map(|cause| shown(&cause.to_string())),
            counts: CountsJson::new(t),
            bridge: &f.bridge,
            fields: FIELDS.into_iter().zip(f.fields).collect(),
            discrepancies: by_kind(&t.discrepancies),
            discrepancies_total: t.discrepancies_total(),
            at_stake_s: by_kind(&f.at_stake_s),
            at_stake_total_s: f.at_stake_s.values().sum(),
            since_last: summary.since_last,
            resolutions: ResolutionsJson::new(summary),
            fail_above: summary.limits.iter().map(LimitJson::new).collect(),
            trend: TrendJson::new(summary.trend),
            receipts: summary.receipts.as_ref().map(ReceiptsJson::new),
            money: summary.money.as_ref().map(MoneyJson::new),
            patterns: f.observed.patterns(),
            within_tolerance: f.observed.within(),
            answered: f.all.answered,
            duration_s: f.all.duration_s,
            billable_minutes: f.all.billable_minutes,
            by_product: group_lines(&f.by_product),
            by_day: group_lines(&f.by_day),
            outcomes: f.outcomes.iter().map(|(outcome, n)| (outcome.as_str(), *n)).collect(),
            by_hour: &f.hours,
            rejected: rejected_lines(f),
            requests: RequestsJson::new(x),
            from_store: t.from_store,
            most_in_any_window: x.evidence.most_in_any_window,
            cap: CapJson::new(p.cap),
            accounts: summary.accounts.iter().map(AccountJson::new).collect(),
            cap_use: CapUse::new(x),
            slowdown: SlowdownJson::new(&x.slowdown),
            sending: summary.sending,
            open_items: summary.open_items,
            open_ages: age_classes(summary.open_items),
            earlier_calls: summary.earlier_calls,
            rechecked: summary.rechecked,
            tie_out: summary.tie_out,
            notes: summary.notes.iter().map(|note| shown(&note.to_string())).collect(),
            files,
        }
    }
}

/// Every kind, also those without a discrepancy, so that readers always find the same keys.
fn by_kind(counts: &BTreeMap<Kind, u64>) -> BTreeMap<&'static str, u64> {
    let count = |kind| counts.get(&kind).copied().unwrap_or(0);
    Kind::ALL.into_iter().map(|kind| (kind.as_str(), count(kind))).collect()
}
