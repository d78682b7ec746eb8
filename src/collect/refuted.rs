//! The second round of an account: the calls whose requests the receipts saved, once the sample has
//! refuted the receipts.

use std::ops::RangeInclusive;

use super::jobs::{CallSource, Hour, for_each_call};
use crate::error::Result;
use reconcile_core::checked_receipts::CheckedReceipts;

/// The calls that an account asks for only if the sample refutes the receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refutable {
    /// Their number.
    pub calls: u64,
    /// The order in which they are asked for.
    pub order: Vec<RangeInclusive<Hour>>,
    /// True if the sample refutes them already. Otherwise its answers are still to come.
    pub is_refuted: bool,
}

/// What the sample says about the receipts of each of these accounts. Only the calls of the sample
/// are looked up.
///
/// # Errors
///
/// Exit 2 if the ledger cannot be read, exit 6 if the store cannot be read.
pub(super) fn check_sample(source: CallSource<'_>, accounts: &[usize]) -> Result<Vec<CheckedReceipts>> {
    let mut checked = vec![CheckedReceipts::default(); source.accounts.len().max(1)];
    for_each_call(
        source,
        &|place, key| accounts.contains(&place.account) && source.receipts.is_in_sample(key),
        &mut |call| {
            checked[call.place.account].add(&call.row, call.stored.as_ref(), source.receipts, source.rules);
            true
        },
    )?;
    Ok(accounts.iter().map(|account| checked[*account]).collect())
}
