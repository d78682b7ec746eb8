//! The record of a call, as bill and receipts need it.

use chrono::NaiveDate;
use reconcile_core::product::ProductId;

/// The record of a known call.
pub(in crate::sandbox) struct KnownRecord {
    /// `None` if the ledger does not name it.
    pub(in crate::sandbox) product: Option<ProductId>,
    pub(in crate::sandbox) day: NaiveDate,
    /// `Data`, without faults.
    pub(in crate::sandbox) data: String,
}
