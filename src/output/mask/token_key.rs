//! The secret key that turns phone numbers into tokens.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::hex::hex;

/// A secret key for tokens.
#[derive(Clone)]
pub struct TokenKey {
    mac: Hmac<Sha256>,
    id: String,
}

impl TokenKey {
    /// Smallest length of a key.
    pub const BYTES_AT_LEAST: usize = 16;

    /// The key with these bytes; `None` if they are too few.
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        if key.len() < Self::BYTES_AT_LEAST {
            return None;
        }
        let digest = Sha256::new().chain_update(b"reconcile mask key\0").chain_update(key).finalize();
        let mac = Hmac::new_from_slice(key).ok()?;
        Some(Self { mac, id: hex(&digest[..8]) })
    }

    /// Identifies the key without revealing it. Equal ids mean equal tokens.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// `tok_` and 128 bits of HMAC-SHA256 over the normalized number.
    pub(super) fn token(&self, number: &str) -> String {
        let code = self.mac.clone().chain_update(number).finalize().into_bytes();
        format!("tok_{}", hex(&code[..16]))
    }
}

/// Shows the id, never the key.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_key_is_never_shown() {
        let shown = format!("{:?}", TokenKey::new(b"0123456789abcdef").unwrap());
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(TokenKey::new(b"0123456789abcde").is_none());
    }
}
