//! The notes on tariffs and bill. `Display` is English.

use std::fmt;

use crate::words::plural;
use reconcile_core::bill::Bill;
use reconcile_core::bill_check::{BillCheck, BillDay};
use reconcile_core::money::{MoneyFigures, MoneyRules};

/// Items named in a note.
const NAMED: usize = 5;

/// A note on tariffs or bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoneyNote {
    /// Calls have no tariff on their day.
    NoTariff {
        /// Their number.
        calls: u64,
    },
    /// Nobody knows the product of calls that only receipts name.
    NoProduct {
        /// Their number.
        calls: u64,
    },
    /// Items of the bill belong to no product.
    Unmapped {
        /// The first of them.
        items: Vec<UnmappedItem>,
        /// The number of the others.
        more: usize,
    },
    /// A resource package paid a part of these rows, which is in no amount.
    Packages {
        /// Rows of the bill.
        rows: u64,
    },
    /// The bill has only a header.
    EmptyBill,
    /// The bill is in another currency than the tariff on these days.
    OtherCurrency {
        /// Days of a product.
        days: u64,
    },
    /// Calls on days beyond those that have a sum of their own.
    TooManyDays {
        /// Their number.
        calls: u64,
    },
}

/// An item of the bill without a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmappedItem {
    /// Its code, or its name.
    pub item: String,
    /// Its sum.
    pub amount: String,
}

impl MoneyNote {
    /// All notes on the money of a run.
    #[must_use]
    pub fn all(rules: &MoneyRules, figures: &MoneyFigures, check: Option<&BillCheck<'_>>) -> Vec<Self> {
        let mut notes = Vec::new();
        if !rules.tariffs.is_empty() && figures.without_tariff > 0 {
            notes.push(Self::NoTariff { calls: figures.without_tariff });
        }
        if figures.without_product > 0 {
            notes.push(Self::NoProduct { calls: figures.without_product });
        }
        let Some(check) = check else { return notes };
        notes.extend((check.bill.rows == 0).then_some(Self::EmptyBill));
        notes.extend(unmapped(check.bill));
        let is_other = |day: &&BillDay<'_>| {
            let tariff = rules.tariffs.on(day.product, day.day);
            tariff.zip(day.bill).is_some_and(|(tariff, bill)| tariff.currency != bill.currency)
        };
        let days = check.days.iter().filter(is_other).count() as u64;
        notes.extend((days > 0).then_some(Self::OtherCurrency { days }));
        let rows = check.bill.days.values().map(|day| day.billed.package_rows).sum();
        if rows > 0 {
            notes.push(Self::Packages { rows });
        }
        if check.uncompared_calls > 0 {
            notes.push(Self::TooManyDays { calls: check.uncompared_calls });
        }
        notes
    }
}

fn unmapped(bill: &Bill) -> Option<MoneyNote> {
    let lines = || bill.unmapped.iter();
    let named = lines().filter_map(|(key, line)| {
        let (item, _, currency) = key?;
        let amount = format!("{} {currency}", line.billed.amount().short());
        Some(UnmappedItem { item: item.to_string(), amount })
    });
    let items: Vec<UnmappedItem> = named.take(NAMED).collect();
    let more = lines().count() - items.len();
    (!items.is_empty()).then_some(MoneyNote::Unmapped { items, more })
}

impl fmt::Display for MoneyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTariff { calls } => {
                let have = if *calls == 1 { "has" } else { "have" };
                write!(
                    f,
                    "{} {have} no tariff on their day, so their amounts are empty",
                    plural(*calls, "call")
                )
            }
            Self::NoProduct { calls } => {
                let have = if *calls == 1 { "has" } else { "have" };
                let calls = plural(*calls, "call");
                write!(
                    f,
                    "{calls} that the ledger lacks {have} no product, so the amounts are not known; give the run's \
                     product"
                )
            }
            Self::Unmapped { items, more } => {
                let named = items.iter().map(|item| format!("{} ({})", item.item, item.amount));
                let more = if *more > 0 { format!(", and {more} more") } else { String::new() };
                let named = named.collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "items of the bill belong to no product: {named}{more}; the table [bill] names products"
                )
            }
            Self::Packages { rows } => write!(
                f,
                "a resource package paid a part of {} of the bill; that part is in no amount",
                plural(*rows, "row")
            ),
            Self::EmptyBill => write!(f, "the bill has no rows, so nothing is compared with it"),
            Self::OtherCurrency { days } => write!(
                f,
                "the bill of {} is in another currency than the tariff, so these amounts are not compared",
                plural(*days, "day")
            ),
            Self::TooManyDays { calls } => {
                let (are, calls) = (if *calls == 1 { "is" } else { "are" }, plural(*calls, "call"));
                write!(f, "{calls} {are} on later days than the bill is compared for")
            }
        }
    }
}
