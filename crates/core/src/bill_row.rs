//! A row of the provider's bill: what a billing item cost on a day.
//!
//! The columns are those of the bill's details by billing item, which the console exports and the
//! operation `DescribeInstanceBill` returns. A bill names no call.

use chrono::{NaiveDate, TimeDelta};
use compact_str::CompactString;

use crate::decimal::{Decimal, DecimalProblem, SCALE};
use crate::ledger_field::normalized;
use crate::ledger_row::LedgerTime;
use crate::ledger_times::parse_time;

/// The columns that are read. All others are passed over.
pub const COLUMNS: [&str; 13] = [
    "BillingDate",
    "UsageStartTime",
    "UsageEndTime",
    "BillingItemCode",
    "BillingItem",
    "Item",
    "Usage",
    "UsageUnit",
    "PretaxGrossAmount",
    "PretaxAmount",
    "DeductedByCoupons",
    "DeductedByResourcePackage",
    "Currency",
];

/// Positions in [`COLUMNS`].
const BILLING_DATE: usize = 0;
const USAGE_START: usize = 1;
const ITEM_CODE: usize = 3;
const ITEM_NAME: usize = 4;
const PRETAX: usize = 9;

/// The currency of a bill without the column.
const DEFAULT_CURRENCY: &str = "CNY";

/// The position of a header in [`COLUMNS`]; `None` for a column that is passed over. Case, spaces,
/// `_` and `-` are ignored.
#[must_use]
pub fn column_of(header: &str) -> Option<usize> {
    let header = normalized(header);
    COLUMNS.iter().position(|name| normalized(name) == header)
}

/// What a header row lacks, as alternatives; `None` if it has all that is needed.
#[must_use]
pub fn missing(has: [bool; COLUMNS.len()]) -> Option<&'static str> {
    let needed = [
        (has[BILLING_DATE] || has[USAGE_START], "BillingDate or UsageStartTime"),
        (has[ITEM_CODE] || has[ITEM_NAME], "BillingItemCode or BillingItem"),
        (has[PRETAX], "PretaxAmount"),
    ];
    needed.into_iter().find_map(|(is_there, name)| (!is_there).then_some(name))
}

/// What a row bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The use of a day. Only these rows are compared with calls.
    Usage,
    /// A subscription or a resource package.
    Order,
    /// Money that was paid back.
    Refund,
    /// A correction by the provider.
    Adjustment,
}

impl Origin {
    /// The word in the outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Order => "order",
            Self::Refund => "refund",
            Self::Adjustment => "adjustment",
        }
    }

    /// The word of the bill's column `Item`; empty text is use.
    fn parse(text: &str) -> Option<Self> {
        match normalized(text).as_str() {
            "" | "payasyougobill" => Some(Self::Usage),
            "subscriptionorder" => Some(Self::Order),
            "refund" => Some(Self::Refund),
            "adjustment" => Some(Self::Adjustment),
            _ => None,
        }
    }
}

/// The figures of a row, or their sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Billed {
    /// Rows of the bill.
    pub rows: u64,
    /// `PretaxGrossAmount`: list price times use.
    pub gross: Decimal,
    /// `PretaxAmount`: after discounts and coupons.
    pub pretax: Decimal,
    /// `DeductedByCoupons`.
    pub coupons: Decimal,
    /// Rows of which a resource package paid a part. That part is in no amount.
    pub package_rows: u64,
}

impl Billed {
    /// What the use costs by the contract: after discounts, and before coupons, which are a way to
    /// pay. This is compared with the calls.
    #[must_use]
    pub fn amount(&self) -> Decimal {
        self.pretax.plus(self.coupons)
    }

    /// Adds the figures of another row or sum.
    pub fn add(&mut self, other: &Self) {
        let Self { rows, gross, pretax, coupons, package_rows } = *other;
        self.rows += rows;
        self.gross = self.gross.plus(gross);
        self.pretax = self.pretax.plus(pretax);
        self.coupons = self.coupons.plus(coupons);
        self.package_rows += package_rows;
    }
}

/// The use of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Seconds.
    pub seconds: Decimal,
    /// Seconds of the bill's unit.
    pub unit_s: i64,
    /// Places after the point of `Usage`.
    pub places: u32,
}

/// A row of the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRow {
    /// The line of the file.
    pub line: u64,
    /// The day, in UTC+8.
    pub day: NaiveDate,
    /// The item's code; without one, its name.
    pub item: CompactString,
    /// The item's name; empty if the bill has none.
    pub name: CompactString,
    /// What is billed.
    pub origin: Origin,
    /// The amounts.
    pub billed: Billed,
    /// The use; `None` if the bill does not give it, or not as a time.
    pub used: Option<Used>,
    /// Places after the point of `PretaxAmount`.
    pub amount_places: u32,
    /// ISO 4217.
    pub currency: CompactString,
}

