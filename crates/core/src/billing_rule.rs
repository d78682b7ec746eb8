//! The rule by which the provider rounds calls up: found by trying which one gives the bill.
//!
//! No page of the provider says how it rounds. A bill has a sum for each day. So the calls' seconds
//! are summed under each possible rule, and a rule is kept if it gives the sum of every day.

use crate::decimal::Decimal;
use crate::merge::Merge;
use crate::tariff::Increments;

/// A way to round calls up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BillingRule {
    /// Each call to whole minutes.
    CallMinutes,
    /// Each call to units of 6 seconds.
    CallSixSeconds,
    /// Each call to units of 6 seconds, and to 30 seconds at least.
    CallThirtyThenSix,
    /// Not at all.
    Seconds,
    /// The sum of the day to whole minutes.
    DayMinutes,
}

impl BillingRule {
    /// Every rule.
    pub const ALL: [Self; 5] =
        [Self::CallMinutes, Self::CallSixSeconds, Self::CallThirtyThenSix, Self::Seconds, Self::DayMinutes];

    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallMinutes => "call_60_60",
            Self::CallSixSeconds => "call_6_6",
            Self::CallThirtyThenSix => "call_30_6",
            Self::Seconds => "seconds",
            Self::DayMinutes => "day_60",
        }
    }

    /// The seconds of the first increment and of a unit.
    fn increments(self) -> (u32, u32) {
        match self {
            Self::CallMinutes | Self::DayMinutes => (60, 60),
            Self::CallSixSeconds => (6, 6),
            Self::CallThirtyThenSix => (30, 6),
            Self::Seconds => (1, 1),
        }
    }

    /// The billed seconds of a call, or of the sum of a day.
    fn billed_s(self, seconds: i64) -> i128 {
        let (first, next) = self.increments();
        let units = Increments::new(first, next).ok().and_then(|increments| increments.units(seconds));
        i128::from(units.unwrap_or(0)) * i128::from(next)
    }
}

/// The talk time of a day's calls, under each rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundedSums {
    /// Not rounded.
    seconds: i128,
    /// Rounded up call by call, in the order of [`BillingRule::ALL`]. That of the day is not used.
    calls_s: [i128; BillingRule::ALL.len()],
}

impl RoundedSums {
    /// Adds a call, or a leg of one.
    pub fn add(&mut self, seconds: i64) {
        self.seconds += i128::from(seconds.max(0));
        for (sum, rule) in self.calls_s.iter_mut().zip(BillingRule::ALL) {
            *sum += rule.billed_s(seconds);
        }
    }

    /// The talk seconds.
    #[must_use]
    pub fn seconds(&self) -> i128 {
        self.seconds
    }

    /// The billed seconds of the day under a rule.
    #[must_use]
    pub fn billed_s(&self, rule: BillingRule) -> i128 {
        let by_call = BillingRule::ALL.into_iter().zip(self.calls_s);
        match rule {
            BillingRule::DayMinutes => (self.seconds + 59) / 60 * 60,
            _ => by_call.filter(|(own, _)| *own == rule).map(|(_, sum)| sum).sum(),
        }
    }
}

impl Merge for RoundedSums {
    fn merge(&mut self, other: Self) {
        let Self { seconds, calls_s } = other;
        self.seconds = self.seconds.saturating_add(seconds);
        self.calls_s.iter_mut().zip(calls_s).for_each(|(own, other)| *own = own.saturating_add(other));
    }
}

/// What a bill says of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BilledUse {
    /// Seconds of use.
    Seconds {
        /// The seconds.
        seconds: Decimal,
        /// Seconds by which the bill's figure may be rounded: one unit of its last place.
        step: Decimal,
    },
    /// An amount at a price for a unit of some seconds.
    Amount {
        /// The amount.
        amount: Decimal,
        /// The amount by which the bill's figure may be rounded.
        step: Decimal,
        /// The price of a unit; not zero.
        price: Decimal,
        /// Seconds of the unit.
        unit_s: u32,
    },
}

impl BilledUse {
    /// True if the rule gives this figure, up to half a second.
    #[must_use]
    pub fn is_given_by(&self, rule: BillingRule, sums: &RoundedSums) -> bool {
        self.exact().is_rounded_from(rule, sums)
    }

    /// The figure as if the bill did not round it.
    fn exact(self) -> Self {
        let step = Decimal::ZERO;
        match self {
            Self::Seconds { seconds, .. } => Self::Seconds { seconds, step },
            Self::Amount { amount, price, unit_s, .. } => Self::Amount { amount, step, price, unit_s },
        }
    }

    /// True if the rule gives this figure, up to half a second or half a step of the bill.
    #[must_use]
    pub fn is_rounded_from(&self, rule: BillingRule, sums: &RoundedSums) -> bool {
        let billed_s = sums.billed_s(rule);
        let second = Decimal::whole(1).millionths();
        match *self {
            Self::Seconds { seconds, step } => {
                let off = (seconds.millionths() - billed_s.saturating_mul(second)).abs();
                2 * off <= step.millionths().max(second)
            }
            Self::Amount { amount, step, price, unit_s } => {
                // Everything is multiplied by the tariff's unit, so that nothing is divided.
                let (price, unit_s) = (price.millionths(), i128::from(unit_s));
                let off = (amount.millionths() * unit_s).saturating_sub(billed_s.saturating_mul(price)).abs();
                2 * off <= (step.millionths() * unit_s).max(price)
            }
        }
    }
}

