//! Repeatable chance: each draw is a hash, so order and concurrency do not change it.

use sha2::{Digest as _, Sha256};

/// A number that depends on its three arguments alone (SplitMix64).
pub(super) fn draw(seed: u64, call_hash: u64, number: u64) -> u64 {
    let mut z =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ call_hash ^ number.wrapping_mul(0xd134_2543_de82_ef95);
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The first 64 bits of the CallId's SHA-256; collisions are rare even in a large ledger.
pub(super) fn call_hash(call_id: &str) -> u64 {
    first_64_bits(&Sha256::digest(call_id))
}

/// The first 64 bits of a digest, little-endian.
pub(super) fn first_64_bits(digest: &[u8]) -> u64 {
    digest.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// A share of the requests or the calls, from 0 % to 100 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Draws below this number are in the share.
    below: u64,
}

impl Share {
    /// Whether a draw falls into the share.
    pub(super) fn includes(self, draw: u64) -> bool {
        draw < self.below
    }
}

/// Reads a share in percent, for example `0.5%`.
///
/// # Errors
///
/// How to write a share, if the text is none.
pub fn parse_share(text: &str) -> Result<Share, String> {
    let percent = text.strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| *percent >= 0.0 && *percent <= 100.0);
    let percent = percent.ok_or("write a share from 0% to 100%, for example 0.5%")?;
    // The cast turns 2^64, which is 100 %, into the largest `u64`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let below = (percent / 100.0 * 18_446_744_073_709_551_616.0) as u64;
    Ok(Share { below })
}