/// Why a row of a bill cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillProblem {
    /// It has no day.
    #[error("there is no BillingDate and no UsageStartTime")]
    NoDay,
    /// Its day cannot be read.
    #[error("{column} is no day")]
    NotADay {
        /// The column.
        column: &'static str,
    },
    /// It covers more than a day.
    #[error("its use covers more than one day; export the bill by day")]
    SeveralDays,
    /// It has no item.
    #[error("there is no BillingItemCode and no BillingItem")]
    NoItem,
    /// An amount cannot be read.
    #[error("{column}: {problem}")]
    Amount {
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        problem: DecimalProblem,
    },
    /// It has no amount.
    #[error("there is no PretaxAmount")]
    NoAmount,
    /// It bills something unknown.
    #[error("Item is none of PayAsYouGoBill, SubscriptionOrder, Refund, Adjustment")]
    UnknownItem,
}

impl BillRow {
    /// Reads a row, whose texts are in the order of [`COLUMNS`]; `None` for an empty one.
    ///
    /// # Errors
    ///
    /// The row has no meaning.
    pub fn parse(line: u64, texts: [&str; COLUMNS.len()]) -> Result<Option<Self>, BillProblem> {
        let texts = texts.map(str::trim);
        if texts.iter().all(|text| text.is_empty()) {
            return Ok(None);
        }
        let [date, start, end, code, name, origin, usage, unit, gross, pretax, coupons, package, currency] =
            texts;
        let item = if code.is_empty() { name } else { code };
        if item.is_empty() {
            return Err(BillProblem::NoItem);
        }
        if pretax.is_empty() {
            return Err(BillProblem::NoAmount);
        }
        let billed = Billed {
            rows: 1,
            gross: amount("PretaxGrossAmount", gross)?,
            pretax: amount("PretaxAmount", pretax)?,
            coupons: amount("DeductedByCoupons", coupons)?,
            package_rows: u64::from(package.bytes().any(|b| (b'1'..=b'9').contains(&b))),
        };
        Ok(Some(Self {
            line,
            day: day(date, start, end)?,
            item: item.into(),
            name: name.into(),
            origin: Origin::parse(origin).ok_or(BillProblem::UnknownItem)?,
            billed,
            used: used(usage, unit)?,
            amount_places: places(pretax),
            currency: if currency.is_empty() { DEFAULT_CURRENCY.into() } else { currency.into() },
        }))
    }
}

/// An amount; empty text is zero.
fn amount(column: &'static str, text: &str) -> Result<Decimal, BillProblem> {
    if text.is_empty() {
        return Ok(Decimal::ZERO);
    }
    Decimal::parse_rounded(text).map_err(|problem| BillProblem::Amount { column, problem })
}

/// Places after the point, up to those of a [`Decimal`]. Zeros at the end count, since they were
/// written.
fn places(text: &str) -> u32 {
    text.split_once('.').map_or(0, |(_, places)| u32::try_from(places.len()).map_or(SCALE, |n| n.min(SCALE)))
}

/// The use as a time.
fn used(usage: &str, unit: &str) -> Result<Option<Used>, BillProblem> {
    let unit_s = match normalized(unit).as_str() {
        "second" | "seconds" | "sec" | "s" | "秒" => 1,
        "minute" | "minutes" | "min" | "mins" | "分钟" | "分" => 60,
        "hour" | "hours" | "h" | "小时" => 3_600,
        _ => return Ok(None),
    };
    if usage.is_empty() {
        return Ok(None);
    }
    let problem = DecimalProblem::TooLarge;
    let seconds = amount("Usage", usage)?.times(unit_s);
    let seconds = seconds.ok_or(BillProblem::Amount { column: "Usage", problem })?;
    Ok(Some(Used { seconds, unit_s, places: places(usage) }))
}

