//! The report: one self-contained page for people. No script, nothing from the network, every number masked.

use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::Summary;
use crate::discrepancy::{DiscrepancyRow, Kind};
use crate::error::{Error, Result};
use crate::mask;
use crate::patterns::Pattern;
use crate::store::{OpenAge, OpenItems};
use crate::totals::{BothSides, TieOutLine, Totals};

/// How many discrepancies the page lists; the file has them all.
pub(super) const SHOWN_AT_MOST: usize = 100;

/// A discrepancy as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    line: u64,
    call_id: String,
    kind: &'static str,
    field: String,
    expected: String,
    actual: String,
    delta: Option<i64>,
    message: String,
}

impl Shown {
    pub(super) fn new(row: &DiscrepancyRow) -> Self {
        let what = &row.what;
        let value = |v: &Option<String>| v.as_deref().map(|v| masked(&what.field, v)).unwrap_or_default();
        Self {
            line: row.ledger_line,
            call_id: row.call_id.as_deref().map(|id| masked("call_id", id)).unwrap_or_default(),
            kind: what.kind.as_str(),
            field: what.field.clone(),
            expected: value(&what.expected),
            actual: value(&what.actual),
            delta: what.delta,
            // Messages are this program's own words and quote no number.
            message: what.message.clone(),
        }
    }
}

/// A value as the page may show it.
fn masked(field: &str, value: &str) -> String {
    if mask::NUMBERS.contains(&field) {
        mask::number(value)
    } else if field == "call_id" && is_call_id(value) {
        value.to_owned()
    } else {
        mask::text(value)
    }
}

/// Two runs of digits around a `^`, neither of them as long as a mobile number: the wrong column may stand in
/// the CallId's place.
fn is_call_id(value: &str) -> bool {
    let mobile = |part: &str| part.len() == 11 && part.starts_with('1');
    value.contains('^') && !value.split('^').any(mobile)
}

/// A line with a bar.
#[derive(Debug, Serialize)]
struct Bar {
    name: &'static str,
    count: u64,
    share: String,
    /// Of the page's width, in percent.
    width: f64,
    meaning: &'static str,
}

#[allow(clippy::cast_precision_loss, reason = "shares are shown with one decimal")]
fn bar(name: &'static str, count: u64, of: u64, meaning: &'static str) -> Bar {
    let width = if of == 0 { 0.0 } else { 100.0 * count as f64 / of as f64 };
    Bar { name, count, share: format!("{width:.1} %"), width, meaning }
}

fn statuses(t: &Totals) -> Vec<Bar> {
    [
        ("found", t.found, "the provider has a record in a final state"),
        ("not_found", t.not_found, "the provider has no record on any day asked"),
        ("pending", t.pending, "no record yet, or the state is not final; the next run asks again"),
        ("failed", t.failed, "the look-up ended in an error"),
        ("deferred", t.deferred, "not asked; the next run asks"),
    ]
    .into_iter()
    .map(|(name, count, meaning)| bar(name, count, t.calls, meaning))
    .collect()
}

fn kinds(t: &Totals) -> Vec<Bar> {
    let total = t.discrepancies_total();
    Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            let count = t.discrepancies.get(kind.as_str()).copied()?;
            Some(bar(kind.as_str(), count, total, kind.rule()))
        })
        .collect()
}

/// The ledger's figure beside the provider's.
#[derive(Debug, Serialize)]
struct Sides {
    name: &'static str,
    calls: u64,
    ledger: i64,
    provider: i64,
    difference: String,
}

fn sides(name: &'static str, both: BothSides) -> Sides {
    let difference = format!("{:+}", both.provider - both.ledger);
    Sides { name, calls: both.calls, ledger: both.ledger, provider: both.provider, difference }
}

/// What the template knows.
#[derive(Serialize)]
struct Page<'a> {
    input: &'a str,
    sha256: &'a str,
    run_id: &'a str,
    version: &'a str,
    sandbox: bool,
    started_at: String,
    cap: String,
    incomplete_because: Option<&'a str>,
    go_on: String,
    notes: &'a [String],
    open: Vec<Open<'a>>,
    cleared: u64,
    elsewhere: u64,
    elapsed: String,
    totals: PageTotals,
    statuses: Vec<Bar>,
    kinds: Vec<Bar>,
    patterns: Vec<String>,
    sides: [Sides; 2],
    tie_out: &'a [TieOutLine],
    requests: u64,
    throttled: u64,
    most: u64,
    allowance: u64,
    slowdown: Option<String>,
    first: &'a [Shown],
}

