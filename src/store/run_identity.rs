//! What makes two sessions parts of one run.

/// What a session must have in common with an unfinished run to resume it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    /// SHA-256 of the ledger, in hex.
    pub input_sha256: String,
    /// True if settled calls are asked again.
    pub refresh: bool,
}
