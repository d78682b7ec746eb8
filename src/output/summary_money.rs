//! The part `money` of the summary. Amounts are texts, so that no reader makes them inexact.

use std::collections::BTreeMap;

use serde::Serialize;

use super::summary::MoneySummary;
use crate::shown::shown;
use reconcile_core::bill::{ItemBill, ItemKey};
use reconcile_core::bill_check::{BillCheck, BillDay, ProductBill};
use reconcile_core::bill_row::Billed;
use reconcile_core::decimal::Decimal;
use reconcile_core::discrepancy::Kind;
use reconcile_core::money::{ChargedSides, CurrencyFigures};
use reconcile_core::product::ProductId;

/// What the calls cost, and the bill.
#[derive(Serialize)]
pub(super) struct MoneyJson {
    currencies: Vec<CurrencyJson>,
    by_product: Vec<ProductJson>,
    without_tariff: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bill: Option<BillJson>,
}

impl MoneyJson {
    pub(super) fn new(money: &MoneySummary<'_>) -> Self {
        let figures = money.figures;
        let currency = |(name, figures): (&compact_str::CompactString, &CurrencyFigures)| {
            CurrencyJson::new(name, figures)
        };
        let product =
            |((product, currency), sides): (&(ProductId, compact_str::CompactString), &ChargedSides)| {
                ProductJson {
                    name: name_of(*product),
                    currency: currency.to_string(),
                    sides: SidesJson::new(sides),
                }
            };
        Self {
            currencies: figures.currencies.iter().map(currency).collect(),
            by_product: figures.products.iter().map(product).collect(),
            without_tariff: figures.without_tariff,
            bill: money.check.map(BillJson::new),
        }
    }
}

fn name_of(product: ProductId) -> String {
    product.name().map_or_else(|| product.0.to_string(), str::to_owned)
}

/// What found calls cost by both sides.
#[derive(Serialize)]
struct SidesJson {
    calls: u64,
    amount: Decimal,
    expected: Decimal,
    difference: Decimal,
    without_amount: u64,
    without_expected: u64,
}

impl SidesJson {
    fn new(sides: &ChargedSides) -> Self {
        let ChargedSides { calls, amount, expected, without_amount, without_expected } = *sides;
        let difference = sides.difference();
        Self { calls, amount, expected, difference, without_amount, without_expected }
    }
}

#[derive(Serialize)]
struct ProductJson {
    name: String,
    currency: String,
    #[serde(flatten)]
    sides: SidesJson,
}

#[derive(Serialize)]
struct StepJson {
    step: &'static str,
    calls: u64,
    amount: Decimal,
}

#[derive(Serialize)]
struct CurrencyJson {
    currency: String,
    #[serde(flatten)]
    sides: SidesJson,
    bridge: Vec<StepJson>,
    at_stake: BTreeMap<&'static str, Decimal>,
    at_stake_total: Decimal,
    at_stake_unknown: u64,
    settled: Decimal,
}

impl CurrencyJson {
    fn new(name: &str, figures: &CurrencyFigures) -> Self {
        let at_stake = |kind: Kind| figures.at_stake.get(&kind).copied().unwrap_or_default();
        Self {
            currency: name.to_owned(),
            sides: SidesJson::new(&figures.sides),
            bridge: figures.bridge().map(|(step, calls, amount)| StepJson { step, calls, amount }).collect(),
            at_stake: Kind::ALL.into_iter().map(|kind| (kind.as_str(), at_stake(kind))).collect(),
            at_stake_total: figures.at_stake_total(),
            at_stake_unknown: figures.at_stake_unknown,
            settled: figures.settled,
        }
    }
}

/// Sums of a bill.
#[derive(Serialize)]
struct BilledJson {
    rows: u64,
    billed: Decimal,
    gross: Decimal,
    pretax: Decimal,
    coupons: Decimal,
    package_rows: u64,
}

impl BilledJson {
    fn new(billed: &Billed) -> Self {
        let Billed { rows, gross, pretax, coupons, package_rows } = *billed;
        Self { rows, billed: billed.amount(), gross, pretax, coupons, package_rows }
    }
}

/// A rule by which the provider may round calls up.
#[derive(Serialize)]
struct RuleJson {
    result: &'static str,
    rules: Vec<&'static str>,
    closest: Option<&'static str>,
    closest_off_s: Option<Decimal>,
}

