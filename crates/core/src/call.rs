//! What identifies a call.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use sha2::{Digest, Sha256};

use crate::calendar::day_of;
use crate::product::ProductId;
use crate::quick_parse::is_digits;

/// What identifies a call: the provider finds its record only by all three parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// The provider's CallId, unchanged.
    pub call_id: String,
    /// The product that made the call. With a wrong product the provider reports no record and
    /// no error.
    pub prod_id: ProductId,
    /// The calendar day in UTC+8.
    pub day: NaiveDate,
}

impl CallKey {
    /// A 128-bit fingerprint, the first half of a SHA-256: no two calls share one, even in a very
    /// large ledger.
    #[must_use]
    #[inline]
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

/// When a call was made, as its CallId says: the part before `^`, if it is 13 digits that read as
/// Unix milliseconds of the years 2015 to 2100 (UTC+8).
#[must_use]
pub fn called_at_of(call_id: &str) -> Option<DateTime<Utc>> {
    let (front, _) = call_id.split_once('^')?;
    if front.len() != 13 || !is_digits(front) {
        return None;
    }
    let instant = DateTime::from_timestamp_millis(front.parse().ok()?)?;
    (2015..=2100).contains(&day_of(instant).year()).then_some(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_thirteen_digits_before_the_caret_are_a_time() {
        let day = |call_id| called_at_of(call_id).map(|at| day_of(at).to_string());
        assert_eq!(day("1671552000000^123").as_deref(), Some("2022-12-21"));
        assert_eq!(day("1671551999999^123").as_deref(), Some("2022-12-20"));
        for none in ["1671552000000", "116012854210^123", "1400000000000^123", "+671552000000^123"] {
            assert_eq!(day(none), None, "{none}");
        }
    }
}
