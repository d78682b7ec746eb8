//! What the calls cost: by the provider's records, and by the ledger's durations.
//!
//! Both sides are charged by the same tariff, that of the day in the details' `call_date`. Memory
//! grows with products and days, up to a limit, and not with the calls.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::bill::Bill;
use crate::billing_rule::RoundedSums;
use crate::bridge::Bridge;
use crate::decimal::Decimal;
use crate::detail::CallDetail;
use crate::discrepancy::{Discrepancy, Kind};
use crate::ledger_row::{Expected, LedgerRow};
use crate::lines::Lines;
use crate::merge::{Merge, merge_maps};
use crate::money_at_stake::money_at_stake;
use crate::product::ProductId;
use crate::status::{Lookup, Status};
use crate::tariff::{Charge, Legs, Tariff, Tariffs, billed_seconds};

/// Most sums of a day and a product.
pub const MAX_DAYS: usize = 1_000;

/// The tariffs and the bill of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoneyRules {
    /// The tariffs.
    pub tariffs: Tariffs,
    /// The provider's bill; `None` without one.
    pub bill: Option<Bill>,
}

impl MoneyRules {
    /// True without tariffs and without a bill.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tariffs.is_empty() && self.bill.is_none()
    }

    /// What a call costs.
    #[must_use]
    pub fn of_call(&self, row: &LedgerRow, lookup: &Lookup) -> CallMoney<'_> {
        let tariff = self.tariffs.on(row.key.prod_id, lookup.found_on);
        let found = lookup.detail.as_ref().filter(|_| lookup.status == Status::Found);
        CallMoney {
            tariff,
            charged: tariff.zip(found).and_then(|(tariff, detail)| tariff.of_record(detail)),
            expected: tariff.and_then(|tariff| tariff.of_ledger(&row.expected)),
        }
    }

    fn bills(&self, product: ProductId) -> bool {
        self.bill.as_ref().is_some_and(|bill| bill.has_product(product))
    }
}

/// What a call costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallMoney<'a> {
    tariff: Option<&'a Tariff>,
    /// By the provider's record of a found call; `None` if it is not known.
    pub charged: Option<Charge>,
    /// By the ledger's duration; `None` if it is not known.
    pub expected: Option<Charge>,
}

/// What found calls cost by both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargedSides {
    /// Calls for which both sides give an amount.
    pub calls: u64,
    /// The sum by the provider's records, over these calls.
    pub amount: Decimal,
    /// The sum by the ledger, over these calls.
    pub expected: Decimal,
    /// Found calls without an amount by the provider's record.
    pub without_amount: u64,
    /// Found calls without an amount by the ledger.
    pub without_expected: u64,
}

impl ChargedSides {
    fn add(&mut self, money: &CallMoney<'_>) {
        self.without_amount += u64::from(money.charged.is_none());
        self.without_expected += u64::from(money.expected.is_none());
        if let (Some(charged), Some(expected)) = (money.charged, money.expected) {
            self.calls += 1;
            self.amount = self.amount.plus(charged.amount);
            self.expected = self.expected.plus(expected.amount);
        }
    }

    /// The provider's sum less the ledger's.
    #[must_use]
    pub fn difference(&self) -> Decimal {
        self.amount.minus(self.expected)
    }
}

impl Merge for ChargedSides {
    fn merge(&mut self, other: Self) {
        let Self { calls, amount, expected, without_amount, without_expected } = other;
        self.calls.merge(calls);
        self.amount.merge(amount);
        self.expected.merge(expected);
        self.without_amount.merge(without_amount);
        self.without_expected.merge(without_expected);
    }
}

/// The figures of a currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurrencyFigures {
    /// What found calls cost by both sides.
    pub sides: ChargedSides,
    /// From what the ledger expects to what the provider's records cost, in millionths. Unusable
    /// rows are not in it: they name no product.
    bridge: Bridge,
    /// Money at stake, by kind.
    pub at_stake: BTreeMap<Kind, Decimal>,
    /// Money that decisions have settled.
    pub settled: Decimal,
    /// Discrepancies whose money at stake is not known.
    pub at_stake_unknown: u64,
}

