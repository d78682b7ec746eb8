//! The bridge: the steps from the ledger's talk time to the provider's.
//!
//! The seconds of the first step and of all steps between add up to those of the last one. A value
//! that a row does not give, or that cannot be read, counts as 0 seconds.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::ser::SerializeSeq as _;

use crate::ledger_row::InvalidRow;
use crate::merge::Merge;
use crate::status::{Lookup, Status};

/// One step: how many calls (or rows) it concerns, and the seconds that it adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Calls; for the ledger's total, unusable rows and duplicates: rows.
    pub calls: u64,
    /// Seconds; negative if the step takes them away.
    seconds: i128,
}

impl Amount {
    fn add(&mut self, seconds: i64) {
        self.calls += 1;
        self.seconds += i128::from(seconds);
    }

    /// The exact sum, which may be one of millionths of money.
    pub(crate) fn sum(&self) -> i128 {
        self.seconds
    }

    /// Seconds; negative if the step takes them away. Sums beyond the range of `i64` become its
    /// limits.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        i64::try_from(self.seconds).unwrap_or(if self.seconds < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Merge for Amount {
    fn merge(&mut self, other: Self) {
        let Self { calls, seconds } = other;
        self.calls.merge(calls);
        self.seconds = self.seconds.saturating_add(seconds);
    }
}

/// A step, by its place in [`STEPS`].
#[derive(Debug, Clone, Copy)]
enum Step {
    LedgerTotal,
    UnusableRows,
    Duplicates,
    Missing,
    Waiting,
    Failed,
    NoLedgerValue,
    NoProviderValue,
    DifferencesUp,
    DifferencesDown,
    MissingInLedger,
    ProviderTotal,
}

/// The names of the steps in the outputs, in their order. The first one is the ledger's total, the
/// last one the provider's.
const STEPS: [&str; 12] = [
    "ledger_total",
    "unusable_rows",
    "duplicates",
    "missing",
    "waiting",
    "failed",
    "no_ledger_value",
    "no_provider_value",
    "differences_up",
    "differences_down",
    "missing_in_ledger",
    "provider_total",
];

/// The steps from the ledger's talk time to the provider's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridge([Amount; STEPS.len()]);

