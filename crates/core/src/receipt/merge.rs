//! Several receipts of one call become one. The provider may push a receipt more than once, and a
//! later one may be fuller.
//!
//! The rule: the receipts are ordered by the number of their values, then by the latest time in
//! them, then by the order in which they were read. Each field comes from the last receipt of this
//! order that has it. A masked phone number counts as no value, so a whole one wins.
//!
//! So receipts with different values or times may be read in any order.

use super::field::{FIELDS, ReceiptField};
use super::value::{Receipt, is_masked};

/// The one receipt of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The receipt.
    pub receipt: Receipt,
    /// True if two receipts have different values in a field.
    pub is_contradicted: bool,
}

/// The one receipt of these receipts of one call, in the order in which they were read; `None` if
/// there are none.
#[must_use]
pub fn merge(receipts: Vec<Receipt>) -> Option<Merged> {
    let mut ranked = receipts;
    // A stable sort keeps the order of reading among equals.
    ranked.sort_by(|a, b| rank(a).cmp(&rank(b)));
    let mut receipt = ranked.pop()?;
    let mut is_contradicted = false;
    for other in ranked.iter().rev() {
        for field in FIELDS {
            let Some(text) = other.text(field) else { continue };
            match receipt.text(field) {
                None => receipt.set(field, text),
                Some(own) if own == text => {}
                Some(own) if is_masked(field, own) && !is_masked(field, text) => receipt.set(field, text),
                Some(own) => is_contradicted |= !is_masked(field, own) && !is_masked(field, text),
            }
        }
    }
    Some(Merged { receipt, is_contradicted })
}

/// Keeps those of the receipts of one call that decide what [`merge`] gives, at most two for each
/// field. So many receipts can be merged in parts: with receipts that were read later, the kept
/// ones give the same as all.
pub fn keep_decisive<T>(receipts: &mut Vec<(T, Receipt)>) {
    let mut ranked: Vec<usize> = (0..receipts.len()).collect();
    ranked.sort_by_cached_key(|at| rank(&receipts[*at].1));
    let mut is_kept = vec![false; receipts.len()];
    for field in FIELDS {
        let text = |at: &usize| receipts[*at].1.text(field);
        let whole = |at: &usize| text(at).filter(|text| !is_masked(field, text));
        let mut with = ranked.iter().rev().filter(|at| text(at).is_some());
        let decisive = ranked.iter().rev().find(|at| whole(at).is_some()).or_else(|| with.next());
        let Some(decisive) = decisive else { continue };
        is_kept[*decisive] = true;
        // A receipt that contradicts it.
        let other = ranked.iter().find(|at| whole(at).is_some_and(|other| whole(decisive) != Some(other)));
        if let Some(other) = other {
            is_kept[*other] = true;
        }
    }
    let mut is_kept = is_kept.into_iter();
    receipts.retain(|_| is_kept.next() == Some(true));
}

/// How full a receipt is, and the latest time in it. Times are ordered as their texts.
fn rank(receipt: &Receipt) -> (usize, Option<&str>) {
    let has = |field: &ReceiptField| receipt.text(*field).is_some_and(|text| !is_masked(*field, text));
    let times = FIELDS.into_iter().filter(|field| field.is_time());
    (FIELDS.iter().filter(|field| has(field)).count(), times.filter_map(|field| receipt.text(field)).max())
}