impl CurrencyFigures {
    /// Each step of the bridge with its name, calls and amount.
    pub fn bridge(&self) -> impl Iterator<Item = (&'static str, u64, Decimal)> {
        let steps = self.bridge.steps().into_iter();
        steps.map(|(name, step)| (name, step.calls, Decimal::from_millionths(step.sum())))
    }

    /// The bridge, in millionths.
    #[must_use]
    pub fn bridge_in_millionths(&self) -> &Bridge {
        &self.bridge
    }

    /// The money at stake of all kinds.
    #[must_use]
    pub fn at_stake_total(&self) -> Decimal {
        self.at_stake.values().fold(Decimal::ZERO, |sum, amount| sum.plus(*amount))
    }
}

impl Merge for CurrencyFigures {
    fn merge(&mut self, other: Self) {
        let Self { sides, bridge, at_stake, settled, at_stake_unknown } = other;
        self.sides.merge(sides);
        self.bridge.merge(bridge);
        merge_maps(&mut self.at_stake, at_stake);
        self.settled.merge(settled);
        self.at_stake_unknown.merge(at_stake_unknown);
    }
}

/// The calls of a product on a day, to be compared with a bill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayCalls {
    /// Calls of the ledger, and those that only receipts name.
    pub calls: u64,
    /// Calls whose billed time is not known. Calls without a record are not among them: the
    /// provider bills none.
    pub unknown: u64,
    /// The talk time of the others.
    pub sums: RoundedSums,
    /// What they cost.
    pub amount: Decimal,
    /// Found calls without an amount.
    pub without_amount: u64,
}

impl Merge for DayCalls {
    fn merge(&mut self, other: Self) {
        let Self { calls, unknown, sums, amount, without_amount } = other;
        self.calls.merge(calls);
        self.unknown.merge(unknown);
        self.sums.merge(sums);
        self.amount.merge(amount);
        self.without_amount.merge(without_amount);
    }
}

/// All sums of money. Empty without tariffs and without a bill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoneyFigures {
    /// By currency, one for each that a tariff has.
    pub currencies: BTreeMap<CompactString, CurrencyFigures>,
    /// By product and currency.
    pub products: BTreeMap<(ProductId, CompactString), ChargedSides>,
    /// Calls without a tariff on their day.
    pub without_tariff: u64,
    /// Calls that the ledger lacks, of which nobody knows the product.
    pub without_product: u64,
    /// The calls of each product with a billing item, by day.
    pub days: Lines<(NaiveDate, ProductId), DayCalls, MAX_DAYS>,
}

impl MoneyFigures {
    /// Counts a call. `own_s` are the talk seconds of its first row itself.
    pub fn add_call(
        &mut self,
        rules: &MoneyRules,
        row: &LedgerRow,
        own_s: Option<i64>,
        lookup: &Lookup,
        money: &CallMoney<'_>,
    ) {
        if rules.is_empty() {
            return;
        }
        if rules.bills(row.key.prod_id) {
            self.days.line(&(lookup.found_on, row.key.prod_id)).merge(day_calls(
                lookup.status,
                lookup.detail.as_ref(),
                money,
            ));
        }
        let Some(tariff) = money.tariff else {
            self.without_tariff += 1;
            return;
        };
        let figures = line(&mut self.currencies, &tariff.currency);
        let expected = column(money.expected);
        // A duration that only a later row gives is not the first row's own.
        let own = expected.filter(|_| own_s == row.expected.duration_s);
        figures.bridge.add_values(own, expected, lookup.status, column(money.charged));
        if lookup.status == Status::Found {
            figures.sides.add(money);
            let key = (row.key.prod_id, tariff.currency.clone());
            self.products.entry(key).or_default().add(money);
        }
    }

