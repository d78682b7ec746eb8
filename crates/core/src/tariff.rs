//! The tariff of a product: what a call of some seconds costs.
//!
//! A tariff such as "60+60" bills in increments: the first seconds of a call together, and then
//! each further increment that has begun. The price is that of one unit, and a unit has `next`
//! seconds. So the first increment counts `first` / `next` units, which must be a whole number.
//!
//! | contract | `first` | `next` | `price` | units of 1 s | 60 s | 61 s |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 0.055 a begun minute | 60 | 60 | 0.055 | 1 | 1 | 2 |
//! | 0.0055 for 6 seconds | 6 | 6 | 0.0055 | 1 | 10 | 11 |
//! | the same, 30 seconds at least | 30 | 6 | 0.0055 | 5 | 10 | 11 |
//!
//! A call of 0 seconds has 0 units. A call has an amount of at most six places, because its price
//! has: so nothing is ever rounded.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;

use crate::decimal::Decimal;
use crate::detail::CallDetail;
use crate::ledger_row::Expected;
use crate::product::ProductId;

/// Longest increment: a day.
const LONGEST: u32 = 86_400;

/// How the seconds of a call are rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Increments {
    first: u32,
    next: u32,
}

/// The durations of a call that are billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Legs {
    /// The talk time.
    #[default]
    One,
    /// The caller's time and the callee's, each rounded up: click-to-dial.
    Two,
}

/// What a product costs from one day to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// How seconds are rounded up.
    pub increments: Increments,
    /// The price of a unit.
    pub price: Decimal,
    /// ISO 4217, such as `CNY`.
    pub currency: CompactString,
    /// What is billed.
    pub legs: Legs,
    /// Its first day; `None` if it always held.
    pub from: Option<NaiveDate>,
    /// Its last day; `None` if it holds until the next tariff.
    pub to: Option<NaiveDate>,
}

/// What is charged for a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// Units of `next` seconds.
    pub units: i64,
    /// Units times the price.
    pub amount: Decimal,
}

/// Why a tariff cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffProblem {
    /// An increment is no number of seconds that can be billed.
    #[error("`{0}` must be from 1 to {LONGEST} seconds")]
    Increment(&'static str),
    /// The first increment is not a whole number of units.
    #[error("`first` = {first} is no multiple of `next` = {next}, which is the unit that `price` is for")]
    NoMultiple {
        /// Seconds of the first increment.
        first: u32,
        /// Seconds of the further ones.
        next: u32,
    },
    /// The price is below zero.
    #[error("`price` is negative")]
    NegativePrice,
    /// The currency is no code.
    #[error("`currency` must be a code of three capital letters, such as CNY")]
    Currency,
    /// The last day is before the first.
    #[error("it ends on {to}, before it begins on {from}")]
    Backwards {
        /// The first day.
        from: NaiveDate,
        /// The last day.
        to: NaiveDate,
    },
    /// Two tariffs of a product hold on the same day.
    #[error("two of its tariffs hold on {0}")]
    Overlap(NaiveDate),
    /// Two tariffs of a product have no first day.
    #[error("two of its tariffs have no `from`")]
    TwoWithoutStart,
}

impl Increments {
    /// Increments in seconds.
    ///
    /// # Errors
    ///
    /// One of them is 0 or too long, or the first is no multiple of the next.
    pub fn new(first: u32, next: u32) -> Result<Self, TariffProblem> {
        for (name, seconds) in [("first", first), ("next", next)] {
            if !(1..=LONGEST).contains(&seconds) {
                return Err(TariffProblem::Increment(name));
            }
        }
        if first.is_multiple_of(next) {
            Ok(Self { first, next })
        } else {
            Err(TariffProblem::NoMultiple { first, next })
        }
    }

    /// Seconds of the first increment.
    #[must_use]
    pub fn first(self) -> u32 {
        self.first
    }

    /// Seconds of a unit.
    #[must_use]
    pub fn next(self) -> u32 {
        self.next
    }

    /// The units of a call of some seconds; `None` for a negative number.
    #[must_use]
    pub fn units(self, seconds: i64) -> Option<i64> {
        let (first, next) = (i64::from(self.first), i64::from(self.next));
        match seconds {
            ..0 => None,
            0 => Some(0),
            _ => {
                let after_first = seconds.saturating_sub(first).max(0);
                Some(first / next + after_first / next + i64::from(after_first % next > 0))
            }
        }
    }
}

