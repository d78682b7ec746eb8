//! The report's three column charts, from the figures of the summary.

use super::svg::{Column, Columns, percent, to_f64};
use super::texts;
use crate::output::lang::Lang;
use crate::output::summary::Summary;

/// The charts as SVG. `None` where there is nothing to draw.
pub(super) struct Charts {
    pub(super) answer_rate: Option<String>,
    pub(super) talk_time: Option<String>,
    pub(super) timeline: Option<String>,
}

impl Charts {
    /// Draws all charts.
    pub(super) fn draw(summary: &Summary<'_>) -> Self {
        let hours = &summary.figures.hours;
        let has_calls = hours.iter().any(|hour| hour.calls > 0);
        let rates = hours.iter().map(|hour| percent(hour.answered, hour.calls));
        let minutes = hours.iter().map(|hour| seconds_as_minutes(hour.talk_s));
        let of_hours = |key, desc, values| has_calls.then(|| hourly(summary.lang, key, desc, values));
        Self {
            answer_rate: of_hours("rate", "rate_desc", rates.collect()),
            talk_time: of_hours("talk", "talk_desc", minutes.collect()),
            timeline: (!summary.sending.points.is_empty()).then(|| timeline(summary)),
        }
    }
}

/// A column for each hour of the day with a value.
fn hourly(lang: Lang, title: &str, description: &str, values: Vec<f64>) -> String {
    let hours = (0..).map(f64::from).zip(values).filter(|(_, value)| *value > 0.0);
    let column = |(from, value)| Column { from, to: from + 1.0, value, is_marked: false };
    Columns {
        title: texts::text(lang, title),
        description: texts::text(lang, description),
        columns: &Vec::from_iter(hours.map(column)),
        end: 24.0,
        line: None,
    }
    .svg()
}

/// A column for each window of the cap, in minutes since the first; the cap as a line, and a dot
/// where the provider throttled.
fn timeline(summary: &Summary<'_>) -> String {
    let (cap, sending) = (summary.provenance.cap, summary.sending);
    let minutes = cap.window.as_secs_f64() / 60.0 * to_f64(sending.windows_per_point.max(1));
    let columns: Vec<Column> = sending
        .points
        .iter()
        .map(|point| Column {
            from: to_f64(point.point) * minutes,
            to: to_f64(point.point + 1) * minutes,
            value: to_f64(point.requests),
            is_marked: point.throttled > 0,
        })
        .collect();
    let allowed = u64::from(cap.requests.get());
    let text = |key| texts::text(summary.lang, key);
    Columns {
        title: text("timeline"),
        description: text("timeline_desc"),
        columns: &columns,
        end: columns.last().map_or(1.0, |column| column.to),
        line: Some((to_f64(allowed), format!("{} {allowed}", text("cap")))),
    }
    .svg()
}

#[allow(clippy::cast_precision_loss, reason = "exact enough for a chart")]
fn seconds_as_minutes(seconds: i64) -> f64 {
    seconds.max(0) as f64 / 60.0
}
