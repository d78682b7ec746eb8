//! What identifies a call, and what a ledger row expects of it.
//!
//! Owns [`CallKey`] (the identity that every other part joins on), the provider's calendar
//! ([`day_of`], [`midnight_ms`]: everything is UTC+8) and [`LedgerRow`]. Pure: no I/O, no clock.

use chrono::{
    DateTime, Datelike as _, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone,
    Timelike as _, Utc,
};
/// A text of a row. Up to 24 bytes stand in the value itself: nearly every number, state and time does, and a million
/// rows are made and freed with a fraction of the allocations.
pub use compact_str::{CompactString, ToCompactString};
use sha2::{Digest, Sha256};

use crate::parse;

/// The provider's only time zone. China has had no daylight saving time since 1991, so the fixed
/// offset is right for every call of this product.
pub const PROVIDER_OFFSET_S: i32 = 8 * 3600;

/// How near to midnight (UTC+8) a call must lie for its record to be looked for on the
/// neighbouring day as well.
pub const MIDNIGHT_MARGIN: TimeDelta = TimeDelta::minutes(10);

/// UTC+8 as chrono's offset.
#[must_use]
pub fn provider_offset() -> FixedOffset {
    // `east_opt` is `None` only beyond 24 hours; the fallback is never taken.
    FixedOffset::east_opt(PROVIDER_OFFSET_S).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// An instant as the clocks of UTC+8 show it.
#[must_use]
pub fn provider_local(instant: DateTime<Utc>) -> NaiveDateTime {
    shifted(instant.naive_utc(), PROVIDER_OFFSET_S)
}

/// The calendar day in UTC+8 that contains an instant.
#[must_use]
pub fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    provider_local(instant).date()
}

/// A time some seconds later, of less than a day. chrono counts in seconds since the beginning for it, which costs several times
/// what the neighbouring day does, a dozen times a row.
fn shifted(at: NaiveDateTime, by_s: i32) -> NaiveDateTime {
    const DAY_S: i32 = 86_400;
    let (day, seconds) = (at.date(), at.time().num_seconds_from_midnight().cast_signed() + by_s);
    // A calendar day without a neighbour is none that anything is dated with.
    let (day, seconds) = match seconds {
        ..0 => (day.pred_opt().unwrap_or(day), seconds + DAY_S),
        DAY_S.. => (day.succ_opt().unwrap_or(day), seconds - DAY_S),
        _ => (day, seconds),
    };
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds.cast_unsigned(), at.nanosecond());
    day.and_time(time.unwrap_or_default())
}

/// An instant from local UTC+8 text, as the provider writes all its times.
#[must_use]
pub fn from_provider_local(local: NaiveDateTime) -> DateTime<Utc> {
    shifted(local, -PROVIDER_OFFSET_S).and_utc()
}

/// An instant as the provider would write it: `YYYY-MM-DD HH:MM:SS` in UTC+8.
#[must_use]
pub fn provider_text(instant: DateTime<Utc>) -> CompactString {
    provider_local(instant).format("%Y-%m-%d %H:%M:%S").to_compact_string()
}

/// `QueryDate` of a day: Unix milliseconds of its 00:00:00.000 in UTC+8, the one value that is
/// right under every version of the provider's text.
#[must_use]
pub fn midnight_ms(day: NaiveDate) -> i64 {
    from_provider_local(day.and_time(NaiveTime::MIN)).timestamp_millis()
}

/// The end of a calendar day in UTC+8, that is the midnight after it.
#[must_use]
pub fn end_of_day(day: NaiveDate) -> DateTime<Utc> {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    from_provider_local(next.and_time(NaiveTime::MIN))
}

