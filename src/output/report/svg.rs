//! Draws the report's bars and columns as SVG. Pure.
//!
//! Colours come from the page's style sheet by class, for light and dark screens and for print. A
//! bar is only a picture: the number stands in the same row as text.

use super::numbers::group_thousands;

/// Units of a chart's view box; about a pixel at full size.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = 452.0;
/// The lines of the largest value and of zero.
const TOP: f64 = 24.0;
const BOTTOM: f64 = 165.0;
/// Width of a digit.
const DIGIT: f64 = 6.5;
/// Most labels of an axis besides 0.
const MOST_LABELS: u32 = 8;
/// Height of a number.
const LINE_HEIGHT: f64 = 14.0;

/// A part of a bar, in percent of its full length, with the class of its colour.
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A horizontal bar. A part that is not empty is wide enough to be seen.
pub(super) fn bar(parts: &[Part]) -> String {
    let rects: String = parts
        .iter()
        .map(|Part { class, from, to }| {
            let (left, right) = (from.min(*to).clamp(0.0, 100.0), from.max(*to).clamp(0.0, 100.0));
            let width = (right - left).max(0.6);
            let left = left.min(100.0 - width);
            format!("<rect class=\"{class}\" x=\"{left:.2}\" y=\"0\" width=\"{width:.2}\" height=\"10\"/>")
        })
        .collect();
    format!("<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{rects}</svg>")
}

/// A bar from zero; nothing for zero.
pub(super) fn bar_of(class: &'static str, value: u64, most: u64) -> String {
    let to = percent(value, most);
    let part = (value > 0).then_some(Part { class, from: 0.0, to });
    bar(&Vec::from_iter(part))
}

/// `value` in percent of `of`; 0 if that is 0.
pub(super) fn percent(value: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { 100.0 * to_f64(value) / to_f64(of) }
}

/// A column chart.
pub(super) struct Columns<'a> {
    /// What a screen reader reads: the title, and what the chart shows in a sentence.
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) columns: &'a [Column],
    /// The end of the horizontal axis; it begins at 0.
    pub(super) end: f64,
    /// A horizontal line with its text.
    pub(super) line: Option<(f64, String)>,
}

/// A column between two places of the horizontal axis.
pub(super) struct Column {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) value: f64,
    /// Whether it has a dot above it.
    pub(super) is_marked: bool,
}

impl Columns<'_> {
    /// The chart, from zero to its largest value.
    pub(super) fn svg(&self) -> String {
        let (title, description) = (escape(self.title), escape(self.description));
        let columns: String = self.columns.iter().map(|column| self.column(column)).collect();
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
             <title>{title}</title><desc>{description}</desc>\
             <line class=\"axis\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\"/>\
             {columns}{}{}</svg>",
            self.line(),
            self.axis_labels()
        )
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * at / self.end.max(f64::MIN_POSITIVE)
    }

    fn y(&self, value: f64) -> f64 {
        let line = self.line.as_ref().map_or(0.0, |(value, _)| *value);
        BOTTOM - (BOTTOM - TOP) * value / self.largest().max(line).max(f64::MIN_POSITIVE)
    }

    fn largest(&self) -> f64 {
        self.columns.iter().map(|column| column.value).fold(0.0, f64::max)
    }

    fn column(&self, column: &Column) -> String {
        let (left, right, top) = (self.x(column.from), self.x(column.to), self.y(column.value));
        let (middle, width, height) = (left.midpoint(right), (right - left) * 0.84, BOTTOM - top);
        let left = middle - width / 2.0;
        let rect = format!(
            "<rect class=\"mark\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
        if column.is_marked {
            let at = top - 6.0;
            return rect
                + &format!("<circle class=\"throttled\" cx=\"{middle:.1}\" cy=\"{at:.1}\" r=\"4\"/>");
        }
        let (number, at) = (short(column.value), top - 4.0);
        let fits = DIGIT * to_f64(number.len() as u64) <= width + 4.0;
        let is_at_line =
            self.line.as_ref().is_some_and(|(line, _)| (self.y(*line) - top).abs() < LINE_HEIGHT);
        if is_at_line || !(fits || self.is_largest(column)) {
            return rect;
        }
        rect + &format!(
            "<text class=\"value\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{at:.1}\">{number}</text>"
        )
    }

    /// Whether this is the first of the largest columns.
    fn is_largest(&self, column: &Column) -> bool {
        let largest = self.columns.iter().find(|column| column.value >= self.largest());
        largest.is_some_and(|largest| std::ptr::eq(largest, column))
    }

    fn line(&self) -> String {
        let Some((value, text)) = &self.line else { return String::new() };
        let (at, text) = (self.y(*value), escape(text));
        format!(
            "<line class=\"cap\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text text-anchor=\"end\" x=\"{RIGHT}\" y=\"{:.1}\">{text}</text>",
            at - 5.0
        )
    }

    fn axis_labels(&self) -> String {
        let step = step(self.end);
        let places = (0..=MOST_LABELS).map(|n| f64::from(n) * step).filter(|at| *at <= self.end);
        let label = |at: f64| {
            let x = self.x(at).clamp(14.0, 446.0);
            format!("<text text-anchor=\"middle\" x=\"{x:.1}\" y=\"182\">{}</text>", short(at))
        };
        places.map(label).collect()
    }
}

