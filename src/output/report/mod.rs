//! The report: one self-contained page for people. No script, nothing from the network, every number masked.
//!
//! The page is made of summary.json: each number on it is fetched from there by its place, which it carries along, so that
//! the two cannot differ. Beside it stand only the largest discrepancies, and charts of the same numbers.

mod charts;
pub(crate) mod texts;

use std::cmp::Reverse;
use std::sync::Arc;

use compact_str::CompactString;
use minijinja::{AutoEscape, Environment, ErrorKind, Value};
use serde::Serialize;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::output::Summary;
use charts::{Chart, Failure, grouped};
use reconcile_core::calendar::provider_text;
use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::phone;
use texts::Lang;

/// How many discrepancies the page lists; the file has them all.
const SHOWN_AT_MOST: usize = 100;

/// A discrepancy as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    line: u64,
    call_id: String,
    kind: &'static str,
    field: String,
    expected: String,
    actual: String,
    delta: Option<i64>,
    at_stake_s: u64,
}

impl Shown {
    fn new(row: &DiscrepancyRow) -> Self {
        let what = &row.what;
        let value =
            |v: &Option<CompactString>| v.as_deref().map(|v| masked(&what.field, v)).unwrap_or_default();
        Self {
            line: row.ledger_line,
            call_id: row.call_id.as_deref().map(|id| masked("call_id", id)).unwrap_or_default(),
            kind: what.kind.as_str(),
            field: what.field.clone(),
            expected: value(&what.expected),
            actual: value(&what.actual),
            delta: what.delta,
            at_stake_s: row.at_stake_s,
        }
    }
}

/// The discrepancies with the most seconds at stake, of equal ones the first of the file.
#[derive(Debug, Default)]
pub(super) struct Largest {
    rows: Vec<Shown>,
    /// Once there are enough: less than this is not shown.
    least: Option<u64>,
}

impl Largest {
    /// Keeps a row if it is among the largest so far.
    pub(super) fn add(&mut self, row: &DiscrepancyRow) {
        if self.least.is_none_or(|least| row.at_stake_s > least) {
            self.rows.push(Shown::new(row));
        }
        if self.rows.len() >= 2 * SHOWN_AT_MOST {
            self.cut();
        }
    }

    fn cut(&mut self) {
        // Stable: of equal ones the first stay.
        self.rows.sort_by_key(|row| Reverse(row.at_stake_s));
        self.rows.truncate(SHOWN_AT_MOST);
        self.least = self.rows.last().filter(|_| self.rows.len() == SHOWN_AT_MOST).map(|row| row.at_stake_s);
    }
}

/// A value as the page may show it.
fn masked(field: &str, value: &str) -> String {
    if phone::NUMBER_FIELDS.contains(&field) {
        phone::mask_number(&phone::normalize_number(value))
    } else if field == "call_id" && is_call_id(value) {
        value.to_owned()
    } else {
        phone::mask_text(value)
    }
}

/// Two runs of digits around a `^`, neither of them as long as a mobile number: the wrong column may stand in
/// the CallId's place.
fn is_call_id(value: &str) -> bool {
    let mobile = |part: &str| part.len() == 11 && part.starts_with('1');
    value.contains('^') && !value.split('^').any(mobile)
}

/// What the template knows beside the summary.
#[derive(Serialize)]
struct Page<'a> {
    s: &'a Json,
    t: std::collections::BTreeMap<String, &'static str>,
    lang: &'static str,
    started_at: String,
    go_on: String,
    patterns: Vec<String>,
    tolerated: bool,
    largest: &'a [Shown],
    discrepancies_file: &'a str,
    outcomes: String,
    rate: String,
    talk: String,
    timeline: String,
    retries: String,
}

