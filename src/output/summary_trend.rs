//! The part of the summary on the nights before this one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::summary_decisions::whole_or_float;
use reconcile_core::trend::{Night, Series, Trend, Usual};

/// A number by series; `None` if it is not known.
type BySeries<T> = BTreeMap<&'static str, Option<T>>;

/// The last nights, and what is usual.
#[derive(Serialize)]
pub(super) struct TrendJson<'a> {
    nights: Vec<NightJson<'a>>,
    median: BySeries<serde_json::Number>,
    usual: BySeries<RangeJson>,
    unusual: Vec<&'static str>,
}

/// A night.
#[derive(Serialize)]
struct NightJson<'a> {
    day: String,
    run_id: &'a str,
    complete: bool,
    #[serde(flatten)]
    values: BySeries<serde_json::Number>,
}

/// The usual range of a series.
#[derive(Serialize)]
struct RangeJson {
    low: serde_json::Number,
    high: serde_json::Number,
}

impl<'a> TrendJson<'a> {
    pub(super) fn new(trend: &'a Trend) -> Self {
        let usual = || trend.lines.iter().map(|line| (line.series.as_str(), line.usual));
        Self {
            nights: trend.nights.iter().map(NightJson::new).collect(),
            median: usual().map(|(name, it)| (name, it.map(|it| whole_or_float(it.median)))).collect(),
            usual: usual().map(|(name, it)| (name, it.map(RangeJson::new))).collect(),
            unusual: trend.unusual().map(|line| line.series.as_str()).collect(),
        }
    }
}

impl<'a> NightJson<'a> {
    fn new(night: &'a Night) -> Self {
        let value = |series: Series| (series.as_str(), night.value(series).map(whole_or_float));
        Self {
            day: night.day.to_string(),
            run_id: &night.run_id,
            complete: night.is_complete,
            values: Series::ALL.map(value).into(),
        }
    }
}

impl RangeJson {
    fn new(usual: Usual) -> Self {
        Self { low: whole_or_float(usual.low), high: whole_or_float(usual.high) }
    }
}
