//! What makes a discrepancy of one night the same as one of another night.
//!
//! A discrepancy of a call is known by its call, its kind and its field, whatever the values are. A
//! row that names no usable call is known by what it says. No line number is part of it, because
//! rows move.

use chrono::{Datelike as _, NaiveDate};
use sha2::{Digest as _, Sha256};

use crate::call::CallKey;
use crate::discrepancy::Kind;
use crate::ledger_row::InvalidRow;

/// What a discrepancy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A call.
    Call {
        /// Its CallId.
        call_id: &'a str,
        /// Its product.
        prod_id: i64,
        /// Its day in the details (UTC+8).
        day: NaiveDate,
    },
    /// A row of the ledger that cannot be used.
    Row {
        /// Its CallId; empty if it has none.
        call_id: &'a str,
        /// The value at fault; empty if the whole row is at fault.
        value: &'a str,
        /// The columns `ledger_…` with the row's values. See [`is_part_of_row`].
        carried: &'a [(&'a str, &'a str)],
    },
}

/// The 128-bit fingerprint of a discrepancy, the first half of a SHA-256. `kind` and `field` are
/// the words of the outputs.
///
/// Several discrepancies may share one, such as the later rows of a call: [`nth`] tells them apart.
#[must_use]
pub fn discrepancy_identity(subject: Subject<'_>, kind: &str, field: &str) -> u128 {
    let mut hash = Sha256::new();
    for text in [kind, field] {
        add_text(&mut hash, text);
    }
    subject.add_to(&mut hash);
    first_half(hash)
}

/// The carried column that names the file of a row, if the ledger has several files.
pub const LEDGER_FILE: &str = "ledger_file";

/// True if a carried column is part of what an unusable row says. Account and file are not: the
/// same row may come in another file tomorrow.
#[must_use]
pub fn is_part_of_row(column: &str) -> bool {
    column.starts_with("ledger_") && column != LEDGER_FILE
}

impl<'a> Subject<'a> {
    /// The subject of an unusable row. `names` are those of its carried columns.
    #[must_use]
    pub fn digest_of_row(row: &'a InvalidRow, names: &'a [String]) -> i64 {
        let columns = names.iter().zip(&row.carried).map(|(name, value)| (name.as_str(), value.as_str()));
        let carried: Vec<_> = columns.filter(|(name, _)| is_part_of_row(name)).collect();
        let call_id = row.call_id.as_deref().unwrap_or_default();
        Subject::Row { call_id, value: &row.found, carried: &carried }.digest()
    }

    /// The subject of a call, by the ledger's day. The record may be on another day tomorrow.
    #[must_use]
    pub fn of_call(key: &'a CallKey) -> Self {
        Self::Call { call_id: &key.call_id, prod_id: key.prod_id.0, day: key.day }
    }

    /// The subject of a call that only a receipt of this day names. A receipt names no product, and
    /// no call of a ledger has product 0.
    #[must_use]
    pub fn of_receipt(call_id: &'a str, day: NaiveDate) -> Self {
        Self::Call { call_id, prod_id: 0, day }
    }

    /// The subject of a row of a discrepancy file that is about a call, by the row's columns;
    /// `None` if it names no kind or no call.
    #[must_use]
    pub fn of_named_call(
        kind: &str,
        call_id: &'a str,
        prod_id: Option<i64>,
        day: Option<NaiveDate>,
    ) -> Option<Self> {
        match day {
            _ if kind.is_empty() || call_id.is_empty() => None,
            Some(day) if kind == Kind::MissingInLedger.as_str() => Some(Self::of_receipt(call_id, day)),
            day => Some(Self::Call { call_id, prod_id: prod_id?, day: day? }),
        }
    }

    /// A 64-bit digest of the subject alone: the discrepancies of one call have the same one.
    #[must_use]
    pub fn digest(self) -> i64 {
        let mut hash = Sha256::new();
        self.add_to(&mut hash);
        first_quarter(hash)
    }

    fn add_to(self, hash: &mut Sha256) {
        match self {
            Subject::Call { call_id, prod_id, day } => {
                hash.update([0]);
                add_text(hash, call_id);
                hash.update(prod_id.to_le_bytes());
                hash.update(day.num_days_from_ce().to_le_bytes());
            }
            Subject::Row { call_id, value, carried } => {
                hash.update([1]);
                add_text(hash, call_id);
                add_text(hash, value);
                // The columns may come in another order tomorrow, and an empty one may be new.
                let mut carried: Vec<_> = carried.iter().filter(|(_, value)| !value.is_empty()).collect();
                carried.sort_unstable();
                for text in carried.into_iter().flat_map(|(name, value)| [name, value]) {
                    add_text(hash, text);
                }
            }
        }
    }
}

