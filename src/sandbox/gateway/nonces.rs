//! Which nonces the gateway has seen. Memory is bounded.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::timestamp;
use crate::sandbox::refusal::Refusal;

/// How long a nonce is remembered. A request with the earliest valid time stamp stays valid for two
/// margins.
const LIFETIME: Duration = Duration::from_secs(2 * timestamp::MARGIN.num_seconds().unsigned_abs());
/// The most nonces that are remembered.
const CAPACITY: usize = 200_000;

/// The remembered nonces.
#[derive(Default)]
pub(super) struct Nonces {
    hashes: HashSet<u128>,
    by_age: VecDeque<(Instant, u128)>,
}

impl Nonces {
    /// Remembers a key's nonce. Beyond the capacity it forgets the oldest ones.
    ///
    /// # Errors
    ///
    /// `SignatureNonceUsed` if the nonce is still remembered.
    pub(super) fn remember(&mut self, key: &str, nonce: &str, now: Instant) -> Result<(), Refusal> {
        let hash = hash(key, nonce);
        self.forget_while(|seen, _| now.saturating_duration_since(seen) > LIFETIME);
        if !self.hashes.insert(hash) {
            return Err(Refusal::nonce_used());
        }
        self.forget_while(|_, count| count >= CAPACITY);
        self.by_age.push_back((now, hash));
        Ok(())
    }

    /// Forgets the oldest nonce while `is_old` is true for its arrival and the number of nonces.
    fn forget_while(&mut self, is_old: impl Fn(Instant, usize) -> bool) {
        while let Some((seen, hash)) = self.by_age.front()
            && is_old(*seen, self.by_age.len())
        {
            self.hashes.remove(hash);
            self.by_age.pop_front();
        }
    }
}

/// Half of a SHA-256: a long nonce takes no more memory than a short one.
fn hash(key: &str, nonce: &str) -> u128 {
    let digest = Sha256::new().chain_update(key).chain_update([0]).chain_update(nonce).finalize();
    digest.first_chunk().map_or(0, |first| u128::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_nonce_is_refused_until_its_lifetime_ends() {
        let (mut nonces, start) = (Nonces::default(), Instant::now());
        assert_eq!(nonces.remember("k", "a", start), Ok(()));
        let refusal = nonces.remember("k", "a", start + LIFETIME).unwrap_err();
        assert_eq!(refusal.code, "SignatureNonceUsed");
        assert_eq!(nonces.remember("k", "a", start + LIFETIME + Duration::from_millis(1)), Ok(()));
    }

    #[test]
    fn the_oldest_nonces_are_forgotten_first() {
        let (mut nonces, now) = (Nonces::default(), Instant::now());
        for n in 0..=CAPACITY {
            nonces.remember("k", &n.to_string(), now).unwrap();
        }
        assert_eq!((nonces.hashes.len(), nonces.by_age.len()), (CAPACITY, CAPACITY));
        assert!(nonces.remember("k", "1", now).is_err());
        assert_eq!(nonces.remember("k", "0", now), Ok(()));
    }
}