fn draw_charts(summary: &Summary<'_>) -> std::result::Result<[String; 5], Failure> {
    let chart =
        |title: &str, desc: &str| Chart { title: summary.lang.text(title), desc: summary.lang.text(desc) };
    let figures = summary.figures;
    let mut outcomes: Vec<(String, u64)> =
        figures.outcomes.iter().map(|(outcome, n)| (outcome.as_str().to_owned(), *n)).collect();
    outcomes.sort_by_key(|(_, n)| Reverse(*n));
    #[allow(clippy::cast_precision_loss, reason = "for the eye")]
    let (rate, talk): (Vec<f64>, Vec<f64>) = figures
        .hours
        .iter()
        .map(|hour| (100.0 * hour.answered as f64 / hour.calls.max(1) as f64, hour.talk_s as f64 / 60.0))
        .unzip();
    let most_talk = talk.iter().copied().fold(1.0, f64::max);
    let sending = summary.sending;
    let points: Vec<(u64, u64, u64)> =
        sending.points.iter().map(|p| (p.point, p.requests, p.throttled)).collect();
    #[allow(clippy::cast_precision_loss, reason = "for the eye")]
    let minutes =
        summary.provenance.cap.window.as_secs_f64() / 60.0 * sending.windows_per_point.max(1) as f64;
    let cap = u64::from(summary.provenance.cap.requests.get());
    Ok([
        chart("outcomes", "outcomes_desc").bars(&outcomes)?,
        chart("rate", "rate_desc").hours(&rate, 100.0, "%")?,
        chart("talk", "talk_desc").hours(&talk, most_talk, "")?,
        chart("timeline", "timeline_desc").timeline(&points, minutes, cap)?,
        chart("retries", "retries_desc").bars(&sending.tried_again)?,
    ])
}

/// How a number is shown.
#[derive(Clone, Copy)]
enum Shape {
    Plain,
    /// A difference.
    Signed,
    /// An age.
    Nights(Lang),
}

/// A number of the summary by its JSON pointer, as people read it; the place goes with it.
fn number(summary: &Json, pointer: &str, shown: Shape) -> std::result::Result<Value, minijinja::Error> {
    let Some(Json::Number(n)) = summary.pointer(pointer) else {
        let what = format!("the summary has no number at {pointer}");
        return Err(minijinja::Error::new(ErrorKind::UndefinedError, what));
    };
    let text = match (shown, n.as_i64()) {
        (Shape::Signed, Some(1..)) => format!("+{}", grouped(n)),
        (Shape::Nights(lang), Some(0)) => lang.text("tonight").to_owned(),
        (Shape::Nights(lang), Some(1)) => lang.text("night").to_owned(),
        (Shape::Nights(lang), _) => grouped(n) + lang.text("nights"),
        _ => grouped(n),
    };
    Ok(Value::from_safe_string(format!("<data value=\"{n}\" data-at=\"{pointer}\">{text}</data>")))
}

/// The page.
///
/// # Errors
///
/// Exit 6 when the template fails, which is a bug.
pub(super) fn render(
    summary: &Summary<'_>,
    mut largest: Largest,
    discrepancies_file: &str,
) -> Result<String> {
    largest.cut();
    let bug = |e: Failure| Error::bug("the report cannot be made").because(e);
    let values = Arc::new(summary.to_value()?);
    let [outcomes, rate, talk, timeline, retries] = draw_charts(summary).map_err(bug)?;
    let page = Page {
        s: &values,
        t: summary.lang.texts(),
        lang: summary.lang.code(),
        started_at: provider_text(summary.provenance.started_at).into(),
        go_on: phone::mask_text(summary.go_on),
        patterns: summary.figures.observed.patterns().iter().map(|p| summary.lang.pattern(p)).collect(),
        tolerated: summary.figures.observed.within().values().any(|within| within.matches > 0),
        largest: &largest.rows,
        discrepancies_file,
        outcomes,
        rate,
        talk,
        timeline,
        retries,
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, shape) in
        [("n", Shape::Plain), ("signed", Shape::Signed), ("nights", Shape::Nights(summary.lang))]
    {
        let of = values.clone();
        environment.add_function(name, move |pointer: &str| number(&of, pointer, shape));
    }
    environment.add_filter("mask", |text: &str| phone::mask_text(text));
    let template = environment.template_from_str(include_str!("report.html"));
    template.and_then(|template| template.render(minijinja::value::Serde(&page))).map_err(|e| bug(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_core::discrepancy::{Discrepancy, Kind};

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
            ("116014888060^102816313060", "138****5678")
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