    /// Counts a call that the ledger lacks, with its discrepancy. `product` is `None` if nobody
    /// knows it.
    pub fn add_missing_in_ledger(
        &mut self,
        (rules, product, day): (&MoneyRules, Option<ProductId>, NaiveDate),
        detail: &CallDetail,
        what: &Discrepancy,
        is_settled: bool,
    ) {
        let Some(product) = product else {
            self.without_product += u64::from(!rules.is_empty());
            // Nobody knows in which currency the call was charged.
            let tariffs = rules.tariffs.iter().flat_map(|(_, tariffs)| tariffs);
            let currencies: BTreeSet<&CompactString> = tariffs.map(|tariff| &tariff.currency).collect();
            for currency in currencies {
                line(&mut self.currencies, currency).at_stake_unknown += 1;
            }
            return;
        };
        let tariff = rules.tariffs.on(product, day);
        let charged = tariff.and_then(|tariff| tariff.of_record(detail));
        if rules.bills(product) {
            let money = CallMoney { tariff, charged, expected: None };
            self.days.line(&(day, product)).merge(day_calls(Status::Found, Some(detail), &money));
        }
        let Some(tariff) = tariff else {
            self.without_tariff += u64::from(!rules.is_empty());
            return;
        };
        line(&mut self.currencies, &tariff.currency).bridge.add_missing_in_ledger(column(charged));
        self.add_discrepancy(Some(tariff), &Expected::default(), Some(detail), what, is_settled);
    }

    /// Counts a later row of a call of this product and day, and its discrepancy.
    pub fn add_later_row(
        &mut self,
        (rules, product, found_on): (&MoneyRules, ProductId, NaiveDate),
        later: &Expected,
        what: &Discrepancy,
        is_settled: bool,
    ) {
        let Some(tariff) = rules.tariffs.on(product, found_on) else { return };
        let charge = tariff.of_ledger(later);
        line(&mut self.currencies, &tariff.currency).bridge.add_later_row(column(charge));
        self.add_discrepancy(Some(tariff), later, None, what, is_settled);
    }

    /// Counts the money that a discrepancy of a call puts in doubt. `expected` is the row that it
    /// is about.
    pub fn add_discrepancy(
        &mut self,
        tariff: Option<&Tariff>,
        expected: &Expected,
        detail: Option<&CallDetail>,
        what: &Discrepancy,
        is_settled: bool,
    ) {
        let Some(tariff) = tariff else { return };
        let figures = line(&mut self.currencies, &tariff.currency);
        let Some(amount) = money_at_stake(tariff, expected, detail, what) else {
            figures.at_stake_unknown += 1;
            return;
        };
        let sum = figures.at_stake.entry(what.kind).or_default();
        let sum = if is_settled { &mut figures.settled } else { sum };
        *sum = sum.plus(amount);
    }
}

impl<'a> CallMoney<'a> {
    /// The tariff of its product and day.
    #[must_use]
    pub fn tariff(&self) -> Option<&'a Tariff> {
        self.tariff
    }
}

fn line<'a>(
    currencies: &'a mut BTreeMap<CompactString, CurrencyFigures>,
    currency: &CompactString,
) -> &'a mut CurrencyFigures {
    currencies.entry(currency.clone()).or_default()
}

/// The amount in millionths. A charge's amount always fits.
fn column(charge: Option<Charge>) -> Option<i64> {
    charge.and_then(|charge| charge.amount.in_column())
}

/// A call as a line of its day.
fn day_calls(status: Status, detail: Option<&CallDetail>, money: &CallMoney<'_>) -> DayCalls {
    let mut line = DayCalls { calls: 1, ..DayCalls::default() };
    match (status, detail) {
        (Status::NotFound, _) => {}
        (Status::Found, Some(detail)) => {
            let legs = money.tariff.map_or(Legs::One, |tariff| tariff.legs);
            match billed_seconds(detail, legs).filter(|legs| legs.iter().all(|seconds| *seconds >= 0)) {
                Some(seconds) => seconds.into_iter().for_each(|seconds| line.sums.add(seconds)),
                None => line.unknown = 1,
            }
            line.amount = money.charged.map_or(Decimal::ZERO, |charge| charge.amount);
            line.without_amount = u64::from(money.charged.is_none());
        }
        _ => line.unknown = 1,
    }
    line
}

