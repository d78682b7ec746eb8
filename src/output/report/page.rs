//! The report's page, from a template.
//!
//! Every number on the page is taken from the summary by its JSON pointer and shows that pointer,
//! so that page and summary cannot differ. Only the largest discrepancies and the charts are added.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;
use serde_json::Value as JsonValue;

use super::charts::Charts;
use super::largest::{Largest, ListedRow};
use super::numbers::group_thousands;
use super::texts;
use crate::error::{Error, Result};
use crate::output::lang::Lang;
use crate::output::summary::Summary;
use crate::output::summary_json;
use crate::shown::shown;
use crate::zone;

const TEMPLATE: &str = include_str!("report.html");

/// Variables of the template.
#[derive(Serialize)]
struct Page<'a> {
    /// The summary.
    s: &'a JsonValue,
    /// Texts in the report's language.
    t: BTreeMap<String, &'static str>,
    lang: &'static str,
    started_at: String,
    go_on: Option<String>,
    patterns: Vec<String>,
    tolerated: bool,
    largest: &'a [ListedRow],
    discrepancies_file: String,
    outcomes: String,
    rate: String,
    talk: String,
    timeline: String,
    retries: String,
}

/// How a number is shown.
#[derive(Clone, Copy)]
enum NumberStyle {
    Unsigned,
    /// With a `+` if it is positive.
    Signed,
    /// An age in nights.
    Nights(Lang),
}

/// The page as HTML.
///
/// # Errors
///
/// Exit 6 if a chart or the template fails, which is a bug.
pub(crate) fn render(summary: &Summary<'_>, largest: Largest, discrepancies_file: &str) -> Result<String> {
    let numbers = Arc::new(summary_json::to_value(summary)?);
    let charts = Charts::draw(summary).map_err(bug)?;
    let (lang, observed) = (summary.lang, &summary.figures.observed);
    let page = Page {
        s: &numbers,
        t: texts::texts(lang),
        lang: lang.html_code(),
        started_at: zone::date_and_time(summary.provenance.started_at),
        go_on: summary.go_on.map(shown),
        patterns: observed.patterns().iter().map(|pattern| crate::texts::pattern(lang, pattern)).collect(),
        tolerated: observed.within().values().any(|within| within.matches > 0),
        largest: &largest.into_rows(),
        discrepancies_file: shown(discrepancies_file),
        outcomes: charts.outcomes,
        rate: charts.answer_rate,
        talk: charts.talk_time,
        timeline: charts.timeline,
        retries: charts.retries,
    };
    let environment = environment(&numbers, lang);
    let rendered = environment
        .template_from_str(TEMPLATE)
        .and_then(|template| template.render(minijinja::value::Serde(&page)));
    rendered.map_err(bug)
}

fn bug(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::bug("cannot make the report").because(e)
}

/// Escapes HTML, and refuses unknown variables. Templates show numbers with `n`, `signed` and
/// `nights`.
fn environment(summary: &Arc<JsonValue>, lang: Lang) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, style) in
        [("n", NumberStyle::Unsigned), ("signed", NumberStyle::Signed), ("nights", NumberStyle::Nights(lang))]
    {
        let summary = Arc::clone(summary);
        environment.add_function(name, move |pointer: &str| number(&summary, pointer, style));
    }
    environment
}

/// The summary's number at this JSON pointer, as HTML that names the pointer.
fn number(
    summary: &JsonValue,
    pointer: &str,
    style: NumberStyle,
) -> std::result::Result<Value, minijinja::Error> {
    let Some(JsonValue::Number(n)) = summary.pointer(pointer) else {
        let what = format!("the summary has no number at {pointer}");
        return Err(minijinja::Error::new(ErrorKind::UndefinedError, what));
    };
    let text = match (style, n.as_i64()) {
        (NumberStyle::Signed, Some(1..)) => format!("+{}", group_thousands(n)),
        (NumberStyle::Nights(lang), Some(0)) => texts::text(lang, "tonight").to_owned(),
        (NumberStyle::Nights(lang), Some(1)) => texts::text(lang, "night").to_owned(),
        (NumberStyle::Nights(lang), _) => group_thousands(n) + texts::text(lang, "nights"),
        (NumberStyle::Unsigned | NumberStyle::Signed, _) => group_thousands(n),
    };
    Ok(Value::from_safe_string(format!("<data value=\"{n}\" data-at=\"{pointer}\">{text}</data>")))
}
