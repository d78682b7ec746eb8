//! The report's charts as SVG. Owns plotters.
//!
//! Colours are marks that the page's style sheet turns into those of its light, dark or printed form.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Marks of values.
const BAR: RGBColor = RGBColor(0x2f, 0x6f, 0x9f);
/// The cap, and what was throttled.
const WARN: RGBColor = RGBColor(0x9a, 0x4a, 0x00);
const GRID: RGBColor = RGBColor(0xdd, 0xe3, 0xe9);
const INK: RGBColor = RGBColor(0x1c, 0x27, 0x33);

/// In CSS pixels, at full size; a chart shrinks to half of the page.
const WIDTH: u32 = 460;
const HEIGHT: u32 = 250;
const LETTERS: u32 = 13;
/// Of one horizontal bar.
const ROW: u32 = 26;
/// For the names left of horizontal bars.
const NAMES: u32 = 150;

/// A chart that could not be drawn.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A chart for people who see it and for those who do not.
pub(super) struct Chart {
    /// What it is called.
    pub(super) title: &'static str,
    /// What it shows, in a sentence.
    pub(super) desc: &'static str,
}

fn letters() -> TextStyle<'static> {
    ("sans-serif", LETTERS).into_font().color(&INK)
}

impl Chart {
    /// Draws, and puts title and description where a screen reader finds them.
    fn svg(
        &self,
        height: u32,
        draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Failure>,
    ) -> Result<String, Failure> {
        let mut text = String::new();
        let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&root)?;
        root.present().map_err(failed)?;
        drop(root);
        let marks = text.split_once('>').map_or("", |(_, marks)| marks);
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        Ok(format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title>{}</title><desc>{}</desc>{marks}",
            escape(self.title),
            escape(self.desc)
        ))
    }

    /// A horizontal bar for each name, in this order from the top, with its number behind it.
    pub(super) fn bars(&self, values: &[(String, u64)]) -> Result<String, Failure> {
        let rows = u32::try_from(values.len()).unwrap_or(1).max(1);
        let most = values.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
        self.svg(rows * ROW + 8, |root| {
            let mut chart = ChartBuilder::on(root)
                .margin(4)
                .set_label_area_size(LabelAreaPosition::Left, NAMES)
                .set_label_area_size(LabelAreaPosition::Right, 60)
                .build_cartesian_2d(0_f64..float(most), f64::from(rows)..0_f64)
                .map_err(failed)?;
            for (row, (name, n)) in (0_u32..).zip(values) {
                let (top, n_at) = (f64::from(row), float(*n));
                let bar = Rectangle::new([(0.0, top + 0.2), (n_at, top + 0.8)], BAR.filled());
                let beside = |at: f64, text: String, by: i32, pos| {
                    EmptyElement::at((at, top + 0.5)) + Text::new(text, (by, 0), letters().pos(pos))
                };
                let (left, right) = (Pos::new(HPos::Right, VPos::Center), Pos::new(HPos::Left, VPos::Center));
                chart.draw_series([bar]).map_err(failed)?;
                chart.draw_series([beside(0.0, name.clone(), -8, left)]).map_err(failed)?;
                chart.draw_series([beside(n_at, grouped(n), 6, right)]).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// A bar for each hour of the day.
    pub(super) fn hours(&self, values: &[f64], top: f64, unit: &'static str) -> Result<String, Failure> {
        self.svg(HEIGHT, |root| {
            let mut chart = axes(root, (24.0, 8), top, &|value| format!("{}{unit}", short(value)))?;
            let bars = (0_u32..).zip(values).filter(|(_, value)| **value > 0.0).map(|(hour, value)| {
                Rectangle::new([(f64::from(hour) + 0.1, 0.0), (f64::from(hour) + 0.9, *value)], BAR.filled())
            });
            chart.draw_series(bars).map_err(failed)?;
            Ok(())
        })
    }

    /// A bar for each point, the cap as a line above them, and a dot where the provider throttled. Points are
    /// (number, requests, throttled), `minutes` long each.
    pub(super) fn timeline(
        &self,
        points: &[(u64, u64, u64)],
        minutes: f64,
        cap: u64,
    ) -> Result<String, Failure> {
        let end = points.last().map_or(1, |(point, ..)| point + 1);
        let top = points.iter().map(|(_, requests, _)| *requests).max().unwrap_or(0).max(cap);
        self.svg(HEIGHT, |root| {
            let (right, top) = (float(end) * minutes, float(top) * 1.15);
            let mut chart = axes(root, (right, 6), top, &short)?;
            let gap = 0.05 * minutes;
            chart
                .draw_series(points.iter().map(|(point, requests, _)| {
                    let from = float(*point) * minutes;
                    Rectangle::new(
                        [(from + gap, 0.0), (from + minutes - gap, float(*requests))],
                        BAR.filled(),
                    )
                }))
                .map_err(failed)?;
            let line = vec![(0.0, float(cap)), (right, float(cap))];
            chart.draw_series([PathElement::new(line, WARN.stroke_width(2))]).map_err(failed)?;
            let dots = points.iter().filter(|(.., throttled)| *throttled > 0).map(|(point, requests, _)| {
                Circle::new(((float(*point) + 0.5) * minutes, float(*requests)), 4, WARN.filled())
            });
            chart.draw_series(dots).map_err(failed)?;
            Ok(())
        })
    }
}

type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Axes from 0 to the right end, with so many labels, and to the top.
fn axes<'a, 'b>(
    root: &'a DrawingArea<SVGBackend<'b>, Shift>,
    (right, labels): (f64, usize),
    top: f64,
    y_label: &dyn Fn(f64) -> String,
) -> Result<Axes<'a, 'b>, Failure> {
    let mut chart = ChartBuilder::on(root)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0_f64..right, 0_f64..top)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(letters())
        .x_labels(labels)
        .y_labels(6)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| y_label(*value))
        .draw()
        .map_err(failed)?;
    Ok(chart)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed<E: std::error::Error + Send + Sync>(e: DrawingAreaErrorKind<E>) -> Failure {
    e.to_string().into()
}

#[allow(clippy::cast_precision_loss, reason = "a pixel is worth far more than one in 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(n: &impl ToString) -> String {
    let text = n.to_string();
    let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
    let (whole, rest) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

/// A number at an axis.
fn short(value: f64) -> String {
    if value.fract().abs() < 1e-9 { grouped(&format!("{value:.0}")) } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CHART: Chart = Chart { title: "a <title>", desc: "a sentence" };

    fn marks(svg: &str, color: &str) -> usize {
        svg.matches(color).count()
    }

    #[test]
    fn every_value_has_its_mark_and_every_chart_its_words() {
        let bars = CHART.bars(&[("answered".into(), 1_234), ("busy".into(), 0)]).unwrap();
        assert_eq!(marks(&bars, "#2F6F9F"), 2);
        assert!(
            bars.contains("1,234") && bars.contains("<title>a &lt;title></title><desc>a sentence</desc>"),
            "{bars}"
        );
        let mut hours = [0.0; 24];
        hours[9] = 50.0;
        assert_eq!(marks(&CHART.hours(&hours, 100.0, "%").unwrap(), "#2F6F9F"), 1);
        let timeline = CHART.timeline(&[(0, 100, 0), (1, 80, 3)], 1.0, 100).unwrap();
        assert_eq!((marks(&timeline, "#2F6F9F"), marks(&timeline, "#9A4A00")), (2, 2));
    }

    #[test]
    fn a_chart_of_nothing_is_no_crash() {
        assert!(CHART.bars(&[]).unwrap().contains("</svg>"));
        assert!(CHART.hours(&[0.0; 24], 1.0, "").unwrap().contains("</svg>"));
        assert!(CHART.timeline(&[], 1.0, 1).unwrap().contains("</svg>"));
    }

    #[test]
    fn thousands_are_parted() {
        for (n, text) in [("7", "7"), ("1000", "1,000"), ("-1234567", "-1,234,567"), ("1234.5", "1,234.5")] {
            assert_eq!(grouped(&n), text);
        }
    }
}
