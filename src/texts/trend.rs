//! The sentence on what is unusual tonight, and the values of a trend.

use std::time::Duration;

use super::causes::span;
use crate::output::lang::Lang;
use crate::words::{count, whole_seconds};
use reconcile_core::trend::{Line, Series, Trend, Usual};

/// From this duration on, seconds are left out.
const HOUR_S: u64 = 3_600;
/// Most decimals of a percentage.
const MOST_DECIMALS: usize = 2;

/// What is unusual tonight, with what is usual; `None` if nothing is. Agreement is named only if
/// neither a missing nor a differing share says why it changed.
#[must_use]
pub fn unusual(lang: Lang, trend: &Trend) -> Option<String> {
    let lines = trend.unusual().filter_map(|line| Some((line.series, line.tonight?, line.usual?)));
    let mut lines: Vec<_> = lines.collect();
    let says_why = |series| matches!(series, Series::MissingPercent | Series::DifferPercent);
    if lines.iter().any(|(series, ..)| says_why(*series)) {
        lines.retain(|(series, ..)| *series != Series::AgreePercent);
    }
    lines.sort_by_key(|(series, ..)| named_at(*series));
    let parts = lines.into_iter().map(|(series, tonight, usual)| part(lang, series, tonight, usual));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| match lang {
        Lang::En => format!("unusual: {}", parts.join("; ")),
        Lang::Zh => format!("异于往日：{}", parts.join("；")),
    })
}

/// The worst first.
fn named_at(series: Series) -> usize {
    let order = [Series::MissingPercent, Series::DifferPercent, Series::AtStakeS];
    order.iter().position(|first| *first == series).unwrap_or(order.len())
}

fn part(lang: Lang, series: Series, tonight: f64, usual: Usual) -> String {
    let decimals = distinct_decimals(tonight, usual);
    let value = with_unit(lang, series, &value(lang, series, tonight, decimals));
    let usual = range(lang, series, usual, decimals);
    match lang {
        Lang::En => format!("{value}, usually {usual}"),
        Lang::Zh => format!("{value}（往日 {usual}）"),
    }
}

/// What is usual for a series: `usually 0.4% to 1.2%`; `None` if too few nights are known.
#[must_use]
pub fn usual_range(lang: Lang, line: &Line) -> Option<String> {
    let usual = line.usual?;
    let decimals = line.tonight.map_or(1, |tonight| distinct_decimals(tonight, usual));
    let range = range(lang, line.series, usual, decimals);
    Some(match lang {
        Lang::En => format!("usually {range}"),
        Lang::Zh => format!("往日 {range}"),
    })
}

/// Tonight's value of a series; `None` if it does not count.
#[must_use]
pub fn tonight_value(lang: Lang, line: &Line) -> Option<String> {
    let decimals = line.usual.zip(line.tonight).map_or(1, |(usual, it)| distinct_decimals(it, usual));
    Some(value(lang, line.series, line.tonight?, decimals))
}

/// The name of a series.
#[must_use]
pub fn series_name(lang: Lang, series: Series) -> &'static str {
    match series {
        Series::Calls => lang.choose("Calls", "通话数"),
        Series::AgreePercent => lang.choose("Agree", "一致"),
        Series::DifferPercent => lang.choose("Differ", "有差异"),
        Series::MissingPercent => lang.choose("Missing at the provider", "服务商无记录"),
        Series::AtStakeS => lang.choose("Seconds at stake", "涉及秒数"),
        Series::DurationS => lang.choose("Duration of the run", "运行用时"),
    }
}

/// A value of a series, as short as possible.
#[must_use]
pub fn trend_value(lang: Lang, series: Series, value: f64) -> String {
    self::value(lang, series, value, 1)
}

fn with_unit(lang: Lang, series: Series, value: &str) -> String {
    match (lang, series) {
        (Lang::En, Series::Calls) => format!("{value} calls"),
        (Lang::En, Series::AgreePercent) => format!("{value} agree"),
        (Lang::En, Series::DifferPercent) => format!("{value} differ"),
        (Lang::En, Series::MissingPercent) => format!("{value} missing"),
        (Lang::En, Series::AtStakeS) => format!("{value} seconds at stake"),
        (Lang::En, Series::DurationS) => format!("took {value}"),
        (Lang::Zh, Series::Calls) => format!("通话 {value} 通"),
        (Lang::Zh, Series::AtStakeS) => format!("涉及 {value} 秒"),
        (Lang::Zh, Series::DurationS) => format!("用时 {value}"),
        (Lang::Zh, share) => format!("{} {value}", series_name(lang, share)),
    }
}

fn range(lang: Lang, series: Series, usual: Usual, decimals: usize) -> String {
    let [low, high] = [usual.low, usual.high].map(|end| value(lang, series, end, decimals));
    match lang {
        _ if low == high => low,
        Lang::En => format!("{low} to {high}"),
        Lang::Zh => format!("{low} 至 {high}"),
    }
}

