//! What identifies a call.

use chrono::{Datelike as _, NaiveDate};
use sha2::{Digest, Sha256};

use crate::product::ProductId;

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