impl Tariff {
    /// Checks the values.
    ///
    /// # Errors
    ///
    /// A value cannot be used.
    pub fn checked(self) -> Result<Self, TariffProblem> {
        let is_code = self.currency.len() == 3 && self.currency.bytes().all(|b| b.is_ascii_uppercase());
        match (self.from, self.to) {
            _ if self.price < Decimal::ZERO => Err(TariffProblem::NegativePrice),
            _ if !is_code => Err(TariffProblem::Currency),
            (Some(from), Some(to)) if to < from => Err(TariffProblem::Backwards { from, to }),
            _ => Ok(self),
        }
    }

    /// The charge for some seconds of one leg; `None` if they are negative, or the amount fits no
    /// column.
    #[must_use]
    pub fn charge(&self, seconds: i64) -> Option<Charge> {
        let units = self.increments.units(seconds)?;
        Some(Charge { units, amount: self.price.times(units)? })
    }

    /// The charge for a call as the provider's record has it; `None` if the record lacks a time.
    ///
    /// The seconds decide, also where the record's state contradicts them. A call without seconds
    /// costs nothing if it was not answered.
    #[must_use]
    pub fn of_record(&self, detail: &CallDetail) -> Option<Charge> {
        let seconds = billed_seconds(detail, self.legs)?;
        seconds.into_iter().map(|seconds| self.charge(seconds)).try_fold(Charge::default(), |sum, leg| {
            let Charge { units, amount } = leg?;
            Some(Charge { units: sum.units.checked_add(units)?, amount: sum.amount.plus(amount) })
        })
    }

    /// The charge for a call as the ledger has it; `None` if the ledger does not give its seconds.
    /// A ledger has one duration, so calls of two legs have no charge.
    #[must_use]
    pub fn of_ledger(&self, expected: &Expected) -> Option<Charge> {
        if self.legs == Legs::Two {
            return None;
        }
        let unanswered = || expected.answered.filter(|answered| !answered).map(|_| 0);
        self.charge(expected.duration_s.or_else(unanswered)?)
    }
}

/// The seconds of each leg that is billed; `None` if the record lacks a time. With one leg the
/// second number is 0.
///
/// The caller's leg is from `startDate` to `aEndTime`, the callee's from `bStartTime` to
/// `bEndTime`.
#[must_use]
pub fn billed_seconds(detail: &CallDetail, legs: Legs) -> Option<[i64; 2]> {
    let span = |from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>| Some((to? - from?).num_seconds());
    let is_unanswered =
        detail.answered == Some(false) && detail.duration_s.is_none_or(|seconds| seconds == 0);
    match legs {
        Legs::One if is_unanswered => Some([0, 0]),
        Legs::One => Some([detail.duration_s?, 0]),
        Legs::Two if is_unanswered && detail.started_at.is_none() => Some([0, 0]),
        Legs::Two => {
            Some([span(detail.started_at, detail.a_end_at)?, span(detail.b_start_at, detail.b_end_at)?])
        }
    }
}

/// The tariffs of all products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tariffs(BTreeMap<ProductId, Vec<Tariff>>);

impl Tariffs {
    /// Adds the tariffs of a product.
    ///
    /// # Errors
    ///
    /// Two of them hold on the same day.
    pub fn add(&mut self, product: ProductId, mut tariffs: Vec<Tariff>) -> Result<(), TariffProblem> {
        tariffs.sort_by_key(|tariff| tariff.from);
        for pair in tariffs.windows(2) {
            let [earlier, later] = pair else { continue };
            let Some(from) = later.from else { return Err(TariffProblem::TwoWithoutStart) };
            if earlier.from == Some(from) || earlier.to.is_some_and(|to| to >= from) {
                return Err(TariffProblem::Overlap(from));
            }
        }
        self.0.insert(product, tariffs);
        Ok(())
    }

    /// True without any tariff.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tariff of a product on a day; `None` if there is none.
    #[must_use]
    pub fn on(&self, product: ProductId, day: NaiveDate) -> Option<&Tariff> {
        let begun =
            self.0.get(&product)?.iter().rev().find(|tariff| tariff.from.is_none_or(|from| from <= day))?;
        begun.to.is_none_or(|to| day <= to).then_some(begun)
    }

