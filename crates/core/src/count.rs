//! How a count is written.

/// The number. From a million on it has commas, so that it is not masked as a phone number.
#[must_use]
pub fn count(n: u64) -> String {
    if n < 1_000_000 { n.to_string() } else { thousands(n) }
}

fn thousands(n: u64) -> String {
    if n < 1_000 { n.to_string() } else { format!("{},{:03}", thousands(n / 1_000), n % 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::mask_text;

    #[test]
    fn a_count_is_not_taken_for_a_phone_number() {
        assert_eq!(
            (count(0), count(999_999), count(12_345_678)),
            ("0".into(), "999999".into(), "12,345,678".into())
        );
        for n in [7, 999_999, 1_000_000, 138_001_380] {
            assert_eq!(mask_text(&count(n)), count(n));
        }
    }
}
