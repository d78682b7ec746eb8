//! Draws the report's charts as SVG. Owns plotters.
//!
//! Each colour here only marks a role. The page's style sheet replaces it with a colour for light
//! or dark screens, or for print.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use reconcile_core::traffic::SendingPoint;

use super::numbers::group_thousands;

/// Bars.
const BAR: RGBColor = RGBColor(0x2f, 0x6f, 0x9f);
/// The cap, and windows in which the provider throttled.
const WARN: RGBColor = RGBColor(0x9a, 0x4a, 0x00);
const GRID: RGBColor = RGBColor(0xdd, 0xe3, 0xe9);
const INK: RGBColor = RGBColor(0x1c, 0x27, 0x33);

/// CSS pixels at full size. The page may show a chart at half of it.
const WIDTH: u32 = 460;
const HEIGHT: u32 = 250;
const FONT_SIZE: u32 = 13;
/// Height of one horizontal bar.
const ROW_HEIGHT: u32 = 26;
/// Width of the names left of horizontal bars.
const NAME_WIDTH: u32 = 150;

/// A chart that could not be drawn.
pub(super) type DrawError = Box<dyn std::error::Error + Send + Sync>;

/// A chart with the texts that a screen reader reads.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// What the chart shows, in a sentence.
    pub(super) description: &'static str,
}

/// The requests in each window of the cap.
pub(super) struct Timeline<'a> {
    pub(super) points: &'a [SendingPoint],
    pub(super) minutes_per_point: f64,
    /// Requests that the cap allows in a window.
    pub(super) cap: u64,
}

/// The axes of a chart; both start at 0.
struct Axes<'a> {
    right: f64,
    top: f64,
    x_labels: usize,
    y_label: &'a dyn Fn(f64) -> String,
}

type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Chart {
    /// A horizontal bar for each name, from the top, with its number on the right.
    pub(super) fn bars(&self, values: &[(String, u64)]) -> Result<String, DrawError> {
        let rows = u32::try_from(values.len()).unwrap_or(1).max(1);
        let most = values.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
        self.svg(rows * ROW_HEIGHT + 8, |root| {
            let mut chart = ChartBuilder::on(root)
                .margin(4)
                .set_label_area_size(LabelAreaPosition::Left, NAME_WIDTH)
                .set_label_area_size(LabelAreaPosition::Right, 60)
                .build_cartesian_2d(0_f64..to_f64(most), f64::from(rows)..0_f64)
                .map_err(draw_error)?;
            for (row, (name, n)) in (0_u32..).zip(values) {
                let (top, right) = (f64::from(row), to_f64(*n));
                let bar = Rectangle::new([(0.0, top + 0.2), (right, top + 0.8)], BAR.filled());
                let label = |x: f64, text: String, x_offset: i32, anchor| {
                    EmptyElement::at((x, top + 0.5)) + Text::new(text, (x_offset, 0), font().pos(anchor))
                };
                let name = label(0.0, name.clone(), -8, Pos::new(HPos::Right, VPos::Center));
                let number = label(right, group_thousands(n), 6, Pos::new(HPos::Left, VPos::Center));
                chart.draw_series([bar]).map_err(draw_error)?;
                chart.draw_series([name]).map_err(draw_error)?;
                chart.draw_series([number]).map_err(draw_error)?;
            }
            Ok(())
        })
    }

    /// A bar for each hour of the day.
    pub(super) fn hours(&self, values: &[f64], top: f64, unit: &'static str) -> Result<String, DrawError> {
        let y_label = |value| format!("{}{unit}", axis_number(value));
        self.svg(HEIGHT, |root| {
            let mut chart = plot(root, &Axes { right: 24.0, top, x_labels: 8, y_label: &y_label })?;
            let bars = (0_u32..).zip(values).filter(|(_, value)| **value > 0.0).map(|(hour, value)| {
                Rectangle::new([(f64::from(hour) + 0.1, 0.0), (f64::from(hour) + 0.9, *value)], BAR.filled())
            });
            chart.draw_series(bars).map_err(draw_error)?;
            Ok(())
        })
    }

    /// A bar for each point, the cap as a line, and a dot where the provider throttled.
    pub(super) fn timeline(&self, timeline: &Timeline<'_>) -> Result<String, DrawError> {
        let Timeline { points, minutes_per_point: minutes, cap } = timeline;
        let end = points.last().map_or(1, |p| p.point + 1);
        let most = points.iter().map(|p| p.requests).max().unwrap_or(0).max(*cap);
        let (right, top) = (to_f64(end) * minutes, to_f64(most) * 1.15);
        let gap = 0.05 * minutes;
        self.svg(HEIGHT, |root| {
            let mut chart = plot(root, &Axes { right, top, x_labels: 6, y_label: &axis_number })?;
            let bars = points.iter().map(|p| {
                let left = to_f64(p.point) * minutes;
                let corners = [(left + gap, 0.0), (left + minutes - gap, to_f64(p.requests))];
                Rectangle::new(corners, BAR.filled())
            });
            chart.draw_series(bars).map_err(draw_error)?;
            let line = vec![(0.0, to_f64(*cap)), (right, to_f64(*cap))];
            chart.draw_series([PathElement::new(line, WARN.stroke_width(2))]).map_err(draw_error)?;
            let dots = points.iter().filter(|p| p.throttled > 0).map(|p| {
                Circle::new(((to_f64(p.point) + 0.5) * minutes, to_f64(p.requests)), 4, WARN.filled())
            });
            chart.draw_series(dots).map_err(draw_error)?;
            Ok(())
        })
    }

    /// Draws, and adds title and description where a screen reader finds them.
    fn svg(
        &self,
        height: u32,
        draw: impl FnOnce(&Root<'_>) -> Result<(), DrawError>,
    ) -> Result<String, DrawError> {
        let mut drawn = String::new();
        let root = SVGBackend::with_string(&mut drawn, (WIDTH, height)).into_drawing_area();
        draw(&root)?;
        root.present().map_err(draw_error)?;
        drop(root);
        let content = drawn.split_once('>').map_or("", |(_, content)| content);
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        Ok(format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title>{}</title><desc>{}</desc>{content}",
            escape(self.title),
            escape(self.description)
        ))
    }
}

