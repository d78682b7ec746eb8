//! The report's five charts, from the figures of the summary.

use std::cmp::Reverse;

use super::svg::{Chart, DrawError, Timeline};
use super::texts;
use crate::output::summary::Summary;

/// The charts as SVG.
pub(super) struct Charts {
    pub(super) outcomes: String,
    pub(super) answer_rate: String,
    pub(super) talk_time: String,
    pub(super) timeline: String,
    pub(super) retries: String,
}

impl Charts {
    /// Draws all charts.
    pub(super) fn draw(summary: &Summary<'_>) -> Result<Self, DrawError> {
        let chart = |title: &str, description: &str| Chart {
            title: texts::text(summary.lang, title),
            description: texts::text(summary.lang, description),
        };
        let (rates, minutes) = (answer_rates(summary), talk_minutes(summary));
        let most_minutes = minutes.iter().copied().fold(1.0, f64::max);
        let retries = chart("retries", "retries_desc");
        Ok(Self {
            outcomes: chart("outcomes", "outcomes_desc").bars(&outcomes(summary))?,
            answer_rate: chart("rate", "rate_desc").hours(&rates, 100.0, "%")?,
            talk_time: chart("talk", "talk_desc").hours(&minutes, most_minutes, "")?,
            timeline: chart("timeline", "timeline_desc").timeline(&timeline(summary))?,
            retries: retries.bars(&summary.sending.tried_again)?,
        })
    }
}

/// Calls by outcome, the most frequent first.
fn outcomes(summary: &Summary<'_>) -> Vec<(String, u64)> {
    let outcomes = summary.figures.outcomes.iter();
    let mut outcomes: Vec<(String, u64)> =
        outcomes.map(|(outcome, n)| (outcome.as_str().to_owned(), *n)).collect();
    outcomes.sort_by_key(|(_, n)| Reverse(*n));
    outcomes
}

/// Share of answered calls by hour, in percent.
#[allow(clippy::cast_precision_loss, reason = "exact enough for a chart")]
fn answer_rates(summary: &Summary<'_>) -> Vec<f64> {
    let hours = summary.figures.hours.iter();
    hours.map(|hour| 100.0 * hour.answered as f64 / hour.calls.max(1) as f64).collect()
}

#[allow(clippy::cast_precision_loss, reason = "exact enough for a chart")]
fn talk_minutes(summary: &Summary<'_>) -> Vec<f64> {
    summary.figures.hours.iter().map(|hour| hour.talk_s as f64 / 60.0).collect()
}

#[allow(clippy::cast_precision_loss, reason = "exact enough for a chart")]
fn timeline<'a>(summary: &Summary<'a>) -> Timeline<'a> {
    let (cap, sending) = (summary.provenance.cap, summary.sending);
    Timeline {
        points: &sending.points,
        minutes_per_point: cap.window.as_secs_f64() / 60.0 * sending.windows_per_point.max(1) as f64,
        cap: u64::from(cap.requests.get()),
    }
}
