//! Whether a night is as the nights before it were.
//!
//! Six series are looked at. For each, the usual range is that of the earlier nights: their median
//! ± 3 × (1 + 5/n) robust standard deviations (1.4826 × the median absolute deviation) of the n
//! earlier nights, because few nights say little; and at least their span without the highest and
//! the lowest tenth. So a few odd nights neither widen the range nor move
//! it, and nights that are regularly different, such as weekends, are usual. The range also has a
//! least width, so that tiny changes of a constant series are usual.

use chrono::NaiveDate;

/// Nights that a trend has at most, the one that ends it included.
pub const NIGHTS: usize = 30;
/// With fewer earlier values nothing is usual or unusual.
pub const LEAST_EARLIER: usize = 7;
/// Makes the median absolute deviation of normal values their standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Half the width of the usual range in deviations, for very many earlier nights.
const DEVIATIONS: f64 = 3.0;
/// With so many earlier nights the range is twice as wide. About 3 in 100 ordinary values are
/// outside of it after 7 nights, and 1 in 200 after 29.
const TWICE_AT: f64 = 5.0;
/// One in so many earlier nights may be odd at each end, and always one.
const ODD_ONE_IN: usize = 10;

/// What is looked at from night to night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// Calls of the ledger.
    Calls,
    /// Calls on which ledger and provider agree, in percent of the calls.
    AgreePercent,
    /// Calls that differ, in percent of the calls.
    DifferPercent,
    /// Calls that are missing at the provider, in percent of the calls.
    MissingPercent,
    /// Talk seconds at stake.
    AtStakeS,
    /// Seconds from the start of the night's longest run to its end.
    DurationS,
}

impl Series {
    /// All series, in the order of the outputs.
    pub const ALL: [Self; 6] = [
        Self::Calls,
        Self::AgreePercent,
        Self::DifferPercent,
        Self::MissingPercent,
        Self::AtStakeS,
        Self::DurationS,
    ];

    /// The key in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::AgreePercent => "agree_percent",
            Self::DifferPercent => "differ_percent",
            Self::MissingPercent => "missing_percent",
            Self::AtStakeS => "at_stake_s",
            Self::DurationS => "duration_s",
        }
    }

    /// Whether the values are percentages.
    #[must_use]
    pub fn is_percent(self) -> bool {
        matches!(self, Self::AgreePercent | Self::DifferPercent | Self::MissingPercent)
    }

    /// Half the least width of the usual range: a tenth of the median and 10 calls, or 60 seconds;
    /// for percentages 0.2 points, and 3 of tonight's calls.
    fn least(self, median: f64, calls_tonight: Option<f64>) -> f64 {
        let three_calls = calls_tonight.filter(|calls| *calls > 0.0).map_or(0.0, |calls| 300.0 / calls);
        match self {
            Self::Calls => (median / 10.0).max(10.0),
            Self::AtStakeS | Self::DurationS => (median / 10.0).max(60.0),
            Self::AgreePercent | Self::DifferPercent | Self::MissingPercent => three_calls.max(0.2),
        }
    }

    /// A value as the outputs have it: percentages with two decimals, all others whole.
    fn rounded(self, value: f64, to_whole: fn(f64) -> f64) -> f64 {
        // A bound such as 0.4 must not become 0.41 because it is stored as 0.4000…02.
        const TINY: f64 = 1e-7;
        let scale = if self.is_percent() { 100.0 } else { 1.0 };
        let scaled = value * scale;
        let nearest = scaled.round();
        let whole = if (scaled - nearest).abs() < TINY { nearest } else { to_whole(scaled) };
        whole / scale
    }
}

/// What is kept of a night. A number is `None` if it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NightFigures {
    /// Calls of the ledger.
    pub calls: Option<u64>,
    /// Calls on which ledger and provider agree.
    pub agree: Option<u64>,
    /// Calls that were found, and in which something differs.
    pub differ: Option<u64>,
    /// Calls that were found, and in which nothing could be compared.
    pub not_compared: Option<u64>,
    /// Calls without a record of the provider.
    pub missing: Option<u64>,
    /// Calls without an answer yet.
    pub waiting: Option<u64>,
    /// Calls whose lookup failed.
    pub failed: Option<u64>,
    /// Unusable rows of the ledger.
    pub unusable_rows: Option<u64>,
    /// Talk seconds at stake.
    pub at_stake_s: Option<u64>,
    /// Seconds from the start of the night's longest run to its end.
    pub duration_s: Option<u64>,
    /// Requests of the last process.
    pub requests: Option<u64>,
}

