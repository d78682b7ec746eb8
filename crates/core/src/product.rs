//! The products whose calls can be asked for, by number and by name.

use crate::quick_parse;

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
        let text = quick_parse::trimmed(text);
        if let Some(number) = quick_parse::whole_number(text) {
            return Some(Self(number)).filter(|_| number > 0);
        }
        fn plain(s: &str) -> impl Iterator<Item = char> + '_ {
            s.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase)
        }
        PRODUCTS.iter().find(|(_, name)| plain(name).eq(plain(text))).map(|(id, _)| Self(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