/// Open calls of one age.
#[derive(Serialize)]
struct Open<'a> {
    first_seen: String,
    age: String,
    status: &'a str,
    calls: u64,
}

fn open<'a>(items: &'a OpenItems) -> Vec<Open<'a>> {
    let age = |nights| match nights {
        0 => "tonight".to_owned(),
        1 => "1 night".to_owned(),
        n => format!("{n} nights"),
    };
    let one = |a: &'a OpenAge| Open {
        first_seen: a.first_seen.to_string(),
        age: age(a.nights),
        status: &a.status,
        calls: a.calls,
    };
    items.by_age.iter().map(one).collect()
}

/// The totals that the page names by themselves.
#[derive(Serialize)]
struct PageTotals {
    rows: u64,
    calls: u64,
    clean: u64,
    from_store: u64,
    discrepancies: u64,
}

impl<'a> Page<'a> {
    fn new(summary: &'a Summary<'_>, first: &'a [Shown]) -> Self {
        let (p, t, x) = (summary.provenance, summary.totals, summary.traffic);
        Self {
            input: &p.input,
            sha256: &p.input_sha256,
            run_id: &p.run_id,
            version: p.version,
            sandbox: p.sandbox,
            started_at: crate::call::provider_text(p.started_at),
            cap: p.cap.to_string(),
            incomplete_because: summary.incomplete_because,
            go_on: mask::text(summary.go_on),
            notes: summary.notes,
            open: open(summary.open_items),
            cleared: summary.open_items.cleared,
            elsewhere: summary.open_items.elsewhere,
            elapsed: format!("{:.1} s", summary.elapsed.as_secs_f64()),
            totals: PageTotals {
                rows: t.rows,
                calls: t.calls,
                clean: t.clean,
                from_store: t.from_store,
                discrepancies: t.discrepancies_total(),
            },
            statuses: statuses(t),
            kinds: kinds(t),
            patterns: summary.figures.observed.patterns().iter().map(Pattern::text).collect(),
            sides: [
                sides("answered calls", summary.figures.all.answered),
                sides("talk time, seconds", summary.figures.all.duration_s),
            ],
            tie_out: summary.tie_out,
            requests: x.requests,
            throttled: x.throttled,
            most: x.evidence.most_in_any_window,
            allowance: x.evidence.allowance,
            slowdown: x.slowdown.text(),
            first,
        }
    }
}

/// The page.
///
/// # Errors
///
/// Exit 6 when the template fails, which is a bug.
pub(super) fn render(summary: &Summary<'_>, first: &[Shown]) -> Result<String> {
    let bug = |e: minijinja::Error| Error::output("the report cannot be made; this is a bug").because(e);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template("report", include_str!("report.html")).map_err(bug)?;
    let page = minijinja::value::Serde(Page::new(summary, first));
    environment.get_template("report").and_then(|template| template.render(page)).map_err(bug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discrepancy::Discrepancy;

    fn shown(field: &str, kind: Kind, call_id: &str, expected: &str) -> Shown {
        let what = Discrepancy::new(kind, "m").field(field).values(Some(expected.into()), None);
        Shown::new(&DiscrepancyRow {
            call_id: Some(call_id.into()),
            ledger_line: 2,
            what,
            call_date: None,
            prod_id: None,
            carried: vec!["13812345678".into()],
            at_stake_s: 0,
            own_numbers: Vec::new(),
        })
    }

    #[test]
    fn no_phone_number_is_shown_whatever_column_it_stands_in() {
        let row = shown("callee", Kind::Mismatch, "116014888060^102816313060", "+86 138-1234-5678");
        assert_eq!(
            (row.call_id.as_str(), row.expected.as_str()),
            ("116014888060^102816313060", "+86 1**-****-5678")
        );
        assert_eq!(
            shown("ledger_note", Kind::Duplicate, "1^2", "ask 13812345678").expected,
            "ask 138****5678"
        );
        assert_eq!(shown("", Kind::NotFound, "13812345678", "").call_id, "138****5678");
        assert_eq!(shown("", Kind::InvalidRow, "13812345678^1", "").call_id, "138****5678^1");
        assert_eq!(shown("", Kind::InvalidRow, "1779786101083^1", "").call_id, "1779786101083^1");
    }
}
