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

/// How full a receipt is, and the latest time in it. Times are ordered as their texts.
fn rank(receipt: &Receipt) -> (usize, Option<&str>) {
    let has = |field: &ReceiptField| receipt.text(*field).is_some_and(|text| !is_masked(*field, text));
    let times = FIELDS.into_iter().filter(|field| field.is_time());
    (FIELDS.iter().filter(|field| has(field)).count(), times.filter_map(|field| receipt.text(field)).max())
}