/// A night: the newest run on one day over the ledger of one series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Night {
    /// The day of the first run over its ledger, in UTC+8.
    pub day: NaiveDate,
    /// The newest run.
    pub run_id: String,
    /// Whether every call had its answer.
    pub is_complete: bool,
    /// Its numbers.
    pub figures: NightFigures,
}

impl Night {
    /// The value of a series. Of an incomplete night only the calls count: its other numbers say
    /// where it stopped.
    #[must_use]
    pub fn value(&self, series: Series) -> Option<f64> {
        let figures = &self.figures;
        let value = match series {
            Series::Calls => return figures.calls.map(to_f64),
            Series::AgreePercent => percent(figures.agree, figures.calls),
            Series::DifferPercent => percent(figures.differ, figures.calls),
            Series::MissingPercent => percent(figures.missing, figures.calls),
            Series::AtStakeS => figures.at_stake_s.map(to_f64),
            Series::DurationS => figures.duration_s.map(to_f64),
        };
        value.filter(|_| self.is_complete).map(|value| series.rounded(value, f64::round))
    }
}

fn percent(part: Option<u64>, of: Option<u64>) -> Option<f64> {
    let (part, of) = (to_f64(part?), to_f64(of?));
    (of > 0.0).then(|| 100.0 * part / of)
}

#[allow(clippy::cast_precision_loss, reason = "no ledger has so many calls or seconds")]
fn to_f64(n: u64) -> f64 {
    n as f64
}

/// The usual values of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The median of the earlier nights.
    pub median: f64,
    /// The lowest usual value.
    pub low: f64,
    /// The highest usual value.
    pub high: f64,
}

impl Usual {
    /// The usual range of these values; `None` if fewer than [`LEAST_EARLIER`] are numbers.
    /// `least` is half the least width of the range, for a median.
    #[must_use]
    pub fn of(values: &[f64], least: impl FnOnce(f64) -> f64) -> Option<Self> {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        if values.len() < LEAST_EARLIER {
            return None;
        }
        let median = median(&mut values);
        let mut deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
        let deviation = MAD_TO_DEVIATION * self::median(&mut deviations);
        let for_few = 1.0 + TWICE_AT / to_f64(values.len() as u64);
        let half_width = (DEVIATIONS * for_few * deviation).max(least(median));
        let odd = (values.len() / ODD_ONE_IN).max(1);
        let low = (median - half_width).min(values[odd]);
        let high = (median + half_width).max(values[values.len() - 1 - odd]);
        Some(Self { median, low, high })
    }

    /// Whether a value is usual.
    #[must_use]
    pub fn has(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Sorts the values and returns their median. There is at least one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { values[middle - 1].midpoint(values[middle]) }
}

/// A series of a trend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// What it is.
    pub series: Series,
    /// Tonight's value; `None` if it does not count or is not known.
    pub tonight: Option<f64>,
    /// What is usual; `None` if there are too few earlier nights.
    pub usual: Option<Usual>,
}

impl Line {
    /// Whether tonight's value is outside the usual range.
    #[must_use]
    pub fn is_unusual(&self) -> bool {
        self.tonight.zip(self.usual).is_some_and(|(tonight, usual)| !usual.has(tonight))
    }
}

/// The last nights of a ledger, and what is usual.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// At most [`NIGHTS`] nights, the newest last. The last one is tonight's.
    pub nights: Vec<Night>,
    /// Each series, in the order of [`Series::ALL`].
    pub lines: [Line; 6],
}

impl Trend {
    /// The trend that ends with `tonight`. Of `others`, only the nights before it count; they have
    /// one night a day at most.
    #[must_use]
    pub fn new(others: Vec<Night>, tonight: Night) -> Self {
        let mut nights: Vec<Night> = others.into_iter().filter(|night| night.day < tonight.day).collect();
        nights.sort_by_key(|night| night.day);
        nights.drain(..nights.len().saturating_sub(NIGHTS - 1));
        let calls = tonight.value(Series::Calls);
        let lines = Series::ALL.map(|series| {
            let earlier: Vec<f64> = nights.iter().filter_map(|night| night.value(series)).collect();
            let usual = Usual::of(&earlier, |median| series.least(median, calls));
            Line { series, tonight: tonight.value(series), usual: usual.map(|usual| limited(series, usual)) }
        });
        nights.push(tonight);
        Self { nights, lines }
    }

    /// The series with an unusual value tonight.
    pub fn unusual(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.is_unusual())
    }
}

