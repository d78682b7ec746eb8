//! The provider's bill as sums: by day and product, and of the rows that belong to no product.
//!
//! Bills name no product of the operation, so the configuration maps billing items to products.
//! Only sums are kept: at most [`MAX_SUMS`] of days and products, and [`MAX_ITEMS`] items without a
//! product. Further such items share one sum.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::bill_row::{BillRow, Billed, Origin};
use crate::billing_rule::BilledUse;
use crate::decimal::{Decimal, SCALE};
use crate::lines::Lines;
use crate::merge::Merge;
use crate::product::ProductId;
use crate::tariff::Tariff;

/// Most sums of a day and a product.
pub const MAX_SUMS: usize = 20_000;
/// Most items without a product that have a sum of their own.
pub const MAX_ITEMS: usize = 50;

/// Places of an amount in the smallest coin.
const CENT_PLACES: u32 = 2;

/// The product of each billing item, by its code or its name.
pub type ItemProducts = BTreeMap<CompactString, ProductId>;

/// The use of a product on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayBill {
    /// The amounts.
    pub billed: Billed,
    /// The use in seconds; `None` if a row does not give it as a time.
    pub seconds: Option<Decimal>,
    /// Seconds of the units of all rows together.
    pub units_s: i64,
    /// ISO 4217.
    pub currency: CompactString,
}

/// Rows that are not compared, as a sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemBill {
    /// The item's name in the bill; empty if it has none.
    pub name: CompactString,
    /// The amounts.
    pub billed: Billed,
}

impl Merge for ItemBill {
    fn merge(&mut self, other: Self) {
        if self.name.is_empty() {
            self.name = other.name;
        }
        self.billed.add(&other.billed);
    }
}

/// An item by its code, what it bills, and its currency.
pub type ItemKey = (CompactString, Origin, CompactString);

/// The sums of one bill or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bill {
    products: ItemProducts,
    /// The use of each day and product.
    pub days: BTreeMap<(NaiveDate, ProductId), DayBill>,
    /// Orders, refunds and adjustments of items with a product.
    pub apart: Lines<ItemKey, ItemBill, MAX_ITEMS>,
    /// Items without a product.
    pub unmapped: Lines<ItemKey, ItemBill, MAX_ITEMS>,
    /// Rows of all sums.
    pub rows: u64,
    /// Most places after the point of any use.
    usage_places: u32,
    /// Most places after the point of any amount: at least those of a cent.
    amount_places: u32,
}

/// Why rows cannot be summed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillSumProblem {
    /// A product has two currencies on a day.
    #[error("its currency is {new}, and another row of this product and day has {old}")]
    TwoCurrencies {
        /// That of an earlier row.
        old: CompactString,
        /// That of this row.
        new: CompactString,
    },
    /// There are too many sums.
    #[error("the bill has more than {MAX_SUMS} sums of a day and a product")]
    TooManySums,
}

impl Bill {
    /// An empty bill, whose items belong to these products.
    #[must_use]
    pub fn new(products: ItemProducts) -> Self {
        Self { products, ..Self::default() }
    }

