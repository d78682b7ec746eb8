//! The report's page, from a template.
//!
//! Every number on the page is taken from the summary by its JSON pointer and shows that pointer,
//! so that page and summary cannot differ. Only single discrepancies, the charts, and size and
//! digest of the summary are added. The template, its style sheet and its script are files of
//! their own. The page allows just these two, by their SHA-256.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value as JsonValue;
use sha2::{Digest as _, Sha256};

use super::bars::{self, BarRow, BridgeRow};
use super::charts::Charts;
use super::labels::Labels;
use super::largest::{Largest, ListedRow};
use super::link::Link;
use super::money_texts;
use super::numbers::{NumberStyle, Numbers, group_thousands};
use super::receipt_texts;
use super::strips::{self, Strip};
use super::texts::{of_script, texts};
use crate::error::{Error, Result};
use crate::output::digests::WrittenFile;
use crate::output::headline;
use crate::output::lang::Lang;
use crate::output::summary::Summary;
use crate::output::summary_json;
use crate::shown::shown;
use crate::texts as words;
use crate::zone;
use reconcile_core::figures::RejectedRows;
use reconcile_core::status::Status;
use reconcile_core::tie_out::TieOutLine;

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
/// Rows of the table without JavaScript.
const PLAIN_ROWS: usize = 100;

/// What the page shows.
pub(crate) struct Content<'a> {
    pub(crate) summary: &'a Summary<'a>,
    /// The files of the run without summary and report.
    pub(crate) files: &'a [WrittenFile],
    pub(crate) summary_file: &'a WrittenFile,
    pub(crate) discrepancy_file: Link,
}

/// Variables of the template.
#[derive(Serialize)]
struct Page<'a> {
    /// The summary.
    s: &'a JsonValue,
    /// Texts in the report's language.
    t: BTreeMap<&'static str, &'static str>,
    /// Texts of the section on money.
    m: BTreeMap<&'static str, &'static str>,
    /// Texts of the section on receipts.
    r: BTreeMap<&'static str, &'static str>,
    labels: &'a Labels,
    lang: &'static str,
    policy: String,
    style: &'static str,
    script: &'static str,
    /// Rows, labels and texts for the script; `None` without a discrepancy.
    data: Option<String>,
    started_at: String,
    sentence: String,
    incomplete_because: Option<String>,
    go_on: Option<String>,
    cause: Option<String>,
    /// What changed since the last run, as a bar; `None` without discrepancies.
    since: Option<String>,
    patterns: Vec<String>,
    bridge: Vec<BridgeRow>,
    /// The bridge of each currency; `None` without tariffs and bill.
    money: Option<Vec<Vec<BridgeRow>>>,
    kinds: Vec<BarRow>,
    /// The trend; empty without an earlier night.
    trend: Vec<Strip>,
    /// How many discrepancies the page has.
    listed_rows: usize,
    listed: String,
    rows: &'a [ListedRow],
    /// Whether there is a file of resolutions.
    resolved: bool,
    /// Whether every limit is kept. Then nothing on the page warns.
    calm: bool,
    /// The words of the decisions.
    decisions: [&'static str; 5],
    settled: Vec<ListedRow>,
    amended: Vec<ListedRow>,
    discrepancy_file: &'a Link,
    reasons: Vec<Option<String>>,
    coverage: Vec<BarRow>,
    tolerated: bool,
    outcomes: Vec<BarRow>,
    rate: Option<String>,
    talk: Option<String>,
    timeline: Option<String>,
    retries: Vec<BarRow>,
    /// The rule of each status, in the order of [`Status::ALL`].
    statuses: Vec<(&'static str, &'static str)>,
    tie_out: Vec<TieOutRow>,
    notes: Vec<String>,
    /// How throttling slowed the run down; `None` if it did not.
    slowdown: Option<String>,
    summary_file: &'a WrittenFile,
    summary_bytes: String,
}

/// A rule of the tie-out with its numbers.
#[derive(Serialize)]
struct TieOutRow {
    rule: &'static str,
    numbers: String,
    adds_up: bool,
}

impl TieOutRow {
    fn new(lang: Lang, line: &TieOutLine) -> Self {
        let numbers = words::tie_out_numbers(lang, &line.numbers);
        Self { rule: words::tie_out_rule(lang, line.rule), numbers, adds_up: line.adds_up }
    }
}

/// Why rows are unusable; `None` for the line that several reasons share.
fn reason(lang: Lang, key: Option<&(&str, String)>, rows: &RejectedRows) -> Option<String> {
    let reason = key.and(rows.reason.as_ref())?;
    Some(shown(&words::reason(lang, reason)))
}

