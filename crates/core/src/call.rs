//! [`CallKey`]: what identifies a call. Every part of the program joins on it.

use chrono::{Datelike as _, NaiveDate};
use sha2::{Digest, Sha256};

use crate::product::ProductId;

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
