//! Phone numbers: when two of them are equal, and how they are masked.
//!
//! The data files keep the numbers of ledger and provider unless `--mask-phones` is given. Logs,
//! errors and the report always mask them with [`mask_number`] and [`mask_text`].

/// Minimum number of digits that counts as a phone number.
const MIN_PHONE_DIGITS: usize = 7;

/// The fields that hold phone numbers.
pub const NUMBER_FIELDS: [&str; 4] = ["caller", "callee", "caller_show_number", "callee_show_number"];

/// True if two phone numbers are equal: exactly, or in the form of [`normalize_number`].
#[must_use]
#[inline]
pub fn same_number(a: &str, b: &str) -> bool {
    // Most numbers have the same spelling on both sides.
    a == b || normalize_number(a) == normalize_number(b)
}

/// A phone number in the form in which numbers are compared.
///
/// Spaces of any width and `-` are removed, and `+86`, `0086` or `86` before a mainland mobile
/// number (eleven digits that begin with 1). A lost leading zero stays a difference.
#[must_use]
pub fn normalize_number(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !is_space(*c) && *c != '-').collect();
    for prefix in ["+86", "0086", "86"] {
        if let Some(rest) = bare.strip_prefix(prefix)
            && rest.len() == 11
            && rest.starts_with('1')
            && rest.bytes().all(|b| b.is_ascii_digit())
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

/// A phone number with its middle digits masked: `138****5678`. A number with fewer than ten digits
/// keeps at most its last two.
#[must_use]
pub fn mask_number(text: &str) -> String {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let (front, back) = if digits >= 10 { (3, 4) } else { (0, 2.min(digits / 2)) };
    let mut seen = 0;
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_numeric() {
            let is_kept = seen < front || seen >= digits - back;
            masked.push(if is_kept { c } else { '*' });
            seen += 1;
        } else {
            masked.push(c);
        }
    }
    masked
}

/// A text in which every phone number is masked.
///
/// Every run of seven digits or more counts as a phone number. Spaces, `-` and brackets may be
/// inside the run. Dates and times such as `2026-05-26 17:01:51` are kept.
#[must_use]
pub fn mask_text(text: &str) -> String {
    replace_numbers(text, |run, _, _| mask_number(run))
}

/// A text in which every phone number is replaced. `replacement` gets the number and the characters
/// before and after it.
pub fn replace_numbers(
    text: &str,
    mut replacement: impl FnMut(&str, Option<char>, Option<char>) -> String,
) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from_digit) = rest.split_at(at);
        let (run, after) = from_digit.split_at(run_length(from_digit));
        replaced.push_str(before);
        let is_long = run.bytes().filter(u8::is_ascii_digit).count() >= MIN_PHONE_DIGITS;
        if is_long && !is_time(run, after) {
            let (previous, next) = (replaced.chars().next_back(), after.chars().next());
            replaced.push_str(&replacement(run, previous, next));
        } else {
            replaced.push_str(run);
        }
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// The length of a run in bytes, from its first digit to its last.
fn run_length(text: &str) -> usize {
    let is_in_run = |b: u8| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'(' | b')');
    let end = text.bytes().position(|b| !is_in_run(b)).unwrap_or(text.len());
    text[..end].rfind(|c: char| c.is_ascii_digit()).map_or(end, |last| last + 1)
}

/// True for a date like `2026-05-26`, and for the date and hour of a time like `2026-05-26 17:01`.
fn is_time(run: &str, after: &str) -> bool {
    let has_shape = |shape: &str| {
        run.len() == shape.len()
            && run
                .bytes()
                .zip(shape.bytes())
                .all(|(b, s)| if s == b'0' { b.is_ascii_digit() } else { b == s })
    };
    has_shape("0000-00-00") || (has_shape("0000-00-00 00") && after.starts_with(':'))
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
    fn the_middle_of_a_number_is_masked() {
        assert_eq!(mask_number("13812345678"), "138****5678");
        assert_eq!(mask_number("+86 138-1234-5678"), "+86 1**-****-5678");
        assert_eq!(mask_number("0571000018363"), "057******8363");
        assert_eq!(mask_number("95187"), "***87");
        assert_eq!(mask_number("1"), "*");
        assert_eq!(mask_number(""), "");
    }

    #[test]
    fn every_number_in_a_text_is_masked() {
        assert_eq!(mask_text("callee 13812345678 is limited"), "callee 138****5678 is limited");
        assert_eq!(mask_text("callee:138 1234 5678, 0571-88888888."), "callee:138 **** 5678, 057*-****8888.");
        assert_eq!(mask_text("号码13812345678。"), "号码138****5678。");
        assert_eq!(mask_text("HTTP 502 after 3 tries"), "HTTP 502 after 3 tries");
    }

    #[test]
    fn dates_and_times_in_a_text_are_kept() {
        assert_eq!(mask_text("at 2026-05-26 17:01:51"), "at 2026-05-26 17:01:51");
        assert_eq!(mask_text("on 2026-05-26, at"), "on 2026-05-26, at");
        // A run that only begins like a date is masked.
        assert_eq!(mask_text("2026-05-26 13812345678"), "202*-**-** *******5678");
    }
}
