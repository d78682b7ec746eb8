//! Phone numbers: how they are compared, and how they may be shown in logs, errors and the report. Pure.
//!
//! The data files are for analysts and keep what ledger and provider say; everything else goes through here.

/// What this program may show of a run of digits: a phone number has at least this many.
const SHORTEST: usize = 7;

/// The fields whose values are numbers that somebody calls or is called by.
pub const NUMBER_FIELDS: [&str; 4] = ["caller", "callee", "caller_show_number", "callee_show_number"];

/// A number as it is compared: without spaces of any width (none as well) and `-`, and without `+86`, `0086` or `86` before
/// a mainland mobile number (eleven digits that begin with 1). A lost leading zero stays a difference.
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

/// A space of any width, the three of no width included.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// A number with its middle hidden: `138****5678`. Of a short one only the last two digits stay.
#[must_use]
pub fn mask_number(text: &str) -> String {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let (front, back) = if digits >= 10 { (3, 4) } else { (0, 2.min(digits / 2)) };
    let mut seen = 0;
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_numeric() {
            let shown = seen < front || seen >= digits - back;
            masked.push(if shown { c } else { '*' });
            seen += 1;
        } else {
            masked.push(c);
        }
    }
    masked
}

/// A text with every run of digits that may be a phone number masked: spaces, `-` and brackets inside a run do
/// not end it. Times such as `2026-05-26 17:01:51` and dates stay as they are.
#[must_use]
pub fn mask_text(text: &str) -> String {
    replace_numbers(text, |run, _, _| mask_number(run))
}

/// A text with every run of digits that may be a phone number replaced by what `other` makes of it and of the characters
/// before and after it.
pub fn replace_numbers(
    text: &str,
    mut other: impl FnMut(&str, Option<char>, Option<char>) -> String,
) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, run_on) = rest.split_at(at);
        let (run, after) = run_on.split_at(run_length(run_on));
        replaced.push_str(before);
        let long = run.bytes().filter(u8::is_ascii_digit).count() >= SHORTEST;
        if long && !is_time(run, after) {
            let neighbours = (replaced.chars().next_back(), after.chars().next());
            replaced.push_str(&other(run, neighbours.0, neighbours.1));
        } else {
            replaced.push_str(run);
        }
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// How many bytes from the first digit to the last one of the run.
fn run_length(text: &str) -> usize {
    let joins = |b: u8| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'(' | b')');
    let end = text.bytes().position(|b| !joins(b)).unwrap_or(text.len());
    text[..end].rfind(|c: char| c.is_ascii_digit()).map_or(end, |last| last + 1)
}

/// `2026-05-26` with or without an hour behind it.
fn is_time(run: &str, after: &str) -> bool {
    let shaped = |shape: &str| {
        run.len() == shape.len()
            && run
                .bytes()
                .zip(shape.bytes())
                .all(|(b, s)| if s == b'0' { b.is_ascii_digit() } else { b == s })
    };
    shaped("0000-00-00") || (shaped("0000-00-00 00") && after.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_of_any_width_and_the_country_code_of_a_mobile_are_no_part_of_a_number() {
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
        assert_eq!(normalize_number("86 571 12345678"), "8657112345678");
    }

    #[test]
    fn the_middle_of_a_number_is_hidden() {
        assert_eq!(mask_number("13812345678"), "138****5678");
        assert_eq!(mask_number("+86 138-1234-5678"), "+86 1**-****-5678");
        assert_eq!(mask_number("0571000018363"), "057******8363");
        assert_eq!(mask_number("95187"), "***87");
        assert_eq!(mask_number("1"), "*");
        assert_eq!(mask_number(""), "");
    }

    #[test]
    fn numbers_are_hidden_wherever_they_stand_in_a_text() {
        assert_eq!(mask_text("callee 13812345678 is limited"), "callee 138****5678 is limited");
        assert_eq!(mask_text("callee:138 1234 5678, 0571-88888888."), "callee:138 **** 5678, 057*-****8888.");
        assert_eq!(mask_text("号码13812345678。"), "号码138****5678。");
        assert_eq!(mask_text("HTTP 502 after 3 tries"), "HTTP 502 after 3 tries");
    }

    #[test]
    fn a_time_is_no_number() {
        assert_eq!(mask_text("at 2026-05-26 17:01:51"), "at 2026-05-26 17:01:51");
        assert_eq!(mask_text("on 2026-05-26, at"), "on 2026-05-26, at");
        // A run that only begins like a date is hidden.
        assert_eq!(mask_text("2026-05-26 13812345678"), "202*-**-** *******5678");
    }
}
