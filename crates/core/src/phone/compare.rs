//! When two phone numbers are equal.

/// True if two phone numbers are equal: exactly, or in the form of [`normalize_number`].
#[must_use]
#[inline]
pub fn same_number(a: &str, b: &str) -> bool {
    // Most numbers have the same spelling on both sides.
    a == b || normalize_number(a) == normalize_number(b)
}

/// True if two phone numbers may be equal: as [`same_number`], and a masked digit (`130****0000`)
/// is equal to any digit.
#[must_use]
pub fn same_masked_number(a: &str, b: &str) -> bool {
    if same_number(a, b) {
        return true;
    }
    if !a.contains('*') && !b.contains('*') {
        return false;
    }
    let [a, b] = [a, b].map(|number| without_country(bare(number), |b| b.is_ascii_digit() || b == b'*'));
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| a == b || a == b'*' || b == b'*')
}

/// A phone number in the form in which numbers are compared.
///
/// Spaces of any width and `-` are removed, and `+86`, `0086` or `86` before a mainland mobile
/// number (eleven digits that begin with 1). A lost leading zero stays a difference.
#[must_use]
pub fn normalize_number(text: &str) -> String {
    without_country(bare(text), |b| b.is_ascii_digit())
}

/// A number without spaces and hyphens.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !is_space(*c) && *c != '-').collect()
}

/// A bare number without the country code before a mainland mobile number.
fn without_country(bare: String, is_digit: fn(u8) -> bool) -> String {
    for prefix in ["+86", "0086", "86"] {
        if let Some(rest) = bare.strip_prefix(prefix)
            && rest.len() == 11
            && rest.starts_with('1')
            && rest.bytes().all(is_digit)
        {
            return rest.to_owned();
        }
    }
    bare
}

/// True for spaces of any width, including three characters without width.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_hyphens_and_the_country_code_are_ignored() {
        for spelling in [
            "13812345678",
            "138 1234 5678",
            "138-1234-5678",
            "+86 13812345678",
            "008613812345678",
            "8613812345678",
            "\u{3000}138\u{a0}1234\u{2009}5678",
            "138\u{200b}12345678\u{feff}",
        ] {
            assert_eq!(normalize_number(spelling), "13812345678", "{spelling:?}");
        }
        for other in ["3812345678", "+13812345678", "(138)12345678", "+85213812345678", "138.1234.5678"] {
            assert_ne!(normalize_number(other), "13812345678", "{other}");
        }
        assert_eq!(
            normalize_number("86 571 12345678"),
            "8657112345678",
            "86 is removed only before a mobile"
        );
        assert!(same_number("138 1234 5678", "+8613812345678"));
        assert!(!same_number("05344750000", "5344750000"), "a lost leading zero is a difference");
    }

    #[test]
    fn a_masked_digit_is_equal_to_any() {
        for same in ["13012340000", "+86 130-1234-0000", "130****0000", "8613*****0000", "***********"] {
            assert!(
                same_masked_number("130****0000", same) && same_masked_number(same, "130****0000"),
                "{same}"
            );
        }
        for other in ["13112340000", "1301234000", "130123400000", "", "130*****0000"] {
            assert!(!same_masked_number("130****0000", other), "{other}");
        }
        assert!(!same_masked_number("13012340000", "13012340001"));
    }
}