/// A 64-bit digest of a CallId. It connects an unusable row with the usable row that replaces it.
#[must_use]
pub fn call_id_digest(call_id: &str) -> i64 {
    let mut hash = Sha256::new();
    hash.update([2]);
    add_text(&mut hash, call_id);
    first_quarter(hash)
}

/// The identity of the n-th discrepancy, from 0, of several with one identity. They are counted in
/// the order of their ledger lines.
#[must_use]
pub fn nth(identity: u128, n: u64) -> u128 {
    if n == 0 {
        return identity;
    }
    let mut hash = Sha256::new();
    hash.update(identity.to_le_bytes());
    hash.update(n.to_le_bytes());
    first_half(hash)
}

/// Adds a text with its length, so that no two lists of texts are the same bytes.
fn add_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

fn first_half(hash: Sha256) -> u128 {
    let digest = hash.finalize();
    let mut half = [0_u8; 16];
    half.copy_from_slice(&digest[..16]);
    u128::from_le_bytes(half)
}

fn first_quarter(hash: Sha256) -> i64 {
    let digest = hash.finalize();
    let mut quarter = [0_u8; 8];
    quarter.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(quarter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::quick_parse;

    fn call(call_id: &str, prod_id: i64, day: &str, kind: &str, field: &str) -> u128 {
        let day = quick_parse::day(day).unwrap();
        discrepancy_identity(Subject::Call { call_id, prod_id, day }, kind, field)
    }

    fn row(call_id: &str, value: &str, carried: &[(&str, &str)]) -> u128 {
        discrepancy_identity(Subject::Row { call_id, value, carried }, "invalid_row", "duration_s")
    }

    #[test]
    fn another_call_kind_field_or_turn_is_another_identity() {
        let one = call("1^2", 7, "2026-11-16", "mismatch", "caller");
        let mut all = vec![
            one,
            call("1^3", 7, "2026-11-16", "mismatch", "caller"),
            call("1^2", 8, "2026-11-16", "mismatch", "caller"),
            call("1^2", 7, "2026-11-17", "mismatch", "caller"),
            call("1^2", 7, "2026-11-16", "duplicate", "caller"),
            call("1^2", 7, "2026-11-16", "mismatch", "callee"),
            call("1^2", 7, "2026-11-16", "mismatchc", "aller"),
            row("1^2", "", &[]),
            row("1^", "2", &[]),
            row("1^2", "", &[("ledger_a", "b")]),
            row("1^2", "", &[("ledger_b", "a")]),
        ];
        assert_eq!(one, nth(one, 0));
        all.extend((1..5).map(|n| nth(one, n)));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_row_about_a_call_names_it_with_its_product() {
        let day = quick_parse::day("2026-11-16");
        let of = |kind, call_id, prod_id| Subject::of_named_call(kind, call_id, prod_id, day);
        assert_eq!(
            of("mismatch", "1^2", Some(7)).map(Subject::digest),
            of("pending", "1^2", Some(7)).map(Subject::digest)
        );
        assert_eq!(
            (of("mismatch", "1^2", None), of("mismatch", "", Some(7)), of("", "1^2", Some(7))),
            (None, None, None)
        );
        // The product of a missing call is that of the run, not of the receipt.
        let missing = of("missing_in_ledger", "1^2", None);
        assert!(missing.is_some() && missing == of("missing_in_ledger", "1^2", Some(7)));
        assert_eq!(Subject::of_named_call("missing_in_ledger", "1^2", Some(7), None), None);
    }

    #[test]
    fn neither_order_nor_empty_columns_change_a_row() {
        let one = row("", "x", &[("ledger_a", "1"), ("ledger_b", "2")]);
        assert_eq!(row("", "x", &[("ledger_b", "2"), ("ledger_new", ""), ("ledger_a", "1")]), one);
    }

    /// Stores keep identities, so they must be the same in every version.
    #[test]
    fn identities_stay_the_same_from_version_to_version() {
        let identity = call("1^2", 11_000_000_300_006, "2026-11-16", "mismatch", "duration_s");
        assert_eq!(format!("{identity:032x}"), "674c5dbcf5d07433d57e1a4e4818a5e3");
        assert_eq!(format!("{:032x}", nth(identity, 1)), "31132374de4afcd2cbf26c7f7e24598a");
        assert_eq!(
            format!("{:032x}", row("", "1:15", &[("ledger_a", "1")])),
            "5ffc297924a5f45826f0753c1ee35de1"
        );
        let day = quick_parse::day("2026-11-16").unwrap();
        let call = Subject::Call { call_id: "1^2", prod_id: 11_000_000_300_006, day };
        let row = Subject::Row { call_id: "", value: "1:15", carried: &[("ledger_a", "1")] };
        assert_eq!([call.digest(), row.digest()], [3_400_328_171_177_414_774, 1_652_383_853_689_350_800]);
        assert_eq!(call_id_digest("1^2"), -3_397_582_642_287_562_783);
    }
}
