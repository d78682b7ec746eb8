//! How far receipts are trusted: as answers, as answers of which a sample is checked, or not.

use std::fmt;

/// How far receipts are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptsTrust {
    /// A receipt answers its call.
    Full,
    /// A receipt answers its call; a sample of such calls is asked for all the same.
    Sample(SampleShare),
    /// A receipt answers no call. It only shows calls that the ledger lacks.
    None,
}

/// A share of the calls, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleShare(u32);

const WHOLE: u32 = 1_000_000;

impl SampleShare {
    /// A share in percent with up to four digits after the point, such as `2%` or `0.5%`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let percent = text.strip_suffix('%')?;
        let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
        let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_plain(whole) || !is_plain(fraction) || whole.len() > 3 || fraction.len() > 4 {
            return None;
        }
        let millionths = format!("{whole}{fraction:0<4}").parse().ok()?;
        (millionths <= WHOLE).then_some(Self(millionths))
    }

    /// True if a call is in the sample: each seed selects another sample of this share. The choice
    /// depends on nothing else, so a run that is resumed asks for the same calls.
    ///
    /// `fingerprint` is [`CallKey::fingerprint`](crate::call::CallKey::fingerprint).
    #[must_use]
    pub fn includes(self, fingerprint: u128, seed: u64) -> bool {
        // Both halves of the fingerprint are random already; the seed only has to change the order.
        let half = (fingerprint >> u64::BITS) as u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (half ^ (half >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed ^ (mixed >> 32)) % u64::from(WHOLE) < u64::from(self.0)
    }
}

impl fmt::Display for SampleShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % 10_000);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}%", self.0 / 10_000),
            fraction => write!(f, "{}.{fraction}%", self.0 / 10_000),
        }
    }
}

impl ReceiptsTrust {
    /// Without a setting, a sample of 2 %.
    pub const DEFAULT: Self = Self::Sample(SampleShare(WHOLE / 50));

    /// Parses `full`, `none` or `sample=2%`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('=') {
            None if text == "full" => Some(Self::Full),
            None if text == "none" => Some(Self::None),
            Some(("sample", share)) => SampleShare::parse(share).map(Self::Sample),
            _ => None,
        }
    }

    /// True if a call with a receipt is asked for all the same.
    #[must_use]
    pub fn asks(self, fingerprint: u128, seed: u64) -> bool {
        match self {
            Self::Full => false,
            Self::Sample(share) => share.includes(fingerprint, seed),
            Self::None => true,
        }
    }
}

impl fmt::Display for ReceiptsTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Sample(share) => write!(f, "sample={share}"),
            Self::None => f.write_str("none"),
        }
    }
}

/// The receipts are not trusted if more than this share of the sample differs, in percent.
pub const MOST_DIFFERING_PERCENT: f64 = 1.0;
/// How improbable the differences must be if the true share is not above the limit.
const LEVEL: f64 = 0.01;

/// True if a sample shows that more than [`MOST_DIFFERING_PERCENT`] of the receipts differ from
/// their records. `checked` calls have both, and `differing` of them differ.
///
/// A small sample says little: 1 of 10 differs by chance in one of ten samples even where only 1 %
/// of all do. So the question is how probable it is that so many, or more, differ by chance if 1 %
/// of all receipts differ (the upper tail of the binomial distribution, which gives the exact lower
/// confidence bound). Below 1 % it is no chance. One difference is never enough; two are enough
/// among at most 15 checked calls; among 1,000 it takes 19.
///
/// A run decides once, when the sample has its answers. If it errs, which happens at most once in a
/// hundred runs with good receipts, it only asks for more than it must.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "no sample has so many calls")]
pub fn refutes(checked: u64, differing: u64) -> bool {
    let (n, k, p) = (checked as f64, differing as f64, MOST_DIFFERING_PERCENT / 100.0);
    if differing == 0 || differing > checked || k <= n * p {
        return false;
    }
    // The logarithm of the probability of exactly k.
    let exactly: f64 = (1..=differing).map(|i| ((n - k + i as f64) / i as f64).ln()).sum::<f64>()
        + k * p.ln()
        + (n - k) * (1.0 - p).ln();
    // Beyond the mean, each further probability is a smaller part of the one before.
    let (mut factor, mut tail) = (1.0, 1.0);
    for i in differing..checked {
        factor *= (n - i as f64) / (i as f64 + 1.0) * p / (1.0 - p);
        tail += factor;
        if factor < 1e-12 {
            break;
        }
    }
    exactly + tail.ln() < LEVEL.ln()
}