/// The neighbouring day on which the record of a call near midnight may stand, or `None` when the
/// call is further than [`MIDNIGHT_MARGIN`] from either midnight.
#[must_use]
pub fn neighbour_day(called_at: DateTime<Utc>) -> Option<NaiveDate> {
    let day = day_of(called_at);
    let start = Utc.timestamp_millis_opt(midnight_ms(day)).single()?;
    if called_at - start < MIDNIGHT_MARGIN {
        day.pred_opt()
    } else if end_of_day(day) - called_at <= MIDNIGHT_MARGIN {
        day.succ_opt()
    } else {
        None
    }
}

/// The products whose calls can be asked for: number and name on the command line.
/// Source: the provider's page of `QueryCallDetailByCallId`.
pub const PRODUCTS: [(i64, &str); 6] = [
    (11_000_000_300_006, "voice-notification"),
    (11_010_000_138_001, "verification-code"),
    (11_000_000_300_005, "ivr"),
    (11_000_000_300_004, "click-to-dial"),
    (11_000_000_300_009, "sip"),
    (11_030_000_180_001, "smart-outbound"),
];

/// The provider's `ProdId`: any positive 64-bit number, six of which have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId(pub i64);

impl ProductId {
    /// The product's name as on the command line, where it has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        PRODUCTS.iter().find(|(id, _)| *id == self.0).map(|(_, name)| *name)
    }

    /// Reads a number or a product's name (case, spaces, `_` and `-` do not matter).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = parse::trimmed(text);
        if let Some(number) = parse::whole_number(text) {
            return Some(Self(number)).filter(|_| number > 0);
        }
        fn plain(s: &str) -> impl Iterator<Item = char> + '_ {
            s.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase)
        }
        PRODUCTS.iter().find(|(_, name)| plain(name).eq(plain(text))).map(|(id, _)| Self(*id))
    }
}

/// What identifies a call: the provider knows it by these three, and nothing less.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// The provider's CallId, untouched.
    pub call_id: String,
    /// The product that made the call; another one finds nothing, silently.
    pub prod_id: ProductId,
    /// The calendar day in UTC+8.
    pub day: NaiveDate,
}

impl CallKey {
    /// A 128-bit fingerprint: the first half of a SHA-256, so that two different calls of even a
    /// very large ledger never meet.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let mut hash = Sha256::new();
        hash.update(self.prod_id.0.to_le_bytes());
        hash.update(self.day.num_days_from_ce().to_le_bytes());
        hash.update(&self.call_id);
        let digest = hash.finalize();
        let mut half = [0_u8; 16];
        half.copy_from_slice(&digest[..16]);
        u128::from_le_bytes(half)
    }
}

/// A time as a ledger gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerTime {
    /// A point in time.
    Instant(DateTime<Utc>),
    /// Only a calendar day (UTC+8).
    Day(NaiveDate),
}

impl LedgerTime {
    /// The calendar day in UTC+8.
    #[must_use]
    pub fn day(self) -> NaiveDate {
        match self {
            Self::Instant(t) => day_of(t),
            Self::Day(day) => day,
        }
    }

    /// The point in time, where the ledger gives one.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Instant(t) => Some(t),
            Self::Day(_) => None,
        }
    }

    /// As in the discrepancy file: UTC+8 text without an offset, like the provider's own.
    #[must_use]
    pub fn text(self) -> CompactString {
        match self {
            Self::Instant(t) => provider_text(t),
            Self::Day(day) => day.to_compact_string(),
        }
    }
}

/// What the ledger expects of a call; `None` is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Calling number, as written.
    pub caller: Option<CompactString>,
    /// Called number, as written.
    pub callee: Option<CompactString>,
    /// Number shown to the caller's side, as written.
    pub caller_show_number: Option<CompactString>,
    /// Number shown to the called party, as written.
    pub callee_show_number: Option<CompactString>,
    /// State code.
    pub state: Option<CompactString>,
    /// Whether the call was answered.
    pub answered: Option<bool>,
    /// Talk time in seconds.
    pub duration_s: Option<i64>,
    /// When the call was made; compared only when it has a time of day.
    pub called_at: Option<LedgerTime>,
    /// When it was answered.
    pub started_at: Option<LedgerTime>,
    /// When it ended.
    pub ended_at: Option<LedgerTime>,
}