impl BilledUse {
    /// The seconds by which the figure differs from that of a rule, without the sign.
    fn seconds_off(&self, rule: BillingRule, sums: &RoundedSums) -> Decimal {
        let billed_s = sums.billed_s(rule);
        let second = Decimal::whole(1).millionths();
        let off = match *self {
            Self::Seconds { seconds, .. } => seconds.millionths() - billed_s.saturating_mul(second),
            Self::Amount { amount, price, unit_s, .. } => {
                let seconds = (amount.millionths() * i128::from(unit_s)).saturating_mul(second);
                seconds.checked_div(price.millionths()).unwrap_or(0) - billed_s.saturating_mul(second)
            }
        };
        Decimal::from_millionths(off).abs()
    }
}

/// The rule that comes closest to the bill of these days, and the seconds by which it differs, day
/// by day without the sign; `None` without a day, and if two rules come as close.
#[must_use]
pub fn closest(days: &[(BilledUse, RoundedSums)]) -> Option<(BillingRule, Decimal)> {
    let off = |rule: BillingRule| {
        days.iter().fold(Decimal::ZERO, |sum, (billed, sums)| sum.plus(billed.seconds_off(rule, sums)))
    };
    let mut rules = BillingRule::ALL.map(|rule| (rule, off(rule)));
    rules.sort_by_key(|(_, off)| *off);
    let [first, second, ..] = rules;
    (!days.is_empty() && first.1 < second.1).then_some(first)
}

/// Which rules give the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSearch {
    /// There is no day with calls, all of them answered, and with a bill.
    NoDays,
    /// Exactly this one.
    One(BillingRule),
    /// These do, and the days do not tell them apart.
    Several(Vec<BillingRule>),
    /// None does.
    None,
}

impl RuleSearch {
    /// Tries every rule on days: what was billed, and the sums of the calls. A rule that gives all
    /// figures as they are is preferred to one that gives them only rounded.
    #[must_use]
    pub fn over(days: &[(BilledUse, RoundedSums)]) -> Self {
        if days.is_empty() {
            return Self::NoDays;
        }
        let giving_all = |gives: fn(&BilledUse, BillingRule, &RoundedSums) -> bool| {
            let gives_all = |rule: &BillingRule| days.iter().all(|(billed, sums)| gives(billed, *rule, sums));
            BillingRule::ALL.into_iter().filter(gives_all).collect::<Vec<_>>()
        };
        let exact = giving_all(BilledUse::is_given_by);
        let found = if exact.is_empty() { giving_all(BilledUse::is_rounded_from) } else { exact };
        match found.as_slice() {
            [] => Self::None,
            [only] => Self::One(*only),
            _ => Self::Several(found),
        }
    }