    /// True if an item belongs to this product.
    #[must_use]
    pub fn has_product(&self, product: ProductId) -> bool {
        self.products.values().any(|own| *own == product)
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// The row cannot be added to the others.
    pub fn add(&mut self, row: &BillRow) -> Result<(), BillSumProblem> {
        self.rows += 1;
        let by_name = || self.products.get(&row.name).filter(|_| !row.name.is_empty());
        let Some(product) = self.products.get(&row.item).or_else(by_name).copied() else {
            add_item(&mut self.unmapped, row);
            return Ok(());
        };
        if row.origin != Origin::Usage {
            add_item(&mut self.apart, row);
            return Ok(());
        }
        self.usage_places = self.usage_places.max(row.used.map_or(0, |used| used.places));
        self.amount_places = self.amount_places.max(row.amount_places);
        let key = (row.day, product);
        if let Some(sum) = self.days.get_mut(&key) {
            if sum.currency != row.currency {
                let (old, new) = (sum.currency.clone(), row.currency.clone());
                return Err(BillSumProblem::TwoCurrencies { old, new });
            }
            sum.billed.add(&row.billed);
            sum.seconds = sum.seconds.zip(row.used).map(|(own, other)| own.plus(other.seconds));
            sum.units_s = sum.units_s.saturating_add(row.used.map_or(0, |used| used.unit_s));
            return Ok(());
        }
        if self.days.len() >= MAX_SUMS {
            return Err(BillSumProblem::TooManySums);
        }
        let (seconds, units_s) = row.used.map_or((None, 0), |used| (Some(used.seconds), used.unit_s));
        let currency = row.currency.clone();
        self.days.insert(key, DayBill { billed: row.billed, seconds, units_s, currency });
        Ok(())
    }

    /// What the bill says of a day, for the search for its rule; `None` without a use and a price.
    #[must_use]
    pub fn billed_use(&self, day: &DayBill, tariff: Option<&Tariff>) -> Option<BilledUse> {
        let last_place = |places: u32| 10_i128.pow((SCALE).saturating_sub(places));
        if let Some(seconds) = day.seconds {
            let step = last_place(self.usage_places).saturating_mul(day.units_s.into());
            return Some(BilledUse::Seconds { seconds, step: Decimal::from_millionths(step) });
        }
        let is_comparable =
            |tariff: &&Tariff| tariff.currency == day.currency && tariff.price > Decimal::ZERO;
        let tariff = tariff.filter(is_comparable)?;
        let step = last_place(self.amount_places.max(CENT_PLACES)) * i128::from(day.billed.rows);
        Some(BilledUse::Amount {
            amount: day.billed.amount(),
            step: Decimal::from_millionths(step),
            price: tariff.price,
            unit_s: tariff.increments.next(),
        })
    }
}

fn add_item(lines: &mut Lines<ItemKey, ItemBill, MAX_ITEMS>, row: &BillRow) {
    let key = (row.item.clone(), row.origin, row.currency.clone());
    lines.line(&key).merge(ItemBill { name: row.name.clone(), billed: row.billed });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bill_row::Used;
    use crate::quick_parse;

    const NOTIFY: ProductId = ProductId(11_000_000_300_006);

    fn row(day: &str, item: &str, origin: Origin, pretax: &str) -> BillRow {
        let pretax = Decimal::parse(pretax).unwrap();
        BillRow {
            line: 2,
            day: quick_parse::day(day).unwrap(),
            item: item.into(),
            name: "语音".into(),
            origin,
            billed: Billed { rows: 1, gross: pretax.plus(pretax), pretax, ..Billed::default() },
            used: Some(Used { seconds: Decimal::whole(60), unit_s: 60, places: 0 }),
            amount_places: 2,
            currency: "CNY".into(),
        }
    }

    fn bill() -> Bill {
        Bill::new(ItemProducts::from([("notify".into(), NOTIFY)]))
    }

    #[test]
    fn use_is_summed_by_day_and_product() {
        let mut bill = bill();
        for (day, amount) in [("2026-11-16", "0.5"), ("2026-11-16", "0.25"), ("2026-11-17", "1")] {
            bill.add(&row(day, "notify", Origin::Usage, amount)).unwrap();
        }
        let sums: Vec<_> = bill.days.values().map(|day| (day.billed.amount().short(), day.seconds)).collect();
        let seconds = |n| Some(Decimal::whole(n));
        assert_eq!(sums, [("0.75".to_owned(), seconds(120)), ("1.00".to_owned(), seconds(60))]);
        bill.add(&BillRow { used: None, ..row("2026-11-17", "notify", Origin::Usage, "1") }).unwrap();
        assert_eq!(bill.days.values().last().unwrap().seconds, None, "one row gives no time");
    }

    #[test]
    fn other_rows_are_named_apart() {
        let mut bill = bill();
        bill.add(&row("2026-11-16", "notify", Origin::Refund, "-3")).unwrap();
        bill.add(&row("2026-11-16", "ecs", Origin::Usage, "7")).unwrap();
        bill.add(&row("2026-11-17", "ecs", Origin::Usage, "1")).unwrap();
        assert!(bill.days.is_empty());
        let shown = |lines: &Lines<ItemKey, ItemBill, MAX_ITEMS>| {
            let line = lines.iter().next().unwrap();
            (line.0.unwrap().0.to_string(), line.1.billed.amount().short(), line.1.billed.rows)
        };
        assert_eq!(shown(&bill.apart), ("notify".into(), "-3.00".into(), 1));
        assert_eq!(shown(&bill.unmapped), ("ecs".into(), "8.00".into(), 2));
        assert_eq!((bill.rows, bill.has_product(NOTIFY), bill.has_product(ProductId(1))), (3, true, false));
    }

    #[test]
    fn an_item_may_be_mapped_by_its_name() {
        let mut bill = Bill::new(ItemProducts::from([("语音".into(), NOTIFY)]));
        bill.add(&row("2026-11-16", "unknown-code", Origin::Usage, "1")).unwrap();
        assert_eq!(bill.days.len(), 1);
    }

    #[test]
    fn two_currencies_of_a_day_are_refused() {
        let mut bill = bill();
        bill.add(&row("2026-11-16", "notify", Origin::Usage, "1")).unwrap();
        let dollars = BillRow { currency: "USD".into(), ..row("2026-11-16", "notify", Origin::Usage, "1") };
        assert!(matches!(bill.add(&dollars), Err(BillSumProblem::TwoCurrencies { .. })));
    }

    #[test]
    fn further_items_without_a_product_share_a_sum() {
        let mut bill = bill();
        for no in 0..MAX_ITEMS + 5 {
            bill.add(&row("2026-11-16", &format!("item-{no:03}"), Origin::Usage, "1")).unwrap();
        }
        let rest = bill.unmapped.iter().last().unwrap();
        assert_eq!((rest.0, rest.1.billed.rows), (None, 5));
    }
}
