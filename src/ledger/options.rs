//! Settings for reading a ledger: what its content does not say.

use chrono::NaiveDate;
use reconcile_core::product::ProductId;

/// Settings for reading a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Product of rows without one.
    pub prod_id: Option<ProductId>,
    /// Day (UTC+8) of rows without a time.
    pub call_date: Option<NaiveDate>,
    /// Columns assigned by the user, as (field, header).
    pub map: Vec<(String, String)>,
    /// Field delimiter; `None` detects it from the header row.
    pub delimiter: Option<u8>,
}