/// Both parts must be counted with the same rules.
impl Merge for MoneyFigures {
    fn merge(&mut self, other: Self) {
        let Self { currencies, products, without_tariff, without_product, days } = other;
        merge_maps(&mut self.currencies, currencies);
        merge_maps(&mut self.products, products);
        self.without_tariff.merge(without_tariff);
        self.without_product.merge(without_product);
        self.days.merge(days);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bill::ItemProducts;
    use crate::call::CallKey;
    use crate::message::Message;
    use crate::normalize::normalize;
    use crate::quick_parse;
    use crate::tariff::Increments;
    use proptest::prelude::*;

    const NOTIFY: ProductId = ProductId(11_000_000_300_006);

    fn rules() -> MoneyRules {
        let tariff = Tariff {
            increments: Increments::new(60, 60).unwrap(),
            price: Decimal::parse("0.055").unwrap(),
            currency: "CNY".into(),
            legs: Legs::One,
            from: quick_parse::day("2026-11-01"),
            to: None,
        };
        let mut tariffs = Tariffs::default();
        tariffs.add(NOTIFY, vec![tariff]).unwrap();
        let items = ItemProducts::from([("notify".into(), NOTIFY)]);
        MoneyRules { tariffs, bill: Some(Bill::new(items)) }
    }

    fn row(day: &str, duration_s: Option<i64>) -> LedgerRow {
        let key = CallKey { call_id: "1^2".into(), prod_id: NOTIFY, day: quick_parse::day(day).unwrap() };
        let expected = Expected { duration_s, ..Expected::default() };
        LedgerRow { line: 2, key, expected, query_date: None, carried: Vec::new() }
    }

    fn lookup(row: &LedgerRow, status: Status, provider_s: Option<i64>) -> Lookup {
        let data = provider_s.map_or_else(
            || r#"{"state":"200000"}"#.to_owned(),
            |seconds| format!(r#"{{"state":"200000","duration":{seconds}}}"#),
        );
        let detail = (status == Status::Found).then(|| normalize(&data).unwrap());
        Lookup { status, detail, ..Lookup::deferred(row.key.day, 1) }
    }

    fn add(figures: &mut MoneyFigures, rules: &MoneyRules, row: &LedgerRow, lookup: &Lookup) {
        let money = rules.of_call(row, lookup);
        figures.add_call(rules, row, row.expected.duration_s, lookup, &money);
    }

    #[test]
    fn sums_by_hand() {
        let (rules, mut figures) = (rules(), MoneyFigures::default());
        for (ledger, status, provider) in [
            (Some(61), Status::Found, Some(61)),   // 0.11 and 0.11
            (Some(60), Status::Found, Some(61)),   // 0.055 and 0.11
            (Some(121), Status::Found, Some(120)), // 0.165 and 0.11
            (None, Status::Found, Some(5)),        // 0.055 by the provider alone
            (Some(5), Status::Found, None),        // 0.055 by the ledger alone
            (Some(59), Status::NotFound, None),    // 0.055 missing
        ] {
            let row = row("2026-11-16", ledger);
            add(&mut figures, &rules, &row, &lookup(&row, status, provider));
        }
        let before = row("2026-10-31", Some(60));
        add(&mut figures, &rules, &before, &lookup(&before, Status::Found, Some(60)));
        let duplicate = Discrepancy::new(Kind::Duplicate, Message::NotAsked);
        let later = row("2026-11-16", Some(60));
        figures.add_later_row((&rules, NOTIFY, later.key.day), &later.expected, &duplicate, false);
        let cny = &figures.currencies["CNY"];
        assert_eq!(cny.at_stake[&Kind::Duplicate].short(), "0.055");
        let ChargedSides { calls, amount, expected, without_amount, without_expected } = cny.sides;
        assert_eq!((calls, amount.short(), expected.short()), (3, "0.33".into(), "0.33".into()));
        assert_eq!((without_amount, without_expected, figures.without_tariff), (1, 1, 1));
        assert_eq!(cny.sides, figures.products[&(NOTIFY, "CNY".into())]);
        let steps: Vec<String> =
            cny.bridge().map(|(name, calls, amount)| format!("{name} {calls} {}", amount.short())).collect();
        assert_eq!(
            steps,
            [
                "ledger_total 7 0.495",
                "unusable_rows 0 0.00",
                "duplicates 1 -0.055",
                "missing 1 -0.055",
                "waiting 0 0.00",
                "failed 0 0.00",
                "no_ledger_value 1 0.055",
                "no_provider_value 1 -0.055",
                "differences_up 1 0.055",
                "differences_down 1 -0.055",
                "missing_in_ledger 0 0.00",
                "provider_total 5 0.385",
            ]
        );
        let days: Vec<(u64, u64, i128, String)> = figures
            .days
            .iter()
            .map(|(_, day)| (day.calls, day.unknown, day.sums.seconds(), day.amount.short()))
            .collect();
        assert_eq!(days, [(1, 0, 60, "0.00".into()), (6, 1, 247, "0.385".into())]);
    }

    #[test]
    fn settled_money_is_not_at_stake() {
        let (rules, mut figures) = (rules(), MoneyFigures::default());
        let row = row("2026-11-16", Some(61));
        let tariff = rules.tariffs.on(NOTIFY, row.key.day);
        let what = Discrepancy::new(Kind::NotFound, Message::NotAsked);
        for is_settled in [false, false, true] {
            figures.add_discrepancy(tariff, &row.expected, None, &what, is_settled);
        }
        let lacking = Expected::default();
        figures.add_discrepancy(tariff, &lacking, None, &what, false);
        figures.add_discrepancy(None, &row.expected, None, &what, false);
        let cny = &figures.currencies["CNY"];
        assert_eq!((cny.at_stake_total().short(), cny.settled.short()), ("0.22".into(), "0.11".into()));
        assert_eq!(cny.at_stake_unknown, 1);
    }

    const STATUSES: [Status; 5] =
        [Status::Found, Status::NotFound, Status::Pending, Status::Failed, Status::Deferred];

    proptest! {
        #[test]
        fn parts_in_any_order_count_as_the_whole(
            calls in prop::collection::vec(
                (0..3_usize, 0..4_u32, prop::option::of(0..400_i64), 0..5_usize, prop::option::of(0..400_i64)), 0..40),
        ) {
            let rules = rules();
            let counted = |part: Option<usize>| {
                let mut figures = MoneyFigures::default();
                for (own, day, ledger, status, provider) in &calls {
                    if part.is_none_or(|part| part == *own) {
                        let row = row(&format!("2026-11-{:02}", day + 1), *ledger);
                        let lookup = lookup(&row, STATUSES[*status], *provider);
                        add(&mut figures, &rules, &row, &lookup);
                        // The provider has another such call, which the ledger lacks.
                        if let Some(detail) = &lookup.detail {
                            let what = Discrepancy::new(Kind::MissingInLedger, Message::MissingInLedger);
                            let of_call = (&rules, Some(row.key.prod_id), row.key.day);
                            figures.add_missing_in_ledger(of_call, detail, &what, false);
                        }
                    }
                }
                figures
            };
            let whole = counted(None);
            let mut merged = counted(Some(2));
            merged.merge(counted(Some(0)));
            merged.merge(counted(Some(1)));
            prop_assert_eq!(&merged, &whole);
            // The steps of the bridge explain the whole difference.
            for figures in whole.currencies.values() {
                let steps: Vec<Decimal> = figures.bridge().map(|(_, _, amount)| amount).collect();
                let (total, others) = steps.split_last().unwrap();
                let sum = others.iter().fold(Decimal::ZERO, |sum, amount| sum.plus(*amount));
                prop_assert_eq!(sum, *total);
            }
        }
    }
}
