//! A question to the provider: one call on one day, in one wire format.

use chrono::NaiveDate;

use reconcile_core::product::ProductId;

/// The provider's operation that answers it.
pub const OPERATION: &str = "QueryCallDetailByCallId";

/// A question about one call on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// `CallId`.
    pub call_id: String,
    /// `ProdId`.
    pub prod_id: ProductId,
    /// The day (UTC+8) whose midnight is sent as `QueryDate`.
    pub day: NaiveDate,
}

/// The requested format of the answers. The content of each answer decides how it is read, not the
/// requested format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WireFormat {
    /// `Format=JSON`.
    #[default]
    Json,
    /// `Format=XML`.
    Xml,
}

impl WireFormat {
    /// The value of `Format`. It is always sent: the provider's pages disagree on the default.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }
}
