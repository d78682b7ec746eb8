//! The first pass over a ledger: its totals, its digest, and the calls named more than once.
//!
//! Promises that `rows = invalid + duplicates + calls`. Memory during the scan is a vector of 16 bytes
//! per usable row (up to thrice that for a moment while it grows); afterwards 32 bytes per
//! repeated call.

use super::{Input, Options};
use crate::call::Record;
use crate::error::Result;

/// What a whole ledger comes to.
#[derive(Debug)]
pub struct Scan {
    /// Records below the header, blank lines not counted.
    pub rows: u64,
    /// Rows that cannot be used.
    pub invalid: u64,
    /// Later rows that name a call already named.
    pub duplicates: u64,
    /// Distinct calls.
    pub calls: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// The calls named by more than one row.
    pub repeats: Repeats,
    /// Output names of the columns carried through, in the order of the header.
    pub carried: Vec<String>,
    /// What deserves a line in the log.
    pub notes: Vec<String>,
    /// Usable rows whose day came from the CallId, no other source naming one.
    pub hinted: u64,
}

/// Calls named by more than one row, by [`crate::call::CallKey::fingerprint`].
#[derive(Debug, Clone, Default)]
pub struct Repeats {
    /// Sorted by fingerprint; the number is that of the rows after the first.
    later: Vec<(u128, u64)>,
}

impl Repeats {
    /// How many rows after the first name this call: 0 when it is named once, or not at all.
    #[must_use]
    pub fn later_rows(&self, fingerprint: u128) -> u64 {
        let found = self.later.binary_search_by_key(&fingerprint, |(call, _)| *call);
        found.map_or(0, |at| self.later[at].1)
    }

    /// From the fingerprints of all rows; also returns the number of distinct ones.
    fn of(mut rows: Vec<u128>) -> (Self, u64) {
        rows.sort_unstable();
        let mut later = Vec::new();
        let mut calls = 0;
        for same in rows.chunk_by(|a, b| a == b) {
            calls += 1;
            if same.len() > 1 {
                later.push((same[0], same.len() as u64 - 1));
            }
        }
        (Self { later }, calls)
    }
}

/// Reads the whole ledger once.
///
/// # Errors
/// Wrong usage, when the file cannot be read or its header cannot be used.
pub(super) fn scan(input: &Input, options: &Options) -> Result<Scan> {
    let mut ledger = input.ledger(options)?;
    let (mut rows, mut invalid) = (0, 0);
    let mut named = Vec::new();
    for record in ledger.by_ref() {
        rows += 1;
        match record? {
            Record::Row(row) => named.push(row.key.fingerprint()),
            Record::Invalid(_) => invalid += 1,
        }
    }
    let (usable, hinted) = (named.len() as u64, ledger.hinted());
    let (repeats, calls) = Repeats::of(named);
    Ok(Scan {
        rows,
        invalid,
        duplicates: usable - calls,
        calls,
        carried: ledger.carried().to_vec(),
        notes: ledger.notes().to_vec(),
        sha256: ledger.finish()?,
        repeats,
        hinted,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::io::Write;

    #[test]
    fn a_scan_counts_calls_by_id_product_and_day() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(
            b"call_id,prod_id,called_at,dept\n\
              a,1,2026-06-01,x\na,1,2026-06-01 10:00,y\na,1,2026-06-02,z\na,2,2026-06-01,\n\
              ,1,2026-06-01,\n\nb,1,2026-06-01,\na,1,1780272000,\n1671552000000^9,1,,\n",
        )
        .unwrap();
        let scan = scan(&Input::open(file.path()).unwrap(), &Options::default()).unwrap();
        assert_eq!((scan.rows, scan.invalid, scan.duplicates, scan.calls), (8, 1, 2, 5));
        assert_eq!(scan.rows, scan.invalid + scan.duplicates + scan.calls);
        assert_eq!(scan.hinted, 1);
        assert_eq!(scan.carried, ["ledger_dept"]);
        assert_eq!(scan.sha256.len(), 64);
        let keys: Vec<u128> = Input::open(file.path())
            .unwrap()
            .ledger(&Options::default())
            .unwrap()
            .filter_map(|record| match record.unwrap() {
                Record::Row(row) => Some(row.key.fingerprint()),
                Record::Invalid(_) => None,
            })
            .collect();
        assert_eq!(scan.repeats.later_rows(keys[0]), 2);
        assert_eq!(scan.repeats.later_rows(keys[2]), 0);
        assert!(Repeats::of(vec![1, 2]).0.later.is_empty());
    }

    #[test]
    fn a_file_that_is_not_there_is_wrong_usage() {
        let error = Input::open("no-such-ledger.csv".as_ref()).unwrap_err();
        assert_eq!(error.exit, crate::exit::Exit::Usage);
        assert!(error.what.contains("no-such-ledger.csv"));
    }
}