fn plot<'a, 'b>(root: &'a Root<'b>, axes: &Axes<'_>) -> Result<Plot<'a, 'b>, DrawError> {
    let mut chart = ChartBuilder::on(root)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0_f64..axes.right, 0_f64..axes.top)
        .map_err(draw_error)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(font())
        .x_labels(axes.x_labels)
        .y_labels(6)
        .x_label_formatter(&|value| axis_number(*value))
        .y_label_formatter(&|value| (axes.y_label)(*value))
        .draw()
        .map_err(draw_error)?;
    Ok(chart)
}

fn font() -> TextStyle<'static> {
    ("sans-serif", FONT_SIZE).into_font().color(&INK)
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn draw_error<E: std::error::Error + Send + Sync>(e: DrawingAreaErrorKind<E>) -> DrawError {
    e.to_string().into()
}

#[allow(clippy::cast_precision_loss, reason = "the error is far smaller than a pixel")]
fn to_f64(n: u64) -> f64 {
    n as f64
}

/// A number at an axis, with at most one decimal.
fn axis_number(value: f64) -> String {
    if value.fract().abs() < 1e-9 { group_thousands(&format!("{value:.0}")) } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CHART: Chart = Chart { title: "a <title>", description: "a sentence" };

    fn timeline(points: &[SendingPoint], cap: u64) -> String {
        CHART.timeline(&Timeline { points, minutes_per_point: 1.0, cap }).unwrap()
    }

    fn marks(svg: &str, color: &str) -> usize {
        svg.matches(color).count()
    }

    #[test]
    fn every_value_has_a_mark_and_every_chart_its_texts() {
        let bars = CHART.bars(&[("answered".into(), 1_234), ("busy".into(), 0)]).unwrap();
        assert_eq!(marks(&bars, "#2F6F9F"), 2);
        assert!(
            bars.contains("1,234") && bars.contains("<title>a &lt;title></title><desc>a sentence</desc>"),
            "{bars}"
        );
        let mut hours = [0.0; 24];
        hours[9] = 50.0;
        assert_eq!(marks(&CHART.hours(&hours, 100.0, "%").unwrap(), "#2F6F9F"), 1);
        let points = [
            SendingPoint { point: 0, requests: 100, throttled: 0 },
            SendingPoint { point: 1, requests: 80, throttled: 3 },
        ];
        let timeline = timeline(&points, 100);
        assert_eq!((marks(&timeline, "#2F6F9F"), marks(&timeline, "#9A4A00")), (2, 2));
    }

    #[test]
    fn charts_without_values_can_be_drawn() {
        assert!(CHART.bars(&[]).unwrap().contains("</svg>"));
        assert!(CHART.hours(&[0.0; 24], 1.0, "").unwrap().contains("</svg>"));
        assert!(timeline(&[], 1).contains("</svg>"));
    }
}
