//! What `purge` and `forget` report.

/// What was erased, and the size of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Erased calls.
    pub calls: u64,
    /// Erased requests.
    pub requests: u64,
    /// Bytes of the store before.
    pub bytes_before: u64,
    /// Bytes of the store after.
    pub bytes_after: u64,
}
