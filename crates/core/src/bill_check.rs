//! The bill against the calls: sums by day and product, and the rule that gives the bill.
//!
//! Never a call: the bill has none. Only days of the ledger are compared. The other days of a bill,
//! which is often that of a month, are one sum.
//!
//! Amounts of two currencies are never added: a product has a line for each of its currencies.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::bill::{Bill, DayBill};
use crate::bill_row::Billed;
use crate::billing_rule::{BillingRule, RuleSearch, closest};
use crate::decimal::Decimal;
use crate::money::{DayCalls, MoneyFigures, MoneyRules};
use crate::product::ProductId;

/// A day of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillDay<'a> {
    /// The day.
    pub day: NaiveDate,
    /// The product.
    pub product: ProductId,
    /// The calls of the ledger.
    pub calls: &'a DayCalls,
    /// What they cost by the tariff; `None` without a tariff in the bill's currency.
    pub computed: Option<Decimal>,
    /// The bill; `None` if it does not have this day.
    pub bill: Option<&'a DayBill>,
    /// That of the bill (ISO 4217), or of the tariff; `None` without both.
    pub currency: Option<&'a str>,
}

impl BillDay<'_> {
    /// The bill's amount less that of the calls; `None` if one is not known.
    #[must_use]
    pub fn difference(&self) -> Option<Decimal> {
        Some(self.bill?.billed.amount().minus(self.computed?))
    }
}

/// The days of a product in one currency together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductBill<'a> {
    /// The product.
    pub product: ProductId,
    /// ISO 4217; `None` for days that have neither a bill nor a tariff. They are in the line of the
    /// product's currency if it has only one.
    pub currency: Option<&'a str>,
    /// Days with calls and with a bill, in one currency.
    pub days: u64,
    /// The calls of these days.
    pub calls: u64,
    /// Calls of these days without an amount: the difference may come from them.
    pub without_amount: u64,
    /// What the calls of these days cost; `None` without such a day.
    pub computed: Option<Decimal>,
    /// The bill of these days; without such a day, of all days with calls.
    pub billed: Billed,
    /// Days with calls whose bill is missing.
    pub days_without_bill: u64,
    /// Days on which the billed time of a call is not known. The search leaves them out.
    pub incomplete_days: u64,
    /// The rule that gives the bill.
    pub rule: RuleSearch,
    /// The rule that comes closest over all days with a bill, incomplete ones included, and the
    /// seconds by which it differs.
    pub closest: Option<(BillingRule, Decimal)>,
}

impl ProductBill<'_> {
    /// The bill's amount less that of the calls; `None` without a day on which both are known.
    #[must_use]
    pub fn difference(&self) -> Option<Decimal> {
        Some(self.billed.amount().minus(self.computed?))
    }
}

/// The bill against the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillCheck<'a> {
    /// The bill.
    pub bill: &'a Bill,
    /// The days of the ledger, by day and product.
    pub days: Vec<BillDay<'a>>,
    /// Their sums, by product and currency.
    pub products: Vec<ProductBill<'a>>,
    /// Days of the bill without calls in the ledger.
    pub other_days: u64,
    /// The bill of these days, by currency.
    pub other_billed: BTreeMap<&'a str, Billed>,
    /// Calls of the ledger's days beyond those that have a sum of their own.
    pub uncompared_calls: u64,
}

impl<'a> BillCheck<'a> {
    /// Compares the sums; `None` without a bill.
    #[must_use]
    pub fn new(rules: &'a MoneyRules, figures: &'a MoneyFigures) -> Option<Self> {
        let bill = rules.bill.as_ref()?;
        let mut check = Self {
            bill,
            days: Vec::new(),
            products: Vec::new(),
            other_days: 0,
            other_billed: BTreeMap::new(),
            uncompared_calls: 0,
        };
        for (key, calls) in figures.days.iter() {
            let Some(&(day, product)) = key else {
                check.uncompared_calls += calls.calls;
                continue;
            };
            let (tariff, bill) = (rules.tariffs.on(product, day), bill.days.get(&(day, product)));
            let of_tariff = tariff.map(|tariff| tariff.currency.as_str());
            let currency = bill.map(|bill| bill.currency.as_str()).or(of_tariff);
            let computed = of_tariff.filter(|_| of_tariff == currency).map(|_| calls.amount);
            check.days.push(BillDay { day, product, calls, computed, bill, currency });
        }
        for (key, billed) in &bill.days {
            if !check.days.iter().any(|day| (day.day, day.product) == *key) {
                check.other_days += 1;
                check.other_billed.entry(billed.currency.as_str()).or_default().add(&billed.billed);
            }
        }
        check.products = check.by_product(rules);
        Some(check)
    }