impl Bridge {
    /// Each step with its name in the outputs, in their order.
    #[must_use]
    pub fn steps(&self) -> [(&'static str, Amount); 12] {
        std::array::from_fn(|at| (STEPS[at], self.0[at]))
    }

    fn step(&mut self, step: Step) -> &mut Amount {
        &mut self.0[step as usize]
    }

    /// Counts an unusable row.
    pub fn add_unusable_row(&mut self, row: &InvalidRow) {
        let seconds = row.duration_s.unwrap_or(0);
        self.step(Step::LedgerTotal).add(seconds);
        self.step(Step::UnusableRows).add(-seconds);
    }

    /// Counts a later row of a call, with its own talk seconds.
    pub fn add_later_row(&mut self, duration_s: Option<i64>) {
        let seconds = duration_s.unwrap_or(0);
        self.step(Step::LedgerTotal).add(seconds);
        self.step(Step::Duplicates).add(-seconds);
    }

    /// Counts a call that the ledger lacks, with the provider's talk seconds or amount.
    pub fn add_missing_in_ledger(&mut self, provider: Option<i64>) {
        let provider = provider.unwrap_or(0);
        self.step(Step::MissingInLedger).add(provider);
        self.step(Step::ProviderTotal).add(provider);
    }

    /// Counts a call. `own_s` are the talk seconds of its first row, `expected_s` those that count:
    /// the first row may lack them and a later row give them.
    pub fn add_call(&mut self, own_s: Option<i64>, expected_s: Option<i64>, lookup: &Lookup) {
        let provider_s = lookup.detail.as_ref().and_then(|detail| detail.duration_s);
        self.add_values(own_s, expected_s, lookup.status, provider_s);
    }

    /// The same with the provider's value of a found call. The values may be amounts of money, in
    /// millionths.
    pub(crate) fn add_values(
        &mut self,
        own: Option<i64>,
        expected: Option<i64>,
        status: Status,
        provider: Option<i64>,
    ) {
        let (own, counting) = (own.unwrap_or(0), expected.unwrap_or(0));
        self.step(Step::LedgerTotal).add(own);
        // These seconds of a later row count, so they are no duplicate.
        self.step(Step::Duplicates).seconds += i128::from(counting) - i128::from(own);
        match status {
            Status::NotFound => self.step(Step::Missing).add(-counting),
            Status::Pending | Status::Deferred => self.step(Step::Waiting).add(-counting),
            Status::Failed => self.step(Step::Failed).add(-counting),
            Status::Found => self.add_found(expected, provider),
        }
    }

    fn add_found(&mut self, expected_s: Option<i64>, provider_s: Option<i64>) {
        self.step(Step::ProviderTotal).add(provider_s.unwrap_or(0));
        match (expected_s, provider_s) {
            (None, Some(provider)) => self.step(Step::NoLedgerValue).add(provider),
            (Some(expected), None) => self.step(Step::NoProviderValue).add(-expected),
            (Some(expected), Some(provider)) if provider > expected => {
                self.step(Step::DifferencesUp).add(provider.saturating_sub(expected));
            }
            (Some(expected), Some(provider)) if provider < expected => {
                self.step(Step::DifferencesDown).add(provider.saturating_sub(expected));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}

impl Merge for Bridge {
    fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}

/// A step in the outputs.
#[derive(serde::Serialize, serde::Deserialize)]
struct StepCounts<'a> {
    step: Cow<'a, str>,
    calls: u64,
    seconds: i64,
}

/// A list of `{step, calls, seconds}`.
impl serde::Serialize for Bridge {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let steps = self.steps();
        let mut list = serializer.serialize_seq(Some(steps.len()))?;
        for (step, amount) in steps {
            let seconds = amount.seconds();
            list.serialize_element(&StepCounts { step: step.into(), calls: amount.calls, seconds })?;
        }
        list.end()
    }
}

/// Reads the same list.
impl<'de> serde::Deserialize<'de> for Bridge {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let steps = Vec::<StepCounts<'_>>::deserialize(deserializer)?;
        if !steps.iter().map(|step| &*step.step).eq(STEPS) {
            return Err(D::Error::custom("not the steps of a bridge"));
        }
        let amounts = steps.iter().map(|step| Amount { calls: step.calls, seconds: step.seconds.into() });
        Ok(Self(amounts.collect::<Vec<_>>().try_into().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::normalize;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    fn lookup(status: Status, provider_s: Option<i64>) -> Lookup {
        let data = provider_s.map_or_else(
            || r#"{"state":"200000"}"#.to_owned(),
            |seconds| format!(r#"{{"state":"200000","duration":{seconds}}}"#),
        );
        let has_record = status == Status::Found;
        let detail = if has_record { normalize(&data).ok() } else { None };
        Lookup { status, detail, ..Lookup::deferred(NaiveDate::default(), 1) }
    }

    fn step(bridge: &Bridge, name: &str) -> (u64, i64) {
        let steps = bridge.steps();
        let found = steps.iter().find(|(step, _)| *step == name);
        found.map_or((0, 0), |(_, amount)| (amount.calls, amount.seconds()))
    }

    #[test]
    fn each_call_is_in_the_step_of_its_status() {
        let mut bridge = Bridge::default();
        for (own, status, provider) in [
            (Some(10), Status::NotFound, None),
            (Some(20), Status::Pending, None),
            (Some(30), Status::Deferred, None),
            (Some(40), Status::Failed, None),
            (None, Status::Found, Some(5)),
            (Some(6), Status::Found, None),
            (Some(7), Status::Found, Some(9)),
            (Some(9), Status::Found, Some(8)),
            (Some(8), Status::Found, Some(8)),
            (None, Status::Found, None),
        ] {
            bridge.add_call(own, own, &lookup(status, provider));
        }
        let expected = [
            ("ledger_total", 10, 130),
            ("missing", 1, -10),
            ("waiting", 2, -50),
            ("failed", 1, -40),
            ("no_ledger_value", 1, 5),
            ("no_provider_value", 1, -6),
            ("differences_up", 1, 2),
            ("differences_down", 1, -1),
            ("provider_total", 6, 30),
        ];
        for (name, calls, seconds) in expected {
            assert_eq!(step(&bridge, name), (calls, seconds), "{name}");
        }
    }

    #[test]
    fn seconds_that_only_a_later_row_gives_are_no_duplicate() {
        let mut bridge = Bridge::default();
        bridge.add_call(None, Some(30), &lookup(Status::Found, Some(30)));
        bridge.add_later_row(Some(30));
        bridge.add_later_row(Some(7));
        assert_eq!(step(&bridge, "ledger_total"), (3, 37));
        assert_eq!(step(&bridge, "duplicates"), (2, -7));
        assert_eq!(step(&bridge, "provider_total"), (1, 30));
    }

    const STATUSES: [Status; 5] =
        [Status::Found, Status::NotFound, Status::Pending, Status::Failed, Status::Deferred];

    proptest! {
        #[test]
        fn the_steps_between_explain_the_difference(
            calls in prop::collection::vec(
                (prop::option::of(0..i64::MAX), prop::option::of(0..100_i64), 0..5_usize,
                 prop::option::of(0..1_000_000_i64)), 0..40),
            later in prop::collection::vec(prop::option::of(0..1_000_i64), 0..10),
            missing in prop::collection::vec(prop::option::of(0..1_000_i64), 0..10),
        ) {
            let mut bridge = Bridge::default();
            for (own, filled, status, provider) in calls {
                bridge.add_call(own, own.or(filled), &lookup(STATUSES[status], provider));
            }
            for duration_s in later {
                bridge.add_later_row(duration_s);
            }
            missing.into_iter().for_each(|provider_s| bridge.add_missing_in_ledger(provider_s));
            let steps = bridge.steps().map(|(_, amount)| amount);
            let before_last: i128 = steps[..11].iter().map(|amount| amount.seconds).sum();
            prop_assert_eq!(before_last, steps[11].seconds);
            let left: u64 = steps[1..6].iter().map(|amount| amount.calls).sum();
            prop_assert_eq!(steps[0].calls + steps[10].calls, left + steps[11].calls, "each row is in one step");
        }
    }
}