/// The range within what the series can have, rounded outwards as the outputs have it.
fn limited(series: Series, usual: Usual) -> Usual {
    let most = if series.is_percent() { 100.0 } else { f64::MAX };
    Usual {
        median: series.rounded(usual.median, f64::round),
        low: series.rounded(usual.low.clamp(0.0, most), f64::floor),
        high: series.rounded(usual.high.clamp(0.0, most), f64::ceil),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn day(n: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 9, 1).unwrap() + chrono::TimeDelta::days(n)
    }

    /// A complete night of 1,000 calls, so many of which are missing.
    fn night(n: i64, missing: u64) -> Night {
        let figures = NightFigures {
            calls: Some(1_000),
            agree: Some(1_000 - missing),
            differ: Some(0),
            missing: Some(missing),
            at_stake_s: Some(missing * 30),
            duration_s: Some(600),
            ..NightFigures::default()
        };
        Night { day: day(n), run_id: format!("run-{n}"), is_complete: true, figures }
    }

    fn trend(earlier: &[u64], tonight: u64) -> Trend {
        let nights = (0..).zip(earlier).map(|(n, missing)| night(n, *missing)).collect();
        Trend::new(nights, night(1_000, tonight))
    }

    fn unusual(trend: &Trend) -> Vec<&'static str> {
        trend.unusual().map(|line| line.series.as_str()).collect()
    }

    fn missing(trend: &Trend) -> Usual {
        trend.lines[3].usual.unwrap()
    }

    #[test]
    fn a_night_far_from_the_others_is_unusual() {
        let earlier = [8, 9, 4, 12, 7, 8, 10];
        assert_eq!(unusual(&trend(&earlier, 81)), ["agree_percent", "missing_percent", "at_stake_s"]);
        assert_eq!(unusual(&trend(&earlier, 12)), [""; 0]);
        // The median absolute deviation is 0.1 points: 0.8 ± 3 × (1 + 5/7) × 1.4826 × 0.1.
        assert_eq!(missing(&trend(&earlier, 0)), Usual { median: 0.8, low: 0.03, high: 1.57 });
        assert_eq!(unusual(&trend(&earlier, 0)), ["agree_percent", "missing_percent", "at_stake_s"]);
    }

    #[test]
    fn six_earlier_nights_are_too_few() {
        let few = trend(&[0; 6], 900);
        assert!(few.lines.iter().all(|line| line.usual.is_none() && !line.is_unusual()));
        assert_eq!(unusual(&trend(&[0; 7], 900)), ["agree_percent", "missing_percent", "at_stake_s"]);
    }

    #[test]
    fn tiny_changes_of_a_constant_series_are_usual() {
        assert_eq!(unusual(&trend(&[10; 20], 12)), [""; 0]);
        assert_eq!(unusual(&trend(&[10; 20], 14)), ["agree_percent", "missing_percent", "at_stake_s"]);
        let usual = |series: Series, value: f64| Usual::of(&[value; 9], |m| series.least(m, None)).unwrap();
        assert_eq!(usual(Series::Calls, 50.0), Usual { median: 50.0, low: 40.0, high: 60.0 });
        assert_eq!(usual(Series::Calls, 42_000.0), Usual { median: 42e3, low: 37_800.0, high: 46_200.0 });
        assert_eq!(usual(Series::DurationS, 60.0), Usual { median: 60.0, low: 0.0, high: 120.0 });
        // One of 20 calls is no event, although it is 5 percent.
        let of_20 = |n, missing| {
            let figures = NightFigures { calls: Some(20), missing: Some(missing), ..night(n, 0).figures };
            Night { figures, ..night(n, 0) }
        };
        let small = Trend::new((0..9).map(|n| of_20(n, 0)).collect(), of_20(99, 3));
        assert!(!small.lines[3].is_unusual(), "{:?}", small.lines[3]);
    }

    #[test]
    fn ordinary_nights_are_seldom_unusual() {
        // Sums of twelve evenly distributed numbers, which are nearly normal.
        let mut state = 7_u64;
        let mut even = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            to_f64(state >> 11) / to_f64(1 << 53)
        };
        let mut value = || (0..12).map(|_| even()).sum::<f64>();
        let mut odd_of_a_thousand = |earlier: usize| {
            let mut is_odd = || {
                let values: Vec<f64> = (0..earlier).map(|_| value()).collect();
                !Usual::of(&values, |_| 0.0).unwrap().has(value())
            };
            (0..20_000).filter(|_| is_odd()).count() / 20
        };
        let odd = [7, 14, 29].map(&mut odd_of_a_thousand);
        assert!(odd[0] <= 35 && odd[1] <= 13 && (1..=7).contains(&odd[2]), "{odd:?}");
    }

    #[test]
    fn weekends_are_usual_after_a_week() {
        let calls = |n: i64| if n % 7 >= 5 { 300 } else { 1_000 };
        let of = |n: i64| {
            let figures = NightFigures { calls: Some(calls(n)), ..night(n, 0).figures };
            Night { figures, ..night(n, 0) }
        };
        for n in 7..60 {
            let trend = Trend::new((0..n).map(of).collect(), of(n));
            assert!(!trend.lines[0].is_unusual(), "day {n}: {:?}", trend.lines[0]);
        }
    }

    #[test]
    fn of_an_incomplete_night_only_the_calls_count() {
        let cut = |n| Night { is_complete: false, ..night(n, 500) };
        let values = Series::ALL.map(|series| cut(1).value(series));
        assert_eq!(values, [Some(1_000.0), None, None, None, None, None]);
        // Six complete nights are too few, however many others there are.
        let nights = (0..6).map(|n| night(n, 8)).chain((6..20).map(cut)).collect();
        let trend = Trend::new(nights, night(99, 900));
        assert_eq!(unusual(&trend), [""; 0]);
        assert!(trend.lines[0].usual.is_some() && trend.lines[3].usual.is_none());
    }

    #[test]
    fn only_the_29_nights_before_tonight_are_compared() {
        let nights = (0..60).rev().map(|n| night(n, 8)).collect();
        let trend = Trend::new(nights, night(40, 8));
        assert_eq!((trend.nights.len(), trend.nights[0].day), (30, day(11)));
        assert_eq!(trend.nights[29].day, day(40));
        assert_eq!(trend.nights.iter().filter(|night| night.day == day(40)).count(), 1);
    }

    #[test]
    fn figures_with_other_keys_can_be_read() {
        let read = |json| serde_json::from_str::<NightFigures>(json);
        let some = read(r#"{"calls": 7, "later": {"a": [1]}, "missing": null}"#).unwrap();
        assert_eq!(some, NightFigures { calls: Some(7), ..NightFigures::default() });
        let unknown = Night { figures: NightFigures::default(), ..night(1, 0) };
        assert!(Series::ALL.iter().all(|series| unknown.value(*series).is_none()));
        let no_calls = NightFigures { calls: Some(0), missing: Some(0), ..NightFigures::default() };
        let no_calls = Night { figures: no_calls, ..night(1, 0) };
        assert_eq!(no_calls.value(Series::MissingPercent), None);
    }

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::MAX), Just(f64::MIN), Just(0.0), Just(-0.0)]
    }

    proptest! {
        #[test]
        fn no_values_make_it_panic(values in vec(any_number(), 0..40), least in any_number()) {
            let finite = values.iter().filter(|value| value.is_finite()).count();
            let usual = Usual::of(&values, |_| least);
            prop_assert_eq!(usual.is_some(), finite >= LEAST_EARLIER);
            if let Some(usual) = usual {
                prop_assert!(usual.has(usual.median) && usual.low <= usual.high);
            }
        }

        #[test]
        fn a_few_odd_nights_change_little(
            values in vec(90.0..110.0, 18..27),
            odd in vec(prop_oneof![Just(1e9), Just(-1e9), 1e3..1e6], 1..=2),
        ) {
            let all: Vec<f64> = values.iter().copied().chain(odd.iter().copied()).collect();
            let usual = Usual::of(&all, |_| 1.0).unwrap();
            // A median absolute deviation of values within 20 is at most 20.
            prop_assert!((90.0..110.0).contains(&usual.median));
            prop_assert!(usual.low > 0.0 && usual.high < 200.0, "{usual:?}");
            prop_assert!(odd.iter().all(|odd| !usual.has(*odd)));
        }

        #[test]
        fn any_figures_give_a_trend(
            nights in vec((0_i64..90, any::<u64>(), any::<[Option<u64>; 6]>(), any::<bool>()), 0..70)
        ) {
            let any_night = |(n, _, of, is_complete): (i64, u64, [Option<u64>; 6], bool)| {
                let [calls, agree, differ, missing, at_stake_s, duration_s] = of;
                let figures = NightFigures {
                    calls, agree, differ, missing, at_stake_s, duration_s, ..NightFigures::default()
                };
                Night { day: day(n), run_id: String::new(), is_complete, figures }
            };
            let trend = Trend::new(nights.into_iter().map(any_night).collect(), night(60, 1));
            prop_assert!((1..=NIGHTS).contains(&trend.nights.len()));
            for line in trend.lines {
                if let Some(usual) = line.usual {
                    prop_assert!(usual.low >= 0.0 && usual.high.is_finite(), "{line:?}");
                    prop_assert!(!line.series.is_percent() || usual.high <= 100.0 || usual.median > 100.0);
                }
            }
        }
    }
}
