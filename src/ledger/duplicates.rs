//! The calls that a ledger names more than once.

use super::fingerprints::SortedFingerprints;

/// Calls named by more than one row, by [`reconcile_core::call::CallKey::fingerprint`]. Holds 20
/// bytes for each of them.
#[derive(Debug, Clone, Default)]
pub struct DuplicateCalls {
    /// Fingerprints, ascending.
    calls: Vec<u128>,
    /// Number of rows after the first, for each call.
    later: Vec<u32>,
}

impl DuplicateCalls {
    /// Number of rows after the first that name this call; 0 if at most one row names it.
    #[must_use]
    pub fn later_rows(&self, fingerprint: u128) -> u64 {
        self.calls.binary_search(&fingerprint).map_or(0, |at| u64::from(self.later[at]))
    }

    /// Counts the fingerprints of all rows; also returns the number of distinct ones.
    ///
    /// # Errors
    /// The temporary file of the fingerprints cannot be read.
    pub(super) fn count(sorted: SortedFingerprints) -> std::io::Result<(Self, u64)> {
        let mut duplicates = Self::default();
        let mut calls = 0;
        let mut last = None;
        for fingerprint in sorted {
            let fingerprint = fingerprint?;
            if last.replace(fingerprint) != Some(fingerprint) {
                calls += 1;
            } else if duplicates.calls.last() == Some(&fingerprint) {
                if let Some(later) = duplicates.later.last_mut() {
                    *later = later.saturating_add(1);
                }
            } else {
                duplicates.calls.push(fingerprint);
                duplicates.later.push(1);
            }
        }
        Ok((duplicates, calls))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::fingerprints::Fingerprints;

    fn counted(all: &[u128]) -> (DuplicateCalls, u64) {
        let mut fingerprints = Fingerprints::default();
        all.iter().for_each(|one| fingerprints.push(*one).unwrap());
        DuplicateCalls::count(fingerprints.sorted()).unwrap()
    }

    #[test]
    fn only_later_rows_are_counted() {
        assert!(counted(&[1, 2]).0.calls.is_empty());
        let (duplicates, calls) = counted(&[3, 1, 3, 2, 3, 1]);
        let later = [3, 1, 2].map(|call| duplicates.later_rows(call));
        assert_eq!((calls, later), (3, [2, 1, 0]));
    }
}