/// The distance of the labels of an axis: 1, 2, 3 or 5 times a power of ten.
fn step(end: f64) -> f64 {
    let mut power = 0.1;
    loop {
        for factor in [1.0, 2.0, 3.0, 5.0] {
            if end / (power * factor) <= f64::from(MOST_LABELS) {
                return power * factor;
            }
        }
        power *= 10.0;
    }
}

#[allow(clippy::cast_precision_loss, reason = "the error is far smaller than a pixel")]
pub(super) fn to_f64(n: u64) -> f64 {
    n as f64
}

/// A number without decimals from 10 on, else with at most one.
fn short(value: f64) -> String {
    let text = if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    group_thousands(&text.strip_suffix(".0").unwrap_or(&text))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(values: &[f64], line: Option<(f64, String)>) -> String {
        let columns: Vec<Column> = (0..)
            .map(f64::from)
            .zip(values)
            .map(|(from, value)| Column { from, to: from + 1.0, value: *value, is_marked: *value == 80.0 })
            .collect();
        let end = 24.0;
        Columns { title: "a <title>", description: "a sentence", columns: &columns, end, line }.svg()
    }

    #[test]
    fn every_column_has_a_mark_and_every_chart_its_texts() {
        let svg = columns(&[50.0, 2.5, 80.0], None);
        assert_eq!(svg.matches("class=\"mark\"").count(), 3);
        assert_eq!(svg.matches("class=\"throttled\"").count(), 1);
        assert!(svg.contains("<title>a &lt;title></title><desc>a sentence</desc>"), "{svg}");
        assert!(svg.contains(">50<") && svg.contains(">2.5<"), "{svg}");
        let many = columns(&[20_000.0; 24], None);
        assert_eq!(many.matches("class=\"value\"").count(), 1);
        assert!(columns(&[20.0], Some((100.0, "cap 100".into()))).contains(">cap 100<"));
    }

    #[test]
    fn charts_without_values_can_be_drawn() {
        assert!(columns(&[], None).contains("</svg>"));
        assert!(!columns(&[0.0; 24], None).contains("NaN"));
        let empty = Columns { title: "", description: "", columns: &[], end: 0.0, line: None };
        assert!(!empty.svg().contains("NaN"));
    }

    #[test]
    fn a_bar_stays_within_its_length_and_is_seen() {
        let down = bar(&[Part { class: "down", from: 100.0, to: 99.99 }]);
        assert!(down.contains("x=\"99.40\"") && down.contains("width=\"0.60\""), "{down}");
        assert!(!bar_of("rows", 0, 9).contains("rect"));
        assert!(bar_of("rows", 3, 4).contains("width=\"75.00\""));
    }

    #[test]
    fn an_axis_has_at_most_nine_labels() {
        assert_eq!(
            [step(0.0), step(0.5), step(24.0), step(90.0), step(1_440.0)],
            [0.1, 0.1, 3.0, 20.0, 200.0]
        );
    }
}
