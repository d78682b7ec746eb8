//! Windows of numbers, each for a statement of its own. So a reader of millions of calls holds
//! neither memory nor other processes.

use std::ops::RangeInclusive;

/// Call numbers of one window: some MiB of the store.
const WINDOW: i64 = 8_192;

/// The windows of these numbers.
pub(super) fn windows(numbers: RangeInclusive<i64>) -> impl Iterator<Item = RangeInclusive<i64>> {
    let (first, last) = numbers.into_inner();
    let starts = std::iter::successors(Some(first), |start| start.checked_add(WINDOW));
    starts
        .take_while(move |start| *start <= last)
        .map(move |start| start..=last.min(start.saturating_add(WINDOW - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_each_number_once() {
        for (first, last) in [(1, 0), (1, 1), (5, 5 + WINDOW), (i64::MAX - 3, i64::MAX), (1, 3 * WINDOW)] {
            let windows: Vec<_> = windows(first..=last).collect();
            let numbers: i64 = windows.iter().map(|window| window.end() - window.start() + 1).sum();
            assert_eq!(i128::from(numbers), i128::from(last) - i128::from(first) + 1);
            assert!(windows.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()));
        }
    }
}