/// The day: `BillingDate`, or else that of the use.
fn day(date: &str, start: &str, end: &str) -> Result<NaiveDate, BillProblem> {
    let time = |column, text: &str| {
        parse_time(text).map(|parsed| parsed.time).map_err(|_| BillProblem::NotADay { column })
    };
    if !date.is_empty() {
        return time("BillingDate", date).map(LedgerTime::day);
    }
    if start.is_empty() {
        return Err(BillProblem::NoDay);
    }
    let start = time("UsageStartTime", start)?.day();
    if end.is_empty() {
        return Ok(start);
    }
    // The use of a day ends at its last second, or at the midnight after it.
    let last = match time("UsageEndTime", end)? {
        LedgerTime::Instant(end) => LedgerTime::Instant(end - TimeDelta::seconds(1)).day(),
        LedgerTime::Day(end) => end,
    };
    if last <= start { Ok(start) } else { Err(BillProblem::SeveralDays) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(texts: [&str; COLUMNS.len()]) -> Result<BillRow, BillProblem> {
        BillRow::parse(2, texts).map(Option::unwrap)
    }

    const USE: [&str; COLUMNS.len()] = [
        "2026-11-16",
        "",
        "",
        "voice_notify",
        "语音通知",
        "PayAsYouGoBill",
        "205.5",
        "分钟",
        "12.33",
        "10.28",
        "1.02",
        "0",
        "CNY",
    ];

    fn with(at: usize, text: &'static str) -> [&'static str; COLUMNS.len()] {
        let mut texts = USE;
        texts[at] = text;
        texts
    }

    #[test]
    fn a_row_gives_its_day_item_use_and_amounts() {
        let row = row(USE).unwrap();
        assert_eq!((row.day.to_string().as_str(), row.item.as_str()), ("2026-11-16", "voice_notify"));
        let used = Used { seconds: Decimal::whole(12_330), unit_s: 60, places: 1 };
        assert_eq!((row.used, row.amount_places), (Some(used), 2));
        assert_eq!((row.billed.gross.short(), row.billed.amount().short()), ("12.33".into(), "11.30".into()));
        assert_eq!((row.origin, row.billed.package_rows), (Origin::Usage, 0));
        assert_eq!(BillRow::parse(3, [" "; COLUMNS.len()]), Ok(None));
    }

    #[test]
    fn the_day_may_be_that_of_the_use() {
        let used = |start, end| {
            let mut texts = USE;
            [texts[0], texts[1], texts[2]] = ["", start, end];
            row(texts).map(|row| row.day.to_string())
        };
        let day = Ok("2026-11-16".to_owned());
        assert_eq!(used("2026-11-16 00:00:00", "2026-11-17 00:00:00"), day);
        assert_eq!(used("2026-11-16 10:00:00", "2026-11-16 11:00:00"), day);
        assert_eq!(used("2026-11-16 10:00:00", ""), day);
        assert_eq!(used("2026-11-16 00:00:00", "2026-11-17 00:00:01"), Err(BillProblem::SeveralDays));
        assert_eq!(used("2026-11-01", "2026-11-30"), Err(BillProblem::SeveralDays));
        assert_eq!(used("soon", ""), Err(BillProblem::NotADay { column: "UsageStartTime" }));
        assert_eq!(used("", ""), Err(BillProblem::NoDay));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let amount = |column, problem| Err(BillProblem::Amount { column, problem });
        assert_eq!(row(with(9, "1,000")), amount("PretaxAmount", DecimalProblem::NotANumber));
        assert_eq!(row(with(6, "many")), amount("Usage", DecimalProblem::NotANumber));
        assert_eq!(row(with(9, "")), Err(BillProblem::NoAmount));
        assert_eq!(row(with(5, "Gift")), Err(BillProblem::UnknownItem));
        let mut nameless = USE;
        [nameless[3], nameless[4]] = ["", ""];
        assert_eq!(row(nameless), Err(BillProblem::NoItem));
    }

    #[test]
    fn use_counts_as_seconds_only_in_a_unit_of_time() {
        for (unit, seconds) in [("Second", Some(205)), ("Minutes", Some(12_300)), ("次", None), ("", None)] {
            let mut texts = with(6, "205");
            texts[7] = unit;
            let used = row(texts).unwrap().used.map(|used| used.seconds);
            assert_eq!(used, seconds.map(Decimal::whole), "{unit}");
        }
        assert_eq!(row(with(11, "30 分钟")).unwrap().billed.package_rows, 1);
        assert_eq!(row(with(11, "0.00")).unwrap().billed.package_rows, 0);
    }

    #[test]
    fn headers_are_found_in_any_case() {
        assert_eq!(column_of("billing_item_code"), Some(ITEM_CODE));
        assert_eq!(column_of("NickName"), None);
        let mut has = [true; COLUMNS.len()];
        assert_eq!(missing(has), None);
        has[BILLING_DATE] = false;
        assert_eq!(missing(has), None, "the use has a day");
        has[USAGE_START] = false;
        assert_eq!(missing(has), Some("BillingDate or UsageStartTime"));
    }
}
