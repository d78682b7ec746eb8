//! The bill of the known calls, with the columns of the provider's. It rehearses the comparison.
//!
//! A row sums the calls of a day and a product, each rounded up by the tariff. Calls without a
//! product or a tariff, and calls whose record is not final, are not billed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;

use super::calls::{Calls, KnownRecord};
use crate::error::{Error, Result};
use crate::staged::Staged;
use reconcile_core::bill::ItemProducts;
use reconcile_core::decimal::Decimal;
use reconcile_core::normalize::normalize;
use reconcile_core::product::ProductId;
use reconcile_core::tariff::{Charge, Tariff, Tariffs};

/// The columns of the bill.
const HEADER: [&str; 10] = [
    "BillingDate",
    "BillingItemCode",
    "BillingItem",
    "Item",
    "Usage",
    "UsageUnit",
    "ListPrice",
    "PretaxGrossAmount",
    "PretaxAmount",
    "Currency",
];

/// Where a bill is written, and how calls are billed.
#[derive(Debug, Clone)]
pub struct BillOut {
    /// The file.
    pub path: PathBuf,
    /// The tariffs.
    pub tariffs: Tariffs,
    /// The product of each billing item.
    pub items: ItemProducts,
}

impl BillOut {
    /// Writes the bill; without `calls` that of the sample data.
    ///
    /// # Errors
    ///
    /// Exit 2 without a tariff, and for a recording, which has no calls. Exit 6 if the file cannot
    /// be written.
    pub(super) fn write(&self, calls: Option<&Calls>, seed: u64) -> Result<()> {
        if self.tariffs.is_empty() {
            return Err(Error::usage("the sandbox needs a tariff for the bill")
                .hint("add a table such as [tariff.\"voice-notification\"] to the configuration file"));
        }
        let records = match calls {
            Some(calls) => calls.records(seed),
            None => Calls::sample()?.records(seed),
        };
        let records = records.ok_or_else(|| {
            Error::usage("a recording has no bill").hint("name a ledger as the file of known calls")
        })?;
        let mut file = Staged::create(&self.path)?;
        file.write_text(&self.text(&records)?)?;
        file.sync()?;
        file.rename()?;
        file.sync_folder()
    }

    /// The bill as CSV, by day and product.
    fn text(&self, records: &[KnownRecord]) -> Result<String> {
        let mut sums: BTreeMap<(NaiveDate, ProductId), (&Tariff, Charge)> = BTreeMap::new();
        for record in records {
            let Some(product) = record.product else { continue };
            let Some(tariff) = self.tariffs.on(product, record.day) else { continue };
            let Some(detail) = normalize(&record.data).ok().filter(|detail| detail.is_final) else {
                continue;
            };
            let Some(charge) = tariff.of_record(&detail) else { continue };
            let (_, sum) = sums.entry((record.day, product)).or_insert((tariff, Charge::default()));
            sum.units = sum.units.saturating_add(charge.units);
            sum.amount = sum.amount.plus(charge.amount);
        }
        let mut csv = csv::Writer::from_writer(Vec::new());
        let mut rows =
            sums.into_iter().map(|((day, product), (tariff, sum))| self.row(day, product, tariff, sum));
        let written = csv.write_record(HEADER).and_then(|()| rows.try_for_each(|row| csv.write_record(row)));
        let bug = |e: Box<dyn std::error::Error + Send + Sync>| Error::bug("cannot make the bill").because(e);
        written.map_err(|e| bug(e.into()))?;
        let bytes = csv.into_inner().map_err(|e| bug(e.to_string().into()))?;
        String::from_utf8(bytes).map_err(|e| bug(e.into()))
    }

    fn row(
        &self,
        day: NaiveDate,
        product: ProductId,
        tariff: &Tariff,
        sum: Charge,
    ) -> [String; HEADER.len()] {
        let name = product.name().map_or_else(|| product.0.to_string(), str::to_owned);
        let item = self.items.iter().find(|(_, own)| **own == product).map(|(item, _)| item.to_string());
        let seconds = Decimal::whole(sum.units).times(tariff.increments.next().into()).unwrap_or_default();
        let is_in_minutes = tariff.increments.next().is_multiple_of(60);
        let (usage, unit) = match is_in_minutes {
            true => (seconds.millionths() / 60_000_000, "minutes"),
            false => (seconds.millionths() / 1_000_000, "seconds"),
        };
        [
            day.to_string(),
            item.unwrap_or_else(|| name.clone()),
            name,
            "PayAsYouGoBill".to_owned(),
            usage.to_string(),
            unit.to_owned(),
            tariff.price.short(),
            sum.amount.short(),
            sum.amount.short(),
            tariff.currency.to_string(),
        ]
    }
}