    fn by_product(&self, rules: &MoneyRules) -> Vec<ProductBill<'a>> {
        let mut products: BTreeMap<ProductId, BTreeMap<Option<&'a str>, Vec<&BillDay<'a>>>> = BTreeMap::new();
        for day in &self.days {
            products.entry(day.product).or_default().entry(day.currency).or_default().push(day);
        }
        let mut sums = Vec::new();
        for (product, mut lines) in products {
            if lines.len() == 2
                && let Some(of_none) = lines.remove(&None)
            {
                lines.values_mut().for_each(|days| days.extend(&of_none));
            }
            let sum = |(currency, days): (_, Vec<_>)| self.product(rules, (product, currency), &days);
            sums.extend(lines.into_iter().map(sum));
        }
        sums
    }

    fn product(
        &self,
        rules: &MoneyRules,
        (product, currency): (ProductId, Option<&'a str>),
        days: &[&BillDay<'a>],
    ) -> ProductBill<'a> {
        let mut sum = ProductBill {
            product,
            currency,
            days: 0,
            calls: 0,
            without_amount: 0,
            computed: None,
            billed: Billed::default(),
            days_without_bill: 0,
            incomplete_days: 0,
            rule: RuleSearch::NoDays,
            closest: None,
        };
        let (mut all, mut complete, mut of_all_days) = (Vec::new(), Vec::new(), Billed::default());
        for day in days {
            let Some(bill) = day.bill else {
                sum.days_without_bill += 1;
                continue;
            };
            of_all_days.add(&bill.billed);
            if let Some(computed) = day.computed {
                sum.days += 1;
                sum.calls += day.calls.calls;
                sum.without_amount += day.calls.without_amount;
                sum.computed = Some(sum.computed.unwrap_or_default().plus(computed));
                sum.billed.add(&bill.billed);
            }
            sum.incomplete_days += u64::from(day.calls.unknown > 0);
            let Some(used) = self.bill.billed_use(bill, rules.tariffs.on(product, day.day)) else { continue };
            all.push((used, day.calls.sums));
            if day.calls.unknown == 0 {
                complete.push((used, day.calls.sums));
            }
        }
        if sum.computed.is_none() {
            sum.billed = of_all_days;
        }
        sum.rule = RuleSearch::over(&complete);
        sum.closest = closest(&all);
        sum
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bill::ItemProducts;
    use crate::bill_row::{BillRow, COLUMNS};
    use crate::quick_parse;
    use crate::tariff::{Increments, Legs, Tariff, Tariffs};

    const NOTIFY: ProductId = ProductId(11_000_000_300_006);

    fn rules(rows: &[(&str, &str, &str)]) -> MoneyRules {
        let tariff = Tariff {
            increments: Increments::new(60, 60).unwrap(),
            price: Decimal::parse("0.055").unwrap(),
            currency: "CNY".into(),
            legs: Legs::One,
            from: None,
            to: None,
        };
        let mut tariffs = Tariffs::default();
        tariffs.add(NOTIFY, vec![tariff]).unwrap();
        let mut bill = Bill::new(ItemProducts::from([("notify".into(), NOTIFY)]));
        for (day, minutes, amount) in rows {
            let mut texts = [""; COLUMNS.len()];
            [texts[0], texts[3], texts[6], texts[7], texts[9]] = [day, "notify", minutes, "分钟", amount];
            bill.add(&BillRow::parse(2, texts).unwrap().unwrap()).unwrap();
        }
        MoneyRules { tariffs, bill: Some(bill) }
    }

    fn figures(days: &[(&str, &[i64])]) -> MoneyFigures {
        let mut figures = MoneyFigures::default();
        for (day, calls) in days {
            let line = figures.days.line(&(quick_parse::day(day).unwrap(), NOTIFY));
            for seconds in *calls {
                line.calls += 1;
                line.sums.add(*seconds);
                let price = Decimal::parse("0.055").unwrap();
                line.amount = line.amount.plus(price.times((seconds + 59) / 60).unwrap());
            }
        }
        figures
    }

    #[test]
    fn sums_are_compared_by_day_and_the_rule_is_named() {
        let rules =
            rules(&[("2026-11-15", "9", "0.495"), ("2026-11-16", "4", "0.22"), ("2026-11-17", "3", "0.165")]);
        let figures = figures(&[("2026-11-16", &[61, 59, 12]), ("2026-11-17", &[121]), ("2026-11-18", &[5])]);
        let check = BillCheck::new(&rules, &figures).unwrap();
        let days: Vec<_> = check
            .days
            .iter()
            .map(|day| (day.computed.unwrap().short(), day.difference().map(Decimal::short)))
            .collect();
        let zero = Some("0.00".to_owned());
        assert_eq!(days, [("0.22".into(), zero.clone()), ("0.165".into(), zero), ("0.055".into(), None)]);
        let product = &check.products[0];
        assert_eq!((product.days, product.calls, product.days_without_bill), (2, 4, 1));
        assert_eq!(
            (product.computed.unwrap().short(), product.difference().unwrap().short()),
            ("0.385".into(), "0.00".into())
        );
        assert_eq!(product.rule, RuleSearch::One(BillingRule::CallMinutes));
        assert_eq!((check.other_days, check.other_billed["CNY"].amount().short()), (1, "0.495".into()));
    }

    #[test]
    fn a_day_with_unknown_calls_proves_no_rule() {
        let rules = rules(&[("2026-11-16", "5", "0.275")]);
        let mut figures = figures(&[("2026-11-16", &[61, 59, 12])]);
        let key = (quick_parse::day("2026-11-16").unwrap(), NOTIFY);
        figures.days.line(&key).unknown = 1;
        let check = BillCheck::new(&rules, &figures).unwrap();
        assert_eq!((&check.products[0].rule, check.products[0].incomplete_days), (&RuleSearch::NoDays, 1));
        assert_eq!(check.products[0].difference().unwrap().short(), "0.055");
        assert_eq!(check.products[0].closest, Some((BillingRule::CallMinutes, Decimal::whole(60))));
    }

    #[test]
    fn an_amount_without_a_use_is_divided_by_nothing() {
        // 0.385 is 7 units of a minute, whatever the use says.
        let rules = rules(&[("2026-11-16", "", "0.385")]);
        let figures = figures(&[("2026-11-16", &[61, 59, 12, 121])]);
        let check = BillCheck::new(&rules, &figures).unwrap();
        assert_eq!(check.products[0].rule, RuleSearch::One(BillingRule::CallMinutes));
    }

    #[test]
    fn amounts_in_another_currency_are_not_compared() {
        let mut rules = rules(&[("2026-11-16", "4", "0.22")]);
        let bill = rules.bill.as_mut().unwrap();
        bill.days.values_mut().for_each(|day| day.currency = "USD".into());
        let figures = figures(&[("2026-11-16", &[61, 59, 12])]);
        let check = BillCheck::new(&rules, &figures).unwrap();
        assert_eq!((check.days[0].computed, check.products[0].days), (None, 0));
        assert_eq!(
            (check.products[0].difference(), check.products[0].billed.amount().short()),
            (None, "0.22".into())
        );
        assert_eq!(check.products[0].rule, RuleSearch::One(BillingRule::CallMinutes), "by its use");
    }

    #[test]
    fn a_product_has_a_line_for_each_currency() {
        let bill = [("2026-11-16", "4", "0.22"), ("2026-11-17", "3", "0.165"), ("2026-11-18", "1", "0.055")];
        let mut rules = rules(&bill);
        let days = &mut rules.bill.as_mut().unwrap().days;
        days.values_mut().next().unwrap().currency = "USD".into();
        let days = [("2026-11-16", &[61, 59, 12][..]), ("2026-11-17", &[121]), ("2026-11-18", &[5])];
        let figures = figures(&days);
        let lines = |rules: &MoneyRules| -> Vec<(Option<String>, u64, u64, String)> {
            let check = BillCheck::new(rules, &figures).unwrap();
            let line = |line: &ProductBill<'_>| {
                let billed = line.billed.amount().short();
                (line.currency.map(Into::into), line.days, line.days_without_bill, billed)
            };
            check.products.iter().map(line).collect()
        };
        let cny = || (Some("CNY".to_owned()), 2, 0, "0.22".to_owned());
        assert_eq!(lines(&rules), [cny(), (Some("USD".into()), 0, 0, "0.22".into())]);
        // A day with neither tariff nor bill is in the line of the only currency.
        rules.tariffs = Tariffs::default();
        rules.bill.as_mut().unwrap().days.retain(|(day, _), _| day.to_string() == "2026-11-16");
        assert_eq!(lines(&rules), [(Some("USD".into()), 0, 2, "0.22".into())]);
    }

    #[test]
    fn without_a_bill_nothing_is_compared() {
        assert_eq!(BillCheck::new(&MoneyRules::default(), &MoneyFigures::default()), None);
    }
}