    /// Every product with its tariffs, in the order of their days.
    pub fn iter(&self) -> impl Iterator<Item = (ProductId, &[Tariff])> {
        self.0.iter().map(|(product, tariffs)| (*product, tariffs.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::normalize::normalize;
    use crate::quick_parse;
    use proptest::prelude::*;

    fn tariff(first: u32, next: u32, price: &str) -> Tariff {
        Tariff {
            increments: Increments::new(first, next).unwrap(),
            price: Decimal::parse(price).unwrap(),
            currency: "CNY".into(),
            legs: Legs::One,
            from: None,
            to: None,
        }
    }

    fn from_to(from: Option<&str>, to: Option<&str>) -> Tariff {
        let day = |text: &str| quick_parse::day(text).unwrap();
        Tariff { from: from.map(day), to: to.map(day), ..tariff(60, 60, "0.055") }
    }

    #[test]
    fn units_and_amounts_of_the_table_above() {
        for (first, next, price, rows) in [
            (
                60,
                60,
                "0.055",
                [(0, 0, "0"), (1, 1, "0.055"), (60, 1, "0.055"), (61, 2, "0.11"), (120, 2, "0.11")],
            ),
            (
                6,
                6,
                "0.0055",
                [(0, 0, "0"), (1, 1, "0.0055"), (6, 1, "0.0055"), (60, 10, "0.055"), (61, 11, "0.0605")],
            ),
            (
                30,
                6,
                "0.0055",
                [
                    (1, 5, "0.0275"),
                    (30, 5, "0.0275"),
                    (31, 6, "0.033"),
                    (60, 10, "0.055"),
                    (61, 11, "0.0605"),
                ],
            ),
            (
                1,
                1,
                "0.001",
                [(0, 0, "0"), (1, 1, "0.001"), (59, 59, "0.059"), (60, 60, "0.06"), (3_600, 3_600, "3.6")],
            ),
        ] {
            let tariff = tariff(first, next, price);
            for (seconds, units, amount) in rows {
                let amount = Decimal::parse(amount).unwrap();
                assert_eq!(
                    tariff.charge(seconds),
                    Some(Charge { units, amount }),
                    "{first}+{next}: {seconds} s"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_billed_is_refused() {
        assert_eq!(Increments::new(0, 60), Err(TariffProblem::Increment("first")));
        assert_eq!(Increments::new(60, 86_401), Err(TariffProblem::Increment("next")));
        assert_eq!(Increments::new(30, 60), Err(TariffProblem::NoMultiple { first: 30, next: 60 }));
        assert_eq!(tariff(60, 60, "-1").checked(), Err(TariffProblem::NegativePrice));
        let yuan = Tariff { currency: "元".into(), ..tariff(60, 60, "1") };
        assert_eq!(yuan.checked(), Err(TariffProblem::Currency));
        let backwards = from_to(Some("2026-02-01"), Some("2026-01-31")).checked();
        assert!(matches!(backwards, Err(TariffProblem::Backwards { .. })));
        assert_eq!(tariff(60, 60, "1").charge(-1), None);
        assert_eq!(tariff(1, 1, "999999999999").charge(2), None, "the amount fits no column");
        assert_eq!(tariff(1, 1, "0").charge(i64::MAX).unwrap().units, i64::MAX);
    }

    #[test]
    fn a_tariff_holds_until_the_next_one_begins() {
        let product = ProductId(7);
        let mut tariffs = Tariffs::default();
        let last = Tariff { price: Decimal::whole(9), ..from_to(Some("2026-06-01"), None) };
        tariffs
            .add(product, vec![last, from_to(None, None), from_to(Some("2026-01-01"), Some("2026-03-31"))])
            .unwrap();
        let price = |day: &str| {
            let tariff = tariffs.on(product, quick_parse::day(day).unwrap());
            tariff.map(|tariff| tariff.price.short())
        };
        assert_eq!(price("2025-12-31").as_deref(), Some("0.055"));
        assert_eq!(price("2026-03-31").as_deref(), Some("0.055"));
        assert_eq!(price("2026-04-01"), None, "a gap");
        assert_eq!(price("2026-06-01").as_deref(), Some("9.00"));
        assert_eq!(tariffs.on(ProductId(8), quick_parse::day("2026-06-01").unwrap()), None);
    }

    #[test]
    fn tariffs_of_the_same_day_are_refused() {
        let add = |list: Vec<Tariff>| Tariffs::default().add(ProductId(7), list);
        let day = |text: &str| quick_parse::day(text).unwrap();
        assert_eq!(add(vec![from_to(None, None), from_to(None, None)]), Err(TariffProblem::TwoWithoutStart));
        let until = from_to(Some("2026-01-01"), Some("2026-03-01"));
        let second = from_to(Some("2026-03-01"), None);
        assert_eq!(add(vec![second.clone(), until]), Err(TariffProblem::Overlap(day("2026-03-01"))));
        assert_eq!(add(vec![second.clone(), second]), Err(TariffProblem::Overlap(day("2026-03-01"))));
    }

    #[test]
    fn the_seconds_of_a_record_decide() {
        let tariff = tariff(60, 60, "0.055");
        let units = |data: &str| tariff.of_record(&normalize(data).unwrap()).map(|charge| charge.units);
        assert_eq!(units(r#"{"state":"200000","duration":61}"#), Some(2));
        assert_eq!(units(r#"{"state":"200003"}"#), Some(0), "not answered");
        assert_eq!(units(r#"{"state":"200003","duration":10}"#), Some(1), "it contradicts itself");
        assert_eq!(units(r#"{"state":"200000"}"#), None, "answered, without a duration");
        let expected = |duration_s, answered| Expected { duration_s, answered, ..Expected::default() };
        let units = |expected: Expected| tariff.of_ledger(&expected).map(|charge| charge.units);
        assert_eq!(units(expected(Some(61), None)), Some(2));
        assert_eq!(units(expected(None, Some(false))), Some(0));
        assert_eq!(units(expected(None, Some(true))), None);
        assert_eq!(units(expected(None, None)), None);
    }

    #[test]
    fn two_legs_are_rounded_up_one_by_one() {
        let two = Tariff { legs: Legs::Two, ..tariff(60, 60, "0.05") };
        let record = r#"{"state":"200000","duration":30,"startDate":"2026-11-16 10:00:00",
            "aEndTime":"2026-11-16 10:01:01","bStartTime":"2026-11-16 10:00:30","bEndTime":"2026-11-16 10:01:00"}"#;
        let charge = |data: &str| two.of_record(&normalize(data).unwrap());
        assert_eq!(charge(record), Some(Charge { units: 3, amount: Decimal::parse("0.15").unwrap() }));
        for name in ["startDate", "aEndTime", "bStartTime", "bEndTime"] {
            assert_eq!(charge(&record.replace(name, "other")), None, "{name}");
        }
        assert_eq!(charge(r#"{"state":"200002","duration":0}"#), Some(Charge::default()));
        assert_eq!(two.of_ledger(&Expected { duration_s: Some(9), ..Expected::default() }), None);
    }

    fn increments() -> impl Strategy<Value = Increments> {
        (1_u32..120, 1_u32..40).prop_map(|(next, times)| Increments::new(next * times, next).unwrap())
    }

    proptest! {
        #[test]
        fn longer_calls_never_have_fewer_units(increments in increments(), a in 0_i64..100_000, b in 0_i64..100_000) {
            let (less, more) = (increments.units(a.min(b)), increments.units(a.max(b)));
            prop_assert!(less <= more);
        }

        /// The billed seconds are the smallest possible that are not fewer than the call's.
        #[test]
        fn billed_seconds_cover_the_call_and_no_whole_unit_more(increments in increments(), seconds in 1_i64..100_000) {
            let (first, next) = (i64::from(increments.first()), i64::from(increments.next()));
            let billed = increments.units(seconds).unwrap() * next;
            prop_assert!(billed >= seconds && billed >= first);
            prop_assert!(billed == first || billed - seconds < next);
        }

        #[test]
        fn whole_increments_add_up(increments in increments(), whole in 0_i64..1_000, rest in 1_i64..100_000) {
            let next = i64::from(increments.next());
            let rest = rest.max(i64::from(increments.first()));
            let units = |seconds| increments.units(seconds).unwrap();
            prop_assert_eq!(units(rest + whole * next), units(rest) + whole);
        }

        #[test]
        fn an_amount_is_its_units_times_the_price(millionths in 0_i128..10_000_000, seconds in 0_i64..100_000) {
            let tariff = Tariff { price: Decimal::from_millionths(millionths), ..tariff(30, 6, "0") };
            let Charge { units, amount } = tariff.charge(seconds).unwrap();
            prop_assert_eq!(amount.millionths(), i128::from(units) * millionths);
            let summed = (0..units).fold(Decimal::ZERO, |sum, _| sum.plus(tariff.price));
            prop_assert_eq!(amount, summed);
        }
    }
}
