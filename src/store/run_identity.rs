//! The identity of a run.

/// The identity of a run. A session resumes an unfinished run only if both are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    /// SHA-256 of the ledger, in hex.
    pub input_sha256: String,
    /// True if settled calls are asked again.
    pub refresh: bool,
}
