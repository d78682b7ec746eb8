//! Even shares of an account's places.

/// The places of session `mine` if these sessions share `places`, given in any order: an even part,
/// and one more for the lowest numbers while there is a remainder. A session that is not among them
/// gets none.
pub(super) fn even_share(places: u32, sessions: &[i64], mine: i64) -> u32 {
    if !sessions.contains(&mine) {
        return 0;
    }
    let n = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
    let lower = sessions.iter().filter(|session_no| **session_no < mine).count();
    let has_more = u32::try_from(lower).is_ok_and(|lower| lower < places % n);
    places / n + u32::from(has_more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_their_sum_is_the_cap() {
        let shares = |places, sessions: &[i64]| -> Vec<u32> {
            sessions.iter().map(|mine| even_share(places, sessions, *mine)).collect()
        };
        assert_eq!(shares(100, &[7]), [100]);
        assert_eq!(shares(100, &[9, 4, 30]), [33, 34, 33]);
        assert_eq!(shares(2, &[1, 2, 3]), [1, 1, 0]);
        for n in 1..40 {
            assert_eq!(shares(100, &(0..n).collect::<Vec<_>>()).iter().sum::<u32>(), 100);
        }
        assert_eq!(even_share(100, &[1, 2], 3), 0, "it wants none");
    }
}