fn value(lang: Lang, series: Series, value: f64, decimals: usize) -> String {
    if series.is_percent() {
        return format!("{}%", decimal(value, decimals));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, from 0 up")]
    let whole = value as u64;
    if series != Series::DurationS {
        return count(whole);
    }
    let shown = if whole < HOUR_S { whole } else { whole.saturating_add(30) / 60 * 60 };
    let shown = Duration::from_secs(shown);
    if lang == Lang::En { whole_seconds(shown) } else { span(shown) }
}

/// The number without zeros at its end.
fn decimal(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches(['0']).trim_end_matches('.').to_owned() } else { text }
}

/// As few decimals as tell tonight's percentage from the ends of the usual range.
fn distinct_decimals(tonight: f64, usual: Usual) -> usize {
    let tells = |decimals: &usize| {
        let ends = [usual.low, usual.high].map(|end| decimal(end, *decimals));
        usual.has(tonight) || !ends.contains(&decimal(tonight, *decimals))
    };
    (1..MOST_DECIMALS).find(tells).unwrap_or(MOST_DECIMALS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::texts::checks::assert_translated;
    use chrono::NaiveDate;
    use reconcile_core::trend::{Night, NightFigures};

    /// A trend with these unusual values.
    fn trend(of: &[(Series, f64, f64, f64)]) -> Trend {
        let (day, run_id) = (NaiveDate::default(), String::new());
        let night = Night { day, run_id, is_complete: true, figures: NightFigures::default() };
        let mut trend = Trend::new(Vec::new(), night);
        for line in &mut trend.lines {
            let found = of.iter().find(|(series, ..)| *series == line.series);
            if let Some((_, tonight, low, high)) = found {
                line.tonight = Some(*tonight);
                line.usual = Some(Usual { median: *low, low: *low, high: *high });
            }
        }
        trend
    }

    #[test]
    fn an_unusual_night_is_named_with_what_is_usual() {
        let shares = [(Series::AgreePercent, 90.2, 97.0, 99.0), (Series::MissingPercent, 8.1, 0.4, 1.2)];
        assert_eq!(
            unusual(Lang::En, &trend(&shares)).unwrap(),
            "unusual: 8.1% missing, usually 0.4% to 1.2%"
        );
        assert_eq!(
            unusual(Lang::Zh, &trend(&shares)).unwrap(),
            "异于往日：服务商无记录 8.1%（往日 0.4% 至 1.2%）"
        );
        assert_eq!(
            unusual(Lang::En, &trend(&shares[..1])).unwrap(),
            "unusual: 90.2% agree, usually 97% to 99%"
        );
        assert_eq!(unusual(Lang::En, &trend(&[(Series::Calls, 5.0, 4.0, 9.0)])), None);
    }

    #[test]
    fn damaged_figures_make_no_text_panic() {
        for all in [0.0, 1e19, f64::MAX] {
            let values = Series::ALL.map(|series| (series, all, 1.0, 2.0));
            for lang in [Lang::En, Lang::Zh] {
                assert!(unusual(lang, &trend(&values)).is_some_and(|text| text.len() < 3_000), "{all}");
            }
        }
    }

    #[test]
    fn every_series_is_named_in_both_languages() {
        let all = [
            (Series::Calls, 12_000.0, 40_000.0, 44_000.0),
            (Series::AgreePercent, 0.0, 97.0, 99.0),
            (Series::DifferPercent, 0.04, 0.0, 0.02),
            (Series::MissingPercent, 1.24, 0.4, 1.21),
            (Series::AtStakeS, 5_123.0, 100.0, 100.0),
            (Series::DurationS, 32_460.0, 59.0, 25_205.0),
        ];
        assert_eq!(
            unusual(Lang::En, &trend(&all)).unwrap(),
            "unusual: 1.24% missing, usually 0.4% to 1.21%; 0.04% differ, usually 0% to 0.02%; 5123 seconds at \
             stake, usually 100; 12000 calls, usually 40000 to 44000; took 9h 1m, usually 59s to 7h"
        );
        for one in all {
            let trend = trend(&[one]);
            assert_translated(&unusual(Lang::En, &trend).unwrap(), &unusual(Lang::Zh, &trend).unwrap(), &[]);
            let line = trend.lines.iter().find(|line| line.series == one.0).unwrap();
            let [en, zh] = [Lang::En, Lang::Zh].map(|lang| usual_range(lang, line).unwrap());
            assert_translated(&en, &zh, &[]);
            assert_translated(series_name(Lang::En, one.0), series_name(Lang::Zh, one.0), &[]);
            assert!(
                tonight_value(Lang::En, line)
                    .is_some_and(|text| en.ends_with(|c: char| c != ' ') && !text.is_empty())
            );
        }
    }
}
