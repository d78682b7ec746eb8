//! Decimal numbers with six places: exact amounts of money and billed units.
//!
//! An amount is an integer of millionths. No floating-point number touches it, so sums are the same
//! in any order and on every machine. Only [`Decimal::parse_rounded`] rounds.

use std::fmt;

use crate::merge::Merge;

/// Places after the point, as in the columns' type DECIMAL(18,6).
pub const SCALE: u32 = 6;
/// Digits of a value in a column.
pub const PRECISION: u8 = 18;

/// The same as a length of text.
const PLACES: usize = 6;
/// Digits before the point of a value in a column.
const WHOLE_DIGITS: usize = 12;
/// One, in millionths.
const ONE: i128 = 1_000_000;
/// The first number of millionths that has more than [`PRECISION`] digits.
const BEYOND: i128 = 1_000_000_000_000_000_000;

/// A number with six places after the point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

/// Why a text is no decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalProblem {
    /// It is not a sign, digits and a point.
    #[error("it is not a decimal number such as 0.055")]
    NotANumber,
    /// It has places that would be lost.
    #[error("it has more than {SCALE} places after the point")]
    TooManyPlaces,
    /// It has too many digits.
    #[error("it has more than {} digits before the point", u32::from(PRECISION) - SCALE)]
    TooLarge,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A number from its millionths.
    #[must_use]
    pub const fn from_millionths(millionths: i128) -> Self {
        Self(millionths)
    }

    /// A whole number.
    #[must_use]
    pub const fn whole(number: i64) -> Self {
        Self(number as i128 * ONE)
    }

    /// The number in millionths.
    #[must_use]
    pub const fn millionths(self) -> i128 {
        self.0
    }

    /// The number in millionths as a column DECIMAL(18,6) holds it; `None` if it has too many
    /// digits.
    #[must_use]
    pub fn in_column(self) -> Option<i64> {
        (-BEYOND < self.0 && self.0 < BEYOND).then_some(self.0).and_then(|n| i64::try_from(n).ok())
    }

    /// Reads a number such as `0.055`, exactly.
    ///
    /// # Errors
    ///
    /// The text is no number, or has too many digits before or after the point.
    pub fn parse(text: &str) -> Result<Self, DecimalProblem> {
        let (number, rest) = Self::read(text)?;
        if rest.bytes().any(|digit| digit != b'0') { Err(DecimalProblem::TooManyPlaces) } else { Ok(number) }
    }

    /// Reads a number and rounds it to six places, half away from zero.
    ///
    /// # Errors
    ///
    /// The text is no number, or has too many digits before the point.
    pub fn parse_rounded(text: &str) -> Result<Self, DecimalProblem> {
        let (number, rest) = Self::read(text)?;
        let up = rest.bytes().next().is_some_and(|digit| digit >= b'5');
        let away = if text.starts_with('-') { -1 } else { 1 };
        Self(number.0 + if up { away } else { 0 }).checked().ok_or(DecimalProblem::TooLarge)
    }

    /// The number without the digits after the sixth place, and these digits.
    fn read(text: &str) -> Result<(Self, &str), DecimalProblem> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, places) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let is_number = !whole.is_empty() && are_digits(whole) && are_digits(places);
        if !is_number || unsigned.ends_with('.') {
            return Err(DecimalProblem::NotANumber);
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() > WHOLE_DIGITS {
            return Err(DecimalProblem::TooLarge);
        }
        let (kept, rest) = places.split_at(places.len().min(PLACES));
        let digits = whole.bytes().chain(kept.bytes()).chain(std::iter::repeat(b'0'));
        let digits = digits.take(whole.len() + PLACES);
        let number = digits.fold(0, |number: i128, digit| number * 10 + i128::from(digit - b'0'));
        Ok((Self(if text.starts_with('-') { -number } else { number }), rest))
    }

    fn checked(self) -> Option<Self> {
        self.in_column().map(|_| self)
    }

    /// The number times a whole number; `None` if the result does not fit a column.
    #[must_use]
    pub fn times(self, factor: i64) -> Option<Self> {
        self.0.checked_mul(i128::from(factor)).and_then(|product| Self(product).checked())
    }

    /// The sum. Numbers of columns can be added without a limit that any ledger reaches; beyond it
    /// the sum stays at the limit.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The number without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The number for people: without the zeros at its end, but with at least two places.
    #[must_use]
    pub fn short(self) -> String {
        let text = self.to_string();
        let zeros = text.bytes().rev().take(PLACES - 2).take_while(|b| *b == b'0').count();
        text[..text.len() - zeros].to_owned()
    }
}

/// All six places, as DuckDB shows DECIMAL(18,6).
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, places) = (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        write!(f, "{sign}{whole}.{places:06}")
    }
}

/// A text, because most readers of JSON would make a number a floating-point one.
impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Merge for Decimal {
    fn merge(&mut self, other: Self) {
        *self = self.plus(other);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_read_exactly() {
        for (text, millionths) in [
            ("0.055", 55_000),
            ("1", 1_000_000),
            ("-0.000001", -1),
            ("+12.50", 12_500_000),
            ("0.05500000", 55_000),
            ("000000000000000000001", 1_000_000),
            ("999999999999.999999", BEYOND - 1),
        ] {
            assert_eq!(Decimal::parse(text), Ok(Decimal(millionths)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "5.", ".5", "-", "1e3", "1,000", " 1", "０", "0.05 ", "--1", "NaN", "0x1"] {
            assert_eq!(Decimal::parse(text), Err(DecimalProblem::NotANumber), "{text:?}");
        }
        assert_eq!(Decimal::parse("0.0000001"), Err(DecimalProblem::TooManyPlaces));
        assert_eq!(Decimal::parse("1000000000000"), Err(DecimalProblem::TooLarge));
        assert_eq!(Decimal::parse_rounded("999999999999.9999995"), Err(DecimalProblem::TooLarge));
    }

    #[test]
    fn a_bills_number_is_rounded_half_away_from_zero() {
        for (text, rounded) in [
            ("0.0000005", "0.000001"),
            ("-0.0000005", "-0.000001"),
            ("0.00000049", "0.000000"),
            ("205.7666666667", "205.766667"),
        ] {
            assert_eq!(Decimal::parse_rounded(text).unwrap().to_string(), rounded, "{text}");
        }
    }

    #[test]
    fn people_see_at_least_two_places() {
        for (text, short) in
            [("1", "1.00"), ("0.055", "0.055"), ("-12.5", "-12.50"), ("0.000001", "0.000001")]
        {
            assert_eq!(Decimal::parse(text).unwrap().short(), short);
        }
    }

    #[test]
    fn a_product_that_fits_no_column_is_none() {
        let largest = Decimal(BEYOND - 1);
        assert_eq!(largest.times(1), Some(largest));
        assert_eq!(largest.times(2), None);
        assert_eq!(Decimal(i128::MAX).times(i64::MAX), None);
        assert_eq!(Decimal(i128::MAX).plus(largest), Decimal(i128::MAX));
    }

    proptest! {
        #[test]
        fn a_number_reads_back_as_it_is_shown(millionths in -(BEYOND - 1)..BEYOND) {
            let number = Decimal(millionths);
            prop_assert_eq!(Decimal::parse(&number.to_string()), Ok(number));
            prop_assert_eq!(Decimal::parse(&number.short()), Ok(number));
            prop_assert_eq!(number.in_column().map(i128::from), Some(millionths));
        }
    }
}