    /// The word in the outputs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoDays => "no_days",
            Self::One(_) => "found",
            Self::Several(_) => "ambiguous",
            Self::None => "none",
        }
    }

    /// The rules that give the bill.
    #[must_use]
    pub fn rules(&self) -> Vec<BillingRule> {
        match self {
            Self::One(rule) => vec![*rule],
            Self::Several(rules) => rules.clone(),
            Self::NoDays | Self::None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(calls: &[i64]) -> RoundedSums {
        let mut sums = RoundedSums::default();
        calls.iter().for_each(|seconds| sums.add(*seconds));
        sums
    }

    fn whole_seconds(seconds: i64) -> BilledUse {
        BilledUse::Seconds { seconds: Decimal::whole(seconds), step: Decimal::whole(1) }
    }

    #[test]
    fn sums_by_hand() {
        let sums = sums(&[0, 1, 30, 61, 125]);
        let billed: Vec<i128> = BillingRule::ALL.into_iter().map(|rule| sums.billed_s(rule)).collect();
        assert_eq!(billed, [60 + 60 + 120 + 180, 6 + 30 + 66 + 126, 30 + 30 + 66 + 126, 217, 240]);
    }

    #[test]
    fn the_rule_that_gives_every_day_is_named() {
        let days = [[1, 30, 61, 125], [7, 8, 59, 200], [13, 44, 45, 3_601]];
        for rule in BillingRule::ALL {
            let by_use = days.map(|calls| {
                let sums = sums(&calls);
                let seconds = i64::try_from(sums.billed_s(rule)).unwrap_or_default();
                (whole_seconds(seconds), sums)
            });
            assert_eq!(RuleSearch::over(&by_use), RuleSearch::One(rule));
            // 0.06 a minute, billed in units of 6 seconds.
            let by_amount = days.map(|calls| {
                let sums = sums(&calls);
                let price = Decimal::from_millionths(6_000);
                let amount = Decimal::from_millionths(sums.billed_s(rule) * 1_000);
                (BilledUse::Amount { amount, step: Decimal::ZERO, price, unit_s: 6 }, sums)
            });
            assert_eq!(RuleSearch::over(&by_amount), RuleSearch::One(rule));
        }
    }

    #[test]
    fn what_the_days_do_not_tell_is_said() {
        let whole = sums(&[60, 120]);
        let billed = whole_seconds(180);
        assert_eq!(RuleSearch::over(&[(billed, whole)]), RuleSearch::Several(BillingRule::ALL.into()));
        let other = whole_seconds(900);
        assert_eq!(RuleSearch::over(&[(billed, whole), (other, whole)]), RuleSearch::None);
        assert_eq!(RuleSearch::over(&[]), RuleSearch::NoDays);
        assert_eq!(RuleSearch::NoDays.rules(), []);
    }

    #[test]
    fn an_exact_rule_is_preferred_to_a_rounded_one() {
        let sums = sums(&[61, 20, 121]);
        let billed =
            |seconds| BilledUse::Seconds { seconds: Decimal::whole(seconds), step: Decimal::whole(60) };
        assert_eq!(RuleSearch::over(&[(billed(240), sums)]), RuleSearch::One(BillingRule::DayMinutes));
        // No rule gives 3 minutes, but 202 seconds may be shown so.
        assert_eq!(RuleSearch::over(&[(billed(180), sums)]), RuleSearch::One(BillingRule::Seconds));
    }

    #[test]
    fn the_closest_rule_is_named_with_its_distance() {
        let sums = sums(&[61, 20, 121]);
        // 360 seconds by minutes; a call of a minute is missing in the ledger.
        assert_eq!(
            closest(&[(whole_seconds(420), sums)]),
            Some((BillingRule::CallMinutes, Decimal::whole(60)))
        );
        let price = Decimal::from_millionths(60_000);
        let amount = Decimal::from_millionths(420_000);
        let billed = BilledUse::Amount { amount, step: Decimal::ZERO, price, unit_s: 60 };
        assert_eq!(closest(&[(billed, sums)]), Some((BillingRule::CallMinutes, Decimal::whole(60))));
        assert_eq!(closest(&[]), None);
        assert_eq!(closest(&[(whole_seconds(60), RoundedSums::default())]), None, "all are as close");
    }

    #[test]
    fn a_bill_may_be_rounded() {
        let sums = sums(&[61]);
        let is_given = |millionths, step| {
            let billed = BilledUse::Seconds { seconds: Decimal::from_millionths(millionths), step };
            billed.is_rounded_from(BillingRule::Seconds, &sums)
        };
        assert!(is_given(60_500_000, Decimal::ZERO) && is_given(61_500_000, Decimal::ZERO));
        assert!(!is_given(60_499_999, Decimal::ZERO) && !is_given(61_500_001, Decimal::ZERO));
        // Minutes with one place.
        assert!(is_given(64_000_000, Decimal::whole(6)) && !is_given(64_000_001, Decimal::whole(6)));
        // 61 seconds at 0.055 for 6 seconds are 0.559167, which a bill shows as 0.56.
        let amount = |text, step| BilledUse::Amount {
            amount: Decimal::parse(text).unwrap_or_default(),
            step: Decimal::from_millionths(step),
            price: Decimal::from_millionths(55_000),
            unit_s: 6,
        };
        let is_given = |billed: BilledUse| billed.is_rounded_from(BillingRule::Seconds, &sums);
        assert!(is_given(amount("0.56", 10_000)) && is_given(amount("0.559167", 1)));
        assert!(!is_given(amount("0.57", 10_000)) && !is_given(amount("0.605", 1)));
    }

    proptest! {
        /// The rule that made the bill is always among those found.
        #[test]
        fn the_rule_of_the_bill_is_never_missed(
            days in prop::collection::vec(prop::collection::vec(0_i64..4_000, 1..30), 1..6),
            at in 0..BillingRule::ALL.len(),
        ) {
            let rule = BillingRule::ALL[at];
            let days: Vec<_> = days.iter().map(|calls| {
                let sums = sums(calls);
                let seconds = i64::try_from(sums.billed_s(rule)).unwrap_or_default();
                (whole_seconds(seconds), sums)
            }).collect();
            prop_assert!(RuleSearch::over(&days).rules().contains(&rule));
        }

        #[test]
        fn parts_of_a_day_add_up(calls in prop::collection::vec(0_i64..100_000, 0..40), cut in 0_usize..40) {
            let cut = cut.min(calls.len());
            let mut merged = sums(&calls[cut..]);
            merged.merge(sums(&calls[..cut]));
            prop_assert_eq!(merged, sums(&calls));
            // Rounding up never takes seconds away, and longer increments take more.
            let billed = BillingRule::ALL.map(|rule| merged.billed_s(rule));
            prop_assert!(billed[0] >= billed[1] && billed[2] >= billed[1] && billed[1] >= billed[3]);
            prop_assert!(billed[4] >= billed[3] && billed[0] >= billed[4]);
        }
    }
}
