//! Settings for reading a ledger: what its content does not say.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;
use reconcile_core::ledger_field::Field;
use reconcile_core::ledger_record::Defaults;
use reconcile_core::product::ProductId;

use super::joined::OneOfSeveral;

/// Settings for reading a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Product of rows without one.
    pub prod_id: Option<ProductId>,
    /// Day (UTC+8) of rows without a time.
    pub call_date: Option<NaiveDate>,
    /// The accounts that a row may name, sorted. Without any, the account is a field only if a
    /// column is assigned to it, and may be any text.
    pub accounts: Vec<CompactString>,
    /// Columns assigned by the user, as (field, header). An empty header means no column.
    pub map: Vec<(String, String)>,
    /// Field delimiter; `None` detects it from the header row.
    pub delimiter: Option<u8>,
    /// Physical lines above the header row that are passed over; in a workbook, rows of the sheet.
    pub skip_lines: u64,
    /// Sheet of a workbook; `None` is the first that is not hidden.
    pub sheet: Option<String>,
    /// The current time, to notice calls that are ahead of it; `None` does not look for them.
    pub now: Option<DateTime<Utc>>,
    /// Set for each file of several that are one ledger.
    pub several: Option<OneOfSeveral>,
}

impl Options {
    /// True if the account is a field of the ledger.
    pub(super) fn has_account(&self) -> bool {
        let is_assigned = |(name, header): &(String, String)| Field::is_account(name) && !header.is_empty();
        !self.accounts.is_empty() || self.map.iter().any(is_assigned)
    }

    /// What holds for rows that do not say it.
    pub(super) fn defaults(&self) -> Defaults {
        Defaults { prod_id: self.prod_id, call_date: self.call_date }
    }
}
