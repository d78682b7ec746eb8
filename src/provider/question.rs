//! What is asked of the provider: one call on one day, in one wire format.

use chrono::NaiveDate;

use reconcile_core::product::ProductId;

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

/// The format that the answers are requested in. Each answer is read by its content, whatever was
/// requested.
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
