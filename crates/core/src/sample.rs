//! A sample of calls: the same for everyone who draws it with the same seed.

use sha2::{Digest as _, Sha256};

/// A share of all numbers, drawn by a hash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    seed: u64,
    /// From 0 to 1.
    share: f64,
}

impl Sample {
    /// A sample of this percentage. Another seed draws another one.
    #[must_use]
    pub fn new(seed: &str, percent: f64) -> Self {
        let mut first = [0_u8; 8];
        first.copy_from_slice(&Sha256::digest(seed)[..8]);
        Self { seed: u64::from_le_bytes(first), share: percent / 100.0 }
    }

    /// Whether this number is in the sample.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "53 bits are enough for a share")]
        let at = (mixed(self.seed ^ number.cast_unsigned()) >> 11) as f64 / (1_u64 << 53) as f64;
        at < self.share
    }

    /// A number below `n`, drawn by the seed alone; 0 if `n` is 0.
    #[must_use]
    pub fn start(&self, n: u64) -> u64 {
        mixed(self.seed).checked_rem(n).unwrap_or(0)
    }
}

/// The finalizer of `SplitMix64`: every bit of the result depends on every bit of the number.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: &str, percent: f64) -> Vec<i64> {
        let sample = Sample::new(seed, percent);
        (1..=100_000).filter(|number| sample.contains(*number)).collect()
    }

    #[test]
    fn a_sample_has_about_its_share_and_is_the_same_again() {
        for (percent, about) in [(0.1, 100), (1.0, 1_000), (50.0, 50_000)] {
            let calls = drawn("run", percent);
            assert!(calls.len().abs_diff(about) < 4 * about.isqrt() + 1, "{percent} %: {}", calls.len());
            assert_eq!(calls, drawn("run", percent));
        }
        assert_eq!((drawn("run", 100.0).len(), drawn("run", 0.0).len()), (100_000, 0));
        let both = drawn("run", 1.0).into_iter().filter(|call| Sample::new("next", 1.0).contains(*call));
        assert!(both.count() < 40, "another seed draws another sample");
        assert!(Sample::new("run", 1.0).start(7) < 7 && Sample::new("run", 1.0).start(0) == 0);
    }
}
