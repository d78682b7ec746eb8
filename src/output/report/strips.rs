//! The trend as small charts, one for each series: a dot a night, the median as a line, and what is
//! usual as a band.

use serde::Serialize;

use super::svg::escape;
use super::texts;
use crate::output::lang::Lang;
use crate::texts as words;
use reconcile_core::trend::{Line, Trend};

/// Units of a chart's view box; about a pixel at full size.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 92.0;
/// The lines of the largest and the smallest value.
const TOP: f64 = 12.0;
const BOTTOM: f64 = 64.0;
/// The base line of the days.
const DAYS: f64 = 86.0;
/// The place of the last night.
const RIGHT: f64 = 350.0;
/// Widths of a Latin and of a Chinese character.
const LATIN: f64 = 7.0;
const HAN: f64 = 11.5;
/// From the text of a value to the first night.
const GAP: f64 = 14.0;

/// A series with its chart as SVG.
#[derive(Debug, Serialize)]
pub(super) struct Strip {
    /// Its key in the summary.
    code: &'static str,
    name: &'static str,
    /// Tonight's value; `None` if it does not count.
    tonight: Option<String>,
    usual: Option<String>,
    is_unusual: bool,
    chart: String,
}

/// The charts of a trend; none for a single night.
pub(super) fn strips(lang: Lang, trend: &Trend) -> Vec<Strip> {
    if trend.nights.len() < 2 {
        return Vec::new();
    }
    let charts = trend.lines.iter().map(|line| Chart::new(lang, trend, line));
    let charts: Vec<Chart<'_>> = charts.collect();
    // All charts have the same place for a day.
    let left = charts.iter().map(Chart::text_width).fold(0.0, f64::max) + GAP;
    let strip = |chart: &Chart<'_>| Strip {
        code: chart.line.series.as_str(),
        name: words::series_name(lang, chart.line.series),
        tonight: words::tonight_value(lang, chart.line),
        usual: words::usual_range(lang, chart.line),
        is_unusual: chart.line.is_unusual(),
        chart: chart.svg(left),
    };
    charts.iter().map(strip).collect()
}

/// A chart before it is drawn.
struct Chart<'a> {
    lang: Lang,
    trend: &'a Trend,
    line: &'a Line,
    /// The smallest and the largest value.
    ends: (f64, f64),
}

impl<'a> Chart<'a> {
    fn new(lang: Lang, trend: &'a Trend, line: &'a Line) -> Self {
        let usual = line.usual.into_iter().flat_map(|usual| [usual.low, usual.high]);
        let values = trend.nights.iter().filter_map(|night| night.value(line.series)).chain(usual);
        let ends = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        Self { lang, trend, line, ends: if ends.0 <= ends.1 { ends } else { (0.0, 0.0) } }
    }

    /// The texts of the largest and the smallest value; one if they are the same.
    fn end_texts(&self) -> Vec<(f64, String)> {
        let text = |value: f64| (value, words::trend_value(self.lang, self.line.series, value));
        let mut texts = vec![text(self.ends.1), text(self.ends.0)];
        texts.dedup_by(|a, b| a.1 == b.1);
        texts
    }

    fn text_width(&self) -> f64 {
        let width = |text: &str| text.chars().map(|c| if c.is_ascii() { LATIN } else { HAN }).sum();
        self.end_texts().iter().map(|(_, text)| width(text)).fold(0.0, f64::max)
    }

    /// The place of the night with this number, by its day.
    fn x(&self, left: f64, night: usize) -> f64 {
        let days = |at: usize| (self.trend.nights[at].day - self.trend.nights[0].day).num_days();
        #[allow(clippy::cast_precision_loss, reason = "exact enough for a chart")]
        let [at, last] = [days(night), days(self.trend.nights.len() - 1).max(1)].map(|days| days as f64);
        left + (RIGHT - left) * at / last
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.ends;
        if high > low { BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low) } else { TOP.midpoint(BOTTOM) }
    }

    fn svg(&self, left: f64) -> String {
        let name = words::series_name(self.lang, self.line.series);
        let (title, description) = (escape(name), escape(texts::text(self.lang, "trend_desc")));
        format!(
            "<svg class=\"strip\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
             <title>{title}</title><desc>{description}</desc>{}{}{}{}{}</svg>",
            self.usual(left),
            self.path(left),
            self.dots(left),
            self.values(left),
            self.days(left)
        )
    }

    /// The band of what is usual, and the median.
    fn usual(&self, left: f64) -> String {
        let Some(usual) = self.line.usual else { return String::new() };
        let (top, median) = (self.y(usual.high), self.y(usual.median));
        let (from, width) = (left - GAP / 2.0, WIDTH - left + GAP / 2.0);
        let height = (self.y(usual.low) - top).max(1.0);
        format!(
            "<rect class=\"band\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\
             <line class=\"median\" x1=\"{from:.1}\" x2=\"{WIDTH}\" y1=\"{median:.1}\" y2=\"{median:.1}\"/>"
        )
    }

    /// A line from night to night. It has a gap where the value does not count.
    fn path(&self, left: f64) -> String {
        let nights = self.trend.nights.iter().map(|night| night.value(self.line.series));
        let places: Vec<Option<(f64, f64)>> = nights
            .enumerate()
            .map(|(at, value)| value.map(|value| (self.x(left, at), self.y(value))))
            .collect();
        let lines = places.split(Option::is_none).filter(|part| part.len() > 1).map(|part| {
            let points = part.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}"));
            format!("<polyline points=\"{}\"/>", points.collect::<Vec<_>>().join(" "))
        });
        lines.collect()
    }

    fn dots(&self, left: f64) -> String {
        let last = self.trend.nights.len() - 1;
        let dots = self.trend.nights.iter().enumerate().filter_map(|(at, night)| {
            let (x, y) = (self.x(left, at), self.y(night.value(self.line.series)?));
            let (class, radius) = match at == last {
                true if self.line.is_unusual() => ("unusual", 5.5),
                true => ("tonight", 5.5),
                false => ("night", 2.2),
            };
            Some(format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"))
        });
        dots.collect()
    }

    fn values(&self, left: f64) -> String {
        let texts = self.end_texts().into_iter().map(|(value, text)| {
            let (x, y) = (left - GAP, self.y(value) + 4.0);
            format!("<text text-anchor=\"end\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(&text))
        });
        texts.collect()
    }

    /// The first and the last day.
    fn days(&self, left: f64) -> String {
        let [first, .., last] = self.trend.nights.as_slice() else { return String::new() };
        format!(
            "<text x=\"{:.1}\" y=\"{DAYS}\">{}</text><text text-anchor=\"end\" x=\"{WIDTH}\" y=\"{DAYS}\">{}</text>",
            left - GAP / 2.0,
            first.day,
            last.day
        )
    }
}
