//! Product ids, and the names of the known products.

use crate::quick_parse::{trimmed, whole_number};

/// The products with a name: the id, and the name as users write it.
///
/// Source: the provider's page of `QueryCallDetailByCallId`.
pub const PRODUCTS: [(i64, &str); 6] = [
    (11_000_000_300_006, "voice-notification"),
    (11_010_000_138_001, "verification-code"),
    (11_000_000_300_005, "ivr"),
    (11_000_000_300_004, "click-to-dial"),
    (11_000_000_300_009, "sip"),
    (11_030_000_180_001, "smart-outbound"),
];

/// Other names of the products: those of the provider's console and documentation.
const OTHER_NAMES: [(i64, &str); 13] = [
    (11_000_000_300_006, "语音通知"),
    (11_010_000_138_001, "语音验证码"),
    (11_010_000_138_001, "验证码"),
    (11_000_000_300_005, "语音ivr"),
    (11_000_000_300_005, "交互式语音应答"),
    (11_000_000_300_005, "交互式语音"),
    (11_000_000_300_004, "点击拨号"),
    (11_000_000_300_004, "双呼"),
    (11_000_000_300_004, "语音双呼"),
    (11_000_000_300_009, "语音sip"),
    (11_000_000_300_009, "sip通话"),
    (11_030_000_180_001, "智能外呼"),
    (11_030_000_180_001, "智能语音外呼"),
];

/// The provider's `ProdId`: any positive 64-bit number. Those in [`PRODUCTS`] have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId(pub i64);

impl ProductId {
    /// The product's name as users write it; `None` for a product without a name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        PRODUCTS.iter().find(|(id, _)| *id == self.0).map(|(_, name)| *name)
    }

    /// Reads a product id or a product name, in English or Chinese. In a name, case, spaces, `_`,
    /// `-` and notes in brackets are ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = trimmed(text);
        if let Some(id) = whole_number(text) {
            return (id > 0).then_some(Self(id));
        }
        let text = text.split(['(', '（']).next().unwrap_or_default();
        let mut names = PRODUCTS.iter().chain(&OTHER_NAMES);
        names.find(|(_, name)| letters(name).eq(letters(text))).map(|(id, _)| Self(*id))
    }
}

fn letters(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_read_by_id_or_name() {
        assert_eq!(ProductId::parse("11000000300006"), Some(ProductId(11_000_000_300_006)));
        assert_eq!(ProductId::parse(" Voice Notification "), Some(ProductId(11_000_000_300_006)));
        for (name, id) in [
            ("语音通知", 11_000_000_300_006),
            ("语音 验证码", 11_010_000_138_001),
            ("点击拨号（双呼）", 11_000_000_300_004),
            ("语音IVR", 11_000_000_300_005),
            ("SIP", 11_000_000_300_009),
            ("智能外呼", 11_030_000_180_001),
        ] {
            assert_eq!(ProductId::parse(name), Some(ProductId(id)), "{name}");
        }
        assert_eq!(ProductId::parse("保险"), None);
        assert_eq!(ProductId::parse("(语音通知)"), None);
        assert_eq!(ProductId::parse("1.1E+13"), None);
        assert_eq!(ProductId::parse("0"), None);
        assert_eq!(ProductId::parse(""), None);
        assert_eq!(ProductId::parse("99999999999999999999"), None);
    }
}