/// The page as HTML. The lists are those of the rows that are at stake, of the settled ones, and of
/// the amendments.
///
/// # Errors
///
/// Exit 6 if the template fails, which is a bug.
pub(crate) fn render(content: &Content<'_>, listed: Listed) -> Result<String> {
    let summary = content.summary;
    let numbers = Arc::new(summary_json::to_value(summary, content.files)?);
    let (lang, figures) = (summary.lang, summary.figures);
    let products = figures.by_product.iter().filter_map(|(name, _)| name.map(String::as_str));
    let labels = Labels::new(lang, products);
    let Listed { open: rows, settled, amended } = listed.for_summary(summary);
    let (charts, observed) = (Charts::draw(summary), &figures.observed);
    let page = Page {
        s: &numbers,
        t: texts(lang),
        m: money_texts::texts(lang),
        r: receipt_texts::texts(lang),
        labels: &labels,
        lang: lang.html_code(),
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        data: data(lang, &labels, &rows)?,
        started_at: zone::date_and_time(summary.provenance.started_at),
        sentence: headline::sentence(lang, summary.totals, summary.trend),
        incomplete_because: summary
            .incomplete_because
            .map(|because| shown(&words::incomplete(lang, because))),
        go_on: summary.go_on.map(shown),
        cause: summary.cause.map(|cause| shown(&words::cause_with_advice(lang, cause))),
        patterns: observed.patterns().iter().map(|pattern| words::pattern(lang, pattern)).collect(),
        since: bars::since_last(summary),
        bridge: bars::bridge(lang, &figures.bridge, "/bridge"),
        money: summary.money.map(|money| bars::money_bridges(lang, money.figures)),
        kinds: bars::kinds(summary),
        trend: strips::strips(lang, summary.trend),
        listed_rows: rows.len(),
        listed: group_thousands(&rows.len()),
        rows: &rows[..rows.len().min(PLAIN_ROWS)],
        resolved: summary.left_over.is_some(),
        calm: summary.is_calm(),
        decisions: summary.totals.decisions.by_word().map(|(word, _)| word),
        settled,
        amended,
        discrepancy_file: &content.discrepancy_file,
        reasons: figures.rejected.iter().map(|(key, rows)| reason(lang, key, rows)).collect(),
        tie_out: summary.tie_out.iter().map(|line| TieOutRow::new(lang, line)).collect(),
        coverage: bars::coverage(summary),
        tolerated: observed.within().values().any(|within| within.matches > 0),
        outcomes: bars::outcomes(summary),
        rate: charts.answer_rate,
        talk: charts.talk_time,
        timeline: charts.timeline,
        retries: bars::retries(summary),
        statuses: Status::ALL.map(|status| (status.as_str(), words::status_rule(lang, status))).into(),
        notes: summary.notes.iter().map(|note| shown(&words::note(lang, note))).collect(),
        slowdown: words::slowdown(lang, &summary.traffic.slowdown),
        summary_file: content.summary_file,
        summary_bytes: group_thousands(&content.summary_file.bytes),
    };
    let environment = environment(&numbers, lang);
    let template = environment.template_from_str(TEMPLATE).map_err(bug)?;
    template.render(minijinja::value::Serde(&page)).map_err(bug)
}

/// The rows that the page lists.
pub(crate) struct Listed {
    /// Open and disputed ones.
    open: Vec<ListedRow>,
    settled: Vec<ListedRow>,
    amended: Vec<ListedRow>,
}

impl Listed {
    /// The rows of these lists: open and disputed ones, settled ones, and amendments.
    ///
    /// # Errors
    ///
    /// Exit 6 if a row is no JSON, which is a bug.
    pub(crate) fn new(lists: [Largest; 3]) -> Result<Self> {
        let [open, settled, amended] = lists.map(|list| list.into_rows().map_err(bug));
        Ok(Self { open: open?, settled: settled?, amended: amended? })
    }

    /// If all discrepancies are new, the page says it once, and not in each row.
    fn for_summary(mut self, summary: &Summary<'_>) -> Self {
        if summary.since_last.recurring == 0 {
            self.open.iter_mut().chain(&mut self.settled).for_each(ListedRow::leave_out_day);
        }
        self
    }
}

fn bug(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::bug("cannot make the report").because(e)
}

/// The Content-Security-Policy: only this style sheet and this script, and nothing from elsewhere.
fn policy() -> String {
    let sha256 = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let (style, script) = (sha256(STYLE), sha256(SCRIPT));
    format!("default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'")
}

/// What the script shows, as JSON that cannot end its element; `None` without a row.
fn data(lang: Lang, labels: &Labels, rows: &[ListedRow]) -> Result<Option<String>> {
    #[derive(Serialize)]
    struct Data<'a> {
        texts: BTreeMap<&'static str, &'static str>,
        labels: &'a Labels,
        rows: &'a [ListedRow],
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(&Data { texts: of_script(lang), labels, rows });
    // In JSON this character is only in texts.
    Ok(Some(json.map_err(bug)?.replace('<', "\\u003c")))
}

/// Escapes HTML, and refuses unknown variables. Templates show numbers with `n`, `signed`,
/// `nights`, `amount`, `minutes` and `share`.
fn environment(summary: &Arc<JsonValue>, lang: Lang) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("grouped", |n: u64| group_thousands(&n));
    for (name, style) in
        [("n", NumberStyle::Unsigned), ("signed", NumberStyle::Signed), ("nights", NumberStyle::Nights(lang))]
    {
        let numbers = Numbers(Arc::clone(summary));
        environment.add_function(name, move |pointer: &str| numbers.number(pointer, style));
    }
    let numbers = Numbers(Arc::clone(summary));
    environment.add_function("amount", move |pointer: &str, signed: bool| numbers.amount(pointer, signed));
    let numbers = Numbers(Arc::clone(summary));
    environment
        .add_function("minutes", move |pointer: &str, unsigned: bool| numbers.minutes(pointer, unsigned));
    let numbers = Numbers(Arc::clone(summary));
    environment.add_function("share", move |pointer: &str, of: &str| numbers.share(pointer, of));
    environment
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn neither_script_nor_style_can_end_its_element() {
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
        assert!(!SCRIPT.contains("eval(") && !SCRIPT.contains("innerHTML") && !SCRIPT.contains("fetch("));
    }
}
