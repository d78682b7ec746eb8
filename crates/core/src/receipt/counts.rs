//! What the receipts are to a ledger, in numbers.

/// How many calls the receipts name, and what they are to the ledger.
///
/// `receipts = duplicates + calls`, and
/// `calls = answering + not_answering + missing + outside + undated`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct JoinCounts {
    /// Receipts that were read.
    pub receipts: u64,
    /// Receipts beyond the first of their call.
    pub duplicates: u64,
    /// Calls that the receipts name.
    pub calls: u64,
    /// The calls among them whose receipts contradict each other.
    pub contradicted: u64,
    /// Calls of which the receipt answers a call of the ledger.
    pub answering: u64,
    /// Calls that the ledger names, but on another day, under several products, or in a row that
    /// cannot be used.
    pub not_answering: u64,
    /// Calls that the ledger lacks, within its days.
    #[serde(rename = "missing_in_ledger")]
    pub missing: u64,
    /// Calls that the ledger lacks, on other days or perhaps so.
    pub outside: u64,
    /// Calls that the ledger lacks, without a time.
    pub undated: u64,
}
