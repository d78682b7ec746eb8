//! Numbers as the report shows them.

/// `1234567` as `1,234,567`.
pub(super) fn group_thousands(n: &impl ToString) -> String {
    let text = n.to_string();
    let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (digits, String::new()),
    };
    let mut grouped = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (n, grouped) in [("7", "7"), ("1000", "1,000"), ("-1234567", "-1,234,567"), ("1234.5", "1,234.5")]
        {
            assert_eq!(group_thousands(&n), grouped);
        }
    }
}