#[derive(Serialize)]
struct ProductBillJson {
    name: String,
    currency: Option<String>,
    days: u64,
    days_without_bill: u64,
    incomplete_days: u64,
    calls: u64,
    without_amount: u64,
    computed: Option<Decimal>,
    difference: Option<Decimal>,
    #[serde(flatten)]
    bill: BilledJson,
    rule: RuleJson,
}

impl ProductBillJson {
    fn new(product: &ProductBill<'_>) -> Self {
        let rules = product.rule.rules().into_iter().map(|rule| rule.as_str());
        Self {
            name: name_of(product.product),
            currency: product.currency.map(shown),
            days: product.days,
            days_without_bill: product.days_without_bill,
            incomplete_days: product.incomplete_days,
            calls: product.calls,
            without_amount: product.without_amount,
            computed: product.computed,
            difference: product.difference(),
            bill: BilledJson::new(&product.billed),
            rule: RuleJson {
                result: product.rule.as_str(),
                rules: rules.collect(),
                closest: product.closest.map(|(rule, _)| rule.as_str()),
                closest_off_s: product.closest.map(|(_, off)| off),
            },
        }
    }
}

#[derive(Serialize)]
struct DayJson {
    day: String,
    name: String,
    calls: u64,
    unknown: u64,
    without_amount: u64,
    talk_s: i64,
    computed: Option<Decimal>,
    difference: Option<Decimal>,
    currency: Option<String>,
    billed_s: Option<Decimal>,
    /// `None` if the bill does not have this day.
    bill: Option<BilledJson>,
}

impl DayJson {
    fn new(day: &BillDay<'_>) -> Self {
        Self {
            day: day.day.to_string(),
            name: name_of(day.product),
            calls: day.calls.calls,
            unknown: day.calls.unknown,
            without_amount: day.calls.without_amount,
            talk_s: i64::try_from(day.calls.sums.seconds()).unwrap_or(i64::MAX),
            computed: day.computed,
            difference: day.difference(),
            currency: day.currency.map(shown),
            billed_s: day.bill.and_then(|bill| bill.seconds),
            bill: day.bill.map(|bill| BilledJson::new(&bill.billed)),
        }
    }
}

/// An item of the bill that is not compared; without a name, all further ones.
#[derive(Serialize)]
struct ItemJson {
    item: Option<String>,
    name: Option<String>,
    origin: Option<&'static str>,
    currency: Option<String>,
    #[serde(flatten)]
    bill: BilledJson,
}

impl ItemJson {
    fn new((key, line): (Option<&ItemKey>, &ItemBill)) -> Self {
        Self {
            item: key.map(|(item, ..)| shown(item)),
            name: Some(shown(&line.name)).filter(|name| key.is_some() && !name.is_empty()),
            origin: key.map(|(_, origin, _)| origin.as_str()),
            currency: key.map(|(.., currency)| shown(currency)),
            bill: BilledJson::new(&line.billed),
        }
    }
}

/// The bill of the days without calls.
#[derive(Serialize)]
struct OtherBilledJson {
    /// `None` if there is no such day.
    currency: Option<String>,
    #[serde(flatten)]
    bill: BilledJson,
}

impl OtherBilledJson {
    /// `None` if amounts of several currencies would have to be added.
    fn new(sums: &BTreeMap<&str, Billed>) -> Option<Self> {
        let only = sums.first_key_value();
        let billed = only.map(|(_, billed)| *billed).unwrap_or_default();
        let currency = only.map(|(currency, _)| shown(currency));
        (sums.len() < 2).then(|| Self { currency, bill: BilledJson::new(&billed) })
    }
}

/// The bill against the calls.
#[derive(Serialize)]
struct BillJson {
    rows: u64,
    by_product: Vec<ProductBillJson>,
    by_day: Vec<DayJson>,
    other_days: u64,
    /// `None` if it has several currencies.
    other_billed: Option<OtherBilledJson>,
    uncompared_calls: u64,
    apart: Vec<ItemJson>,
    unmapped: Vec<ItemJson>,
}

impl BillJson {
    fn new(check: &BillCheck<'_>) -> Self {
        Self {
            rows: check.bill.rows,
            by_product: check.products.iter().map(ProductBillJson::new).collect(),
            by_day: check.days.iter().map(DayJson::new).collect(),
            other_days: check.other_days,
            other_billed: OtherBilledJson::new(&check.other_billed),
            uncompared_calls: check.uncompared_calls,
            apart: check.bill.apart.iter().map(ItemJson::new).collect(),
            unmapped: check.bill.unmapped.iter().map(ItemJson::new).collect(),
        }
    }
}
