//! Phone numbers as they may be shown: in logs, errors and the report. Pure.
//!
//! The data files are for analysts and keep what ledger and provider say; everything else goes through here.

/// What this program may show of a run of digits: a phone number has at least this many.
const SHORTEST: usize = 7;

/// A number with its middle hidden: `138****5678`. Of a short one only the last two digits stay.
#[must_use]
pub fn number(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let (front, back) = if digits >= 10 { (3, 4) } else { (0, 2.min(digits / 2)) };
    let mut seen = 0;
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_digit() {
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
pub fn text(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, run_on) = rest.split_at(at);
        let (run, after) = run_on.split_at(run_length(run_on));
        masked.push_str(before);
        let long = run.bytes().filter(u8::is_ascii_digit).count() >= SHORTEST;
        if long && !is_time(run, after) {
            masked.push_str(&number(run));
        } else {
            masked.push_str(run);
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
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
    fn the_middle_of_a_number_is_hidden() {
        assert_eq!(number("13812345678"), "138****5678");
        assert_eq!(number("+86 138-1234-5678"), "+86 1**-****-5678");
        assert_eq!(number("0571000018363"), "057******8363");
        assert_eq!(number("95187"), "***87");
        assert_eq!(number("1"), "*");
        assert_eq!(number(""), "");
    }

    #[test]
    fn numbers_are_hidden_wherever_they_stand_in_a_text() {
        assert_eq!(text("callee 13812345678 is limited"), "callee 138****5678 is limited");
        assert_eq!(text("callee:138 1234 5678, 0571-88888888."), "callee:138 **** 5678, 057*-****8888.");
        assert_eq!(text("号码13812345678。"), "号码138****5678。");
        assert_eq!(text("HTTP 502 after 3 tries"), "HTTP 502 after 3 tries");
    }

    #[test]
    fn a_time_is_no_number() {
        assert_eq!(text("at 2026-05-26 17:01:51"), "at 2026-05-26 17:01:51");
        assert_eq!(text("on 2026-05-26, at"), "on 2026-05-26, at");
        // A run that only begins like a date is hidden.
        assert_eq!(text("2026-05-26 13812345678"), "202*-**-** *******5678");
    }
}
