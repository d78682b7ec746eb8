//! Looks up the decision on a discrepancy.

use reconcile_core::discrepancy::DiscrepancyRow;
use reconcile_core::resolutions::{EntryUse, Resolutions};

use crate::output::RowEncoder;

/// Looks up the decision on a row, by its values and by those that the file will show.
pub(super) fn decide(
    resolutions: &Resolutions,
    encoder: &RowEncoder,
    row: &mut DiscrepancyRow,
    used: &mut EntryUse,
) {
    if resolutions.is_empty() {
        return;
    }
    let found = match encoder.masked(row) {
        Some(masked) => resolutions.find(&[row, &masked], used),
        None => resolutions.find(&[row], used),
    };
    row.resolution = found.cloned();
}