/// A usable row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Physical line of the file on which the row begins; the header is line 1.
    pub line: u64,
    /// Which call it names.
    pub key: CallKey,
    /// What it expects.
    pub expected: Expected,
    /// `query_date`, which only says the day.
    pub query_date: Option<LedgerTime>,
    /// The columns carried through, in the order of the header.
    pub carried: Vec<CompactString>,
}

/// A row that cannot be used. It becomes an `invalid_row` discrepancy; it is never dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// Physical line of the file on which the row begins.
    pub line: u64,
    /// Bytes before it in the (unpacked) file; `None` where rows have no place of their own, as in Parquet.
    pub offset: Option<u64>,
    /// The column at fault, from 1; `None` when it is the row as a whole.
    pub column: Option<u64>,
    /// The CallId, if the row has one.
    pub call_id: Option<String>,
    /// The ledger field at fault; empty when the row as a whole is.
    pub field: &'static str,
    /// What was wanted, where that can be said in a word.
    pub expected: Option<CompactString>,
    /// The text found.
    pub found: CompactString,
    /// What is wrong and what to do.
    pub reason: String,
    /// The columns carried through, as far as the row has them.
    pub carried: Vec<CompactString>,
    /// All its values as found, in the ledger's own columns; a row that could not be split into values is one.
    pub original: Vec<String>,
}

impl InvalidRow {
    /// What is wrong, what to do, and where it is: `not a time; … (column 3, byte 512)`.
    #[must_use]
    pub fn message(&self) -> String {
        let column = self.column.map(|column| format!("column {column}"));
        let offset = self.offset.map(|offset| format!("byte {offset}"));
        let place: Vec<String> = column.into_iter().chain(offset).collect();
        if place.is_empty() { self.reason.clone() } else { format!("{} ({})", self.reason, place.join(", ")) }
    }
}

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// It can be used.
    Row(LedgerRow),
    /// It cannot.
    Invalid(InvalidRow),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(local: &str) -> DateTime<Utc> {
        from_provider_local(NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S").unwrap())
    }

    #[test]
    fn query_date_is_midnight_in_utc_plus_8() {
        // Official examples of the provider's newer page and tutorial.
        let day = NaiveDate::from_ymd_opt(2022, 12, 21).unwrap();
        assert_eq!(midnight_ms(day), 1_671_552_000_000);
        let day = NaiveDate::from_ymd_opt(2018, 6, 4).unwrap();
        assert_eq!(midnight_ms(day), 1_528_041_600_000);
    }

    #[test]
    fn a_neighbour_is_named_only_within_ten_minutes_of_midnight() {
        let neighbour = |t: &str| neighbour_day(at(t)).map(|d| d.to_string());
        assert_eq!(neighbour("2026-12-31 23:50:00").as_deref(), Some("2027-01-01"));
        assert_eq!(neighbour("2026-12-31 23:49:59"), None);
        assert_eq!(neighbour("2028-03-01 00:00:00").as_deref(), Some("2028-02-29"));
        assert_eq!(neighbour("2028-03-01 00:09:59").as_deref(), Some("2028-02-29"));
        assert_eq!(neighbour("2028-03-01 00:10:00"), None);
    }

    #[test]
    fn a_product_is_read_by_number_or_name_and_nothing_else() {
        assert_eq!(ProductId::parse("11000000300006"), Some(ProductId(11_000_000_300_006)));
        assert_eq!(ProductId::parse(" Voice Notification "), Some(ProductId(11_000_000_300_006)));
        assert_eq!(ProductId::parse("1.1E+13"), None);
        assert_eq!(ProductId::parse("0"), None);
        assert_eq!(ProductId::parse(""), None);
        assert_eq!(ProductId::parse("99999999999999999999"), None);
    }
}
